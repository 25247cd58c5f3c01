/* roster.h -- the tables beside the journal: rooms, hosts, and the sessions of this host.
 *
 * All of it lies in shared memory and is read and written by the holder of the lock only, except that the
 * worker that owns a session may read that session's slot without it (nobody else writes it).  Sizes are
 * fixed when the segment is made; links are indices, 0 meaning none (slot 0 is never used).  Everything can
 * be rebuilt: rooms and (client, last_seq) from the store, memberships from clients that say hello again. */
#ifndef STATE_ROSTER_H
#define STATE_ROSTER_H

#include "base/direct.h"
#include "base/key.h"
#include "frame/frame.h"
#include "state/undo.h"

enum {
    ROOMS_MAX = 4096, /* slots 1 .. ROOMS_MAX-1; conversations of two and inboxes take one each, too */
    ROOM_BUCKETS = 8192,
    GUESTS_MAX = 8192,
    ROLES_MAX = 8192, /* slots 1 .. ROLES_MAX-1 */
    ROLE_BUCKETS = 8192,
    SESSION_BUCKETS = 16384,
    TURNOUT_BUCKETS = 16384,
    SEATS = 14,             /* rooms in a struct seats */
    SEATS_PER_SESSION = 9,  /* of these a session may have: ... */
    ROOMS_PER_SESSION = SEATS * SEATS_PER_SESSION, /* ... so many rooms it may be in at once */
};

struct room {
    uint64_t id;
    uint64_t seq;      /* last number given in this host's own stream of this epoch; 0: no entry yet */
    uint64_t last_hlc; /* of the newest entry, from whichever host */
    uint64_t messages; /* SAY entries since the store began */
    uint64_t parked;   /* the largest stamp that was ahead of its time when it came; 0: there was none */
    uint64_t due;      /* of what was parked, stamps up to this are shown */
    uint32_t members;  /* users of this host in it */
    uint32_t next;     /* in its bucket */
    uint32_t flags;    /* ROOM_OWNED ... */
    uint32_t roles;    /* first of those who have one in it; 0: nobody, as in most rooms */
    uint32_t name_len;
    char name[DIRECT_NAME_MAX];
};

/* What the state of a room (rules/room_state.h) means for what its users may do. */
enum { ROOM_OWNED = 1, ROOM_TOPIC_BY_OPERATORS = 2, ROOM_PRIVATE = 4 };
enum { ROLE_OWNER = 1, ROLE_OPERATOR = 2, ROLE_MUTED = 4, ROLE_BANNED = 8, ROLE_MEMBER = 16 /* of a private room */ };

enum { HOST_WORDS = (HOSTS_MAX + 63) / 64 };

/* The hosts of a private room, a bit for each slot of `host`; written by the keeper, read without the lock: a host that stays in is
 * in at every moment. */
struct audience {
    _Atomic uint64_t in[HOST_WORDS];   /* somebody of it is a member */
    _Atomic uint64_t left[HOST_WORDS]; /* somebody was, and nobody is any more */
    _Atomic uint32_t moved;            /* `audiences` as this one changed last */
};

/* Somebody who has a role in a room; written by the keeper. */
struct role {
    uint64_t host;
    uint32_t room;      /* its slot */
    uint32_t next;      /* in its bucket; also links the free list */
    uint32_t next_role; /* of the same room */
    uint8_t bits;       /* ROLE_OWNER ... */
    uint8_t user_len;
    char user[USER_NAME_MAX]; /* "*": all of that host */
};

struct host {
    uint64_t id;
    uint32_t name_len;
    char name[HOST_NAME_MAX_LEN];
};

/* A user of another host in a room; written by the link process, a slot a row of its presence table. */
struct guest {
    uint64_t host, room;
    uint32_t sessions; /* 0: not there (any more) */
    uint8_t user_len;
    char user[USER_NAME_MAX];
};

enum session_state {
    SESSION_FREE,
    SESSION_ATTACHED, /* has a FIFO */
    SESSION_DETACHED, /* lost it; remembered so that what is sent again is not taken twice */
};

/* Rooms that a session is in, in no order.  The first of them are in the session itself; who is in more takes more of them
 * from a pool that all share. */
struct seats {
    uint16_t room[SEATS]; /* slots; 0: a free seat */
    uint32_t more;        /* the next ones, in the pool; also links the free list */
};
_Static_assert(ROOMS_MAX <= UINT16_MAX, "a seat takes the slot of every room");

/* How many sessions of a user are in a room; in room 0: how many are attached. */
struct turnout {
    uint32_t uid, room, n;
    uint32_t next; /* in its bucket; also links the free list */
};

struct session {
    uint64_t client;
    uint64_t last_pos;    /* journal position behind the last thing taken from it */
    uint64_t detached_ms; /* wall_ms() of its loss */
    uint32_t last_seq;    /* the last client_seq taken */
    uint32_t uid;
    uint32_t next_client; /* in its bucket */
    uint8_t state;
    uint8_t worker; /* its shard */
    uint8_t quiet;  /* comes and goes unannounced */
    uint8_t user_len;
    char user[USER_NAME_MAX];
    struct seats in;
};

