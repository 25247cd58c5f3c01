/* sessions.c -- the sessions of this host, which rooms they are in, and how many of a user are; in fixed tables, no I/O. */
#include "state/roster_inside.h"

/* What of a session is kept when it is edited: everything but its rooms, which are kept by themselves. */
#define SESSION_IMAGE offsetof(struct session, in)

/* ---- turnouts ---- */

static uint32_t *turnout_bucket(const struct roster *r, uint32_t uid, uint32_t room)
{
    uint64_t key = (uint64_t)room << 32 | uid;
    return (uint32_t *)(uintptr_t)&r->turnout_bucket[roster_bucket(key ^ key >> 15, TURNOUT_BUCKETS)];
}

/* find_turnout -- where the link to it is; to 0 when there is none. */
static uint32_t *find_turnout(const struct roster *r, uint32_t uid, uint32_t room)
{
    uint32_t *at = turnout_bucket(r, uid, room);
    while (*at != 0 && (roster_turnouts(r)[*at].uid != uid || roster_turnouts(r)[*at].room != room))
        at = &roster_turnouts(r)[*at].next;
    return at;
}

static int new_turnout(const struct roster_edit *e, uint32_t uid, uint32_t room)
{
    struct roster *r = e->r;
    uint32_t i = r->free_turnout, *head = turnout_bucket(r, uid, room);
    if (i != 0)
        roster_set_u32(e, &r->free_turnout, roster_turnouts(r)[i].next);
    else if (r->unused_turnout <= roster_turnouts_max(r->sessions_max))
        roster_set_u32(e, &r->unused_turnout, (i = r->unused_turnout) + 1);
    else
        return -1;
    roster_save(e, &roster_turnouts(r)[i], sizeof(struct turnout));
    roster_turnouts(r)[i] = (struct turnout){uid, room, 1, *head};
    roster_set_u32(e, head, i);
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
    struct turnout *t = &roster_turnouts(r)[i];
    int before = (int)t->n;
    roster_set_u32(e, &t->n, (uint32_t)(before + by));
    if (t->n == 0) {
        roster_set_u32(e, at, t->next);
        roster_set_u32(e, &t->next, r->free_turnout);
        roster_set_u32(e, &r->free_turnout, i);
    }
    return before;
}

uint32_t roster_uid_sessions(const struct roster *r, uint32_t uid)
{
    uint32_t i = *find_turnout(r, uid, 0);
    return i ? roster_turnouts(r)[i].n : 0;
}

/* ---- seats ---- */

/* next_seats -- those after `x`, or NULL. */
static struct seats *next_seats(const struct roster *r, const struct seats *x)
{
    return x->more ? roster_pool(r) + x->more : NULL;
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
        roster_set_u32(e, &r->free_seats, roster_pool(r)[i].more);
    else
        roster_set_u32(e, &r->unused_seats, (i = r->unused_seats) + 1);
    struct seats *x = &roster_pool(r)[i];
    roster_save(e, x, sizeof *x);
    *x = (struct seats){.more = s->in.more};
    roster_set_u32(e, &s->in.more, i);
    return x;
}

/* give_back -- seats beyond its own that nobody sits on.  Only of a session that is detached: the worker that serves one walks
 * them without the lock. */
static void give_back(const struct roster_edit *e, struct session *s)
{
    static const uint16_t empty[SEATS];
    struct roster *r = e->r;
    for (uint32_t *at = &s->in.more, i; s->state != SESSION_ATTACHED && (i = *at) != 0;) {
        struct seats *x = &roster_pool(r)[i];
        if (memcmp(x->room, empty, sizeof empty) == 0) {
            roster_set_u32(e, at, x->more);
            roster_set_u32(e, &x->more, r->free_seats);
            roster_set_u32(e, &r->free_seats, i);
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
    uint32_t i = r->client_bucket[roster_bucket(client, SESSION_BUCKETS)];
    while (i != 0 && r->session[i].client != client)
        i = r->session[i].next_client;
    return i;
}

struct session *roster_session_edit(const struct roster_edit *e, uint32_t session)
{
    roster_save(e, &e->r->session[session], SESSION_IMAGE);
    return &e->r->session[session];
}

static void unlink_session(const struct roster_edit *e, uint32_t session)
{
    struct roster *r = e->r;
    struct session *s = &r->session[session];
    uint32_t *at = &r->client_bucket[roster_bucket(s->client, SESSION_BUCKETS)];
    while (*at != 0 && *at != session)
        at = &r->session[*at].next_client;
    if (*at == session)
        roster_set_u32(e, at, s->next_client);
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
    roster_set_u32(e, &r->unused_session, i + 1);
    return i;
}

static uint32_t new_session(const struct roster_edit *e, uint64_t client, uint32_t uid)
{
    struct roster *r = e->r;
    uint32_t i = take_slot(e);
    if (i == 0)
        return 0;
    struct session *s = roster_session_edit(e, i);
    uint32_t *by_client = &r->client_bucket[roster_bucket(client, SESSION_BUCKETS)];
    memset(s, 0, SESSION_IMAGE);
    s->client = client;
    s->uid = uid;
    s->next_client = *by_client;
    roster_set_u32(e, by_client, i);
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
    roster_save(e, x, sizeof *x);
    x->room[i] = (uint16_t)room;
    roster_save(e, &e->r->moves, sizeof e->r->moves);
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
