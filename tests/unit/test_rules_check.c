/* test_rules_check.c -- what a client may send at all, whatever it is about: well-formed, its own, not sent before. */
#include "base/hash.h"
#include "rules_play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void good_frames_pass(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        assert_int_equal(check(), 0);
    }
    says("build", "hello", 1);
    assert_int_equal(check(), 0);
    struct wr w = frame_begin(sent, FRAME_BYE);
    assert_true(frame_end(sent, &w) > 0);
    from(alice);
    assert_int_equal(check(), 0);
}

static void a_query_bears_the_uid_of_the_kernel(void **state)
{
    struct query q;
    (void)state;
    query(1);
    frame_set_flags(sent, FRAME_SELF);
    put_u32(sent + FRAME_HEAD + 5, 4711); /* the uid that the client claims */
    assert_int_equal(check(), 0);
    assert_int_equal(read_query(sent, &q), 0);
    assert_int_equal(q.uid, UID);
    assert_int_equal(frame_client_seq(sent), 1);
    assert_int_equal(frame_client(sent), CLIENT);
    assert_int_equal(frame_flags(sent), FRAME_SELF);
}

static void types_of_others_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        const struct frame_row *row = frame_row((uint8_t)type);
        if (row && row->who == FRAME_BY_SESSION)
            continue;
        room_change(FRAME_JOIN, "build", 1);
        sent[2] = (uint8_t)type;
        assert_int_equal(check(), REASON_MALFORMED);
    }
}

static void other_numbers_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        from(bob);
        assert_int_equal(check(), REASON_MALFORMED);
    }
    says("build", "hello", 1);
    from(bob);
    assert_int_equal(check(), REASON_MALFORMED);
    query(1);
    from(bob);
    assert_int_equal(check(), REASON_MALFORMED);
}

static void other_names_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        sent[FRAME_HEAD + 1] = 'b';
        assert_int_equal(check(), REASON_DENIED);
    }
    says("build", "hello", 1);
    sent[FRAME_HEAD + 1] = 'b';
    assert_int_equal(check(), REASON_DENIED);
    act(ACT_OP, "build", "bob", 1);
    sent[FRAME_HEAD + 11] = 'b';
    assert_int_equal(check(), REASON_DENIED);
}

static void a_room_is_its_name(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        frame_set_room(sent, room_id(text_of("other")));
        assert_int_equal(check(), REASON_MALFORMED);
    }
}

/* Each byte of the body set to what no name, text or length can have. */
static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_SAY; t++) {
        if (t == FRAME_CREATE)
            continue;
        for (size_t i = FRAME_HEAD;; i++) {
            if (t == FRAME_SAY)
                says("build", "hello", 1);
            else if (t == FRAME_QUERY)
                query(1);
            else
                room_change(t, "build", 1);
            if (i == frame_len(sent))
                break;
            if (t == FRAME_QUERY && i > FRAME_HEAD && i < (size_t)frame_len(sent) - FIFO_NAME_LEN)
                continue; /* numbers: any will do */
            sent[i] = ALL_ONES;
            assert_int_equal(check(), REASON_MALFORMED);
        }
    }
}

static void what_was_taken_is_dropped(void **state)
{
    (void)state;
    session(alice)->last_seq = 5;
    says("build", "hello", 5);
    assert_int_equal(check(), -EALREADY);
    says("build", "hello", 6);
    assert_int_equal(check(), 0);
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(check(), -EALREADY);
    query(5);
    assert_int_equal(check(), -EALREADY);
    room_change(FRAME_OPEN, "build", 0); /* not numbered */
    assert_int_equal(check(), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, rules_play_open, rules_play_close)
    const struct CMUnitTest tests[] = {
        TEST(good_frames_pass),
        TEST(a_query_bears_the_uid_of_the_kernel),
        TEST(types_of_others_are_refused),
        TEST(other_numbers_are_refused),
        TEST(other_names_are_refused),
        TEST(a_room_is_its_name),
        TEST(malformed_bodies_are_refused),
        TEST(what_was_taken_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
