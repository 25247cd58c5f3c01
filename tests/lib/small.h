/* small.h -- a small segment of a relay's shared memory, and two of its processes. */
#ifndef SMALL_H
#define SMALL_H

#include "state/state.h"

enum { SMALL_SESSIONS = 16, SMALL_RING = 256 * 1024 };

struct small {
    char name[64];
    struct state a, b; /* as worker 0 and worker 1 would have it */
    struct roster *r;  /* the tables, through a */
    uint8_t *before;   /* what small_note() kept of them */
    size_t size;
};
extern struct small small;

/* small_setup, small_teardown -- for cmocka. */
int small_setup(void **state);
int small_teardown(void **state);

/* small_begin -- take the lock as process a.  small_end -- publish and let go.  small_die -- be
 * killed instead: the kernel gives the lock back, and what was begun stays as it is. */
void small_begin(void);
void small_end(void);
void small_die(void);

/* small_note -- remember the tables.  small_assert_undone -- process b takes the lock and lets
 * go: the tables are again as they were, and it had something to roll back. */
void small_note(void);
void small_assert_undone(void);

#endif
