/* test_link_gaps.c -- a peer whose store begins later: whose word is taken for it, when, and what is not taken at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

/* gap -- entries first..last of a stream of ROOM are missing; the last segment of them began at `from`, has hash `hash` and lies
 * behind `prev`. */
static const uint8_t *gap(uint64_t origin, uint64_t epoch, uint64_t first, uint64_t from, uint64_t last, uint8_t prev, uint8_t hash)
{
    static uint8_t f[FRAME_MAX];
    struct gap g = {.why = GAP_OLD, .first_seq = first, .hlc_min = 1, .messages = 1, .last = {.first_seq = from, .last_seq = last}};
    memset(g.last.prev, prev, HASH_LEN);
    memset(g.last.hash, hash, HASH_LEN);
    assert_true(write_gap(f, &g, origin, epoch, ROOM, 100) > 0);
    return f;
}

static enum link_verdict judge_gap(struct side *s, unsigned peer, const uint8_t *f)
{
    return link_judge_gap(&s->core, peer, f, now, &up);
}

/* together -- A and B, linked for long enough; of B's run 19 A has 1..2, hash 1. */
static void together(void)
{
    meet_in_silence();
    link_took(&a->core, segment('B', 19, 1, 2, 0, 1), 100);
    now += LINK_GAP_MS;
    talk();
    transcript[0] = '\0';
}

static void test_a_gap_is_taken(void **state)
{
    (void)state;
    together();
    const uint8_t *g = gap('B', 19, 3, 8, 9, 7, 8);
    assert_int_equal(judge(a, segment('B', 19, 10, 11, 8, 9)), LINK_BAD); /* not without a word */
    assert_int_equal(judge_gap(a, a->peer, g), LINK_NEW);
    assert_int_equal(up.reason, REASON_OK);
    note_orders('A');
    assert_noted("A: has 1\n"); /* who names it needs nothing of it */
    link_took(&a->core, g, 200);
    assert_int_equal(judge_gap(a, a->peer, g), LINK_OLD);
    assert_int_equal(judge(a, segment('B', 19, 3, 4, 1, 2)), LINK_OLD); /* what turns up later is passed over */
    assert_int_equal(judge(a, segment('B', 19, 10, 11, 7, 9)), LINK_FORKED); /* the chain goes on from the gap's head */
    assert_int_equal(judge(a, segment('B', 19, 10, 11, 8, 9)), LINK_NEW);
    talk();
    assert_noted(""); /* nothing is said of it before it is on disk */
    assert_true(link_durable(&a->core, 200));
    talk();
    assert_noted("A HAVE B19=9\nB: has 1\n");
}

static void test_what_overlaps(void **state)
{
    (void)state;
    together();
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 1, 8, 9, 7, 8)), LINK_NEW); /* more than is missing here */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 1, 1, 2, 0, 1)), LINK_OLD); /* nothing is */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 3, 9, 1, 8)), LINK_NEW); /* one segment: it follows what is here */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 3, 9, 2, 8)), LINK_FORKED); /* ... and here it does not */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 1, 2, 9, 2, 8)), LINK_FORKED); /* cut at another place */
}

static void assert_bad(const uint8_t *f, enum reason reason)
{
    assert_int_equal(judge_gap(a, a->peer, f), LINK_BAD);
    assert_int_equal(up.reason, reason);
    assert_true(up.why[0] != '\0');
    assert_int_equal(up.feed_len, 0);
}

