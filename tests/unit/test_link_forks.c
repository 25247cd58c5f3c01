/* test_link_forks.c -- forks in the link protocol: who has equally much and not the same, and what a proof does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

static const uint8_t *proof(uint64_t point, uint8_t prev)
{
    static uint8_t f[FRAME_MAX];
    struct sealed s[2] = {{.first_seq = point + 1, .last_seq = point + 1}, {.first_seq = point, .last_seq = point}};
    memset(s[1].prev, prev, HASH_LEN);
    assert_true(write_chain(f, s, 2, 'C', 10, ROOM, point) > 0);
    return f;
}

static const struct have_entry *entry(void)
{
    const struct have_entry *e = have_find(&a->core.ours, 'C', 10, ROOM);
    assert_non_null(e);
    return e;
}

/* took -- three segments, of which two are durable. */
static void took_three(void)
{
    assert_int_equal(link_know(&a->core, 'C') | link_know(&b->core, 'C'), 0);
    link_took(&a->core, segment('C', 10, 1, 3, 0, 1), 100);
    link_took(&a->core, segment('C', 10, 4, 5, 1, 2), 200);
    link_took(&a->core, segment('C', 10, 6, 9, 2, 3), 300);
    (void)link_durable(&a->core, 200);
}

/* Equally much, and the end is another one: each has its keeper send heads. */
static void test_not_the_same(void **state)
{
    (void)state;
    assert_int_equal(link_know(&a->core, 'C') | link_know(&b->core, 'C'), 0);
    link_took(&a->core, segment('C', 10, 1, 3, 0, 1), 100);
    link_took(&b->core, segment('C', 10, 1, 3, 0, 2), 100);
    (void)link_durable(&a->core, 100);
    (void)link_durable(&b->core, 100);
    meet();
    say(a, b);
    say(b, a);
    transcript[0] = '\0';
    talk();
    assert_noted("A DIGEST C:8\n"
                 "A HAVE C10=3\nB: has 1\nB: chain 1\nB: go 1\n"
                 "B HAVE C10=3\nA: has 1\nA: chain 1\nA: go 1\n"
                 "B LINKS A\nA LINKS B\n");
}

static void test_equal_later(void **state)
{
    (void)state;
    took_three();
    link_took(&b->core, segment('C', 10, 1, 3, 0, 1), 100);
    link_took(&b->core, segment('C', 10, 4, 5, 1, 7), 200);
    (void)link_durable(&b->core, 100);
    meet_in_silence();
    (void)link_durable(&b->core, 200);
    talk();
    assert_noted("B HAVE C10=5\nA: has 1\nA: chain 1\n");
}

static void test_proof(void **state)
{
    (void)state;
    took_three();
    assert_true(link_fork(&a->core, proof(4, 1)));
    assert_int_equal(entry()->row.seq, 3);
    assert_int_equal(entry()->durable, 3);
    assert_int_equal(entry()->head[31], 1);
    assert_int_equal(entry()->durable_head[15], 1);
    (void)link_durable(&a->core, 300); /* what was taken beyond counts no more */
    assert_int_equal(entry()->durable, 3);
    assert_false(link_fork(&a->core, proof(2, 5)));
    assert_false(link_fork(&a->core, proof(3, 6))); /* not back */
    assert_int_equal(entry()->point, 2);
    assert_int_equal(entry()->row.seq, 1);
    assert_int_equal(entry()->head[0], 5);
}

/* Who has less than the point goes on taking, up to it. */
static void test_goes_on_before_the_point(void **state)
{
    (void)state;
    took_three();
    assert_true(link_fork(&a->core, proof(12, 4)));
    meet_in_silence();
    assert_int_equal(judge(a, segment('C', 10, 12, 13, 4, 5)), LINK_OLD);
    assert_int_equal(judge(a, segment('C', 10, 10, 12, 3, 5)), LINK_FORKED); /* on both sides of it */
    assert_int_equal(judge(a, segment('C', 10, 10, 11, 3, 4)), LINK_NEW);
    link_took(&a->core, segment('C', 10, 10, 11, 3, 4), 400);
    (void)link_durable(&a->core, 400);
    assert_int_equal(entry()->durable, 11);
    talk();
    assert_noted("A HAVE C10=11\nB: has 1\n");
}

/* Of a stream that is not here yet. */
static void test_proof_first(void **state)
{
    (void)state;
    assert_int_equal(link_know(&a->core, 'C'), 0);
    meet_in_silence();
    assert_true(link_fork(&a->core, proof(4, 1)));
    talk();
    assert_noted(""); /* there is nothing of it to tell */
    assert_int_equal(judge(a, segment('C', 10, 1, 3, 0, 1)), LINK_NEW);
    assert_int_equal(judge(a, segment('C', 10, 1, 4, 0, 1)), LINK_FORKED);
}

static enum link_verdict judge_chain(const uint8_t *f)
{
    return link_judge_chain(&a->core, a->peer, f, now, &up);
}

static void test_judge_chain(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct sealed s[2] = {{.first_seq = 7, .last_seq = 9}, {.first_seq = 3, .last_seq = 2}};
    took_three();
    meet();
    assert_int_equal(judge_chain(proof(4, 1)), LINK_BAD); /* before the greeting */
    talk();
    assert_int_equal(judge_chain(proof(4, 1)), LINK_NEW);
    (void)link_fork(&a->core, proof(4, 1));
    assert_int_equal(judge_chain(proof(4, 1)), LINK_OLD);
    assert_int_equal(judge_chain(proof(3, 1)), LINK_NEW);
    assert_true(write_chain(f, s, 1, 'C', 10, ROOM, 0) > 0);
    assert_int_equal(judge_chain(f), LINK_OLD); /* behind the point */
    assert_true(write_chain(f, s, 1, 'C', 11, ROOM, 0) > 0);
    assert_int_equal(judge_chain(f), LINK_NEW); /* another run */
    assert_true(write_chain(f, s, 1, 'D', 10, ROOM, 0) > 0);
    assert_int_equal(judge_chain(f), LINK_OLD); /* of no concern here */
    assert_true(write_chain(f, s, 2, 'C', 11, ROOM, 0) > 0);
    assert_int_equal(judge_chain(f), LINK_BAD); /* ends before it begins */
    assert_int_equal(up.reason, REASON_MALFORMED);
    assert_true(write_chain(f, s, 0, 'C', 11, ROOM, 0) > 0);
    assert_int_equal(judge_chain(f), LINK_BAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_not_the_same), TEST(test_equal_later), TEST(test_proof),       TEST(test_goes_on_before_the_point),
        TEST(test_proof_first),  TEST(test_judge_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
