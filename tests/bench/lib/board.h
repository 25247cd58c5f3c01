/* board.h -- what sender and readers of one benchmark tell each other and the parent: shared
 * memory. */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include "base/base.h"

#include <stdatomic.h>

enum { SAMPLES_MAX = 1 << 17, SLICES_MAX = 1024 };

/* What one reader process saw; a cache line of its own. */
struct slice {
    _Alignas(64) _Atomic uint64_t seen; /* deliveries, of all its readers together */
    _Atomic uint64_t lost, doubled;
    _Atomic uint64_t slowest; /* each of its readers saw this number */
    _Atomic uint64_t cpu_ns;  /* what the process had used when the goal was reached */
};

struct board {
    uint32_t readers, slices;  /* all readers; how many processes they are in: 1, or one each */
    struct slice slice[SLICES_MAX];
    _Atomic uint32_t short_of; /* processes that have not reached the goal */
    _Atomic uint64_t shown_ns; /* when the last one had */
    /* the sender's */
    _Atomic uint64_t acked_ns; /* when all was acknowledged */
    _Atomic uint64_t wake_at;  /* it sleeps until all readers saw this number; 0: it does not */
    uint64_t slowest;          /* what it knows of them */
    int turn; /* eventfd, when the reader is to sleep on it instead of on its FIFOs; else -1 */
    /* the parent's */
    _Atomic uint64_t goal;        /* the number that every reader is to see */
    _Atomic bool sampling;        /* the readers take the time of every delivery, */
    uint32_t first;               /* of message `first` and later, */
    uint32_t sample[SAMPLES_MAX]; /* ns, at [(number - first) * readers + reader] */
    int progress;                 /* eventfd, rung by a reader */
};

/* What all reader processes saw. */
struct tally {
    uint64_t seen, lost, doubled, cpu_ns;
};

/* board_open -- for so many readers. each: every one of them in a process of its own. */
struct board *board_open(unsigned readers, bool each);
void board_close(struct board *b);

/* board_aim -- parent: from now on the goal is that everybody sees this number; samples are of
 * the messages from `first` on. board_tally -- parent: what there is so far. */
void board_aim(struct board *b, uint32_t first, uint32_t last);
struct tally board_tally(const struct board *b);

/* board_is_ahead -- sender: by `ahead` messages of the slowest reader, when `sent` is the last
 * one sent? */
bool board_is_ahead(struct board *b, uint64_t sent, uint64_t ahead);

/* board_sleep -- sender: ring `progress` when the slowest reader has seen message `number`.
 * Returns  false when it has already
 * board_woken -- sender: after waiting for it. board_shown -- reader: the slowest of this slice
 * is here now. */
bool board_sleep(struct board *b, uint64_t number);
void board_woken(struct board *b);
void board_shown(struct board *b, struct slice *s, uint64_t slowest);

/* board_reached -- reader: this slice is at the goal.
 * Returns  true when it is the last one */
bool board_reached(struct board *b, struct slice *s);

#endif
