/* after.h -- what came from others into each room since this host last spoke there: what its next segment answers.
 *
 * Of rooms that are everybody's, and of what people say: who is in fewer rooms hears it from whoever said it (link/core.h).  The keeper
 * tells of everything in the order of the journal, one commit after the other. */
#ifndef KEEP_AFTER_H
#define KEEP_AFTER_H

#include "state/state.h"
#include "store/history.h"

struct afters;

enum { AFTER_RECENT = 512 }; /* segments in the store that a run looks back on when it begins */

/* afters_open -- with nothing in it, for the rooms and the run of `seg`.  Returns 0 or -ENOMEM. */
int afters_open(struct afters **out, const struct segment *seg) MUST_USE;
void afters_close(struct afters *a);

/* afters_restore -- a run begins, or a keeper, or a commit has failed and comes again: what is said next answers what is newest in the
 * store, in each room that is in the tables by now.  Returns 0 or as history_back(). */
int afters_restore(struct afters *a, struct history *h) MUST_USE;

/* afters_heard -- this SEGMENT lies in the journal, of the room in this slot (0: none). */
void afters_heard(struct afters *a, uint32_t slot, const uint8_t *segment);

/* afters_said -- somebody here says something in that room.  Returns the number of what it answers; 0: nothing that was not
 * answered before.  Not when afters_full(): then the commit ends. */
uint32_t afters_said(struct afters *a, uint32_t slot);
bool afters_full(const struct afters *a);

/* afters_get -- that number's, until afters_stored(); of 0, nothing. */
const struct after *afters_get(const struct afters *a, uint32_t number);

/* afters_stored -- a commit is over. */
void afters_stored(struct afters *a);

#endif
