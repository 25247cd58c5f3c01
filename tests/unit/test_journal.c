/* test_journal.c -- nothing that is not durable, or that somebody reads, is ever overwritten. */
#include "state/journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 1 << 20, START = 4096, STEP = 4096 };

static struct journal j;

static int fresh(void **state)
{
    (void)state;
    memset(&j, 0, sizeof j);
    journal_init(&j, SIZE, START);
    return 0;
}

/* fill -- append until there is no room; returns how many bytes. */
static uint64_t fill(void)
{
    uint64_t start = journal_head(&j);
    while (journal_make_room(&j, STEP) == 0)
        journal_publish(&j, journal_head(&j) + STEP);
    return journal_head(&j) - start;
}

static void full_until_durable(void **state)
{
    (void)state;
    assert_int_equal(fill(), SIZE);
    assert_int_equal(journal_make_room(&j, 8), -EAGAIN);
    atomic_store(&j.durable, START + 10 * STEP);
    assert_int_equal(fill(), 10 * STEP);
    assert_true(journal_tail(&j) <= journal_durable(&j));
}

static void pins_hold(void **state)
{
    (void)state;
    fill();
    assert_int_equal(journal_pin(&j, 3, START + 2 * STEP), 0);
    atomic_store(&j.durable, journal_head(&j));
    assert_int_equal(fill(), 2 * STEP);
    assert_int_equal(journal_make_room(&j, 8), -EAGAIN); /* and it stays so, however often one asks */
    journal_unpin(&j, 3);
    assert_true(fill() > 0);
}

static void who_comes_late_is_told(void **state)
{
    (void)state;
    fill();
    atomic_store(&j.durable, journal_head(&j));
    fill();
    assert_int_equal(journal_pin(&j, 0, START), -EOVERFLOW);
    assert_int_equal(atomic_load(&j.pin[0].pos), UINT64_MAX);
    assert_int_equal(journal_pin(&j, 0, journal_tail(&j)), 0);
}

static void too_large_never_fits(void **state)
{
    (void)state;
    assert_int_equal(journal_make_room(&j, SIZE), -EMSGSIZE);
}

static void positions_are_not_used_twice(void **state)
{
    (void)state;
    fill();
    /* The store may know half a ring less than was durable; the head was a ring beyond that. */
    assert_true(journal_next_start(START, SIZE) > journal_head(&j) + SIZE / 2);
    assert_int_equal(journal_next_start(START + 8, SIZE) % 4096, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(full_until_durable, fresh),     cmocka_unit_test_setup(pins_hold, fresh),
        cmocka_unit_test_setup(who_comes_late_is_told, fresh), cmocka_unit_test_setup(too_large_never_fits, fresh),
        cmocka_unit_test_setup(positions_are_not_used_twice, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
