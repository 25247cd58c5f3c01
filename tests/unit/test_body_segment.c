/* test_body_segment.c -- sealed entries and gaps: written, read back, and refused where they make no sense. */
#include "frame/segment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_round_trip_of_a_segment(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct segment_head in = {4, 500, 17, "prev", "hash", "signature", {2, {{3, 4, 5}, {6, 7, 8}}}}, s;
    assert_true(write_segment(buf, &in, 6, 5, 8, 20, 99) > 0);
    assert_int_equal(read_segment(buf, &s), 0);
    assert_true(s.count == 4 && s.bytes == 500 && s.first_seq == 17);
    assert_memory_equal(s.prev, in.prev, HASH_LEN);
    assert_memory_equal(s.hash, in.hash, HASH_LEN);
    assert_memory_equal(s.signature, in.signature, SIGNATURE_LEN);
    assert_true(frame_origin(buf) == 6 && frame_epoch(buf) == 5 && frame_room(buf) == 8);
    assert_true(frame_seq(buf) == 20 && frame_hlc(buf) == 99);
    assert_int_equal(s.after.n, 2);
    assert_true(s.after.row[1].origin == 6 && s.after.row[1].epoch == 7 && s.after.row[1].seq == 8);
    put_u64(buf + frame_len(buf) - 8, 0); /* an entry that there is not */
    assert_int_equal(read_segment(buf, &s), -EBADMSG);
    put_u64(buf + frame_len(buf) - 8, UINT64_MAX);
    assert_int_equal(read_segment(buf, &s), -EBADMSG);
}

static void test_round_trip_of_gaps(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct gap g = {GAP_AWAY, 2, 50, 3, {3, 20, "prev", "hash", "signature"}};
    assert_true(write_gap(buf, &g, 6, 5, 8, 99) > 0);
    memset(&g, 0, sizeof g);
    assert_int_equal(read_gap(buf, &g), 0);
    assert_int_equal(frame_origin(buf), 6);
    assert_int_equal(frame_epoch(buf), 5);
    assert_int_equal(frame_room(buf), 8);
    assert_int_equal(frame_seq(buf), 20);
    assert_int_equal(frame_hlc(buf), 99);
    assert_true(g.why == GAP_AWAY && g.first_seq == 2 && g.hlc_min == 50 && g.messages == 3);
    assert_true(g.last.first_seq == 3 && g.last.last_seq == 20);
    assert_string_equal((const char *)g.last.prev, "prev");
    assert_string_equal((const char *)g.last.hash, "hash");
    assert_string_equal((const char *)g.last.signature, "signature");
}

/* refused -- this gap, changed in one thing, cannot be read. */
static void refused(struct gap g, uint64_t hlc)
{
    uint8_t buf[FRAME_MAX];
    assert_true(write_gap(buf, &g, 6, 5, 8, hlc) > 0);
    assert_int_equal(read_gap(buf, &g), -EBADMSG);
}

static void test_gaps_that_make_no_sense(void **state)
{
    (void)state;
    const struct gap good = {GAP_OLD, 2, 50, 19, {3, 20, "", "", ""}};
    uint8_t buf[FRAME_MAX];
    struct gap g = good;
    assert_true(write_gap(buf, &g, 6, 5, 8, 50) > 0);
    assert_int_equal(read_gap(buf, &g), 0);
    frame_set_seq(buf, 21); /* another end than its head says */
    assert_int_equal(read_gap(buf, &g), -EBADMSG);
    g = good, g.why = 0, refused(g, 99);
    g = good, g.why = GAP_AWAY + 1, refused(g, 99);
    g = good, g.first_seq = 0, refused(g, 99);
    g = good, g.first_seq = 4, refused(g, 99); /* begins within its last segment */
    g = good, g.first_seq = 21, refused(g, 99);
    g = good, g.messages = 20, refused(g, 99); /* more than there are entries */
    refused(good, 49);                         /* begins after it ends */
    g = good, g.last.first_seq = 21, refused(g, 99);
    g = good, g.last.last_seq = UINT64_MAX, refused(g, 99);
    g = good, g.last.last_seq = (uint64_t)INT64_MAX + 1, refused(g, 99); /* no store has such a number */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_a_segment),
        cmocka_unit_test(test_round_trip_of_gaps),
        cmocka_unit_test(test_gaps_that_make_no_sense),
    };
    return cmocka_run_group_tests_name("body_segment", tests, NULL, NULL);
}
