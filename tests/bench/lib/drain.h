/* drain.h -- read many FIFOs or sockets as fast as one process can, or with a process for each,
 * and check every message in them. */
#ifndef BENCH_DRAIN_H
#define BENCH_DRAIN_H

#include "board.h"
#include "hand.h"

/* What carries the messages. */
enum wire {
    WIRE_FRAMES, /* a relay's */
    WIRE_LINES,  /* a peer's: lines, of which those that end with a message are deliveries */
};

/* drain -- read `fd`, one per reader of the board, for ever; report to the board, and as done
 * whenever the goal is reached. Every reader must get the numbers 1, 2, 3, ... */
_Noreturn void drain(struct hand *self, struct board *board, const int *fd, enum wire wire);

#endif
