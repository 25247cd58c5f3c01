/* commit.h -- the journal into the store: grouped by stream, sealed, committed, then called durable. */
#ifndef KEEP_COMMIT_H
#define KEEP_COMMIT_H

#include "keep/fold.h"
#include "state/state.h"
#include "store/history.h"
#include "trust/seal.h"

enum {
    COMMIT_BYTES = 1 << 20,  /* of the journal in one transaction, a remote segment more */
    SEGMENT_SPAN_MS = 1000,  /* between the first and the last stamp in one segment, at most */
};

struct commit;

/* commit_open -- returns 0 or -ENOMEM. */
int commit_open(struct commit **c, struct state *st, struct history *h, const struct identity *id, struct folds *folds)
    MUST_USE;
void commit_close(struct commit *c);

/* commit_own -- how many entries of this host's streams, of all its runs, are in the store. */
uint64_t commit_own(const struct commit *c);

/* commit_restore -- a new generation: fill the tables from the store; before anybody else attaches.
 * Returns 0 or -errno */
int commit_restore(struct commit *c) MUST_USE;

/* commit_some -- store what is in the journal behind the durable position, up to COMMIT_BYTES, and move it.
 *
 * on_query  called for every QUERY in it, once what lies before is in the store
 * Returns  1 something was done; 0 there was nothing; -ENOSPC, -EIO, -EBADMSG as history.h: nothing was done */
int commit_some(struct commit *c, void (*on_query)(void *arg, const uint8_t *frame), void *arg) MUST_USE;

/* commit_on_gap -- call `gone` for every gap that was taken from another host and is in the store now. */
void commit_on_gap(struct commit *c, void (*gone)(void *arg, const uint8_t *gap), void *arg);

/* commit_queries -- while the store takes nothing: call on_query for the queries that wait behind the durable
 * position, each once. */
void commit_queries(struct commit *c, void (*on_query)(void *arg, const uint8_t *frame), void *arg);

#endif
