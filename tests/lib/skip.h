/* skip.h -- tests that cannot run here say so and pass.
 *
 * cmocka's own skip() is "not ok ... # SKIP" in TAP, which prove(1) takes for a failure. */
#ifndef SKIP_H
#define SKIP_H

#include <stdbool.h>
#include <stdio.h>

/* skip_unless -- true when the test must return at once: it was then said why, on standard
 * error, where prove does not hide it. */
static inline bool skip_unless(bool can, const char *test, const char *why)
{
    if (!can)
        fprintf(stderr, "# %s: skipped: %s\n", test, why);
    return !can;
}

#endif
