/* test_undo.c -- a change that is cut off at any point is rolled back whole or stands whole. */
#include "state/undo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A segment in small: some memory, and the undo area in the same block. */
struct memory {
    uint64_t word[64];
    struct undo undo;
};

static int make(void **state)
{
    struct memory *m = calloc(1, sizeof *m);
    for (size_t i = 0; m && i < 64; i++)
        m->word[i] = i;
    *state = m;
    return m ? 0 : -1;
}

static int unmake(void **state)
{
    free(*state);
    return 0;
}

static void check_old(const struct memory *m)
{
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(m->word[i], i);
}

static void change(struct memory *m, size_t at, uint64_t v)
{
    undo_save(&m->undo, m, &m->word[at], sizeof m->word[at]);
    m->word[at] = v;
}

static void nothing_to_do(void **state)
{
    struct memory *m = *state;
    undo_begin(&m->undo, 7);
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), 0);
    check_old(m);
}

static void rolled_back(void **state)
{
    struct memory *m = *state;
    undo_begin(&m->undo, 7);
    change(m, 3, 100);
    change(m, 5, 101);
    change(m, 3, 102); /* the oldest image of a word must win */
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), 1);
    check_old(m);
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), 0);
}

static void stands_when_published(void **state)
{
    struct memory *m = *state;
    undo_begin(&m->undo, 7);
    change(m, 3, 100);
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 8), 2);
    assert_int_equal(m->word[3], 100);
}

static void recovery_may_be_cut_off(void **state)
{
    struct memory *m = *state;
    undo_begin(&m->undo, 7);
    change(m, 3, 100);
    change(m, 5, 101);
    m->word[5] = 5; /* as if the one before had rolled back half of it */
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), 1);
    check_old(m);
}

static void nonsense_is_refused(void **state)
{
    struct memory *m = *state;
    undo_begin(&m->undo, 7);
    change(m, 3, 100);
    uint64_t far = sizeof *m;
    memcpy(m->undo.image, &far, sizeof far);
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), -EBADMSG);
    atomic_store(&m->undo.used, UNDO_BYTES + 8);
    assert_int_equal(undo_recover(&m->undo, m, sizeof *m, 7), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_to_do, make, unmake),
        cmocka_unit_test_setup_teardown(rolled_back, make, unmake),
        cmocka_unit_test_setup_teardown(stands_when_published, make, unmake),
        cmocka_unit_test_setup_teardown(recovery_may_be_cut_off, make, unmake),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
