/* test_sessions.c -- who has a session, and which rooms it is in. */
#include "roster_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_same_client_has_the_same_slot(void **state)
{
    (void)state;
    small_begin();
    uint32_t s = attach(7, ALICE);
    roster_session_edit(edit(), s)->last_seq = 5;
    assert_int_equal(s, 1);
    assert_int_equal(attach(8, ALICE), 2);
    assert_int_equal(attach(7, ALICE), s);
    roster_detach(edit(), s, 99);
    assert_int_equal(small.r->session[s].state, SESSION_DETACHED);
    assert_int_equal(small.r->session[s].detached_ms, 99);
    assert_int_equal(roster_attach(edit(), 7, ALICE, text_of("alice"), 1, true), s);
    assert_int_equal(small.r->session[s].state, SESSION_ATTACHED);
    assert_int_equal(small.r->session[s].worker, 1);
    assert_int_equal(small.r->session[s].quiet, 1);
    assert_int_equal(small.r->session[s].last_seq, 5);
    assert_memory_equal(small.r->session[s].user, "alice", small.r->session[s].user_len);
    assert_int_equal(roster_client(small.r, 7), s);
    assert_int_equal(roster_client(small.r, 9), 0);
    small_end();
}

static void a_client_number_belongs_to_one_user(void **state)
{
    (void)state;
    small_begin();
    uint32_t s = attach(7, ALICE);
    assert_int_equal(attach(7, BOB), UINT32_MAX);
    roster_detach(edit(), s, 0);
    assert_int_equal(attach(7, BOB), UINT32_MAX);
    assert_int_equal(small.r->session[s].uid, ALICE);
    assert_int_equal(small.r->session[s].state, SESSION_DETACHED);
    small_end();
}

static void attached_sessions_of_a_user_are_counted(void **state)
{
    (void)state;
    small_begin();
    for (uint64_t c = 1; c <= 6; c++)
        attach(c, c % 2 ? ALICE : BOB);
    assert_int_equal(roster_uid_sessions(small.r, ALICE), 3);
    assert_int_equal(roster_uid_sessions(small.r, BOB + 1), 0);
    roster_detach(edit(), roster_client(small.r, 3), 0);
    assert_int_equal(roster_uid_sessions(small.r, ALICE), 2);
    roster_detach(edit(), roster_client(small.r, 1), 0);
    attach(3, ALICE);
    assert_int_equal(roster_uid_sessions(small.r, ALICE), 2);
    assert_int_equal(roster_uid_sessions(small.r, BOB), 3);
    small_end();
}

static void a_full_table_evicts_who_is_gone_and_nobody_else(void **state)
{
    (void)state;
    small_begin();
    uint32_t room = open_room(5);
    for (uint64_t c = 1; c <= SMALL_SESSIONS; c++)
        assert_int_equal(attach(c, ALICE), c);
    assert_int_equal(attach(100, BOB), 0);
    assert_true(roster_join(edit(), 4, room) >= 0);
    roster_detach(edit(), 4, 0); /* still in a room: somebody may be told that he leaves */
    assert_int_equal(attach(100, BOB), 0);
    roster_detach(edit(), 9, 0);
    assert_int_equal(attach(100, BOB), 9);
    assert_int_equal(roster_client(small.r, 9), 0);
    assert_int_equal(roster_client(small.r, 100), 9);
    assert_int_equal(small.r->session[9].last_seq, 0);
    assert_int_equal(roster_uid_sessions(small.r, ALICE), SMALL_SESSIONS - 2);
    assert_int_equal(roster_uid_sessions(small.r, BOB), 1);
    for (uint64_t c = 1; c <= SMALL_SESSIONS; c++)
        assert_int_equal(roster_client(small.r, c), c == 9 ? 0 : c);
    roster_leave(edit(), 4, room);
    assert_int_equal(attach(101, BOB), 4);
    small_end();
}

/* Clients of one bucket: the hash looks at what lies lower. */
static uint64_t neighbour(uint64_t n)
{
    return 7 + (n << 46);
}

static void neighbours_in_a_bucket_do_not_get_lost(void **state)
{
    (void)state;
    small_begin();
    for (uint64_t n = 0; n < 5; n++)
        assert_int_equal(attach(neighbour(n), ALICE), n + 1);
    for (uint64_t c = 0; c < SMALL_SESSIONS - 5; c++)
        attach(100 + c, BOB);
    roster_detach(edit(), 3, 0);
    assert_int_equal(attach(1000, ALICE), 3);
    roster_detach(edit(), 1, 0);
    roster_detach(edit(), 5, 0);
    assert_int_equal(attach(1001, ALICE), 5);
    assert_int_equal(attach(1002, ALICE), 1);
    for (uint64_t n = 0; n < 5; n++)
        assert_int_equal(roster_client(small.r, neighbour(n)), n % 2 ? n + 1 : 0);
    assert_int_equal(roster_client(small.r, 1000), 3);
    small_end();
}

/* ---- memberships ---- */

static uint32_t members(uint32_t room)
{
    return small.r->room[room].members;
}

