/* crew.h -- one sender and N readers of one room, at one relay or at the two ends of a link. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "board.h"
#include "hand.h"
#include "site.h"

struct crew {
    struct site *site, *far; /* of the sender, of the readers */
    const char *room;
    unsigned readers;
    struct board *board;
    struct hand reading, sending;
    uint32_t sent, count; /* messages, in all and of this order */
    uint64_t cpu, start;  /* when it was given */
};

/* What one order cost. */
struct result {
    double seconds;  /* until all was shown and acknowledged */
    double relay_ns; /* CPU time of all relay processes */
    uint32_t count;
};

/* crew_start -- let them join; readers may be 0. crew_end -- they go. */
void crew_start(struct crew *c, struct site *site, unsigned readers);
void crew_end(struct crew *c);

/* crew_start_between -- the readers are at `far`, in that room, which nobody else writes to. */
void crew_start_between(struct crew *c, struct site *site, struct site *far, const char *room, unsigned readers);

/* crew_begin, crew_finish -- crew_run() in two halves, so that several can be at work. */
void crew_begin(struct crew *c, enum how how, uint32_t count);
struct result crew_finish(struct crew *c);

/* crew_run -- have `count` messages sent, wait until each is shown to every reader and
 * acknowledged. Fails when one was lost or doubled. */
struct result crew_run(struct crew *c, enum how how, uint32_t count);

/* crew_open -- a quiet session with an instance. */
struct port *crew_open(const char *instance);

/* crew_join -- n sessions join the room, each alone with its FIFO afterwards. fd is filled with
 * the FIFOs. */
void crew_join(const char *instance, const char *room, int *fd, unsigned n);

#endif
