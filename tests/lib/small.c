/* small.c -- a small segment of a relay's shared memory, and two of its processes. */
#include "small.h"

#include "ipc/shm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct small small;

int small_setup(void **state)
{
    static const struct state_options options = {.generation = 1,
                                                 .origin = 11,
                                                 .epoch = 22,
                                                 .host = "here",
                                                 .workers = 2,
                                                 .sessions_max = SMALL_SESSIONS,
                                                 .ring_size = SMALL_RING};
    struct lock lock;
    char why[256];
    (void)state;
    snprintf(small.name, sizeof small.name, "/relay-test-small-%d", (int)getpid());
    if (state_create(small.name, &options) < 0 || lock_create(&lock) < 0 ||
        state_attach(&small.a, small.name, lock.id, 0, true, why, sizeof why) < 0 ||
        state_attach(&small.b, small.name, lock.id, 1, true, why, sizeof why) < 0)
        return -1;
    small.r = &small.a.seg->roster;
    small.size = roster_size(SMALL_SESSIONS);
    small.before = malloc(small.size);
    return small.before ? 0 : -1;
}

int small_teardown(void **state)
{
    (void)state;
    free(small.before);
    lock_drop(&small.a.lock);
    state_detach(&small.a);
    state_detach(&small.b);
    shm_drop(small.name);
    return 0;
}

void small_begin(void)
{
    assert_int_equal(state_take(&small.a), 0);
}

void small_end(void)
{
    state_publish(&small.a);
    state_give(&small.a);
}

void small_die(void)
{
    lock_give(&small.a.lock);
}

void small_note(void)
{
    memcpy(small.before, small.r, small.size);
}

void small_assert_undone(void)
{
    uint64_t head = journal_head(&small.b.seg->journal);
    assert_true(atomic_load(&small.b.seg->undo.used) > 0);
    assert_int_equal(state_take(&small.b), 0);
    assert_int_equal(small.b.next, head);
    state_give(&small.b);
    small.r->evict_hand = ((struct roster *)(void *)small.before)->evict_hand; /* a mere hint */
    assert_memory_equal(small.r, small.before, small.size);
}
