/* board.h -- what sender and reader of one benchmark tell each other and the parent: shared
 * memory. */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include "base/base.h"

#include <stdatomic.h>

enum { SAMPLES_MAX = 1 << 17 };

struct board {
    /* the reader's */
    _Atomic uint64_t seen, lost, doubled; /* deliveries, of all readers together */
    _Atomic uint64_t slowest;  /* every reader saw this number; UINT64_MAX: there are none */
    _Atomic uint64_t shown_ns; /* when the goal was reached */
    /* the sender's */
    _Atomic uint64_t acked_ns; /* when all was acknowledged */
    _Atomic uint64_t
        wake_at; /* it sleeps until the slowest reader saw this number; 0: it does not */
    int turn; /* eventfd, when the reader is to sleep on it instead of on its FIFOs; else -1 */
    /* the parent's */
    _Atomic uint64_t goal;        /* deliveries */
    _Atomic bool sampling;        /* the reader takes the time of every delivery, */
    uint32_t first;               /* of message `first` and later, */
    uint32_t readers;             /* at [(number - first) * readers + reader] */
    uint32_t sample[SAMPLES_MAX]; /* ns */
    int progress;                 /* eventfd, rung by the reader */
};

struct board *board_open(void);
void board_close(struct board *b);

/* board_is_ahead -- by `ahead` messages of the slowest reader, when `sent` is the last one
 * sent? */
bool board_is_ahead(const struct board *b, uint64_t sent, uint64_t ahead);

/* board_sleep -- sender: ring `progress` when the slowest reader has seen message `number`.
 * Returns  false when it has already
 * board_woken -- sender: after waiting for it. board_shown -- reader: the slowest is here now.
 */
bool board_sleep(struct board *b, uint64_t number);
void board_woken(struct board *b);
void board_shown(struct board *b, uint64_t slowest);

#endif
