/* build.h -- the index, behind the messages: it follows what is said, and in between goes back through what was said before. */
#ifndef SEARCH_BUILD_H
#define SEARCH_BUILD_H

#include "store/history.h"
#include "store/index.h"

struct builder;

/* builder_open -- the index at `path`; one that is damaged, or that was made from another store than `h`, is made anew.
 * Returns 0 or -errno */
int builder_open(struct builder **b, const char *path, struct history *h, uint64_t durable) MUST_USE;
void builder_close(struct builder *b);

/* builder_step -- some milliseconds of work, in a transaction of its own.
 * durable  everything in the journal before this is in the store
 * Returns  1 there is more to do; 0 everything up to `durable` is in the index; -errno: nothing has changed */
int builder_step(struct builder *b, uint64_t durable) MUST_USE;

/* builder_outlived -- is most of what is in it not kept in the store any more?  What was indexed cannot be taken out; so it should be
 * made anew: closed, removed, opened. */
bool builder_outlived(struct builder *b);

/* builder_range -- what of the journal is in it. */
const struct index_range *builder_range(const struct builder *b);

#endif
