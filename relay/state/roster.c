/* roster.c -- rooms, hosts and sessions in fixed tables; no I/O. */
#include "state/roster.h"

#include "base/mutant.h"

/* What of a session is kept when it is edited: everything but the room bits, which are kept word by word. */
#define SESSION_IMAGE offsetof(struct session, words)

static void save(const struct roster_edit *e, const void *at, size_t len)
{
    undo_save(e->undo, e->base, at, len);
}

/* set_u32 -- change one index or count, its before-image kept. */
static void set_u32(const struct roster_edit *e, uint32_t *at, uint32_t v)
{
    save(e, at, sizeof *at);
    *at = v;
}

static uint32_t bucket(uint64_t key, uint32_t n)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) % n;
}

size_t roster_size(uint32_t sessions_max)
{
    return sizeof(struct roster) + ((size_t)sessions_max + 1) * sizeof(struct session);
}

void roster_init(struct roster *r, uint32_t sessions_max)
{
    r->sessions_max = sessions_max;
    r->unused_session = 1;
    r->evict_hand = 1;
    r->unused_role = 1;
}

/* ---- rooms and hosts ---- */

uint32_t roster_room(const struct roster *r, uint64_t id)
{
    uint32_t i = r->room_bucket[bucket(id, ROOM_BUCKETS)];
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
    uint32_t *head = &r->room_bucket[bucket(id, ROOM_BUCKETS)];
    *room = (struct room){.id = id, .next = *head, .name_len = (uint32_t)name.len};
    memcpy(room->name, name.p, name.len);
    set_u32(e, head, i);
    set_u32(e, &r->n_rooms, i);
    return i;
}

struct room *roster_room_edit(const struct roster_edit *e, uint32_t room)
{
    save(e, &e->r->room[room], sizeof e->r->room[room]);
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
        set_u32(e, &r->n_hosts, i);
    }
    struct host *h = &r->host[i];
    save(e, h, sizeof *h);
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
    return bucket(h, ROLE_BUCKETS);
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
        set_u32(e, &r->free_role, r->role[i].next);
    } else if (r->unused_role < ROLES_MAX) {
        i = r->unused_role;
        set_u32(e, &r->unused_role, i + 1);
    }
    return i;
}

