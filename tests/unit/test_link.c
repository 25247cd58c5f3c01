/* test_link.c -- the link protocol: two cores against each other, and one against a liar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

/* ---- the play ---- */

static void test_greetings_and_vectors(void **state)
{
    (void)state;
    meet();
    talk();
    assert_noted("A GREETING BA\n"
                 "B: open 1\n"
                 "B GREETING AB\n"
                 "A: open 1\n"
                 "B DIGEST\n"
                 "A DIGEST\n"
                 "A HAVE\n"
                 "B: has 1\nB: go 1\n"
                 "B HAVE\n"
                 "A: has 1\nA: go 1\n"
                 "B LINKS A\nA LINKS B\n");
    assert_int_equal(a->core.peer[a->peer].phase, LINK_OPEN);
    assert_int_equal(a->core.peer[a->peer].wall_ms, WALL_MS);
    assert_int_equal(a->core.peer[a->peer].epoch, 20);
    talk();
    assert_noted(""); /* nothing more until something happens */
}

/* The order FEED_OPEN carries who the peer is and whose streams it takes. */
static void test_open_order(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct feed_order o;
    meet();
    assert_true(link_next(&b->core, b->peer, WALL_MS, now, f) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(read_feed_order(up.feed, &o), 0);
    assert_int_equal(frame_origin(up.feed), 'B');
    assert_int_equal(frame_epoch(up.feed), 20);
    assert_int_equal(o.n_hosts, 2);
    assert_int_equal(get_u64(o.host), 'A');
    assert_int_equal(get_u64(o.host + 8), 'B');
}

/* Only what is on disk is told: in the vector as well as in the news. */
static void test_only_what_is_durable_is_told(void **state)
{
    (void)state;
    link_took(&a->core, segment('B', 19, 1, 4, 0, 1), 100);
    link_took(&a->core, segment('B', 19, 5, 6, 1, 2), 200);
    link_took(&a->core, segment('B', 18, 1, 1, 0, 1), 210);
    assert_true(link_durable(&a->core, 150));
    meet();
    talk();
    assert_non_null(strstr(transcript, "A HAVE B19=4\n"));
    transcript[0] = '\0';
    link_took(&a->core, segment('B', 20, 1, 1, 0, 1), 300);
    talk();
    assert_noted("");
    assert_false(link_durable(&a->core, 199));
    assert_true(link_durable(&a->core, 200));
    talk();
    assert_noted("A HAVE B19=6\nB: has 1\n");
    assert_true(link_durable(&a->core, 1000));
    assert_false(link_durable(&a->core, 2000));
    talk();
    assert_noted("A HAVE B18=1 B20=1\nB: has 1\n");
}

/* Who is refused something of a room might be in it by what is not on disk yet. */
static void test_on_its_way_until_it_is_durable(void **state)
{
    (void)state;
    assert_false(link_on_its_way(&a->core, ROOM));
    link_took(&a->core, segment('B', 19, 1, 4, 0, 1), 100);
    link_took(&a->core, segment('B', 19, 5, 6, 1, 2), 200);
    assert_true(link_on_its_way(&a->core, ROOM));
    assert_false(link_on_its_way(&a->core, ROOM + 1));
    assert_true(link_durable(&a->core, 100));
    assert_true(link_on_its_way(&a->core, ROOM));
    assert_true(link_durable(&a->core, 200));
    assert_false(link_on_its_way(&a->core, ROOM));
}

/* only_others -- of the room of the play nobody may know but C. */
static bool only_others(void *arg, uint64_t room, uint64_t host)
{
    (void)arg;
    return room != ROOM || host == 'C';
}

/* What a peer may not know of is not told: not in the vector, not in the news, not when the news overran. */
static void test_told_to_those_who_may_hear(void **state)
{
    (void)state;
    a->core.may_hear = only_others;
    link_took(&a->core, segment('B', 19, 1, 4, 0, 1), 100);
    assert_true(link_durable(&a->core, 100));
    meet();
    talk();
    assert_non_null(strstr(transcript, "A HAVE\n")); /* the vector comes, and is empty */
    transcript[0] = '\0';
    link_took(&a->core, segment('B', 19, 5, 6, 1, 2), 200);
    assert_true(link_durable(&a->core, 200));
    talk();
    assert_noted("");
    a->core.news_next += LINK_NEWS_MAX + 1;
    talk();
    assert_noted("A HAVE\nB: has 1\n");
    a->core.may_hear = NULL;
    a->core.news_next += LINK_NEWS_MAX + 1;
    talk();
    assert_noted("A HAVE B19=6\nB: has 1\n");
}

/* Several steps of one stream are told as one. */
static void test_news_are_joined(void **state)
{
    (void)state;
    meet_in_silence();
    for (uint64_t i = 1; i <= 5; i++)
        link_took(&a->core, segment('B', 20, i, i, (uint8_t)(i - 1), (uint8_t)i), 100 * i);
    assert_true(link_durable(&a->core, 500));
    talk();
    assert_noted("A HAVE B20=5\nB: has 1\n");
}

static void test_verdicts(void **state)
{
    (void)state;
    meet_in_silence();
    assert_int_equal(judge(a, segment('B', 20, 1, 3, 0, 1)), LINK_NEW);
    note_orders('A');
    assert_noted("A: has 1\n");
    link_took(&a->core, segment('B', 20, 1, 3, 0, 1), 100);

    assert_int_equal(judge(a, segment('B', 20, 1, 3, 0, 1)), LINK_OLD); /* again */
    note_orders('A');
    assert_noted("A: has 1\n");
    assert_int_equal(judge(a, segment('B', 20, 1, 2, 0, 9)), LINK_OLD); /* a part of it */
    assert_int_equal(judge(a, segment('B', 20, 4, 4, 1, 2)), LINK_NEW); /* the next one */
    assert_int_equal(judge(a, segment('B', 21, 1, 1, 0, 1)), LINK_NEW); /* another run */
    assert_int_equal(judge(a, segment('A', 9, 1, 1, 0, 1)),
                     LINK_NEW); /* of our own, lost with a disk */
    assert_int_equal(judge(a, segment('A', 10, 1, 1, 0, 1)), LINK_OLD); /* of our own, of now */
    assert_int_equal(up.feed_len, 0);
}

static void assert_bad(struct side *s, const uint8_t *f, enum reason reason)
{
    assert_int_equal(judge(s, f), LINK_BAD);
    assert_int_equal(up.reason, reason);
    assert_true(up.why[0] != '\0');
    assert_int_equal(up.feed_len, 0);
}

static void test_bad_segments(void **state)
{
    (void)state;
    meet();
    assert_bad(a, segment('B', 20, 1, 1, 0, 1), REASON_MALFORMED); /* before its time */
    talk();
    link_took(&a->core, segment('B', 20, 1, 3, 0, 1), 100);
    assert_bad(a, segment('B', 20, 5, 5, 1, 2), REASON_MALFORMED); /* a gap */
    assert_bad(a, segment('B', 21, 2, 2, 0, 2),
               REASON_MALFORMED); /* not the first of a new stream */
    assert_bad(a, segment('B', 20, 0, 4, 0, 2), REASON_MALFORMED);
    assert_bad(a, segment('B', 20, 4, 3, 1, 2), REASON_MALFORMED); /* ends before it begins */
    assert_bad(a, segment('B', 21, 1, 1, 7, 2), REASON_DENIED); /* something before the first */
    assert_bad(a, segment('C', 30, 1, 1, 0, 1), REASON_DENIED); /* whoever C is */
    assert_int_equal(link_know(&a->core, 'C'), 0);
    assert_int_equal(judge(a, segment('C', 30, 1, 1, 0, 1)), LINK_NEW);
    link_forget(&a->core, 'C');
    assert_bad(a, segment('C', 30, 1, 1, 0, 1), REASON_DENIED);
}

/* test_fork -- two things said under one number: the stream is frozen, the link goes on. */
static void test_fork(void **state)
{
    (void)state;
    meet();
    talk();
    link_took(&a->core, segment('B', 20, 1, 3, 0, 1), 100);
    assert_int_equal(judge(a, segment('B', 20, 3, 4, 1, 2)), LINK_FORKED); /* cut at another place */
    const uint8_t *other = segment('B', 20, 4, 4, 7, 2); /* behind another third */
    assert_int_equal(judge(a, other), LINK_FORKED);
    assert_int_equal(up.reason, REASON_DENIED); /* in case its seal is bad */
    assert_int_equal(judge(a, segment('B', 20, 1, 3, 0, 7)), LINK_FORKED); /* instead of what is here */
    assert_int_equal(judge(a, segment('B', 20, 1, 3, 0, 1)), LINK_OLD);
    link_freeze(&a->core, other);
    assert_int_equal(judge(a, segment('B', 20, 4, 4, 1, 2)), LINK_OLD);
    assert_int_equal(judge(a, segment('B', 20, 5, 9, 2, 3)), LINK_OLD);
    assert_int_equal(judge(a, segment('B', 21, 1, 1, 0, 1)), LINK_NEW); /* its next run is another stream */
}

static void test_later(void **state)
{
    (void)state;
    meet_in_silence();
    for (uint64_t i = 1; i <= LINK_PENDING_MAX; i++) {
        const uint8_t *f = segment('B', 20, i, i, (uint8_t)(i - 1), (uint8_t)i);
        assert_int_equal(judge(a, f), LINK_NEW);
        link_took(&a->core, f, i);
    }
    const uint8_t *one_more = segment('B', 20, LINK_PENDING_MAX + 1, LINK_PENDING_MAX + 1,
                                      (uint8_t)LINK_PENDING_MAX, 1);
    assert_int_equal(judge(a, one_more), LINK_LATER);
    assert_true(link_durable(&a->core, 1));
    assert_int_equal(judge(a, one_more), LINK_NEW);
}

/* ---- what nobody says ---- */

static void assert_ends(struct side *s, const uint8_t *f, enum reason reason)
{
    link_heard(&s->core, s->peer, f, now, &up);
    assert_int_equal(up.reason, reason);
    assert_true(up.why[0] != '\0');
}

static void test_greetings_that_are_none(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX], hosts[8] = {'A'};
    struct greeting g = {
        .version_min = 1, .version_max = 1, .name = text_of("b"), .host = hosts, .n_hosts = 1};
    meet();
    struct wr w = frame_begin(f, FRAME_HAVE);
    assert_true(frame_end(f, &w) > 0);
    assert_ends(a, f, REASON_MALFORMED); /* a vector before the greeting */
    assert_true(write_greeting(f, &g, 'C', 1) > 0);
    assert_ends(a, f, REASON_MALFORMED); /* not who proved its key */
    g.version_min = g.version_max = LINK_VERSION + 1;
    assert_true(write_greeting(f, &g, 'B', 1) > 0);
    assert_ends(a, f, REASON_VERSION);
    g.version_min = 0;
    g.version_max = LINK_VERSION - 1;
    assert_true(write_greeting(f, &g, 'B', 1) > 0);
    assert_ends(a, f, REASON_VERSION);
    g.version_max = LINK_VERSION + 5;
    assert_true(write_greeting(f, &g, 'B', 1) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK); /* ours lies between */
}

