/* test_link_digests.c -- a link begins between two hosts that have nearly the same: what is said, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

static void took(struct side *s, uint64_t origin, uint64_t epoch, uint64_t last, uint64_t end)
{
    link_took(&s->core, segment(origin, epoch, 1, last, 0, 1), end);
}

static void both_have(uint64_t origin, uint64_t epoch, uint64_t last)
{
    took(a, origin, epoch, last, 100);
    took(b, origin, epoch, last, 70);
}

static void all_durable(void)
{
    (void)link_durable(&a->core, 100);
    (void)link_durable(&b->core, 70);
}

static void know(uint64_t host)
{
    assert_int_equal(link_know(&a->core, host), 0);
    assert_int_equal(link_know(&b->core, host), 0);
}

/* greet -- up to where the digests come. */
static void greet(void)
{
    meet();
    say(a, b);
    say(b, a);
    transcript[0] = '\0';
}

/* The parts: the run 15 is the newest that both know of C, 12 .. 14 and all before are each for themselves. */
static void test_the_same(void **state)
{
    (void)state;
    know('C');
    for (uint64_t epoch = 10; epoch <= 15; epoch++)
        both_have('C', epoch, 4);
    all_durable();
    meet();
    say(a, b);
    transcript[0] = '\0';
    talk();
    assert_noted("B GREETING ACB\nA: open 1\n"
                 "B DIGEST C:f\n"
                 "A DIGEST C:f\n"
                 "A SAME C:f\nB: same 1 up to 70\n"
                 "A HAVE\nB: has 1\nB: go 1\n"
                 "B SAME C:f\nA: same 1 up to 100\n"
                 "B HAVE\nA: has 1\nA: go 1\n"
                 "B LINKS A\nA LINKS B\n");
}

/* B missed the end of the run 14 and all of 15: the rows of these two are told, of the years before nothing. */
static void test_a_run_was_missed(void **state)
{
    (void)state;
    know('C');
    for (uint64_t epoch = 10; epoch <= 13; epoch++)
        both_have('C', epoch, 4);
    took(a, 'C', 14, 9, 100);
    took(b, 'C', 14, 8, 70);
    took(a, 'C', 15, 1, 100);
    all_durable();
    greet();
    talk();
    assert_non_null(strstr(transcript, "A SAME C:7\nB: same 1 up to 70\nA HAVE C14=9 C15=1\n"));
    assert_non_null(strstr(transcript, "B SAME C:3\nA: same 1 up to 100\nB HAVE C14=8\n"));
}

/* What becomes durable after the digest lies behind the position that SAME is good for, and is told as news. */
static void test_growing_meanwhile(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    know('C');
    both_have('C', 10, 4);
    all_durable();
    greet();
    assert_true(link_next(&a->core, a->peer, WALL_MS, now, f) > 0);
    assert_int_equal(frame_type(f), FRAME_DIGEST);
    link_took(&a->core, segment('C', 10, 5, 5, 1, 2), 200);
    (void)link_durable(&a->core, 200);
    hear(b, f);
    say(b, a);
    say(a, b);
    assert_noted("B SAME C:8\nA: same 1 up to 100\n"
                 "B HAVE\nA: has 1\nA: go 1\n"
                 "A SAME C:8\nB: same 1 up to 70\n"
                 "A HAVE\nB: has 1\nB: go 1\n"
                 "A HAVE C10=5\nB: has 1\n"
                 "A LINKS B\n");
}

/* Of its own present run a link process knows nothing, or what it found in the store when it began. */
static void test_present_runs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        both_have('A', 10 - i, 4); /* run 9 was over when this one began */
        both_have('B', 20 + i, 4); /* run 21 too: the clock was set back */
    }
    all_durable();
    greet();
    talk();
    assert_non_null(strstr(transcript, "A SAME B:8 A:8\nB: same 1 up to 70\nA HAVE A10=4 B20=4\n"));
    assert_non_null(strstr(transcript, "B SAME A:8 B:8\nA: same 1 up to 100\nB HAVE A10=4 B20=4\n"));
}

