/* roster.c -- rooms, hosts, roles and guests in fixed tables; no I/O. */
#include "state/roster_inside.h"

#include "base/mutant.h"

size_t roster_size(uint32_t sessions_max)
{
    size_t n = (size_t)sessions_max + 1;
    return sizeof(struct roster) + n * (sizeof(struct session) + sizeof(struct seats)) +
           (roster_turnouts_max(sessions_max) + 1) * sizeof(struct turnout);
}

void roster_init(struct roster *r, uint32_t sessions_max)
{
    r->sessions_max = sessions_max;
    r->unused_session = 1;
    r->evict_hand = 1;
    r->unused_role = 1;
    r->unused_seats = 1;
    r->unused_turnout = 1;
}

/* ---- rooms and hosts ---- */

uint32_t roster_room(const struct roster *r, uint64_t id)
{
    uint32_t i = r->room_bucket[roster_bucket(id, ROOM_BUCKETS)];
    while (i != 0 && r->room[i].id != id)
        i = r->room[i].next;
    return i;
}

uint32_t roster_room_open(const struct roster_edit *e, uint64_t id, struct text name)
{
    struct roster *r = e->r;
    uint32_t i = roster_room(r, id);
    if (i != 0 || r->n_rooms == ROOMS_MAX - 1 || name.len > DIRECT_NAME_MAX)
        return i;
    i = r->n_rooms + 1;
    struct room *room = roster_room_edit(e, i);
    uint32_t *head = &r->room_bucket[roster_bucket(id, ROOM_BUCKETS)];
    *room = (struct room){.id = id, .next = *head, .name_len = (uint32_t)name.len};
    memcpy(room->name, name.p, name.len);
    roster_set_u32(e, head, i);
    roster_set_u32(e, &r->n_rooms, i);
    return i;
}

struct room *roster_room_edit(const struct roster_edit *e, uint32_t room)
{
    roster_save(e, &e->r->room[room], sizeof e->r->room[room]);
    return &e->r->room[room];
}

uint32_t roster_host(const struct roster *r, uint64_t id)
{
    for (uint32_t i = 1; i <= r->n_hosts; i++)
        if (r->host[i].id == id)
            return i;
    return 0;
}

uint32_t roster_host_open(const struct roster_edit *e, uint64_t id, struct text name)
{
    struct roster *r = e->r;
    uint32_t i = roster_host(r, id);
    if (name.len > HOST_NAME_MAX_LEN)
        return 0;
    if (i == 0) {
        if (r->n_hosts == HOSTS_MAX)
            return 0;
        i = r->n_hosts + 1;
        roster_set_u32(e, &r->n_hosts, i);
    }
    struct host *h = &r->host[i];
    roster_save(e, h, sizeof *h);
    *h = (struct host){.id = id, .name_len = (uint32_t)name.len};
    memcpy(h->name, name.p, name.len);
    return i;
}

/* ---- roles ---- */

static uint32_t role_bucket(uint32_t room, uint64_t host, struct text user)
{
    uint64_t h = host ^ room;
    for (size_t i = 0; i < user.len; i++)
        h = (h ^ (uint8_t)user.p[i]) * 0x100000001b3u;
    return roster_bucket(h, ROLE_BUCKETS);
}

static struct text role_user(const struct role *x)
{
    return (struct text){x->user, x->user_len};
}

static uint32_t find_role(const struct roster *r, uint32_t room, uint64_t host, struct text user)
{
    uint32_t i = r->role_bucket[role_bucket(room, host, user)];
    while (i != 0 && (r->role[i].room != room || r->role[i].host != host || !text_eq(role_user(&r->role[i]), user)))
        i = r->role[i].next;
    return i;
}

/* take_role -- a free slot, or 0. */
static uint32_t take_role(const struct roster_edit *e)
{
    struct roster *r = e->r;
    uint32_t i = r->free_role;
    if (i != 0) {
        roster_set_u32(e, &r->free_role, r->role[i].next);
    } else if (r->unused_role < ROLES_MAX) {
        i = r->unused_role;
        roster_set_u32(e, &r->unused_role, i + 1);
    }
    return i;
}

