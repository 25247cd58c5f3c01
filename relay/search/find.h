/* find.h -- what somebody searches for, in the index and in what is not indexed yet. */
#ifndef SEARCH_FIND_H
#define SEARCH_FIND_H

#include "base/buffer.h"
#include "keep/asker.h"
#include "store/history.h"
#include "store/index.h"

enum { FOUND_MAX = 1000 /* messages in one answer */, FIND_MS = 1000 /* then a search is given up */ };

struct finder {
    struct state *st;
    struct history *h;
    const char *index; /* its path */
    struct index_range range; /* what of the journal is in it */
};

struct finding {
    struct buffer frames; /* of whole messages, in the order of display */
    uint32_t count;       /* frames */
    uint8_t reason;       /* why nothing was searched for; REASON_OK */
    const char *text;     /* one sentence that says so, or what may be missing; "" */
};

/* find -- the newest q->limit messages that are wanted, of rooms that `who` may know of; not what is hidden by a fork or parked.
 * Returns 0; -errno: the store could not be read */
int find(const struct finder *f, const struct query *q, const struct asker *who, struct finding *found) MUST_USE;

#endif