static void members_are_users_not_sessions(void **state)
{
    (void)state;
    small_begin();
    uint32_t room = open_room(5), other = open_room(6);
    uint32_t a1 = attach(1, ALICE), a2 = attach(2, ALICE), b = attach(3, BOB);
    assert_int_equal(roster_join(edit(), a1, room), 1);
    assert_int_equal(roster_join(edit(), a1, room), 0); /* is in it */
    assert_int_equal(roster_join(edit(), a2, room), 0); /* the user is */
    assert_int_equal(members(room), 1);
    assert_int_equal(roster_join(edit(), b, room), 1);
    assert_int_equal(members(room), 2);
    assert_int_equal(roster_leave(edit(), a1, room), 0);
    assert_int_equal(members(room), 2);
    assert_int_equal(roster_leave(edit(), a2, room), 1);
    assert_int_equal(roster_leave(edit(), a2, room), 0);
    assert_int_equal(members(room), 1);
    assert_int_equal(members(other), 0);
    assert_true(roster_is_member(small.r, &small.r->session[b], room));
    assert_false(roster_is_member(small.r, &small.r->session[b], other));
    small_end();
}

static uint32_t bucket_of(uint64_t uid)
{
    return (uint32_t)((uid ^ uid >> 15) * 0x9e3779b97f4a7c15u >> 32) % TURNOUT_BUCKETS;
}

/* twin -- a user of the same bucket, found as the tables would put him there. */
static uint32_t twin(uint32_t uid)
{
    uint32_t u = uid + 1;
    while (bucket_of(u) != bucket_of(uid))
        u++;
    return u;
}

static void users_of_one_bucket_are_two(void **state)
{
    (void)state;
    small_begin();
    uint32_t room = open_room(5), a = attach(1, ALICE), b = attach(2, twin(ALICE));
    assert_int_equal(roster_join(edit(), a, room), 1);
    assert_int_equal(roster_join(edit(), b, room), 1);
    assert_int_equal(members(room), 2);
    assert_int_equal(roster_uid_sessions(small.r, ALICE), 1);
    assert_int_equal(roster_uid_sessions(small.r, twin(ALICE)), 1);
    small_end();
}

static void rooms_of_a_session_are_walked_in_order(void **state)
{
    static const uint32_t rooms[] = {1, 63, 64, 65, 511, ROOMS_MAX - 1};
    (void)state;
    small_begin();
    struct session *s = &small.r->session[attach(1, ALICE)];
    assert_int_equal(roster_next_room(small.r, s, 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        assert_true(roster_join(edit(), 1, rooms[i]) >= 0);
    uint32_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        assert_int_equal(at = roster_next_room(small.r, s, at + 1), rooms[i]);
    assert_int_equal(roster_next_room(small.r, s, ROOMS_MAX), 0);
    small_end();
}

static void a_session_is_in_so_many_rooms(void **state)
{
    (void)state;
    small_begin();
    uint32_t s = attach(1, ALICE), walked = 0;
    assert_int_equal(sit(s, ROOMS_MAX - 1), ROOMS_PER_SESSION);
    small_end();
    small_begin();
    assert_int_equal(members(ROOMS_PER_SESSION), 1);
    assert_int_equal(members(ROOMS_PER_SESSION + 1), 0);
    assert_int_equal(roster_join(edit(), s, 5), 0); /* is in it */
    for (uint32_t at = 0; (at = roster_next_room(small.r, &small.r->session[s], at + 1)) != 0; walked++)
        assert_true(roster_is_member(small.r, &small.r->session[s], at));
    assert_int_equal(walked, ROOMS_PER_SESSION);
    assert_int_equal(roster_leave(edit(), s, 77), 1);
    assert_int_equal(roster_join(edit(), s, ROOMS_MAX - 1), 1);
    assert_false(roster_is_member(small.r, &small.r->session[s], 77));
    assert_int_equal(roster_join(edit(), s, 77), -1);
    assert_int_equal(roster_join(edit(), attach(2, ALICE), 77), 1); /* what failed was not counted */
    small_end();
}

static void seats_are_shared_and_come_back(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 3; round++) {
        small_begin();
        uint32_t a = attach(1, ALICE), b = attach(2, ALICE), c = attach(3, BOB);
        assert_int_equal(sit(a, ROOMS_PER_SESSION), ROOMS_PER_SESSION);
        assert_int_equal(sit(b, ROOMS_PER_SESSION), ROOMS_PER_SESSION); /* all there are: 2 * 8 of SMALL_SESSIONS */
        assert_int_equal(sit(c, ROOMS_PER_SESSION), SEATS);
        small_end();
        small_begin();
        stand_up(a);
        assert_int_equal(sit(c, SEATS + 1), SEATS); /* its worker may still walk them */
        roster_detach(edit(), a, 0);
        assert_int_equal(sit(c, SEATS + 1), SEATS + 1);
        small_end();
        small_begin();
        roster_detach(edit(), b, 0);
        roster_detach(edit(), c, 0);
        stand_up(b);
        stand_up(c);
        small_end();
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, small_setup, small_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_client_has_the_same_slot),
        TEST(a_client_number_belongs_to_one_user),
        TEST(attached_sessions_of_a_user_are_counted),
        TEST(a_full_table_evicts_who_is_gone_and_nobody_else),
        TEST(neighbours_in_a_bucket_do_not_get_lost),
        TEST(members_are_users_not_sessions),
        TEST(users_of_one_bucket_are_two),
        TEST(rooms_of_a_session_are_walked_in_order),
        TEST(a_session_is_in_so_many_rooms),
        TEST(seats_are_shared_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
