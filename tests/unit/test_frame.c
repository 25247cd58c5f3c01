/* test_frame.c -- frames are found whole in a stream of bytes, or refused. */
#include "frame/frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* make -- a frame of this type with `len` bytes of body; its stride. */
static int make(uint8_t *buf, enum frame_type type, size_t len)
{
    struct wr w = frame_begin(buf, type);
    uint8_t *body = wr_room(&w, len);
    for (size_t i = 0; body && i < len; i++)
        body[i] = (uint8_t)(i + 1);
    return frame_end(buf, &w);
}

static void test_bounds_of_every_type(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    for (unsigned type = 0; type < 256; type++) {
        const struct frame_row *row = frame_row((uint8_t)type);
        if (!row)
            continue;
        assert_true(row->body_min <= row->body_max && row->body_max <= FRAME_MAX - FRAME_HEAD);
        for (size_t len = 0; len <= FRAME_MAX - FRAME_HEAD; len++) {
            int n = make(buf, (enum frame_type)type, len);
            if (len < row->body_min || len > row->body_max) {
                assert_int_equal(n, -EMSGSIZE);
                continue;
            }
            assert_int_equal(n, (FRAME_HEAD + len + 7) / 8 * 8);
            assert_int_equal(frame_check(buf, sizeof buf), n);
            assert_int_equal(frame_body_len(buf), len);
        }
        assert_int_equal(make(buf, (enum frame_type)type, FRAME_MAX - FRAME_HEAD + 1),
                         -EMSGSIZE);
    }
}

static void test_what_is_no_frame(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    int n = make(buf, FRAME_SAY, 13);
    for (unsigned type = 0; type < 256; type++) {
        buf[2] = (uint8_t)type;
        if (!frame_row((uint8_t)type))
            assert_int_equal(frame_check(buf, sizeof buf), -EBADMSG);
    }
    const struct frame_row *row = frame_row(FRAME_SAY);
    make(buf, FRAME_SAY, 13);
    for (int len = 0; len < 0x10000; len++) {
        put_u16(buf, (uint16_t)len);
        if (len < FRAME_HEAD + row->body_min || len > FRAME_HEAD + row->body_max)
            assert_int_equal(frame_check(buf, sizeof buf), -EBADMSG);
    }
    for (int i = FRAME_HEAD + 13; i < n; i++) {
        make(buf, FRAME_SAY, 13);
        buf[i] = 1;
        assert_int_equal(frame_check(buf, sizeof buf), -EBADMSG);
    }
}

static void test_a_truncated_frame_needs_more(void **state)
{
    (void)state;
    for (size_t len = 3; len <= 3105; len += 17) {
        uint8_t buf[FRAME_MAX];
        int n = make(buf, FRAME_SAY, len);
        for (int avail = 0; avail < n; avail++) {
            uint8_t *part = malloc((size_t)avail + 1); /* exact, for the sanitizer */
            assert_non_null(part);
            memcpy(part + 1, buf, (size_t)avail);
            assert_int_equal(frame_check(part + 1, (size_t)avail), 0);
            free(part);
        }
        assert_int_equal(frame_check(buf, (size_t)n), n);
    }
}

/* A frame of each kind of length, and how they lie in a stream. */
static size_t stream(uint8_t *to, size_t *count)
{
    static const size_t bodies[] = {3, 0, 4, 3105, 5, 8, 11, 3072};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        uint8_t buf[FRAME_MAX];
        int n = make(buf, bodies[i] ? FRAME_SAY : FRAME_ACK, bodies[i]);
        assert_true(n > 0);
        memcpy(to + len, buf, (size_t)n);
        len += (size_t)n;
    }
    *count = ARRAY_LEN(bodies);
    return len;
}

static void feed(size_t chunk)
{
    static uint8_t bytes[8 * FRAME_MAX], buf[2 * FRAME_MAX];
    size_t count, len = stream(bytes, &count), fed = 0, seen = 0, at = 0;
    struct splitter s;
    splitter_init(&s, buf, sizeof buf);
    while (fed < len) {
        size_t room;
        uint8_t *to = splitter_room(&s, &room);
        assert_true(room > 0);
        size_t n = min_size(min_size(chunk, room), len - fed);
        memcpy(to, bytes + fed, n);
        splitter_fed(&s, n);
        fed += n;
        const uint8_t *f;
        int got;
        while ((got = splitter_next(&s, &f)) == 1) {
            assert_memory_equal(f, bytes + at, frame_stride(f));
            at += frame_stride(f);
            seen++;
        }
        assert_int_equal(got, 0);
    }
    assert_int_equal(at, len);
    assert_int_equal(seen, count);
}

