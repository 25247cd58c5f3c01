/* test_wire.c -- frames and segments out of bytes that come in any pieces. */
#include "link/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STREAM_MAX = SEGMENT_BYTES + 8 * FRAME_MAX };

static uint8_t *buf, *stream;
static struct wire w;
static size_t len; /* of stream */

static int set_up(void **state)
{
    (void)state;
    buf = malloc(WIRE_BUFFER);
    stream = malloc(STREAM_MAX);
    len = 0;
    wire_init(&w, buf);
    return buf && stream ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(buf);
    free(stream);
    return 0;
}

static void put_ping(uint64_t n)
{
    int r = write_ping(stream + len, FRAME_PING, n);
    assert_true(r > 0);
    len += (size_t)r;
}

/* put_segment -- announces `bytes`, and brings as many, of this value. */
static void put_segment(uint32_t bytes, uint8_t value)
{
    struct segment_head s = {.count = 1, .bytes = bytes, .first_seq = 1};
    int r = write_segment(stream + len, &s, 1, 2, 3, 1, 4);
    assert_true(r > 0);
    len += (size_t)r;
    memset(stream + len, value, bytes);
    len += bytes;
}

static void feed(const uint8_t *p, size_t n)
{
    size_t room;
    uint8_t *to = wire_room(&w, &room);
    assert_true(room >= n);
    memcpy(to, p, n);
    wire_fed(&w, n);
}

/* next -- the type that comes, or what else wire_next() says. */
static int next(const uint8_t **frames, size_t *n)
{
    const uint8_t *f;
    int r = wire_next(&w, &f, frames, n);
    if (r != 1 || frame_type(f) != FRAME_SEGMENT)
        assert_true(*frames == NULL && *n == 0);
    return r == 1 ? frame_type(f) : r;
}

/* However the stream is cut in two, the same comes out, and a segment never in part. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    const uint8_t *frames;
    size_t n;
    put_ping(1);
    put_segment(FRAME_HEAD + 16, 7);
    put_ping(2);
    for (size_t cut = 0; cut <= len; cut++) {
        static const int all[] = {FRAME_PING, FRAME_SEGMENT, FRAME_PING, 0};
        size_t got = 0;
        wire_init(&w, buf);
        feed(stream, cut);
        for (int r; (r = next(&frames, &n)) != 0; got++)
            assert_int_equal(r, all[got]);
        feed(stream + cut, len - cut);
        for (int r; (r = next(&frames, &n)) != 0; got++) {
            assert_int_equal(r, all[got]);
            if (r == FRAME_SEGMENT) {
                assert_int_equal(n, FRAME_HEAD + 16);
                assert_true(frames[0] == 7 && frames[n - 1] == 7);
            }
        }
        assert_int_equal(got, 3);
    }
}

static void test_largest(void **state)
{
    (void)state;
    const uint8_t *frames;
    size_t n, room, at = 0;
    int r = 0;
    put_ping(1);
    put_segment(SEGMENT_BYTES, 9);
    put_ping(2);
    /* as a reader does: what fits goes in */
    for (int i = 0; i < 3; i++) {
        while ((r = next(&frames, &n)) == 0) {
            uint8_t *to = wire_room(&w, &room);
            assert_true(room > 0);
            room = room < len - at ? room : len - at;
            memcpy(to, stream + at, room);
            wire_fed(&w, room);
            at += room;
        }
        assert_int_equal(r, i == 1 ? FRAME_SEGMENT : FRAME_PING);
        assert_int_equal(n, i == 1 ? SEGMENT_BYTES : 0);
    }
    assert_int_equal(next(&frames, &n), 0);
}

static void test_sizes_that_cannot_be(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, FRAME_HEAD - 1, SEGMENT_BYTES + 1, UINT32_MAX};
    const uint8_t *frames;
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct segment_head s = {.count = 1, .bytes = bad[i], .first_seq = 1};
        int r = write_segment(stream, &s, 1, 2, 3, 1, 4);
        wire_init(&w, buf);
        feed(stream, (size_t)r);
        assert_int_equal(next(&frames, &n), -EBADMSG); /* at once, before more is awaited */
    }
}

static void test_broken(void **state)
{
    (void)state;
    const uint8_t *frames;
    size_t n;
    put_ping(1);
    memset(stream + len, 0xff, FRAME_HEAD);
    feed(stream, len + FRAME_HEAD);
    assert_int_equal(next(&frames, &n), FRAME_PING);
    assert_int_equal(next(&frames, &n), -EBADMSG);
    assert_int_equal(next(&frames, &n), -EBADMSG);
}

/* What could not be dealt with comes again, also after more has come behind it. */
static void test_back(void **state)
{
    (void)state;
    const uint8_t *f, *frames;
    size_t n;
    put_ping(1);
    put_segment(FRAME_HEAD + 8, 5);
    size_t first = len;
    put_ping(2);
    feed(stream, first);
    assert_int_equal(next(&frames, &n), FRAME_PING);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_next(&w, &f, &frames, &n), 1);
        assert_int_equal(frame_type(f), FRAME_SEGMENT);
        assert_int_equal(n, FRAME_HEAD + 8);
        assert_int_equal(frames[0], 5);
        wire_back(&w, f);
        if (i == 1)
            feed(stream + first, len - first);
    }
    assert_int_equal(next(&frames, &n), FRAME_SEGMENT);
    assert_int_equal(next(&frames, &n), FRAME_PING);
    assert_int_equal(next(&frames, &n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sizes_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
