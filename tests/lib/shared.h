/* shared.h -- the shared memory of a relay, for one test at a time. */
#ifndef SHARED_H
#define SHARED_H

#include "state/state.h"

enum { SHARED_RING = 1 << 20, SHARED_SESSIONS = 16 };

/* shared_open -- an empty one with its lock, of this host in this run, attached as that process, which rings no bells.
 * Returns 0 or -1.  shared_close -- nothing of it is left. */
int shared_open(struct state *st, struct lock *lock, uint64_t origin, uint64_t epoch, const char *host, unsigned proc);
void shared_close(struct state *st, struct lock *lock);

#endif
