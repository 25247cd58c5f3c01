/* door.h -- who comes in to a worker, and who goes: hello, the FIFO that proves who it is, the session; and the way out of all
 * rooms for who does not come back. */
#ifndef PROC_DOOR_H
#define PROC_DOOR_H

#include "ipc/fifo.h"
#include "proc/proc.h"
#include "rules/pace.h"
#include "rules/rules.h"
#include "shard/shard.h"

enum {
    DOOR_CALLERS = 32, /* let in at once */
    DOOR_NAMES = 256,  /* user names remembered */
    DOOR_GONE = 64,    /* sessions detached, or out of their rooms, in one section */
};

struct door {
    struct proc *proc;
    struct shard *shard;
    struct rules *rules;
    uid_t self;
    int rendezvous;
    struct fifo_place place; /* of this batch */
    struct pace pace;
    struct caller {          /* somebody who said hello, and is who he is: who owns the FIFO */
        struct hello h;
        uint64_t client;
        int fd;
        uid_t uid;
        char user[USER_NAME_MAX + 1]; /* "": nobody knows him */
        uint32_t session;             /* as attach() says */
    } caller[DOOR_CALLERS];
    unsigned n_callers;
    struct {
        uint32_t session;
        bool goodbye; /* he said so */
    } gone[DOOR_GONE]; /* have no FIFO any more, and are attached still */
    unsigned n_gone;
    bool lingering; /* somebody may be: detached, and in his rooms for a while */
    struct {
        uid_t uid;
        char name[USER_NAME_MAX + 1];
    } name[DOOR_NAMES];
};

/* door_open -- in zeroed memory.  What a predecessor that died left attached goes.  Returns 0 or -errno. */
int door_open(struct door *d, struct proc *proc, struct rules *rules, struct shard *shard) MUST_USE;

/* door_knock -- a frame of a stranger came.  He waits for door_let_in(), DOOR_CALLERS at most. */
void door_knock(struct door *d, const uint8_t *frame);

/* door_let_in -- all who wait, in one section. */
void door_let_in(struct door *d);

/* door_lose -- the client of this session has no FIFO any more; goodbye: he said so, and need not linger.  door_lost -- the same,
 * for shard_open(). */
void door_lose(struct door *d, uint32_t session, bool goodbye);
void door_lost(void *door, uint32_t session);

/* door_see_off -- detach all who were lost, in one section. */
void door_see_off(struct door *d);

/* door_tick -- once a second, as long as somebody lingers. */
void door_tick(struct door *d);

/* door_owns -- is this session in that state, and one of this worker's? */
static inline bool door_owns(const struct door *d, const struct session *s, unsigned state)
{
    return s->state == state && s->worker == d->proc->args.self;
}

#endif
