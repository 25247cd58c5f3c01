/* roster.c -- rooms, hosts and sessions in fixed tables; no I/O. */
#include "state/roster.h"

#include "base/mutant.h"

/* What of a session is kept when it is edited: everything but its rooms, which are kept by themselves. */
#define SESSION_IMAGE offsetof(struct session, in)

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

/* turnouts_max -- of a user in all rooms there are, and some of everybody. */
static size_t turnouts_max(uint32_t sessions_max)
{
    return ROOMS_MAX + 4 * (size_t)sessions_max;
}

size_t roster_size(uint32_t sessions_max)
{
    size_t n = (size_t)sessions_max + 1;
    return sizeof(struct roster) + n * (sizeof(struct session) + sizeof(struct seats)) +
           (turnouts_max(sessions_max) + 1) * sizeof(struct turnout);
}

/* pool, turnouts -- where the tables behind the sessions lie. */
static struct seats *pool(const struct roster *r)
{
    return (struct seats *)(uintptr_t)(r->session + r->sessions_max + 1);
}

static struct turnout *turnouts(const struct roster *r)
{
    return (struct turnout *)(void *)(pool(r) + r->sessions_max + 1);
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

/* ---- turnouts ---- */

static uint32_t *turnout_bucket(const struct roster *r, uint32_t uid, uint32_t room)
{
    uint64_t key = (uint64_t)room << 32 | uid;
    return (uint32_t *)(uintptr_t)&r->turnout_bucket[bucket(key ^ key >> 15, TURNOUT_BUCKETS)];
}

/* find_turnout -- where the link to it is; to 0 when there is none. */
static uint32_t *find_turnout(const struct roster *r, uint32_t uid, uint32_t room)
{
    uint32_t *at = turnout_bucket(r, uid, room);
    while (*at != 0 && (turnouts(r)[*at].uid != uid || turnouts(r)[*at].room != room))
        at = &turnouts(r)[*at].next;
    return at;
}

static int new_turnout(const struct roster_edit *e, uint32_t uid, uint32_t room)
{
    struct roster *r = e->r;
    uint32_t i = r->free_turnout, *head = turnout_bucket(r, uid, room);
    if (i != 0)
        set_u32(e, &r->free_turnout, turnouts(r)[i].next);
    else if (r->unused_turnout <= turnouts_max(r->sessions_max))
        set_u32(e, &r->unused_turnout, (i = r->unused_turnout) + 1);
    else
        return -1;
    save(e, &turnouts(r)[i], sizeof(struct turnout));
    turnouts(r)[i] = (struct turnout){uid, room, 1, *head};
    set_u32(e, head, i);
    return 0;
}

/* turnout -- one more (by 1) or less (-1) of this user's in that room.  Returns how many there were before; -1 when the table is
 * full. */
static int turnout(const struct roster_edit *e, uint32_t uid, uint32_t room, int by)
{
    struct roster *r = e->r;
    uint32_t *at = find_turnout(r, uid, room), i = *at;
    if (i == 0)
        return by < 0 ? 0 : new_turnout(e, uid, room);
    struct turnout *t = &turnouts(r)[i];
    int before = (int)t->n;
    set_u32(e, &t->n, (uint32_t)(before + by));
    if (t->n == 0) {
        set_u32(e, at, t->next);
        set_u32(e, &t->next, r->free_turnout);
        set_u32(e, &r->free_turnout, i);
    }
    return before;
}

uint32_t roster_uid_sessions(const struct roster *r, uint32_t uid)
{
    uint32_t i = *find_turnout(r, uid, 0);
    return i ? turnouts(r)[i].n : 0;
}

/* ---- seats ---- */

/* next_seats -- those after `x`, or NULL. */
static struct seats *next_seats(const struct roster *r, const struct seats *x)
{
    return x->more ? pool(r) + x->more : NULL;
}

/* find_seat -- the seat that this room has, room 0: a free one; or NULL. */
static struct seats *find_seat(const struct roster *r, struct seats *x, uint32_t room, unsigned *i)
{
    for (; x; x = next_seats(r, x))
        for (*i = 0; *i < SEATS; ++*i)
            if (x->room[*i] == room)
                return x;
    return NULL;
}

/* more_seats -- another 14 for this session, empty; NULL when it has all it may, or there are none. */
static struct seats *more_seats(const struct roster_edit *e, struct session *s)
{
    struct roster *r = e->r;
    unsigned n = 0;
    uint32_t i = r->free_seats;
    for (const struct seats *x = &s->in; x; x = next_seats(r, x))
        n++;
    if (n == SEATS_PER_SESSION || (i == 0 && r->unused_seats > r->sessions_max))
        return NULL;
    if (i != 0)
        set_u32(e, &r->free_seats, pool(r)[i].more);
    else
        set_u32(e, &r->unused_seats, (i = r->unused_seats) + 1);
    struct seats *x = &pool(r)[i];
    save(e, x, sizeof *x);
    *x = (struct seats){.more = s->in.more};
    set_u32(e, &s->in.more, i);
    return x;
}

/* give_back -- seats beyond its own that nobody sits on.  Only of a session that is detached: the worker that serves one walks
 * them without the lock. */
static void give_back(const struct roster_edit *e, struct session *s)
{
    static const uint16_t empty[SEATS];
    struct roster *r = e->r;
    for (uint32_t *at = &s->in.more, i; s->state != SESSION_ATTACHED && (i = *at) != 0;) {
        struct seats *x = &pool(r)[i];
        if (memcmp(x->room, empty, sizeof empty) == 0) {
            set_u32(e, at, x->more);
            set_u32(e, &x->more, r->free_seats);
            set_u32(e, &r->free_seats, i);
        } else {
            at = &x->more;
        }
    }
}

bool roster_is_member(const struct roster *r, const struct session *s, uint32_t room)
{
    bool in = false;
    for (const struct seats *x = &s->in; x && !in; x = next_seats(r, x))
        for (unsigned i = 0; i < SEATS; i++)
            in |= x->room[i] == room;
    return in && room != 0;
}

/* ---- sessions ---- */

uint32_t roster_client(const struct roster *r, uint64_t client)
{
    uint32_t i = r->client_bucket[bucket(client, SESSION_BUCKETS)];
    while (i != 0 && r->session[i].client != client)
        i = r->session[i].next_client;
    return i;
}

struct session *roster_session_edit(const struct roster_edit *e, uint32_t session)
{
    save(e, &e->r->session[session], SESSION_IMAGE);
    return &e->r->session[session];
}

static void unlink_session(const struct roster_edit *e, uint32_t session)
{
    struct roster *r = e->r;
    struct session *s = &r->session[session];
    uint32_t *at = &r->client_bucket[bucket(s->client, SESSION_BUCKETS)];
    while (*at != 0 && *at != session)
        at = &r->session[*at].next_client;
    if (*at == session)
        set_u32(e, at, s->next_client);
}

/* evict -- the slot of somebody who is detached and in no room any more, taken out of its bucket; 0 when one round finds
 * none. */
static uint32_t evict(const struct roster_edit *e)
{
    struct roster *r = e->r;
    for (uint32_t n = 0; n < r->sessions_max; n++) {
        uint32_t i = r->evict_hand;
        r->evict_hand = i == r->sessions_max ? 1 : i + 1; /* a hint: needs no before-image */
        if (r->session[i].state == SESSION_DETACHED && roster_next_room(r, &r->session[i], 1) == 0) {
            unlink_session(e, i);
            return i;
        }
    }
    return 0;
}

static uint32_t take_slot(const struct roster_edit *e)
{
    struct roster *r = e->r;
    uint32_t i = r->unused_session;
    if (i > r->sessions_max)
        return evict(e);
    set_u32(e, &r->unused_session, i + 1);
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
    memset(s, 0, SESSION_IMAGE);
    s->client = client;
    s->uid = uid;
    s->next_client = *by_client;
    set_u32(e, by_client, i);
    return i;
}

uint32_t roster_attach(const struct roster_edit *e, uint64_t client, uint32_t uid, struct text user,
                       unsigned worker, bool quiet)
{
    struct roster *r = e->r;
    uint32_t i = roster_client(r, client);
    if (i != 0 && r->session[i].uid != uid)
        return UINT32_MAX;
    if ((i == 0 || r->session[i].state != SESSION_ATTACHED) && turnout(e, uid, 0, 1) < 0)
        return 0;
    if (i == 0 && (i = new_session(e, client, uid)) == 0) {
        (void)turnout(e, uid, 0, -1);
        return 0;
    }
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
    if (s->state == SESSION_ATTACHED)
        (void)turnout(e, s->uid, 0, -1);
    s->state = SESSION_DETACHED;
    s->detached_ms = wall;
    give_back(e, s);
}

/* ---- who is in which room ---- */

static void sit(const struct roster_edit *e, struct seats *x, unsigned i, uint32_t room)
{
    save(e, x, sizeof *x);
    x->room[i] = (uint16_t)room;
    save(e, &e->r->moves, sizeof e->r->moves);
    e->r->moves++;
}

int roster_join(const struct roster_edit *e, uint32_t session, uint32_t room)
{
    struct roster *r = e->r;
    struct session *s = &r->session[session];
    unsigned i = 0;
    if (roster_is_member(r, s, room))
        return 0;
    int before = turnout(e, s->uid, room, 1);
    struct seats *x = before < 0 ? NULL : find_seat(r, &s->in, 0, &i);
    if (before >= 0 && !x) {
        x = more_seats(e, s);
        i = 0;
    }
    if (!x) {
        if (before >= 0)
            (void)turnout(e, s->uid, room, -1);
        return -1;
    }
    sit(e, x, i, room);
    if (before > 0)
        return 0;
    roster_room_edit(e, room)->members++;
    return 1;
}

int roster_leave(const struct roster_edit *e, uint32_t session, uint32_t room)
{
    struct session *s = &e->r->session[session];
    unsigned i;
    struct seats *x = room == 0 ? NULL : find_seat(e->r, &s->in, room, &i);
    if (!x)
        return 0;
    sit(e, x, i, 0);
    give_back(e, s);
    if (turnout(e, s->uid, room, -1) > 1)
        return 0;
    roster_room_edit(e, room)->members--;
    return 1;
}

uint32_t roster_next_room(const struct roster *r, const struct session *s, uint32_t from)
{
    uint32_t best = 0;
    for (const struct seats *x = &s->in; x; x = next_seats(r, x))
        for (unsigned i = 0; i < SEATS; i++)
            if (x->room[i] != 0 && x->room[i] >= from && (best == 0 || x->room[i] < best))
                best = x->room[i];
    return best;
}

/* ---- guests ---- */

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
