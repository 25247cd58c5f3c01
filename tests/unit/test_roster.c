/* test_roster.c -- rooms, hosts, guests, and who is what in a room. */
#include "roster_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_room_is_opened_once(void **state)
{
    (void)state;
    small_begin();
    uint32_t i = open_room(5);
    assert_int_equal(i, 1);
    assert_int_equal(open_room(5), i);
    assert_int_equal(open_room(6), 2);
    assert_int_equal(roster_room(small.r, 6), 2);
    assert_int_equal(roster_room(small.r, 7), 0);
    assert_memory_equal(small.r->room[i].name, "room", small.r->room[i].name_len);
    static const char long_name[DIRECT_NAME_MAX + 2] = {'a'};
    assert_int_equal(roster_room_open(edit(), 9, (struct text){long_name, DIRECT_NAME_MAX + 1}),
                     0);
    small_end();
}

static void the_table_of_rooms_can_be_full(void **state)
{
    (void)state;
    for (uint64_t id = 1; id < ROOMS_MAX; id++) {
        small_begin();
        assert_int_equal(open_room(id * 977), id);
        small_end();
    }
    small_begin();
    assert_int_equal(open_room(1), 0);
    for (uint64_t id = 1; id < ROOMS_MAX; id++)
        assert_int_equal(open_room(id * 977), id);
    small_end();
}

static void hosts_have_names(void **state)
{
    (void)state;
    small_begin();
    assert_int_equal(roster_host_open(edit(), 50, text_of("alpha")), 1);
    assert_int_equal(roster_host_open(edit(), 51, text_of("beta")), 2);
    assert_int_equal(roster_host_open(edit(), 50, text_of("gamma")), 1);
    assert_memory_equal(small.r->host[1].name, "gamma", small.r->host[1].name_len);
    assert_int_equal(roster_host(small.r, 51), 2);
    assert_int_equal(roster_host(small.r, 52), 0);
    for (uint64_t id = 100; small.r->n_hosts < HOSTS_MAX; id++)
        roster_host_open(edit(), id, text_of("more"));
    assert_int_equal(roster_host_open(edit(), 1, text_of("too-many")), 0);
    assert_int_equal(roster_host_open(edit(), 51, text_of("still")), 2);
    small_end();
}

static void a_link_process_that_begins_anew_finds_no_guests(void **state)
{
    (void)state;
    struct guest g = {.host = 50, .room = 7, .sessions = 1, .user_len = 3, .user = "ann"};
    small_begin();
    for (uint32_t i = 0; i < 3; i++)
        roster_guest(edit(), i, &g);
    roster_no_guests(edit());
    roster_guest(edit(), 2, &g); /* slots may be skipped */
    assert_int_equal(small.r->n_guests, 3);
    assert_int_equal(small.r->guest[0].sessions, 0);
    assert_int_equal(small.r->guest[1].sessions, 0);
    assert_int_equal(small.r->guest[2].sessions, 1);
    small_end();
}

/* ---- roles ---- */

static unsigned role(uint32_t room, uint64_t host, const char *user)
{
    return roster_role(small.r, room, host, text_of(user));
}

static void roles_are_of_a_room_and_a_host(void **state)
{
    (void)state;
    people();
    small_begin();
    assert_int_equal(roster_role_add(edit(), 1, 50, text_of("bob"), ROLE_MUTED), 0);
    assert_int_equal(roster_role_add(edit(), 1, 50, text_of("bob"), ROLE_OPERATOR), 0);
    assert_int_equal(roster_role_add(edit(), 1, 51, text_of("carl"), ROLE_OWNER), 0);
    assert_int_equal(role(1, 50, "bob"), ROLE_MUTED | ROLE_OPERATOR);
    assert_int_equal(role(1, 51, "bob"), 0);
    assert_int_equal(role(2, 50, "bob"), 0);
    assert_int_equal(role(1, 50, "bo"), 0);
    assert_int_equal(roster_role_add(edit(), 1, 51, text_of("*"), ROLE_BANNED), 0);
    assert_int_equal(role(1, 51, "whoever"), ROLE_BANNED);
    assert_int_equal(role(1, 51, "carl"), ROLE_OWNER); /* all of his host, but not he */
    assert_int_equal(role(1, 50, "bob"), ROLE_MUTED | ROLE_OPERATOR);
    assert_int_equal(roster_role_add(edit(), 2, 50, text_of("bob"), ROLE_BANNED), 0);
    while (roster_roles_clear(edit(), 1))
        ;
    assert_int_equal(role(1, 50, "bob") | role(1, 51, "carl") | role(1, 51, "whoever"), 0);
    assert_int_equal(role(2, 50, "bob"), ROLE_BANNED);
    small_end();
}

static void the_table_of_roles_can_be_full(void **state)
{
    (void)state;
    people();
    for (uint64_t n = 1; n < ROLES_MAX - 1; n++) { /* people() took one */
        small_begin();
        assert_int_equal(roster_role_add(edit(), 1 + n % 2, n, text_of("bob"), ROLE_BANNED), 0);
        small_end();
    }
    small_begin();
    assert_int_equal(roster_role_add(edit(), 1, ROLES_MAX, text_of("bob"), ROLE_BANNED), -1);
    assert_int_equal(roster_role_add(edit(), 1, 2, text_of("bob"), ROLE_MUTED), 0);
    small_end();
    for (bool more = true; more; small_end()) {
        small_begin();
        more = roster_roles_clear(edit(), 1);
    }
    small_begin();
    assert_int_equal(role(1, 2, "bob"), 0);
    assert_int_equal(role(2, 3, "bob"), ROLE_BANNED);
    assert_int_equal(roster_role_add(edit(), 1, 3, text_of("bob"), ROLE_MUTED), 0); /* what is free is used again */
    small_end();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, small_setup, small_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_room_is_opened_once),
        TEST(the_table_of_rooms_can_be_full),
        TEST(hosts_have_names),
        TEST(a_link_process_that_begins_anew_finds_no_guests),
        TEST(roles_are_of_a_room_and_a_host),
        TEST(the_table_of_roles_can_be_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