static void test_gaps_that_are_none(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    meet();
    assert_bad(gap('B', 19, 3, 8, 9, 7, 8), REASON_MALFORMED); /* before its time */
    talk();
    link_took(&a->core, segment('B', 19, 1, 2, 0, 1), 100);
    now += LINK_GAP_MS;
    assert_bad(gap('B', 19, 4, 8, 9, 7, 8), REASON_MALFORMED); /* a gap before the gap */
    assert_bad(gap('B', 18, 1, 8, 9, 7, 8), REASON_MALFORMED); /* instead of the beginning */
    assert_bad(gap('C', 30, 3, 8, 9, 7, 8), REASON_DENIED);    /* whoever C is */
    memcpy(f, gap('B', 19, 3, 8, 9, 7, 8), frame_stride(gap('B', 19, 3, 8, 9, 7, 8)));
    frame_set_seq(f, UINT64_MAX);
    assert_bad(f, REASON_MALFORMED);
    assert_int_equal(judge_gap(a, a->peer, gap('A', 10, 1, 8, 9, 7, 8)), LINK_OLD); /* of our own, of now */
    assert_true(write_caught(f, 0) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_bad(gap('B', 19, 3, 8, 9, 7, 8), REASON_MALFORMED); /* all that it has is here */
}

static void test_a_frozen_stream(void **state)
{
    (void)state;
    together();
    link_freeze(&a->core, segment('B', 19, 1, 2, 0, 7));
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_OLD);
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 5, 8, 9, 7, 8)), LINK_OLD); /* the segments before it were, too */
}

/* Not at once: others may be on their way. */
static void test_a_gap_waits_for_others_to_link(void **state)
{
    (void)state;
    meet_in_silence();
    link_took(&a->core, segment('B', 19, 1, 2, 0, 1), 100);
    now += LINK_GAP_MS - 1;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_LATER);
    assert_true(link_gap_waits(&a->core, a->peer));
    assert_int_equal(up.feed_len, 0);
    now++;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_NEW);
    assert_false(link_gap_waits(&a->core, a->peer));
}

/* third -- C is linked with A, too, and has heard what A has. */
static unsigned third(uint64_t run)
{
    assert_int_equal(link_know(&a->core, 'C'), 0);
    int i = link_up(&a->core, 'C', 333, now);
    assert_true(i >= 0);
    struct link_peer *c = &a->core.peer[i];
    c->phase = LINK_OPEN;
    c->epoch = run;
    c->vector_told = true;
    c->moved_ms = now;
    return (unsigned)i;
}

static void test_a_gap_waits_for_who_still_sends(void **state)
{
    (void)state;
    together();
    unsigned c = third(30);
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_LATER);
    now += LINK_GAP_MS - 1;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_LATER);
    assert_int_equal(link_judge(&a->core, c, segment('C', 30, 1, 1, 0, 1), now, &up), LINK_NEW); /* it does */
    now++;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_LATER);
    a->core.peer[c].caught = true;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_NEW);
}

static void test_nobody_waits_for_ever(void **state)
{
    (void)state;
    together();
    unsigned c = third(30);
    now += LINK_GAP_MS; /* it has sent nothing for so long */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_NEW);
    a->core.peer[c].vector_told = false; /* it does not say what it has, and so is not told */
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_LATER);
    now = a->core.peer[a->peer].up_ms + LINK_GAP_MAX_MS;
    assert_int_equal(judge_gap(a, a->peer, gap('B', 19, 3, 8, 9, 7, 8)), LINK_NEW);
}

/* Two keep different parts: who keeps more goes on first, and neither waits for the other for ever. */
static void test_the_older_gap_goes_first(void **state)
{
    (void)state;
    uint8_t late[FRAME_MAX];
    together();
    unsigned c = third(30);
    const uint8_t *g = gap('B', 19, 3, 12, 13, 7, 8);
    memcpy(late, g, frame_stride(g));
    frame_set_hlc(late, 500);
    assert_int_equal(judge_gap(a, a->peer, late), LINK_LATER);
    assert_int_equal(judge_gap(a, c, gap('B', 19, 3, 8, 9, 5, 6)), LINK_LATER); /* C has just come up */
    now += LINK_GAP_MS;
    assert_int_equal(judge_gap(a, a->peer, late), LINK_LATER);
    g = gap('B', 19, 3, 8, 9, 5, 6);
    assert_int_equal(judge_gap(a, c, g), LINK_NEW);
    link_took(&a->core, g, 200);
    assert_int_equal(judge_gap(a, a->peer, late), LINK_LATER); /* C goes on */
    assert_int_equal(judge(a, segment('B', 19, 10, 13, 6, 8)), LINK_NEW);
    link_took(&a->core, segment('B', 19, 10, 13, 6, 8), 300);
    assert_int_equal(judge_gap(a, a->peer, late), LINK_OLD);
}

