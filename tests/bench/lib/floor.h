/* floor.h -- what the same bytes through the same FIFOs cost without a chat: the bound to be
 * measured against. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "crew.h"

/* Frames per write: as many as do not fill a FIFO while half of what it holds is read; with a process per reader, where
 * every write wakes one up, all that it holds. Orders are multiples of both. */
enum { FLOOR_FRAMES = 20, FLOOR_FRAMES_EACH = 100 };

struct floor {
    unsigned readers, frames; /* per write */
    struct board *board;
    struct hand reading, writing;
    int *from, *to; /* the FIFOs' ends */
    uint32_t sent;
};

/* floor_start -- a process that writes N FIFOs in turn, and one that drains them as the relay's
 * readers do. dir      where the FIFOs are made (and unlinked at once)
 * each     with a process per reader */
void floor_start(struct floor *f, const char *dir, unsigned readers, bool each);
void floor_end(struct floor *f);

/* floor_run -- `count` messages to every reader. server_ns is the
 * writer's. */
struct result floor_run(struct floor *f, uint32_t count);

#endif
