/* fold.h -- the state of all rooms: folded by the keeper as acts are committed, put into the tables for the rules of this host,
 * and enforced upon those who are here.  What lies behind a fork (keep/forks.h) is not among them, on any host. */
#ifndef KEEP_FOLD_H
#define KEEP_FOLD_H

#include "keep/forks.h"
#include "rules/room_state.h"
#include "state/state.h"

struct folds;

/* folds_open -- returns 0 or -ENOMEM. */
int folds_open(struct folds **f, struct state *st, struct history *h, const struct forks *forks) MUST_USE;
void folds_close(struct folds *f);

/* folds_restore -- fold all that is in the store; once, when the tables have their rooms.  Returns 0 or -errno */
int folds_restore(struct folds *f) MUST_USE;

/* folds_take -- the journal in [from, to) is in the store: fold the acts in it, and let the rules of this host know before
 * anybody is told that they are durable.  Returns 0 or -errno */
int folds_take(struct folds *f, uint64_t from, uint64_t to) MUST_USE;

/* folds_fork -- a stream of this room forks, or does so earlier than was known: what lies behind that does not count any more.
 * For forks_on_point(). */
void folds_fork(void *folds, uint64_t room);

/* folds_know_hosts -- one who is in a private room may have become known only now.  Also while nothing can be stored: to hosts that
 * may have what is said there, and are not known to, no link would last. */
void folds_know_hosts(struct folds *f);

/* folds_enforce -- take out of their rooms those who were kicked or banned, as far as the journal has room to say so; the rest
 * the next time. */
void folds_enforce(struct folds *f);

/* folds_room -- the state of the room in that slot, or NULL: nobody ever did anything in it. */
const struct room_state *folds_room(const struct folds *f, uint32_t slot);

#endif
