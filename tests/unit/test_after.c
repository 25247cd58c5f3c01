/* test_after.c -- what a segment is going to answer: the newest of what came, once, and what is stored when a run begins. */
#include "keep/after.h"

#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "small.h"
#include "store.h"

enum { LOBBY = 1, TALK, SLOTS };

static struct afters *a;
static uint64_t room[SLOTS];

static void open_room(uint32_t slot, const char *name)
{
    room[slot] = room_id(text_of(name));
    small_begin();
    assert_int_equal(roster_room_open(&small.a.edit, room[slot], text_of(name)), slot);
    small_end();
}

static int set_up(void **state)
{
    if (small_setup(state) < 0 || store_setup(state) < 0)
        return -1;
    small.a.seg->shape.origin = HERE;
    open_room(LOBBY, "lobby");
    open_room(TALK, "@alice@alpha,bob@beta");
    return afters_open(&a, small.a.seg);
}

static int tear_down(void **state)
{
    afters_close(a);
    return store_teardown(state) | small_teardown(state);
}

static void heard(uint32_t slot, uint64_t origin, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct segment_head s = {.count = 1, .bytes = FRAME_HEAD, .first_seq = seq};
    assert_true(write_segment(f, &s, origin, 5, room[slot], seq, 1) > 0);
    afters_heard(a, slot, f);
}

/* says -- and answers `n`, the newest of them that one. */
static void says(uint32_t slot, uint32_t n, uint64_t origin, uint64_t seq)
{
    const struct after *after = afters_get(a, afters_said(a, slot));
    assert_int_equal(after->n, n);
    assert_true(n == 0 || (after->row[0].origin == origin && after->row[0].epoch == 5 && after->row[0].seq == seq));
}

static void test_what_came_since(void **state)
{
    (void)state;
    says(LOBBY, 0, 0, 0);
    heard(LOBBY, THERE, 4);
    heard(LOBBY, 77, 1);
    heard(LOBBY, THERE, 6);
    says(LOBBY, 2, THERE, 6);
    says(LOBBY, 0, 0, 0); /* once is enough */
    heard(LOBBY, 77, 2);
    says(LOBBY, 1, 77, 2);
}

static void test_what_does_not_count(void **state)
{
    (void)state;
    heard(LOBBY, HERE, 4); /* what comes back of our own */
    heard(TALK, THERE, 4); /* between two */
    heard(0, THERE, 4);
    says(LOBBY, 0, 0, 0);
    says(TALK, 0, 0, 0);
}

static void test_no_more_than_fit(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < AFTER_MAX + 3; i++)
        heard(LOBBY, 100 + i, 1);
    heard(LOBBY, 100 + AFTER_MAX, 2);
    says(LOBBY, AFTER_MAX, 100 + AFTER_MAX, 2);
}

static void test_a_commit_ends_in_time(void **state)
{
    (void)state;
    for (uint64_t i = 1; !afters_full(a); i++) {
        heard(LOBBY, THERE, i);
        says(LOBBY, 1, THERE, i);
    }
    afters_stored(a);
    assert_false(afters_full(a));
}

/* A run that begins answers what is newest in the store, of each stream the last; and so does a commit that comes again: not what lies
 * behind it. */
static void test_a_run_begins(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(history_begin(h, 10), 0);
    store_add(h, THERE, room[LOBBY], 10, 1, 60);
    store_add(h, THERE, room[LOBBY], 20, 3, 61);
    store_add(h, THERE, room[TALK], 30, 1, 62);
    store_add(h, HERE, room[LOBBY], 40, 1, 63);
    assert_int_equal(history_commit(h, 50, 4096), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(afters_restore(a, h), 0);
        const struct after *after = afters_get(a, afters_said(a, LOBBY));
        assert_int_equal(after->n, 1);
        assert_true(after->row[0].origin == THERE && after->row[0].epoch == 3 && after->row[0].seq == 4);
        says(TALK, 0, 0, 0);
        heard(LOBBY, THERE, 5); /* in a commit that fails */
    }
    history_close(h);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_came_since),       TEST(test_what_does_not_count), TEST(test_no_more_than_fit),
        TEST(test_a_commit_ends_in_time), TEST(test_a_run_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