int roster_role_add(const struct roster_edit *e, uint32_t room, uint64_t host, struct text user, uint8_t bits)
{
    struct roster *r = e->r;
    uint32_t i = find_role(r, room, host, user);
    if (i != 0) {
        save(e, &r->role[i], sizeof r->role[i]);
        r->role[i].bits |= bits;
        return 0;
    }
    i = user.len <= USER_NAME_MAX ? take_role(e) : 0;
    if (i == 0)
        return -1;
    uint32_t *head = &r->role_bucket[role_bucket(room, host, user)], *first = &r->room[room].roles;
    save(e, &r->role[i], sizeof r->role[i]);
    r->role[i] = (struct role){.host = host, .room = room, .next = *head, .next_role = *first, .bits = bits};
    r->role[i].user_len = (uint8_t)user.len;
    memcpy(r->role[i].user, user.p, user.len);
    set_u32(e, head, i);
    set_u32(e, first, i);
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
    set_u32(e, at, x->next);
    set_u32(e, &r->room[room].roles, x->next_role);
    set_u32(e, &x->next, r->free_role);
    set_u32(e, &r->free_role, i);
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
    save(e, a, sizeof *a);
    save(e, &e->r->audiences, sizeof e->r->audiences);
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

/* ---- sessions ---- */

uint32_t roster_client(const struct roster *r, uint64_t client)
{
    uint32_t i = r->client_bucket[bucket(client, SESSION_BUCKETS)];
    while (i != 0 && r->session[i].client != client)
        i = r->session[i].next_client;
    return i;
}

uint32_t roster_uid_sessions(const struct roster *r, uint32_t uid, uint32_t enough)
{
    uint32_t n = 0;
    uint32_t i = r->uid_bucket[bucket(uid, SESSION_BUCKETS)];
    for (; i != 0 && n < enough; i = r->session[i].next_uid)
        n += r->session[i].uid == uid && r->session[i].state == SESSION_ATTACHED;
    return n;
}

struct session *roster_session_edit(const struct roster_edit *e, uint32_t session)
{
    save(e, &e->r->session[session], SESSION_IMAGE);
    return &e->r->session[session];
}

/* unlink_session -- take it out of both buckets. */
static void unlink_session(const struct roster_edit *e, uint32_t session)
{
    struct roster *r = e->r;
    struct session *s = &r->session[session];
    uint32_t *at = &r->client_bucket[bucket(s->client, SESSION_BUCKETS)];
    while (*at != 0 && *at != session)
        at = &r->session[*at].next_client;
    if (*at == session)
        set_u32(e, at, s->next_client);
    at = &r->uid_bucket[bucket(s->uid, SESSION_BUCKETS)];
    while (*at != 0 && *at != session)
        at = &r->session[*at].next_uid;
    if (*at == session)
        set_u32(e, at, s->next_uid);
}

/* evict -- the slot of somebody who is detached and in no room any more, taken out of the buckets; 0 when
 * one round finds none. */
static uint32_t evict(const struct roster_edit *e)
{
    struct roster *r = e->r;
    for (uint32_t n = 0; n < r->sessions_max; n++) {
        uint32_t i = r->evict_hand;
        r->evict_hand = i == r->sessions_max ? 1 : i + 1; /* a hint: needs no before-image */
        if (r->session[i].state == SESSION_DETACHED && roster_next_room(&r->session[i], 1) == 0) {
            unlink_session(e, i);
            return i;
        }
    }
    return 0;
}

static uint32_t take_slot(const struct roster_edit *e)
{
    struct roster *r = e->r;
    uint32_t i = r->free_session;
    if (i != 0) {
        set_u32(e, &r->free_session, r->session[i].next_client);
    } else if (r->unused_session <= r->sessions_max) {
        i = r->unused_session;
        set_u32(e, &r->unused_session, i + 1);
    } else {
        return evict(e);
    }
    set_u32(e, &r->n_sessions, r->n_sessions + 1);
    return i;
}

static uint32_t new_session(const struct roster_edit *e, uint64_t client, uint32_t uid)
{
    struct roster *r = e->r;
    uint32_t i = take_slot(e);
    if (i == 0)
        return 0;
    struct session *s = roster_session_edit(e, i);
    uint32_t *by_client = &r->client_bucket[bucket(client, SESSION_BUCKETS)];
    uint32_t *by_uid = &r->uid_bucket[bucket(uid, SESSION_BUCKETS)];
    memset(s, 0, SESSION_IMAGE);
    s->client = client;
    s->uid = uid;
    s->next_client = *by_client;
    s->next_uid = *by_uid;
    set_u32(e, by_client, i);
    set_u32(e, by_uid, i);
    return i;
}

uint32_t roster_attach(const struct roster_edit *e, uint64_t client, uint32_t uid, struct text user,
                       unsigned worker, bool quiet)
{
    struct roster *r = e->r;
    uint32_t i = roster_client(r, client);
    if (i != 0 && r->session[i].uid != uid)
        return UINT32_MAX;
    if (i == 0)
        i = new_session(e, client, uid);
    if (i == 0)
        return 0;
    struct session *s = roster_session_edit(e, i);
    s->state = SESSION_ATTACHED;
    s->worker = (uint8_t)worker;
    s->quiet = quiet;
    s->user_len = (uint8_t)min_size(user.len, USER_NAME_MAX);
    memcpy(s->user, user.p, s->user_len);
    return i;
}

void roster_detach(const struct roster_edit *e, uint32_t session, uint64_t wall)
{
    struct session *s = roster_session_edit(e, session);
    s->state = SESSION_DETACHED;
    s->detached_ms = wall;
}

void roster_forget(const struct roster_edit *e, uint32_t session)
{
    unlink_session(e, session);
    struct session *s = roster_session_edit(e, session);
    memset(s, 0, SESSION_IMAGE);
    s->next_client = e->r->free_session;
    set_u32(e, &e->r->free_session, session);
    set_u32(e, &e->r->n_sessions, e->r->n_sessions - 1);
}

/* elsewhere -- is the user of this session in the room with another one, too? */
static bool elsewhere(const struct roster *r, uint32_t session, uint32_t room)
{
    uint32_t uid = r->session[session].uid;
    for (uint32_t i = r->uid_bucket[bucket(uid, SESSION_BUCKETS)]; i != 0; i = r->session[i].next_uid)
        if (i != session && r->session[i].uid == uid && roster_is_member(&r->session[i], room))
            return true;
    return false;
}

static int set_member(const struct roster_edit *e, uint32_t session, uint32_t room, bool in)
{
    struct session *s = &e->r->session[session];
    if (roster_is_member(s, room) == in)
        return 0;
    uint64_t *word = &s->rooms[room / 64], bit = (uint64_t)1 << (room / 64);
    save(e, word, sizeof *word);
    save(e, &s->words, sizeof s->words);
    *word ^= (uint64_t)1 << (room % 64);
    s->words = *word ? s->words | bit : s->words & ~bit;
    save(e, &e->r->moves, sizeof e->r->moves);
    e->r->moves++;
    if (elsewhere(e->r, session, room))
        return 0;
    struct room *r = roster_room_edit(e, room);
    r->members += in ? 1u : UINT32_MAX; /* plus or minus one */
    return 1;
}

int roster_join(const struct roster_edit *e, uint32_t session, uint32_t room)
{
    return set_member(e, session, room, true);
}

int roster_leave(const struct roster_edit *e, uint32_t session, uint32_t room)
{
    return set_member(e, session, room, false);
}

void roster_guest(const struct roster_edit *e, uint32_t i, const struct guest *g)
{
    if (i >= GUESTS_MAX)
        return;
    if (i >= e->r->n_guests)
        set_u32(e, &e->r->n_guests, i + 1);
    save(e, &e->r->guest[i], sizeof *g);
    e->r->guest[i] = *g;
}

void roster_no_guests(const struct roster_edit *e)
{
    uint32_t n = e->r->n_guests;
    set_u32(e, &e->r->n_guests, 0);
    if (!MUTANT(GUESTS_LEFT))
        memset(e->r->guest, 0, n * sizeof e->r->guest[0]); /* slots may be skipped; no image: a killed link process starts over */
}

uint32_t roster_next_room(const struct session *s, uint32_t from)
{
    uint32_t word = from / 64;
    if (from >= ROOMS_MAX)
        return 0;
    uint64_t bits = s->rooms[word] & UINT64_MAX << (from % 64);
    uint64_t later = word == 63 ? 0 : s->words & UINT64_MAX << (word + 1);
    if (bits == 0 && later != 0) {
        word = (uint32_t)__builtin_ctzll(later);
        bits = s->rooms[word];
    }
    return bits ? word * 64 + (uint32_t)__builtin_ctzll(bits) : 0;
}
