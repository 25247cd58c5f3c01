/* test_roster.c -- rooms, hosts, sessions and memberships, and that every change of them can be
 * undone. */
#include "small.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ALICE = 1000, BOB = 1001 };

static const struct roster_edit *edit(void)
{
    return &small.a.edit;
}

static uint32_t attach(uint64_t client, uint32_t uid)
{
    char user[16];
    snprintf(user, sizeof user, "u%u", uid);
    return roster_attach(edit(), client, uid, text_of(user), 0, false);
}

static uint32_t open_room(uint64_t id)
{
    return roster_room_open(edit(), id, text_of("room"));
}

/* ---- sessions ---- */

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

/* ---- rooms and hosts ---- */

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

/* sit -- into the first `n` rooms; how many of them it got into. */
static uint32_t sit(uint32_t session, uint32_t n)
{
    uint32_t room = 1;
    while (room <= n && roster_join(edit(), session, room) >= 0)
        room++;
    return room - 1;
}

static void stand_up(uint32_t session)
{
    for (uint32_t room; (room = roster_next_room(small.r, &small.r->session[session], 1)) != 0;)
        roster_leave(edit(), session, room);
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

/* ---- undone ---- */

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

/* people -- some of everything: sessions 1 to 4, of which 3 and 4 are gone, in rooms 1 and 2.
 */
static void people(void)
{
    small_begin();
    open_room(5);
    open_room(6);
    roster_host_open(edit(), 50, text_of("alpha"));
    for (uint64_t c = 1; c <= 4; c++)
        attach(c, c == 1 ? BOB : ALICE);
    assert_true(roster_join(edit(), 1, 1) >= 0);
    assert_int_equal(roster_role_add(edit(), 2, 50, text_of("erna"), ROLE_MUTED), 0);
    roster_detach(edit(), 3, 0);
    roster_detach(edit(), 4, 0);
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
    static void (*const changes[])(void) = {do_attach, do_attach_again, do_evict,
                                            do_detach, do_rooms,
                                            do_hosts,  do_join,         do_leave,
                                            do_role,   do_roles_clear,  do_seats};
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
        TEST(the_same_client_has_the_same_slot),
        TEST(a_client_number_belongs_to_one_user),
        TEST(attached_sessions_of_a_user_are_counted),
        TEST(a_full_table_evicts_who_is_gone_and_nobody_else),
        TEST(neighbours_in_a_bucket_do_not_get_lost),
        TEST(a_room_is_opened_once),
        TEST(the_table_of_rooms_can_be_full),
        TEST(hosts_have_names),
        TEST(a_link_process_that_begins_anew_finds_no_guests),
        TEST(members_are_users_not_sessions),
        TEST(users_of_one_bucket_are_two),
        TEST(rooms_of_a_session_are_walked_in_order),
        TEST(roles_are_of_a_room_and_a_host),
        TEST(the_table_of_roles_can_be_full),
        TEST(a_session_is_in_so_many_rooms),
        TEST(seats_are_shared_and_come_back),
        TEST(every_change_can_be_undone),
        TEST(what_was_published_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