static void test_splitter_in_chunks_of_every_size(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk <= 2 * FRAME_MAX; chunk = chunk < 80 ? chunk + 1 : chunk + 61)
        feed(chunk);
}

static void test_splitter_stops_at_garbage(void **state)
{
    (void)state;
    uint8_t buf[2 * FRAME_MAX], frame[FRAME_MAX];
    struct splitter s;
    size_t room;
    const uint8_t *f;
    splitter_init(&s, buf, sizeof buf);
    int n = make(frame, FRAME_SAY, 20);
    uint8_t *to = splitter_room(&s, &room);
    memcpy(to, frame, (size_t)n);
    memset(to + n, 0xff, FRAME_HEAD);
    splitter_fed(&s, (size_t)n + FRAME_HEAD);
    assert_int_equal(splitter_next(&s, &f), 1);
    assert_int_equal(splitter_next(&s, &f), -EBADMSG);
    assert_int_equal(splitter_next(&s, &f), -EBADMSG);
}

static void test_header_fields_do_not_overlap(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    make(f, FRAME_ACK, 0);
    frame_set_flags(f, 0xf1);
    frame_set_client_seq(f, 0xf2f2f202);
    frame_set_pos(f, 0xf3f3f3f3f3f3f303);
    frame_set_origin(f, 0xf4f4f4f4f4f4f404);
    frame_set_epoch(f, 0xf5f5f5f5f5f5f505);
    frame_set_seq(f, 0xf6f6f6f6f6f6f606);
    frame_set_hlc(f, 0xf7f7f7f7f7f7f707);
    frame_set_room(f, 0xf8f8f8f8f8f8f808);
    frame_set_client(f, 0xf9f9f9f9f9f9f909);
    assert_int_equal(frame_len(f), FRAME_HEAD);
    assert_int_equal(frame_type(f), FRAME_ACK);
    assert_int_equal(frame_flags(f), 0xf1);
    assert_true(frame_client_seq(f) == 0xf2f2f202);
    assert_true(frame_pos(f) == 0xf3f3f3f3f3f3f303);
    assert_true(frame_origin(f) == 0xf4f4f4f4f4f4f404);
    assert_true(frame_epoch(f) == 0xf5f5f5f5f5f5f505);
    assert_true(frame_seq(f) == 0xf6f6f6f6f6f6f606);
    assert_true(frame_hlc(f) == 0xf7f7f7f7f7f7f707);
    assert_true(frame_room(f) == 0xf8f8f8f8f8f8f808);
    assert_true(frame_client(f) == 0xf9f9f9f9f9f9f909);
    assert_int_equal(f[4], 0x02); /* little-endian */
}

/* Each key outweighs all behind it, whatever they say. */
static void test_order_of_display(void **state)
{
    (void)state;
    static void (*const set[])(uint8_t *, uint64_t) = {frame_set_hlc, frame_set_origin,
                                                       frame_set_epoch, frame_set_seq};
    uint8_t a[FRAME_MAX], b[FRAME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(set); i++) {
        make(a, FRAME_ACK, 0);
        make(b, FRAME_ACK, 0);
        assert_int_equal(frame_order(a, b), 0);
        set[i](a, 1);
        set[i](b, (uint64_t)1 << 63);
        for (size_t j = i + 1; j < ARRAY_LEN(set); j++)
            set[j](a, UINT64_MAX);
        assert_true(frame_order(a, b) < 0);
        assert_true(frame_order(b, a) > 0);
    }
    make(b, FRAME_SAY, 9);
    make(a, FRAME_ACK, 0);
    frame_set_pos(a, 7);
    assert_int_equal(frame_order(a, b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_of_every_type),
        cmocka_unit_test(test_what_is_no_frame),
        cmocka_unit_test(test_a_truncated_frame_needs_more),
        cmocka_unit_test(test_splitter_in_chunks_of_every_size),
        cmocka_unit_test(test_splitter_stops_at_garbage),
        cmocka_unit_test(test_header_fields_do_not_overlap),
        cmocka_unit_test(test_order_of_display),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
