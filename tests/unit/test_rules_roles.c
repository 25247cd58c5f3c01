/* test_rules_roles.c -- who may do what in a room: by what he is there, and by what the room is. */
#include "base/hash.h"
#include "rules_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* build -- the room, with its flags, and what alice is in it.  Returns its slot */
static uint32_t build(uint32_t flags, uint8_t role)
{
    small_begin();
    uint32_t room = roster_room_open(&small.a.edit, room_id(text_of("build")), text_of("build"));
    roster_room_edit(&small.a.edit, room)->flags = flags;
    while (roster_roles_clear(&small.a.edit, room))
        ;
    if (role)
        assert_int_equal(roster_role_add(&small.a.edit, room, small.a.seg->shape.origin, text_of("alice"), role), 0);
    small_end();
    return room;
}

static void bob_is(uint32_t room, uint8_t role)
{
    small_begin();
    assert_int_equal(roster_role_add(&small.a.edit, room, small.a.seg->shape.origin, text_of("bob"), role), 0);
    small_end();
}

static void who_is_muted_may_read_only(void **state)
{
    (void)state;
    uint32_t room = build(ROOM_OWNED, ROLE_MUTED | ROLE_OPERATOR);
    says("build", "hello", 1);
    refused(REASON_DENIED);
    act(ACT_TOPIC, "build", "", 2);
    refused(REASON_DENIED);
    room_change(FRAME_JOIN, "build", 3);
    assert_int_equal(apply_one(), RULES_JOINED);
    says("elsewhere", "hello", 4); /* only there */
    refused(REASON_NO_ROOM);
    build(ROOM_OWNED, 0);
    bob_is(room, ROLE_MUTED);
    says("build", "hello", 5);
    taken();
}

static void who_is_banned_stays_outside(void **state)
{
    (void)state;
    build(ROOM_OWNED, ROLE_BANNED);
    room_change(FRAME_JOIN, "build", 1);
    refused(REASON_DENIED);
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
    says("build", "hello", 2);
    refused(REASON_DENIED);
    room_change(FRAME_LEAVE, "build", 3); /* one may always go */
    assert_int_equal(apply_one(), RULES_LEFT);
}

static void acts_need_the_right_to_them(void **state)
{
    (void)state;
    build(0, 0);
    act(ACT_TOPIC, "build", "", 1);
    taken();
    act(ACT_OP, "build", "bob", 2);
    refused(REASON_DENIED);
    uint32_t room = build(ROOM_OWNED, ROLE_OPERATOR);
    act(ACT_OP, "build", "bob", 3);
    refused(REASON_DENIED);
    act(ACT_MUTE, "build", "bob", 4);
    taken();
    bob_is(room, ROLE_OWNER);
    act(ACT_MUTE, "build", "bob", 5);
    refused(REASON_DENIED);
    build(ROOM_OWNED, 0);
    act(ACT_SET, "build", "", 6);
    refused(REASON_DENIED);
    act(ACT_TOPIC, "nowhere", "", 7);
    refused(REASON_NO_ROOM);
}

static void what_is_not_so_cannot_be_taken_back(void **state)
{
    (void)state;
    uint32_t room = build(ROOM_OWNED, ROLE_OWNER);
    bob_is(room, ROLE_BANNED);
    act(ACT_DEOP, "build", "bob", 1);
    refused(REASON_NOT_SO);
    act(ACT_UNMUTE, "build", "bob", 2);
    refused(REASON_NOT_SO);
    act(ACT_UNBAN, "build", "carl", 3);
    refused(REASON_NOT_SO);
    act(ACT_UNBAN, "build", "bob", 4);
    taken();
}

static void only_a_new_room_can_be_ones_own(void **state)
{
    (void)state;
    build(0, 0);
    act(ACT_OWN, "build", "", 1);
    taken();
    act(ACT_OWN, "build", "", 2); /* not yet known to be owned, but there */
    refused(REASON_DENIED);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rules_play_open, rules_play_close)
    const struct CMUnitTest tests[] = {
        TEST(who_is_muted_may_read_only),
        TEST(who_is_banned_stays_outside),
        TEST(acts_need_the_right_to_them),
        TEST(what_is_not_so_cannot_be_taken_back),
        TEST(only_a_new_room_can_be_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
