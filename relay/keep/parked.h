/* parked.h -- what was stamped too far ahead, shown when its time has come.
 *
 * An entry whose stamp is more than SKEW_MAX_MS ahead of our clock is stored and passed on like any other, but its SEGMENT
 * lies in the journal with FRAME_PARKED and no worker delivers it, and no answer has it (parked_hides()).  Every room knows the
 * largest such stamp, and how far it was shown.  When a segment's time has come, its frames are put into the journal once more, behind a DUE frame, for
 * the workers alone.  No list is kept: the store finds by room and stamp what has become due. */
#ifndef KEEP_PARKED_H
#define KEEP_PARKED_H

#include "keep/forks.h"
#include "state/state.h"

struct parked {
    struct state *st;
    struct history *h;
    const struct forks *forks;
};

/* parked_restore -- a new generation: which rooms hold something of the future.  Returns 0 or -errno. */
int parked_restore(struct parked *p) MUST_USE;

/* parked_waits -- is there anything that will be due?  Then call parked_release() once a second. */
bool parked_waits(const struct parked *p);

/* parked_horizon -- stamps up to this are due now.  Ask before all that is in the journal is committed, then ...
 * parked_release -- ... show what is due by then and was not shown; what finds no room in the journal, the next time.
 * So nothing that was parked a moment ago and is not stored yet can be passed over.  Returns 0 or -errno */
uint64_t parked_horizon(void);
int parked_release(struct parked *p, uint64_t until) MUST_USE;

/* parked_hides -- is this segment's time still to come?  What people of this host said never is. */
bool parked_hides(const struct state *st, const struct history_segment *s);

#endif
