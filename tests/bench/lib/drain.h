/* drain.h -- read many FIFOs as fast as one process can, and check every message in them. */
#ifndef BENCH_DRAIN_H
#define BENCH_DRAIN_H

#include "board.h"
#include "hand.h"

/* drain -- read the FIFOs `fd[0..n)` for ever; report to the board, and as done whenever the
 * goal is reached. Every FIFO must bring numbers 1, 2, 3, ... */
_Noreturn void drain(struct hand *self, struct board *board, const int *fd, unsigned n);

#endif
