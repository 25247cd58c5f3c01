/* test_have.c -- the table of streams against a plain list. */
#include "link/have.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX = 256 };

static void *memory;
static struct have h;

static int set_up(void **state)
{
    (void)state;
    memory = malloc(have_size(MAX));
    if (!memory)
        return -1;
    memset(memory, 0xa5, have_size(MAX));
    have_init(&h, memory, MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(h.n, 0);
    assert_null(have_find(&h, 0, 0, 0));
    assert_null(have_find(&h, 1, 2, 3));
}

static void test_all_three_count(void **state)
{
    (void)state;
    struct have_entry *e = have_add(&h, 1, 2, 3);
    assert_int_equal(e->row.seq, 0);
    assert_int_equal(e->durable, 0);
    e->row.seq = 9;
    assert_null(have_find(&h, 2, 2, 3));
    assert_null(have_find(&h, 1, 1, 3));
    assert_null(have_find(&h, 1, 2, 2));
    assert_ptr_equal(have_find(&h, 1, 2, 3), e);
    assert_ptr_equal(have_add(&h, 1, 2, 3), e);
    assert_int_equal(e->row.seq, 9);
    assert_int_equal(h.n, 1);
}

/* A number stays good while more is added; the last place can be used; behind it there is none.
 */
static void test_full(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MAX; i++) {
        struct have_entry *e = have_add(&h, i % 3, i % 5, i);
        assert_non_null(e);
        assert_ptr_equal(e, &h.entry[i]);
        e->row.seq = i + 1;
    }
    assert_null(have_add(&h, 1, 1, MAX + 1));
    assert_null(have_find(&h, 1, 1, MAX + 1)); /* and looking for it ends */
    for (uint32_t i = 0; i < MAX; i++) {
        assert_ptr_equal(have_find(&h, i % 3, i % 5, i), &h.entry[i]);
        assert_ptr_equal(have_add(&h, i % 3, i % 5, i), &h.entry[i]);
        assert_int_equal(h.entry[i].row.seq, i + 1);
    }
}

/* Numbers of hosts and rooms are hashes, those of runs differ in few bits: none may fall
 * together. */
static void test_no_long_walks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MAX; i++)
        (void)have_add(&h, 0x0123456789abcdef, (uint64_t)i << 16, 0xfedcba9876543210);
    unsigned longest = 0, run = 0;
    for (uint32_t i = 0; i < 2 * MAX; i++) {
        run = h.index[i] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, MAX / 4);
}

static void test_move(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MAX; i++) {
        struct have_entry *e = have_add(&h, i, 7, i);
        e->row.seq = i + 10;
        e->durable = i + 5;
        memset(e->head, (int)i, HASH_LEN);
    }
    struct have to;
    void *more = malloc(have_size(2 * MAX));
    assert_non_null(more);
    have_init(&to, more, 2 * MAX);
    have_move(&to, &h);
    assert_int_equal(to.n, MAX);
    for (uint32_t i = 0; i < MAX; i++) {
        const struct have_entry *e = have_find(&to, i, 7, i);
        assert_ptr_equal(e, &to.entry[i]); /* cursors survive */
        assert_int_equal(e->row.seq, i + 10);
        assert_int_equal(e->durable, i + 5);
        assert_int_equal(e->head[HASH_LEN - 1], i % 256);
    }
    assert_non_null(have_add(&to, 1, 1, 1));
    free(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_three_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_long_walks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_move, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
