/* test_rules_direct.c -- rooms that are not everybody's: conversations of two, inboxes, and the one in which hosts talk. */
#include "base/hash.h"
#include "rules_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PAIR "@alice@here,zoe@there"

static void know_hosts(void)
{
    small_begin();
    roster_host_open(&small.a.edit, small.a.seg->shape.origin, text_of("here"));
    roster_host_open(&small.a.edit, 12, text_of("there"));
    small_end();
}

/* as_bob -- what alice sent, under his name and number. */
static void as_bob(enum frame_type type, const char *room, uint32_t seq)
{
    struct room_change c = {text_of("bob"), text_of(room)};
    struct say s = {text_of("bob"), text_of("hello")};
    uint64_t id = room_id(text_of(room)), client = session(bob)->client;
    assert_true((type == FRAME_SAY ? write_say(sent, &s, id, client, seq, 0) : write_room_change(sent, type, &c, id, client, seq)) > 0);
    assert_int_equal(rules_check(session(bob), sent), 0);
}

static unsigned refused_to_bob(void)
{
    uint32_t room;
    uint64_t pos = head();
    struct reasoned r;
    begin();
    assert_int_equal(apply(bob, &room), RULES_NOTHING);
    small_end();
    assert_int_equal(room, 0);
    assert_int_equal(read_reasoned(put_since(pos), &r), 0);
    return frame_type(put_since(pos)) == FRAME_REFUSED ? r.reason : REASON_OK;
}

static void a_conversation_is_for_two(void **state)
{
    static const enum frame_type types[] = {FRAME_OPEN, FRAME_JOIN, FRAME_LEAVE, FRAME_SAY};
    uint32_t seq = 0;
    (void)state;
    know_hosts();
    for (int exists = 0; exists < 2; exists++) { /* and the others cannot tell whether there is one */
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
            as_bob(types[i], PAIR, types[i] == FRAME_OPEN ? 0 : ++seq);
            assert_int_equal(refused_to_bob(), REASON_NO_ROOM);
        }
        assert_int_equal(roster_room(small.r, room_id(text_of(PAIR))) != 0, exists);
        room_change(FRAME_OPEN, PAIR, 0);
        assert_int_equal(apply_one(), RULES_NOTHING);
    }
    says(PAIR, "hello", 1);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, 1);
    assert_int_equal(small.r->room[roster_room(small.r, room_id(text_of(PAIR)))].messages, 1);
}

static void a_conversation_needs_hosts_that_are_known(void **state)
{
    (void)state;
    know_hosts();
    room_change(FRAME_JOIN, "@alice@here,zoe@nowhere", 1);
    refused(REASON_NO_HOST);
    assert_int_equal(small.r->n_rooms, 0);
}

static void nobody_is_told_who_listens_to_two(void **state)
{
    uint32_t room;
    (void)state;
    know_hosts();
    for (int i = 0; i < 2; i++) {
        room_change(i ? FRAME_LEAVE : FRAME_JOIN, PAIR, (uint32_t)i + 1);
        uint64_t pos = head();
        assert_int_equal(apply_one(), i ? RULES_LEFT : RULES_JOINED);
        assert_int_equal(frame_flags(put_since(pos)), FRAME_SELF);
    }
    room_change(FRAME_JOIN, PAIR, 3);
    begin();
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    uint64_t next = small.a.next;
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    assert_int_equal(small.a.next, next);
    small_end();
    assert_false(roster_is_member(small.r, session(alice), room));
}

static void an_inbox_is_for_hearing(void **state)
{
    (void)state;
    know_hosts();
    room_change(FRAME_JOIN, "@alice@here", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    says("@alice@here", "hello", 2);
    refused(REASON_NO_ROOM);
    as_bob(FRAME_JOIN, "@alice@here", 1);
    assert_int_equal(refused_to_bob(), REASON_NO_ROOM);
}

static void two_have_no_state(void **state)
{
    static const char *const names[] = {PAIR, "@alice@here"};
    uint32_t seq = 0;
    (void)state;
    know_hosts();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        room_change(FRAME_OPEN, names[i], 0);
        assert_int_equal(apply_one(), RULES_NOTHING);
        for (uint8_t which = ACT_OWN; which < ACTS_END; which++) {
            act(which, names[i], act_aims(which) ? "bob" : "", ++seq);
            refused(REASON_NO_ROOM);
        }
    }
}

/* What hosts tell each other of their network is for no client, whatever he sends. */
static void members_are_for_hosts(void **state)
{
    (void)state;
    small_begin();
    assert_int_not_equal(roster_room_open(&small.a.edit, MEMBERS_ROOM, text_of(".members")), 0);
    small_end();
    act(ACT_OWN, "build", "", 1);
    frame_set_room(sent, MEMBERS_ROOM);
    refused(REASON_NO_ROOM);
    says("build", "hello", 2);
    frame_set_room(sent, MEMBERS_ROOM);
    refused(REASON_NO_ROOM);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rules_play_open, rules_play_close)
    const struct CMUnitTest tests[] = {
        TEST(a_conversation_is_for_two),
        TEST(a_conversation_needs_hosts_that_are_known),
        TEST(nobody_is_told_who_listens_to_two),
        TEST(an_inbox_is_for_hearing),
        TEST(two_have_no_state),
        TEST(members_are_for_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
