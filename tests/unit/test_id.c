/* test_id.c -- the names of messages. */
#include "id.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_round(uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    uint8_t f[FRAME_HEAD] = {0};
    char text[ID_TEXT_MAX + 1];
    struct have_row id;
    frame_set_origin(f, origin);
    frame_set_epoch(f, epoch);
    frame_set_room(f, room);
    frame_set_seq(f, seq);
    id_to_text(f, text);
    assert_int_equal(id_from_text(text, &id), 0);
    assert_true(id.origin == origin && id.epoch == epoch && id.room == room && id.seq == seq);
}

static void test_there_and_back(void **state)
{
    (void)state;
    assert_round(1, 2, 3, 4);
    assert_round(0, 0, 0, 1);
    assert_round(UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    assert_round(UINT64_C(0x8000000000000000), UINT64_C(0x19a3f0638be8d45), 0xf, 1000000);
}

static void test_nothing_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "-", "1-2-3", "1-2-3-", "1-2-3-0", "1-2-3-4-", "1-2-3-4 ", " 1-2-3-4", "1--3-4",
        "0x1-2-3-4", "+1-2-3-4", "1-2-3--4", "1-2-3-4a", "A-2-3-4", "1-2-3-18446744073709551616",
        "10000000000000000-2-3-4", "lobby"};
    struct have_row id;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (id_from_text(bad[i], &id) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_nothing_else),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