static void test_frames_of_others(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct say s = {text_of("alice"), text_of("hello")};
    meet_in_silence();
    assert_true(write_say(f, &s, ROOM, 1, 1, 0) > 0);
    assert_ends(a, f, REASON_MALFORMED);
    struct feed_order o = {.op = FEED_LEAF};
    assert_true(write_feed_order(f, &o, 1) > 0);
    assert_ends(a, f, REASON_MALFORMED);
    struct greeting g = {.version_min = 1, .version_max = 1, .name = text_of("b")};
    assert_true(write_greeting(f, &g, 'B', 20) > 0);
    assert_ends(a, f, REASON_MALFORMED); /* twice */
    struct wr w = frame_begin(f, FRAME_HAVE);
    wr_u64(&w, 1);
    assert_true(frame_end(f, &w) > 0);
    assert_ends(a, f, REASON_MALFORMED); /* not a number of rows */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_greetings_and_vectors),
        TEST(test_open_order),
        TEST(test_only_what_is_durable_is_told),
        TEST(test_on_its_way_until_it_is_durable),
        TEST(test_told_to_those_who_may_hear),
        TEST(test_news_are_joined),
        TEST(test_verdicts),
        TEST(test_bad_segments),
        TEST(test_fork),
        TEST(test_later),
        TEST(test_greetings_that_are_none),
        TEST(test_frames_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
