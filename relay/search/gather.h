/* gather.h -- messages of stored segments, on their way into an index. */
#ifndef SEARCH_GATHER_H
#define SEARCH_GATHER_H

#include "base/buffer.h"
#include "store/history.h"
#include "store/index.h"

struct gather {
    struct history *h;
    struct buffer entries, texts; /* entries: struct gathered, whose texts lie in `texts` */
    size_t n;
    int error;
};

/* gather_row -- every message that ends in this segment.  What is wrong stays in `error`. */
void gather_row(struct gather *g, const struct history_row *row);

/* gather_add -- put them all into an open transaction of the index, in the order of their hlc.  Returns 0 or -errno */
int gather_add(struct gather *g, struct index *x) MUST_USE;

/* gather_clear -- ready for others; gather_free. */
void gather_clear(struct gather *g);
void gather_free(struct gather *g);

#endif
