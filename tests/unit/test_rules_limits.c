/* test_rules_limits.c -- what is full: tables, the store, the journal, the undo area. */
#include "base/hash.h"
#include "rules_play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void there_is_no_room_for_a_room(void **state)
{
    (void)state;
    for (uint64_t id = 1; id < ROOMS_MAX; id++) {
        small_begin();
        roster_room_open(&small.a.edit, id, text_of("r"));
        small_end();
    }
    room_change(FRAME_JOIN, "one-more", 1);
    refused(REASON_LIMIT);
}

static void a_session_may_be_in_so_many_rooms(void **state)
{
    (void)state;
    small_begin();
    for (uint32_t room = ROOMS_MAX - 1; room >= ROOMS_MAX - ROOMS_PER_SESSION; room--)
        assert_int_equal(roster_join(&small.a.edit, alice, room), 1);
    small_end();
    room_change(FRAME_JOIN, "one-more", 1);
    refused(REASON_LIMIT);
    assert_int_equal(small.r->room[roster_room(small.r, room_id(text_of("one-more")))].members, 0);
    small_begin();
    roster_leave(&small.a.edit, alice, ROOMS_MAX - 1);
    small_end();
    room_change(FRAME_JOIN, "one-more", 2);
    assert_int_equal(apply_one(), RULES_JOINED);
}

static void a_store_that_takes_nothing_refuses_what_is_said(void **state)
{
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    atomic_store(&small.a.seg->store_reason, REASON_DISK_FULL);
    says("build", "hello", 2);
    refused(REASON_DISK_FULL);
    room_change(FRAME_LEAVE, "build", 3);
    assert_int_equal(apply_one(), RULES_LEFT);
}

static void a_full_journal_takes_nothing_of_a_frame(void **state)
{
    char text[TEXT_PART_MAX + 1];
    uint32_t room, n = 1;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    room_change(FRAME_OPEN, "build", 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    int r = RULES_NOTHING;
    while (r == RULES_NOTHING) {
        says("build", text, n++);
        r = apply_one();
        assert_true(n < SMALL_RING / TEXT_PART_MAX + 2);
    }
    assert_int_equal(r, -EAGAIN);
    assert_true(head() > SMALL_RING - 4 * FRAME_MAX && head() <= SMALL_RING);
    small_note();
    begin();
    assert_int_equal(apply(alice, &room), -EAGAIN);
    assert_int_equal(rules_refuse(&rules, alice, sent, REASON_DENIED), -EAGAIN);
    room_change(FRAME_JOIN, "other", n);
    assert_int_equal(apply(alice, &room), -EAGAIN);
    assert_int_equal(small.a.next, head());
    small_end();
    assert_memory_equal(small.r, small.before, small.size);
    atomic_store(&small.a.seg->journal.durable, head());
    says("build", text, n - 1);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, n - 1);
}

static void a_full_undo_area_ends_a_section_in_time(void **state)
{
    uint32_t room, seq = 0, done = 0;
    int r = RULES_NOTHING;
    (void)state;
    begin();
    while (r >= 0) {
        room_change(seq % 2 ? FRAME_LEAVE : FRAME_JOIN, "build", seq + 1);
        r = apply(alice, &room);
        seq += r >= 0;
        assert_true(seq < 2000);
    }
    assert_int_equal(r, -EAGAIN);
    assert_int_equal(session(alice)->last_seq, seq);
    small_end();
    done = seq;
    atomic_store(&small.a.seg->journal.durable, head());
    room_change(seq % 2 ? FRAME_LEAVE : FRAME_JOIN, "build", seq + 1);
    assert_true(apply_one() > RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, done + 1);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rules_play_open, rules_play_close)
    const struct CMUnitTest tests[] = {
        TEST(there_is_no_room_for_a_room),
        TEST(a_session_may_be_in_so_many_rooms),
        TEST(a_store_that_takes_nothing_refuses_what_is_said),
        TEST(a_full_journal_takes_nothing_of_a_frame),
        TEST(a_full_undo_area_ends_a_section_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
