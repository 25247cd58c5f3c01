/* test_rules.c -- what a frame from a client does to journal and tables. */
#include "base/hash.h"
#include "rules_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_stream_begins_with_its_name(void **state)
{
    struct room_change c;
    uint32_t room;
    (void)state;
    room_change(FRAME_OPEN, "build", 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    uint64_t pos = head();
    assert_int_equal(pos, 0); /* a room that exists is no entry yet */
    says("build", "hello", 3);
    frame_set_flags(sent, ALL_ONES);
    frame_set_seq(sent, 99);
    frame_set_hlc(sent, UINT64_MAX);
    begin();
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    small_end();
    const uint8_t *create = state_at(&small.a, pos), *said = create + frame_stride(create);
    assert_int_equal(frame_type(create), FRAME_CREATE);
    assert_int_equal(read_room_change(create, &c), 0);
    assert_true(text_eq(c.room, text_of("build")));
    assert_int_equal(frame_seq(create), 1);
    assert_int_equal(frame_type(said), FRAME_SAY);
    assert_int_equal(frame_seq(said), 2);
    assert_int_equal(frame_flags(said), FRAME_MORE | FRAME_CONT | FRAME_ACTION);
    assert_int_equal(frame_pos(said), pos + frame_stride(create));
    assert_stamped(said);
    assert_int_equal(session(alice)->last_seq, 3);
    assert_int_equal(session(alice)->last_pos, head());
    pos = head();
    says("build", "again", 4);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(frame_seq(put_since(pos)), 3);
    assert_int_equal(small.r->room[room].messages, 1); /* the first was said to have another part */
}

static void there_is_no_such_room(void **state)
{
    (void)state;
    says("nowhere", "hello", 1);
    refused(REASON_NO_ROOM);
    assert_int_equal(session(alice)->last_seq, 1);
    room_change(FRAME_LEAVE, "nowhere", 2);
    refused(REASON_NO_ROOM);
    assert_int_equal(small.r->n_rooms, 0);
}

/* come -- alice joins or leaves with one of her sessions; the flags of what is put. */
static unsigned come(uint32_t s, enum frame_type type, uint8_t flags, int effect)
{
    uint32_t room;
    uint64_t pos = head();
    room_change(type, "build", session(s)->last_seq + 1);
    from(s);
    frame_set_flags(sent, flags);
    begin();
    assert_int_equal(apply(s, &room), effect);
    small_end();
    assert_int_equal(room, roster_room(small.r, room_id(text_of("build"))));
    assert_stamped(put_since(pos));
    assert_int_equal(frame_type(put_since(pos)), type);
    return frame_flags(put_since(pos));
}

static void only_news_is_told_to_the_room(void **state)
{
    (void)state;
    assert_int_equal(come(alice, FRAME_JOIN, 0, RULES_JOINED), 0);
    assert_int_equal(come(alice, FRAME_JOIN, 0, RULES_JOINED), FRAME_SELF);  /* is in it */
    assert_int_equal(come(alice2, FRAME_JOIN, 0, RULES_JOINED), FRAME_SELF); /* she is */
    assert_int_equal(come(alice, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);   /* she still is */
    assert_int_equal(come(alice2, FRAME_LEAVE, 0, RULES_LEFT), 0);
    assert_int_equal(come(alice2, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);
    assert_int_equal(come(alice, FRAME_JOIN, FRAME_SELF, RULES_JOINED), FRAME_SELF); /* quietly */
    assert_int_equal(come(alice, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);
}

static void a_query_is_for_the_keeper_alone(void **state)
{
    (void)state;
    query(1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(frame_flags(put_since(pos)), FRAME_SELF);
    assert_int_equal(session(alice)->last_seq, 1);
}

static void twice_in_a_batch_is_once(void **state)
{
    uint32_t room;
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(check(), 0);
    begin();
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    uint64_t next = small.a.next;
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    says("build", "late", 1);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    query(1);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    assert_int_equal(small.a.next, next);
    small_end();
}

/* A refusal of what came before does not let it come again. */
static void what_is_refused_is_taken(void **state)
{
    (void)state;
    says("build", "hello", 4);
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_refuse(&rules, alice, sent, REASON_DENIED), 0);
    small_end();
    assert_refused(pos, REASON_DENIED);
    assert_int_equal(session(alice)->last_seq, 4);
    says("build", "hello", 2); /* and an older number takes nothing back */
    begin();
    assert_int_equal(rules_refuse(&rules, alice, sent, REASON_MALFORMED), 0);
    small_end();
    assert_int_equal(session(alice)->last_seq, 4);
}

/* ---- leaving for good, and being killed ---- */

static void who_is_gone_leaves_all_rooms(void **state)
{
    (void)state;
    static const char *const rooms[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < ARRAY_LEN(rooms); i++) {
        room_change(FRAME_JOIN, rooms[i], i + 1);
        assert_int_equal(apply_one(), RULES_JOINED);
    }
    uint32_t seq = session(alice)->last_seq;
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    small_end();
    unsigned left = 0;
    for (; pos < head(); pos += frame_stride(state_at(&small.a, pos)), left++) {
        assert_int_equal(frame_type(state_at(&small.a, pos)), FRAME_LEAVE);
        assert_int_equal(frame_client(state_at(&small.a, pos)), CLIENT);
        assert_int_equal(frame_flags(state_at(&small.a, pos)), 0);
    }
    assert_int_equal(left, ARRAY_LEN(rooms));
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
    assert_int_equal(session(alice)->last_seq, seq);
    for (uint32_t i = 1; i <= small.r->n_rooms; i++)
        assert_int_equal(small.r->room[i].members, 0);
}

static void who_came_quietly_goes_quietly(void **state)
{
    (void)state;
    assert_int_equal(come(alice, FRAME_JOIN, FRAME_SELF, RULES_JOINED), FRAME_SELF);
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    small_end();
    assert_int_equal(head(), pos);
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
}

static void a_killed_section_never_was(void **state)
{
    uint32_t room;
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    uint64_t was = head();
    small_note();
    begin();
    says("build", "hello", 2);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    room_change(FRAME_JOIN, "new", 3);
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    room_change(FRAME_LEAVE, "build", 4);
    assert_int_equal(apply(alice, &room), RULES_LEFT);
    query(5);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    small_die();
    small_assert_undone();
    assert_int_equal(head(), was);
    says("build", "hello", 2); /* and can be said again */
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, 2);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rules_play_open, rules_play_close)
    const struct CMUnitTest tests[] = {
        TEST(a_stream_begins_with_its_name),
        TEST(there_is_no_such_room),
        TEST(only_news_is_told_to_the_room),
        TEST(a_query_is_for_the_keeper_alone),
        TEST(twice_in_a_batch_is_once),
        TEST(what_is_refused_is_taken),
        TEST(who_is_gone_leaves_all_rooms),
        TEST(who_came_quietly_goes_quietly),
        TEST(a_killed_section_never_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
