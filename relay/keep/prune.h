/* prune.h -- what was kept for long enough is deleted: whole segments, in the order in which they came, a few between two commits.
 *
 * How long and how much is kept, says relay.conf (shape.keep_ms, shape.keep_bytes).  Segments that hold anything but what people
 * said stay for ever: names of rooms, acts upon them, members.  The segments of this host hold either one or the other
 * (keep/commit.c); of another host's that holds both, all stays, for its seal is over all of it.
 *
 * Whatever the limit, what was said within KEEP_AT_LEAST_MS stays: it may still be on its way to peers.  What came late, from a
 * host that was away, goes when its turn comes: so nothing is deleted before its time, and nothing is searched for. */
#ifndef KEEP_PRUNE_H
#define KEEP_PRUNE_H

#include "state/state.h"
#include "store/history.h"

#ifndef KEEP_LEAST_S
#define KEEP_LEAST_S 3600 /* the simulator, whose runs are minutes, has less */
#endif

enum {
    KEEP_AT_LEAST_MS = KEEP_LEAST_S * 1000,
    PRUNE_SEGMENTS = 64,     /* looked at in one piece, ... */
    PRUNE_BYTES = 1 << 20,   /* ... and deleted, about */
};

/* Zeroed but for the first two: begins at the oldest. */
struct prune {
    struct state *st;
    struct history *h;
    uint64_t from; /* what lies before this position of the journal is deleted or stays */
};

/* prune_some -- one piece, in a transaction of its own, and what `relay status` shows of it.
 *
 * wall_ms  the time to count back from
 * Returns  1 there is more to do; 0; -ENOSPC, -EIO, -EBADMSG as history.h: nothing was done */
int prune_some(struct prune *p, uint64_t wall_ms) MUST_USE;

#endif
