/* test_pace.c -- so many hellos at once, then one every so often, each user for himself. */
#include "rules/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { UID = 1000, NOW = 123456 };

static struct pace pace;

static int fresh(void **state)
{
    (void)state;
    memset(&pace, 0, sizeof pace);
    return 0;
}

/* burst -- how many are let in at this moment. */
static unsigned burst(uint32_t uid, uint64_t now)
{
    unsigned n = 0;
    while (n < 1000 && pace_take(&pace, uid, now))
        n++;
    return n;
}

static void a_burst_then_a_rate(void **state)
{
    (void)state;
    assert_int_equal(burst(UID, NOW), PACE_BURST);
    assert_int_equal(burst(UID, NOW + PACE_EVERY_MS - 1), 0);
    assert_int_equal(burst(UID, NOW + PACE_EVERY_MS), 1);
    assert_int_equal(burst(UID, NOW + 6 * PACE_EVERY_MS), 5);
}

static void what_is_refused_does_not_count(void **state)
{
    (void)state;
    burst(UID, NOW);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(pace_take(&pace, UID, NOW + 1));
    assert_int_equal(burst(UID, NOW + PACE_EVERY_MS), 1);
}

static void who_rests_has_a_whole_burst_and_no_more(void **state)
{
    (void)state;
    burst(UID, NOW);
    assert_int_equal(burst(UID, NOW + PACE_BURST * PACE_EVERY_MS), PACE_BURST);
    assert_int_equal(burst(UID, NOW + 1000 * PACE_BURST * PACE_EVERY_MS), PACE_BURST);
}

static void nobody_pays_for_another(void **state)
{
    (void)state;
    assert_int_equal(burst(UID, NOW), PACE_BURST);
    for (uint32_t uid = UID + 1; uid < UID + PACE_SLOTS; uid++)
        assert_int_equal(burst(uid, NOW), PACE_BURST);
    assert_int_equal(burst(UID, NOW), 0);
    assert_int_equal(burst(UID + PACE_SLOTS, NOW), PACE_BURST); /* who shares the slot */
    assert_int_equal(burst(UID, NOW), PACE_BURST);
    assert_int_equal(burst(0, 0), PACE_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_burst_then_a_rate, fresh),
        cmocka_unit_test_setup(what_is_refused_does_not_count, fresh),
        cmocka_unit_test_setup(who_rests_has_a_whole_burst_and_no_more, fresh),
        cmocka_unit_test_setup(nobody_pays_for_another, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
