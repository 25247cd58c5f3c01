/* lag.h -- how far each peer is behind with what this host says, for all to see in the rows of the links.
 *
 * Own entries are counted in the order of the journal, and that is how peers get them: so a number says how many a peer
 * lacks, and when the first of those was stored here. */
#ifndef KEEP_LAG_H
#define KEEP_LAG_H

#include "state/state.h"

struct lag;

/* lag_open -- own: how many entries of this host's streams, of all its runs, are on disk.  What the rows said before the
 * keeper was started again holds.
 * Returns  0 or -ENOMEM */
int lag_open(struct lag **l, struct segment *seg, uint64_t own) MUST_USE;
void lag_close(struct lag *l);

/* lag_stored -- so many are by now. */
void lag_stored(struct lag *l, uint64_t own);

/* lag_said -- of them, that host says it has so many on its disk. */
void lag_said(struct lag *l, uint64_t host, uint64_t said);

#endif
