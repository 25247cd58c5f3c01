/* floor.h -- what the same bytes through the same FIFOs cost without a chat: the bound to be
 * measured against. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "crew.h"

/* Frames per write. */
enum { FLOOR_FRAMES = 20 };

struct floor {
    unsigned readers;
    struct board *board;
    struct hand reading, writing;
    int *from, *to; /* the FIFOs' ends */
    uint32_t sent;
};

/* floor_start -- a process that writes N FIFOs in turn, and one that drains them as the relay's
 * readers do. dir      where the FIFOs are made (and unlinked at once) */
void floor_start(struct floor *f, const char *dir, unsigned readers);
void floor_end(struct floor *f);

/* floor_run -- `count` messages (a multiple of FLOOR_FRAMES) to every reader. relay_ns is the
 * writer's. */
struct result floor_run(struct floor *f, uint32_t count);

#endif
