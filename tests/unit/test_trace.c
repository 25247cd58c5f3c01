/* test_trace.c -- which hosts have an entry: by their own words, through the keeper's socket. */
#include "keep/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "feed_play.h"

static struct trace trace;
static char told[512]; /* "beta has, " ... of one look */
static uint64_t said;

static int set_up(void **state)
{
    trace = (struct trace){.entry = {HERE, EPOCH, ROOM, 2, {0}}, .wanted = UINT32_MAX};
    return feed_play_open(state);
}

/* ---- the looks ---- */

static void on_row(void *arg, const uint8_t *f)
{
    static const char *const words[] = {"", "has", "not yet", "no link", "gone", "unsure"};
    struct trace_row row;
    (void)arg;
    size_t len = strlen(told);
    assert_int_equal(read_trace_row(f, &row), 0);
    snprintf(told + len, sizeof told - len, "%.*s %s, ", (int)row.host.len, row.host.p,
             words[row.state]);
}

static int look(struct feed_play *p)
{
    told[0] = '\0';
    return trace_look(&trace, p->st.seg, p->h, p->fs, on_row, NULL);
}

static void test_alone(void **state)
{
    struct feed_play *p = *state;
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha not yet, ");
    stored(p, HERE, EPOCH, 1);
    assert_int_equal(look(p), 0);
    stored(p, HERE, EPOCH, 2);
    assert_int_equal(look(p), 1);
    assert_string_equal(told, "alpha has, ");
}

/* Sent is not said; less than it is not it; and nothing is told twice. */
static void test_what_was_sent_does_not_count(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    know(p, 0, BETA, "beta");
    dial(p);
    linked(p, BETA);
    stored(p, HERE, EPOCH, 1);
    stored(p, HERE, EPOCH, 2);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha has, beta not yet, ");
    have(p, BETA, HERE, EPOCH, 1);
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "");
    uint64_t news = feeds_news(p->fs);
    have(p, BETA, HERE, EPOCH, 2);
    assert_true(feeds_news(p->fs) != news);
    assert_int_equal(look(p), 1);
    assert_string_equal(told, "beta has, ");
}

static void test_one_or_all(void **state)
{
    struct feed_play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 5, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    stored(p, HERE, EPOCH, 2);
    have(p, BETA, HERE, EPOCH, 2);
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha has, beta has, gamma no link, ");
    trace.wanted = 1;
    assert_int_equal(look(p), 1);
    trace.wanted = UINT32_MAX;
    linked(p, GAMMA);
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "gamma not yet, ");
    atomic_store(&p->st.seg->link[5].host, 0); /* no peer any more: nobody waits for it */
    assert_int_equal(look(p), 1);
}

/* Its link may go; it had it. */
static void test_had_is_had(void **state)
{
    struct feed_play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 1, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    linked(p, GAMMA);
    stored(p, HERE, EPOCH, 2);
    have(p, BETA, HERE, EPOCH, 2);
    assert_int_equal(look(p), 0);
    order(p, FEED_CLOSE, BETA);
    close(p->line);
    p->line = -1;
    pump(p);
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "gamma no link, ");
    memset(trace.told, 0, sizeof trace.told);
    trace.n_told = 0;
    assert_int_equal(look(p), 0); /* who asks now hears that nobody knows */
    assert_string_equal(told, "alpha has, beta no link, gamma no link, ");
}

/* What is here of another host's came off its disk, though it says that of none of its own. */
static void test_its_origin_has_it(void **state)
{
    struct feed_play *p = *state;
    trace.entry.origin = THERE;
    know(p, 0, THERE, "there");
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha not yet, there no link, ");
    stored(p, THERE, EPOCH, 2);
    assert_int_equal(look(p), 1);
    assert_string_equal(told, "alpha has, there has, ");
}

