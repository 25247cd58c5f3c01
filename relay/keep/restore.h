/* restore.h -- the tables of a new generation, as the store has them. */
#ifndef KEEP_RESTORE_H
#define KEEP_RESTORE_H

#include "state/state.h"
#include "store/history.h"

/* restore -- the rooms, who spoke lately and how far, what every host said of the others, the clock, and a journal that begins
 * behind all that was ever in one; before anybody else attaches.  Takes the lock.
 * Returns 0 or -errno */
int restore(struct state *st, struct history *h) MUST_USE;

#endif
