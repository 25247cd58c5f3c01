/* wanted.h -- what people type to search for, taken apart; the same on both sides, no I/O.
 *
 *   disk full          both words, anywhere in the message and in any order
 *   "disk is full"     these words, one behind the other
 *   segf*              words that begin so
 *   from:bob, from:bob@beta, in:build, in:@bob, since:-1h, until:2025-01-31
 *
 * Letters count alike, large or small, with or without accents; what is neither letter nor digit only separates words. */
#ifndef BASE_WANTED_H
#define BASE_WANTED_H

#include "base/text.h"

enum { WANTED_MAX = 1024 /* bytes that one may type */, WANTED_TERMS_MAX = 16, WANTED_ROOMS_MAX = 16 };

struct wanted_term {
    struct text text; /* has a letter or digit; is not said to be free of quotes or anything else */
    bool begins;      /* its last word may go on */
};

struct wanted {
    struct wanted_term term[WANTED_TERMS_MAX];
    unsigned n_terms;
    struct text user, host; /* from:user[@host]; "": anybody */
    struct text room[WANTED_ROOMS_MAX]; /* as typed behind in: */
    unsigned n_rooms;
    struct text since, until; /* as typed; what they mean depends on where the clock hangs */
};

/* wanted_read -- texts point into `typed`.
 * Returns  NULL, or one sentence that says what cannot be understood */
const char *wanted_read(struct text typed, struct wanted *w) MUST_USE;

#endif