struct roster {
    uint32_t n_rooms, n_hosts;             /* slots in use, slot 0 not counted */
    uint32_t sessions_max;                 /* slots, slot 0 not counted */
    uint32_t unused_session;               /* first slot that was never used */
    uint32_t evict_hand;                   /* where the search for a detached slot to reuse goes on */
    uint32_t n_guests;                     /* slots in use */
    uint32_t free_role, unused_role;       /* list of those given back, 0: none; first that was never used */
    _Atomic uint32_t audiences;            /* how often the hosts of any private room changed */
    uint32_t free_seats, unused_seats;     /* of the pool, as for roles */
    uint32_t free_turnout, unused_turnout;
    uint64_t moves; /* how often anybody here came to or left a room: a change is looked for only when it moved */
    uint32_t room_bucket[ROOM_BUCKETS];
    uint32_t client_bucket[SESSION_BUCKETS];
    uint32_t turnout_bucket[TURNOUT_BUCKETS];
    struct host host[HOSTS_MAX + 1];
    struct room room[ROOMS_MAX];
    struct audience audience[ROOMS_MAX]; /* by slot of the room */
    struct guest guest[GUESTS_MAX];
    uint32_t role_bucket[ROLE_BUCKETS];
    struct role role[ROLES_MAX];
    struct session session[]; /* sessions_max + 1, then as many struct seats, then roster_turnouts() + 1 struct turnout */
};

/* What a change needs to be undone; every function below that takes it changes the tables and must be
 * called between state_take() and state_give(). */
struct roster_edit {
    struct roster *r;
    struct undo *undo;
    const void *base;
};

/* roster_size -- bytes for so many sessions. */
size_t roster_size(uint32_t sessions_max);

/* roster_init -- empty tables in zeroed memory. */
void roster_init(struct roster *r, uint32_t sessions_max);

/* roster_room -- the slot of a room, or 0. */
uint32_t roster_room(const struct roster *r, uint64_t id);

/* roster_room_open -- the slot of a room, made when it is new.  Returns 0 when the table is full. */
uint32_t roster_room_open(const struct roster_edit *e, uint64_t id, struct text name);

/* roster_room_edit -- the room, its before-image kept, ready to be changed. */
struct room *roster_room_edit(const struct roster_edit *e, uint32_t room);

/* roster_host_open -- make a host's name known, or change it.  Returns its slot, 0 when the table is full. */
uint32_t roster_host_open(const struct roster_edit *e, uint64_t id, struct text name);

/* roster_host -- the slot of a host, or 0. */
uint32_t roster_host(const struct roster *r, uint64_t id);

/* roster_client -- the slot of the session of a client, or 0. */
uint32_t roster_client(const struct roster *r, uint64_t client);

/* roster_uid_sessions -- how many attached sessions a user has. */
uint32_t roster_uid_sessions(const struct roster *r, uint32_t uid);

/* roster_attach -- a session for this client: the slot it had (also one that is still attached: its old
 * FIFO is then the caller's to close), a free one, or the slot of somebody long detached.
 *
 * Returns  the slot; 0 when all are attached, or too many users are in too many rooms; UINT32_MAX when the client number belongs to another user */
uint32_t roster_attach(const struct roster_edit *e, uint64_t client, uint32_t uid, struct text user,
                       unsigned worker, bool quiet);

/* roster_detach -- it lost its FIFO, but may come back. */
void roster_detach(const struct roster_edit *e, uint32_t session, uint64_t wall);

/* roster_session_edit -- the session, its before-image (without its rooms) kept. */
struct session *roster_session_edit(const struct roster_edit *e, uint32_t session);

/* roster_is_member -- is it in the room of that slot? */
bool roster_is_member(const struct roster *r, const struct session *s, uint32_t room);

/* roster_join, roster_leave -- into the room, or out of it.
 *
 * Returns  1 when the user was in it with no other session (leave: is in it with no other any more), else 0;
 *          join: -1 when the session is in ROOMS_PER_SESSION, or the tables are full */
int roster_join(const struct roster_edit *e, uint32_t session, uint32_t room) MUST_USE;
int roster_leave(const struct roster_edit *e, uint32_t session, uint32_t room);

/* roster_guest -- set guest slot `i`; roster_no_guests -- nobody: the link process begins anew. */
void roster_guest(const struct roster_edit *e, uint32_t i, const struct guest *g);
void roster_no_guests(const struct roster_edit *e);

/* roster_role_add -- give somebody one more role in a room.  Returns 0, or -1 when the table is full.
 * roster_roles_clear -- take one of those who have a role in it out; false: nobody has any more. */
int roster_role_add(const struct roster_edit *e, uint32_t room, uint64_t host, struct text user, uint8_t bits) MUST_USE;
bool roster_roles_clear(const struct roster_edit *e, uint32_t room);

/* roster_role -- the roles of a user in a room, a ban of all of his host included, from which its owner is exempt. */
unsigned roster_role(const struct roster *r, uint32_t room, uint64_t host, struct text user);

/* roster_audience -- from now on the private room is for these hosts, and was once for those that left (bits of host slots). */
void roster_audience(const struct roster_edit *e, uint32_t room, const uint64_t in[HOST_WORDS], const uint64_t left[HOST_WORDS]);

/* roster_hears, roster_left -- is that host among them?  Without the lock. */
bool roster_hears(const struct roster *r, uint32_t room, uint64_t host);
bool roster_left(const struct roster *r, uint32_t room, uint64_t host);

/* roster_next_room -- the first room slot >= `from` that the session is in, or 0. */
uint32_t roster_next_room(const struct roster *r, const struct session *s, uint32_t from);

#endif
