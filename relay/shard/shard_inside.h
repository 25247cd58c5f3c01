/* shard_inside.h -- the clients of a worker from within: shard.c, who is there and in which rooms; catch_up.c, what one gets on his own;
 * turn.c, what all get at once; stage.c, the same pages into many FIFOs. */
#ifndef SHARD_SHARD_INSIDE_H
#define SHARD_SHARD_INSIDE_H

#include "shard/shard.h"

enum {
    PIPEFUL = 60 * 1024,      /* a FIFO holds 64 KiB; a turn brings nobody more than it takes */
    PIECES_MAX = 4096,        /* of a turn */
    PIECES_EACH = 3,          /* at most, of one frame: a conversation and two inboxes that hear it */
    TURNS = 16,               /* at least, to bring a whole ring */
};

/* What one write brings: whole frames, one behind the other. */
struct load {
    const uint8_t *p;
    size_t len;
    uint32_t readers; /* who get it or much of it, about */
};

/* A copy of the newest of the journal that several are sent, as a file in memory whose pages are put into FIFOs as they are: copied once,
 * not for each client.  What lies in a FIFO must not change: so pages are not written twice, as the journal's are when it comes round, but
 * left to the FIFOs they are in, and replaced.  A reader gets what is put in of a page, and cannot get at the rest of it. */
enum { STAGE_CHUNK = 64 * 1024 /* is replaced at once */, STAGE_SIZE = 64 * STAGE_CHUNK };
struct stage {
    int fd;            /* < 0: there is none.  Position p of the journal is at p % STAGE_SIZE. */
    uint64_t from, to; /* it holds these positions */
};

/* A part of the journal that one room hears. */
struct piece {
    uint64_t pos;
    uint32_t len;
    uint32_t next; /* of the same room in this turn; 0: none */
};

struct client {
    struct loop_source src; /* fd -1: no such client */
    struct shard *sh;
    uint64_t cursor;      /* when not live: next frame it has not got whole */
    uint64_t wanted_pos;  /* what it waits to have acknowledged: durable up to here ... */
    uint32_t wanted_seq;  /* ... means this number is */
    uint32_t session;
    uint32_t places;      /* in rooms; 0: in none */
    uint32_t turn;        /* the turn that counted its hits */
    uint16_t off;         /* bytes of the frame at cursor that are out */
    uint16_t hits;        /* rooms (or frames of its own) that this turn has something of for it */
    bool live, waiting, doomed;
    uint8_t secret[SECRET_LEN];
};

/* That a client is in a room, so that he gets out of it without a search among all who are. */
struct place {
    uint32_t room, at; /* member_list.session[at] of that room */
    uint32_t next;     /* of the same client; also links the free list */
};

struct member_list {
    uint32_t *session;
    uint32_t *place; /* of each, its number */
    uint32_t n, size;
    uint32_t first, last; /* pieces of this turn; 0: nothing is new here */
    uint32_t bytes;       /* ... in all */
    bool looked; /* inbox is filled in */
    uint64_t inbox[2]; /* of a conversation: numbers of the inboxes of those of the two who are of this host, else 0 */
};

struct slots {
    uint32_t *slot;
    uint32_t n, size;
};

struct shard {
    struct state *st;
    struct loop *loop;
    void (*lost)(void *arg, uint32_t session);
    void *arg;
    uint64_t cursor;
    uint32_t turn;
    struct client *client; /* by session slot */
    struct member_list *room[ROOMS_MAX];
    struct place *place; /* [0] is none */
    uint32_t n_places, places_max, free_place;
    struct slots waiting, doomed, single;
    uint32_t active[ROOMS_MAX], n_active;
    struct piece piece[PIECES_MAX + 1]; /* [0] is none */
    uint32_t n_pieces, writes;
    struct stage stage;
    bool broadcast, full; /* full: this turn brings somebody as much as his FIFO takes */
    bool pinned;          /* within a turn, what is read in it stays */
    uint8_t buf[PIPEFUL + FRAME_MAX];
};

static inline bool shard_is_open(const struct client *c)
{
    return c->sh != NULL;
}

/* ---- shard.c ---- */

/* shard_push -- Returns 0 or -ENOMEM. */
int shard_push(struct slots *s, uint32_t slot) MUST_USE;

/* shard_members -- of the room in that slot, made when it is new.  NULL: no memory. */
struct member_list *shard_members(struct shard *sh, uint32_t room);

/* shard_doom -- its FIFO is gone or it was overtaken: dropped with shard_bury(), at the end of the turn, when nobody walks a list. */
void shard_doom(struct client *c);
void shard_bury(struct shard *sh);

/* shard_acknowledge_one -- as far as the store has come; then wait for the newest that was taken meanwhile. */
void shard_acknowledge_one(struct client *c);

/* ---- stage.c ---- */

void stage_open(struct stage *s);
void stage_close(struct stage *s);

/* stage_write -- as write(), of this load from `off` on; what it has of the journal is pinned. */
ssize_t stage_write(struct stage *s, const struct state *st, int fd, const struct load *l, size_t off);

/* ---- catch_up.c ---- */

/* shard_on_fifo -- a full FIFO has room again, or its reader is gone. */
void shard_on_fifo(struct loop_source *s, uint32_t events);

/* shard_send -- to one client, starting `c->off` bytes into the first frame.  Returns true when it took everything. */
bool shard_send(struct client *c, const struct load *l);

/* shard_catch_up -- from its own cursor to the shard's, until its FIFO is full. */
void shard_catch_up(struct client *c);

/* shard_inboxes -- slots of those that hear this room, a conversation.  Returns how many. */
unsigned shard_inboxes(struct shard *sh, uint32_t room, uint32_t slot[2]);

/* shard_step -- from a frame to the next one to look at: the frames of a segment that is parked are not.
 * shard_is_inside -- is it between processes of the relay? */
size_t shard_step(const uint8_t *f);
bool shard_is_inside(const uint8_t *f);

#endif