int roster_role_add(const struct roster_edit *e, uint32_t room, uint64_t host, struct text user, uint8_t bits)
{
    struct roster *r = e->r;
    uint32_t i = find_role(r, room, host, user);
    if (i != 0) {
        roster_save(e, &r->role[i], sizeof r->role[i]);
        r->role[i].bits |= bits;
        return 0;
    }
    i = user.len <= USER_NAME_MAX ? take_role(e) : 0;
    if (i == 0)
        return -1;
    uint32_t *head = &r->role_bucket[role_bucket(room, host, user)], *first = &r->room[room].roles;
    roster_save(e, &r->role[i], sizeof r->role[i]);
    r->role[i] = (struct role){.host = host, .room = room, .next = *head, .next_role = *first, .bits = bits};
    r->role[i].user_len = (uint8_t)user.len;
    memcpy(r->role[i].user, user.p, user.len);
    roster_set_u32(e, head, i);
    roster_set_u32(e, first, i);
    return 0;
}

bool roster_roles_clear(const struct roster_edit *e, uint32_t room)
{
    struct roster *r = e->r;
    uint32_t i = r->room[room].roles;
    if (i == 0)
        return false;
    struct role *x = &r->role[i];
    uint32_t *at = &r->role_bucket[role_bucket(room, x->host, role_user(x))];
    while (*at != i)
        at = &r->role[*at].next;
    roster_set_u32(e, at, x->next);
    roster_set_u32(e, &r->room[room].roles, x->next_role);
    roster_set_u32(e, &x->next, r->free_role);
    roster_set_u32(e, &r->free_role, i);
    return true;
}

unsigned roster_role(const struct roster *r, uint32_t room, uint64_t host, struct text user)
{
    if (r->room[room].roles == 0)
        return 0;
    uint32_t one = find_role(r, room, host, user), all = find_role(r, room, host, text_of("*"));
    unsigned bits = (one ? r->role[one].bits : 0u) | (all ? r->role[all].bits : 0u);
    return bits & ROLE_OWNER ? ROLE_OWNER : bits;
}

/* ---- hosts of private rooms ---- */

void roster_audience(const struct roster_edit *e, uint32_t room, const uint64_t in[HOST_WORDS], const uint64_t left[HOST_WORDS])
{
    struct audience *a = &e->r->audience[room];
    bool same = true;
    for (size_t i = 0; i < HOST_WORDS; i++)
        same = same && atomic_load(&a->in[i]) == in[i] && atomic_load(&a->left[i]) == left[i];
    if (same)
        return;
    roster_save(e, a, sizeof *a);
    roster_save(e, &e->r->audiences, sizeof e->r->audiences);
    for (size_t i = 0; i < HOST_WORDS; i++) {
        atomic_store(&a->in[i], in[i]);
        atomic_store(&a->left[i], left[i]);
    }
    atomic_store(&a->moved, atomic_load(&e->r->audiences) + 1);
    atomic_store(&e->r->audiences, atomic_load(&a->moved)); /* last: who sees it sees the others */
}

static bool has_host(const struct roster *r, const _Atomic uint64_t bits[HOST_WORDS], uint64_t host)
{
    uint32_t i = roster_host(r, host);
    return i != 0 && atomic_load(&bits[(i - 1) / 64]) >> ((i - 1) % 64) & 1;
}

bool roster_hears(const struct roster *r, uint32_t room, uint64_t host)
{
    return has_host(r, r->audience[room].in, host);
}

bool roster_left(const struct roster *r, uint32_t room, uint64_t host)
{
    return has_host(r, r->audience[room].left, host);
}

/* ---- guests ---- */

void roster_guest(const struct roster_edit *e, uint32_t i, const struct guest *g)
{
    if (i >= GUESTS_MAX)
        return;
    if (i >= e->r->n_guests)
        roster_set_u32(e, &e->r->n_guests, i + 1);
    roster_save(e, &e->r->guest[i], sizeof *g);
    e->r->guest[i] = *g;
}

void roster_no_guests(const struct roster_edit *e)
{
    uint32_t n = e->r->n_guests;
    roster_set_u32(e, &e->r->n_guests, 0);
    if (!MUTANT(GUESTS_LEFT))
        memset(e->r->guest, 0, n * sizeof e->r->guest[0]); /* slots may be skipped; no image: a killed link process starts over */
}
