/* digest.h -- do two hosts have the same of a part of the streams?  A sum of keyed hashes of rows; no I/O.
 *
 * The streams of one origin are told apart by its runs: the newest RUNS_APART each for itself, all older ones together.
 * Of a run that is over nothing changes any more, so what has grown over the years is one number.  The key is new on
 * every link and nobody else's: an origin cannot choose its rows so that two sums agree by mistake (SipHash-2-4). */
#ifndef LINK_DIGEST_H
#define LINK_DIGEST_H

#include "frame/body.h"

/* digest_part -- to which part of its origin's streams a run belongs, 0 .. RUNS_APART; `from` rises, zeros first. */
unsigned digest_part(const uint64_t from[RUNS_APART], uint64_t epoch);

/* digest_run -- there is such a run: into the list of the newest. */
void digest_run(uint64_t from[RUNS_APART], uint64_t epoch);

/* digest_row -- the hash of one row; those of a part are joined by exclusive or, so their order means nothing. */
uint64_t digest_row(const uint64_t key[2], const struct have_row *row);

#endif