/* In its present run a host speaks for itself. */
static void test_of_a_present_run_its_host_alone(void **state)
{
    (void)state;
    together();
    unsigned c = third(30);
    link_took(&a->core, segment('C', 30, 1, 2, 0, 1), 200);
    link_took(&a->core, segment('C', 29, 1, 2, 0, 1), 300);
    a->core.peer[c].caught = true;
    assert_int_equal(judge_gap(a, a->peer, gap('C', 29, 3, 8, 9, 7, 8)), LINK_NEW); /* C has no more of it */
    assert_int_equal(judge_gap(a, a->peer, gap('C', 30, 3, 8, 9, 7, 8)), LINK_LATER);
    now += LINK_GAP_MS;
    assert_int_equal(judge_gap(a, a->peer, gap('C', 30, 3, 8, 9, 7, 8)), LINK_LATER);
    a->core.peer[c].caught = false;
    assert_int_equal(judge_gap(a, c, gap('C', 30, 3, 8, 9, 7, 8)), LINK_LATER); /* B may bring it */
    a->core.peer[a->peer].caught = true;
    assert_int_equal(judge_gap(a, c, gap('C', 30, 3, 8, 9, 7, 8)), LINK_NEW);
}

/* ... unless it waits with a younger gap itself: who keeps more than it does need not wait for it, nor both for ever. */
static void test_a_host_that_keeps_less(void **state)
{
    (void)state;
    uint8_t late[FRAME_MAX];
    together();
    unsigned c = third(30);
    link_took(&a->core, segment('C', 30, 1, 2, 0, 1), 200);
    const uint8_t *g = gap('B', 19, 3, 8, 9, 7, 8);
    memcpy(late, g, frame_stride(g));
    frame_set_hlc(late, 500);
    now += LINK_GAP_MS;
    assert_int_equal(judge_gap(a, a->peer, gap('C', 30, 3, 8, 9, 7, 8)), LINK_LATER);
    assert_int_equal(judge_gap(a, c, late), LINK_LATER); /* B's is older, and in C's run */
    assert_int_equal(judge_gap(a, a->peer, gap('C', 30, 3, 8, 9, 7, 8)), LINK_NEW);
}

/* Who is told of a gap reads nothing more: it knows before what we lack, though another peer has its turn. */
static void test_the_vector_goes_before_a_gap(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    assert_int_equal(link_before_gap(&a->core, 0, WALL_MS, now, f), 0); /* nobody is linked */
    meet();
    third(30);
    talk();
    struct link_peer *p = &a->core.peer[a->peer];
    assert_false(p->vector_told);
    assert_true(link_before_gap(&a->core, a->peer, WALL_MS, now, f) > 0);
    assert_int_equal(frame_type(f), FRAME_HAVE);
    assert_true(p->vector_told);
    assert_int_equal(link_before_gap(&a->core, a->peer, WALL_MS, now, f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_gap_is_taken),
        TEST(test_what_overlaps),
        TEST(test_gaps_that_are_none),
        TEST(test_a_frozen_stream),
        TEST(test_a_gap_waits_for_others_to_link),
        TEST(test_a_gap_waits_for_who_still_sends),
        TEST(test_nobody_waits_for_ever),
        TEST(test_the_older_gap_goes_first),
        TEST(test_of_a_present_run_its_host_alone),
        TEST(test_a_host_that_keeps_less),
        TEST(test_the_vector_goes_before_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