/* What is deleted here a peer is told of as a gap, and its HAVE is the same as of what it has. */
static void test_a_gap_is_not_the_message(void **state)
{
    struct feed_play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 1, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    linked(p, GAMMA);
    stored(p, HERE, EPOCH, 1);
    stored(p, HERE, EPOCH, 2);
    have(p, BETA, HERE, EPOCH, 2);
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha has, beta has, gamma not yet, ");
    deleted(p, HERE, 2);
    have(p, GAMMA, HERE, EPOCH, 2);
    assert_int_equal(look(p), 0); /* who waits goes on waiting */
    assert_string_equal(told, "gamma unsure, ");
    memset(trace.told, 0, sizeof trace.told);
    trace.n_told = 0;
    assert_int_equal(look(p), 0);
    assert_string_equal(told, "alpha gone, beta unsure, gamma unsure, ");
    trace = (struct trace){.entry = {HERE, EPOCH, ROOM, 1, {0}}, .wanted = UINT32_MAX};
    assert_int_equal(look(p), 1); /* what lies before it is there */
    assert_string_equal(told, "alpha has, beta has, gamma has, ");
}

static void on_said(void *arg, uint64_t host, uint64_t entries)
{
    (void)arg;
    assert_int_equal(host, BETA);
    said = entries;
}

/* Own entries alone, each once, and not before the vector is whole. */
static void test_how_much_was_said(void **state)
{
    struct feed_play *p = *state;
    feeds_on_said(p->fs, HERE, on_said, NULL);
    dial(p);
    order(p, FEED_OPEN, BETA);
    said = 1000;
    have(p, BETA, HERE, EPOCH, 3);
    assert_int_equal(said, 1000);
    order(p, FEED_GO, BETA);
    assert_int_equal(said, 3);
    have(p, BETA, HERE, EPOCH, 5);
    have(p, BETA, HERE, EPOCH, 5);
    have(p, BETA, HERE, EPOCH, 4);
    have(p, BETA, THERE, EPOCH, 50);
    assert_int_equal(said, 5);
    stored(p, HERE, EPOCH, 6); /* sent */
    assert_int_equal(said, 5);
}

static void test_a_probe(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    uint64_t number;
    struct query q = {.kind = QUERY_PROBE, .key = {.origin = BETA}, .since = 1, .until = 2};
    struct query here = {.kind = QUERY_PROBE, .since = 1, .until = 2};
    struct probe first = {0}, second = {0}, third = {0};
    struct hops hops;
    assert_true(probe_look(&first, &q, p->fs, &hops)); /* there is no link process to ask */
    assert_true(hops.at_us[HOP_KEEPER] > 2 && hops.at_us[HOP_LINK] == 0 &&
                hops.at_us[HOP_ECHO] == 0);
    dial(p);
    assert_false(probe_look(&second, &q, p->fs, &hops));
    pump(p);
    assert_true(fed(p, FRAME_KNOCK, f));
    assert_int_equal(frame_origin(f), BETA);
    assert_int_equal(read_knock(f, &number), 0);
    struct echo other = {number + 64, 5, 6}, echo = {number, 7, 8};
    line_say(p, f, write_echo(f, &other));
    assert_false(probe_look(&second, &q, p->fs, &hops));
    line_say(p, f, write_echo(f, &echo));
    assert_true(probe_look(&second, &q, p->fs, &hops));
    assert_int_equal(hops.at_us[HOP_SENT], 1);
    assert_int_equal(hops.at_us[HOP_WORKER], 2);
    assert_int_equal(hops.at_us[HOP_LINK], 7);
    assert_int_equal(hops.at_us[HOP_ECHO], 8);
    assert_true(hops.at_us[HOP_BACK] >= hops.at_us[HOP_KEEPER]);
    assert_true(probe_look(&third, &here, p->fs, &hops)); /* no further than the keeper */
    pump(p);
    assert_false(fed(p, FRAME_KNOCK, f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, feed_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alone),
        TEST(test_what_was_sent_does_not_count),
        TEST(test_one_or_all),
        TEST(test_had_is_had),
        TEST(test_its_origin_has_it),
        TEST(test_a_gap_is_not_the_message),
        TEST(test_how_much_was_said),
        TEST(test_a_probe),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
