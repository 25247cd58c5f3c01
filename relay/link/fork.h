/* fork.h -- when do two signed heads prove that their origin said two different things?  No I/O.
 *
 * An honest host seals every number of a stream once, and every segment behind the one before.  So two heads with its
 * signature contradict each other when they share a number and are not the same, or when one follows the other by
 * its numbers and not by its hash.  From the smallest number of such a pair on nobody can say what the stream is. */
#ifndef LINK_FORK_H
#define LINK_FORK_H

#include "frame/body.h"

/* fork_proven -- both of one stream, with good signatures. */
bool fork_proven(const struct sealed *a, const struct sealed *b);

/* fork_point -- the smallest point that any two of these prove, below `end`; a, b: which two.  Returns `end`: none. */
uint64_t fork_point(const struct sealed *s, size_t n, uint64_t end, size_t *a, size_t *b);

#endif
