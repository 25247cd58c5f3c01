/* hand.h -- a helper process: takes orders through a pipe, says when each is done. */
#ifndef BENCH_HAND_H
#define BENCH_HAND_H

#include "base/base.h"

#include <sys/types.h>

enum how {
    ORDER_BURST, /* as fast as it goes */
    ORDER_PACED, /* `rate` messages a second */
    ORDER_LONE,  /* a message when the one before is acknowledged */
    ORDER_POUR,  /* as fast as it goes, whatever the readers do */
    ORDER_END,   /* stop what you started */
};

struct order {
    enum how how;
    uint32_t count; /* messages */
    uint32_t rate;  /* a second, for ORDER_PACED */
};

struct hand {
    const char *name;
    pid_t pid;
    int orders[2]; /* pipe to it */
    int done;      /* eventfd from it: once when it is ready, once per order */
};

/* hand_start -- run `body` in a process that dies with its parent. Returns when it is ready. */
void hand_start(struct hand *h, const char *name, void (*body)(struct hand *self, void *arg),
                void *arg);

/* hand_launch -- the same, but returns at once: hand_await() or hand_try() says when it is ready. */
void hand_launch(struct hand *h, const char *name, void (*body)(struct hand *self, void *arg), void *arg);
void hand_end(struct hand *h);

/* hand_order, hand_await -- in the parent: say what to do; wait until it is done. Fails when
 * the helper died or after `seconds`. */
void hand_order(struct hand *h, struct order o);
void hand_await(struct hand *h, unsigned seconds);

/* hand_try -- hand_await() that survives a failure, after which only hand_end() makes sense.
 * Returns  true when it is done */
bool hand_try(struct hand *h, unsigned seconds) MUST_USE;

/* hand_next, hand_done -- in the helper: wait for the next order, exit when there will be none;
 * report. */
struct order hand_next(struct hand *self);
void hand_done(struct hand *self);

#endif
