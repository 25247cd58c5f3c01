/* test_roster_undo.c -- every change of rooms, hosts, sessions and memberships can be undone, until it is published. */
#include "roster_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void do_attach(void)
{
    attach(50, BOB);
}

static void do_attach_again(void)
{
    roster_attach(edit(), 2, ALICE, text_of("somebody"), 1, true);
}

static void do_evict(void)
{
    for (uint64_t c = 50; attach(c, BOB) != 0; c++)
        ;
}

static void do_detach(void)
{
    roster_detach(edit(), 1, 4711);
}

static void do_rooms(void)
{
    open_room(70);
    open_room(71);
    roster_room_edit(edit(), 1)->seq = 9;
}

static void do_hosts(void)
{
    roster_host_open(edit(), 50, text_of("new-name"));
    roster_host_open(edit(), 52, text_of("new-host"));
}

static void do_join(void)
{
    assert_true(roster_join(edit(), 2, 2) >= 0);
    assert_true(roster_join(edit(), 1, 2) >= 0);
    assert_true(roster_join(edit(), 2, 1) >= 0);
}

static void do_seats(void)
{
    assert_int_equal(sit(2, 3 * SEATS), 3 * SEATS);
    roster_leave(edit(), 2, 3);
    roster_detach(edit(), 2, 0);
    stand_up(2);
    assert_int_equal(sit(1, 2 * SEATS), 2 * SEATS);
    attach(2, ALICE);
}

static void do_leave(void)
{
    roster_leave(edit(), 1, 1);
    assert_true(roster_join(edit(), 1, 1) >= 0);
    roster_leave(edit(), 1, 1);
}

static void do_role(void)
{
    assert_int_equal(roster_role_add(edit(), 1, 50, text_of("bob"), ROLE_MUTED), 0);
    assert_int_equal(roster_role_add(edit(), 1, 50, text_of("bob"), ROLE_OPERATOR), 0);
    assert_int_equal(roster_role_add(edit(), 1, 50, text_of("*"), ROLE_BANNED), 0);
}

static void do_roles_clear(void)
{
    assert_int_equal(roster_role_add(edit(), 2, 50, text_of("dora"), ROLE_MUTED), 0);
    while (roster_roles_clear(edit(), 2))
        ;
}

static void every_change_can_be_undone(void **state)
{
    static void (*const changes[])(void) = {do_attach, do_attach_again, do_evict, do_detach,      do_rooms, do_hosts,
                                            do_join,   do_leave,        do_role,  do_roles_clear, do_seats};
    (void)state;
    people();
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        small_note();
        small_begin();
        changes[i]();
        assert_memory_not_equal(small.r, small.before, small.size);
        small_die();
        small_assert_undone();
    }
    small_begin();
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        changes[i]();
    small_die();
    small_assert_undone();
}

static void what_was_published_stands(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BYE);
    assert_true(frame_end(f, &w) > 0);
    people();
    small_begin();
    do_join();
    small_note();
    state_put(&small.a, f); /* a section without frames is committed by giving the lock back */
    state_publish(&small.a);
    small_die();
    assert_int_equal(state_take(&small.b), 0);
    state_give(&small.b);
    assert_memory_equal(small.r, small.before, small.size);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, small_setup, small_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_change_can_be_undone),
        TEST(what_was_published_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