/* An answer is passed on to the keeper under the feed's number; one before the question is none. */
static void test_same_order(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX], digest[FRAME_MAX];
    struct same_row row = {.origin = 'B', .parts = 8};
    greet();
    struct wr w = frame_begin(f, FRAME_SAME);
    write_same_row(&w, &row);
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_MALFORMED); /* A has not said its digests yet */
    assert_true(link_next(&a->core, a->peer, WALL_MS, now, digest) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK);
    assert_int_equal(frame_type(up.feed), FRAME_SAME);
    assert_int_equal(frame_client(up.feed), 1);
    w = frame_begin(f, FRAME_SAME);
    write_same_row(&w, &row);
    wr_u8(&w, 1); /* and the beginning of another */
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_MALFORMED);
}

static void test_none_of_their_business(void **state)
{
    (void)state;
    know('C');
    both_have('C', 10, 4);
    both_have('D', 10, 4); /* D is no peer any more */
    all_durable();
    greet();
    talk();
    assert_non_null(strstr(transcript, "A SAME C:8\nB: same 1 up to 70\nA HAVE D10=4\n"));
}

static void assert_malformed(const uint8_t *f)
{
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_MALFORMED);
}

static void test_what_is_no_digest(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX], more[FRAME_MAX];
    struct digest_row d = {.origin = 'B', .sum = {1}};
    meet();
    struct wr w = frame_begin(f, FRAME_DIGEST);
    write_digest_row(&w, &d);
    assert_true(frame_end(f, &w) > 0);
    assert_malformed(f); /* before the greeting */
    say(b, a);
    memcpy(more, f, frame_stride(f));
    frame_set_flags(more, FRAME_MORE);
    for (unsigned i = 2; i < DIGEST_FRAMES_MAX; i++) {
        link_heard(&a->core, a->peer, more, now, &up);
        assert_int_equal(up.reason, REASON_OK);
    }
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK);
    assert_malformed(f); /* they were all heard */
    w = frame_begin(f, FRAME_DIGEST);
    wr_u64(&w, 'B');
    assert_true(frame_end(f, &w) > 0);
    assert_malformed(f);
}

static void test_endless_digests(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    meet();
    say(b, a);
    struct wr w = frame_begin(f, FRAME_DIGEST);
    assert_true(frame_end(f, &w) > 0);
    frame_set_flags(f, FRAME_MORE);
    for (unsigned i = 0; i < DIGEST_FRAMES_MAX; i++) {
        link_heard(&a->core, a->peer, f, now, &up);
        assert_int_equal(up.reason, REASON_OK);
    }
    assert_malformed(f);
}

/* More hosts than one frame of digests holds. */
static void test_many_hosts(void **state)
{
    (void)state;
    for (uint64_t host = 1000; host < 1000 + DIGEST_ROWS_MAX; host++) {
        know(host);
        both_have(host, 10, 4);
    }
    all_durable();
    greet();
    talk();
    assert_null(strstr(transcript, "=4"));
    assert_int_equal(a->core.peer[a->peer].phase, LINK_OPEN);
    assert_int_equal(b->core.peer[b->peer].phase, LINK_OPEN);
}

/* 50 hosts with 100 streams each: what two of them say when their link comes back and nothing has happened. */
static void test_bytes(void **state)
{
    (void)state;
    for (uint64_t host = 1000; host < 1050; host++) {
        know(host);
        for (uint64_t i = 0; i < 100; i++)
            both_have(host, 10 + i, 4);
        all_durable();
    }
    meet();
    bytes_said = 0;
    talk();
    print_message("# 5000 equal streams: %zu bytes in both directions\n", bytes_said);
    assert_true(bytes_said < 16 * 1024);
    assert_int_equal(a->core.peer[a->peer].phase, LINK_OPEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same),
        TEST(test_a_run_was_missed),
        TEST(test_growing_meanwhile),
        TEST(test_present_runs),
        TEST(test_same_order),
        TEST(test_none_of_their_business),
        TEST(test_what_is_no_digest),
        TEST(test_endless_digests),
        TEST(test_many_hosts),
        TEST(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
