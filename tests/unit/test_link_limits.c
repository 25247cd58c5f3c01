/* test_link_limits.c -- the link protocol when there is much of something, or nothing for long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

/* ---- much ---- */

static void took_many(struct side *s, uint64_t origin, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        link_took(&s->core, segment(origin, 100 + i, 1, 1, 0, 1), s->core.pending_next + 1);
    (void)link_durable(&s->core, UINT64_MAX);
}

static void test_long_vector(void **state)
{
    (void)state;
    took_many(a, 'B', 2 * HAVE_ROWS_MAX + 1);
    meet();
    say(a, b);
    say(b, a);
    transcript[0] = '\0';
    say(a, b);
    assert_noted("A DIGEST B:f\n"
                 "A HAVE B100=1 B101=1 B102=1 and 81 ...\nB: has 1\n"
                 "A HAVE B184=1 B185=1 B186=1 and 81 ...\nB: has 1\n"
                 "A HAVE B268=1\nB: has 1\nB: go 1\n");
}

/* More news than are kept: then the whole vector once more, and news again. */
static void test_too_much_news(void **state)
{
    (void)state;
    took_many(a, 'D', 1);
    meet_in_silence();
    took_many(a, 'B', LINK_NEWS_MAX);
    took_many(a, 'C', 1);
    unsigned frames = say(a, b);
    assert_int_equal(frames, (LINK_NEWS_MAX + 2 + HAVE_ROWS_MAX - 1) / HAVE_ROWS_MAX);
    assert_non_null(strstr(transcript, "HAVE D100=1 B100=1 B101=1 and"));
    transcript[0] = '\0';
    link_took(&a->core, segment('B', 100, 2, 2, 1, 2), UINT64_MAX);
    (void)link_durable(&a->core, UINT64_MAX);
    talk();
    assert_noted("A HAVE B100=2\nB: has 1\n");
    assert_int_equal(b->core.peer[b->peer].phase, LINK_OPEN);
}

static void test_grow(void **state)
{
    (void)state;
    struct side *c = side('C', 30);
    struct have small;
    void *memory = malloc(have_size(2)), *more = malloc(have_size(4));
    have_init(&small, memory, 2);
    link_init(&c->core, 'C', 30, text_of("c"), small);
    assert_int_equal(link_know(&c->core, 'B'), 0);
    link_took(&c->core, segment('B', 1, 1, 1, 0, 1), 1);
    assert_false(link_full(&c->core));
    link_took(&c->core, segment('B', 2, 1, 1, 0, 1), 2);
    assert_true(link_full(&c->core));
    assert_ptr_equal(link_grow(&c->core, more, 4), memory);
    free(memory);
    link_took(&c->core, segment('B', 3, 1, 1, 0, 1), 3);
    link_took(&c->core, segment('B', 1, 2, 2, 1, 2), 4);
    assert_int_equal(have_find(&c->core.ours, 'B', 1, ROOM)->row.seq, 2);
    assert_int_equal(c->core.ours.n, 3);
    (void)link_durable(&c->core, 4);
    assert_int_equal(have_find(&c->core.ours, 'B', 3, ROOM)->durable, 1);
    free(more);
    leave(c);
}

static void test_no_room_for_more_hosts(void **state)
{
    (void)state;
    struct greeting g;
    uint8_t f[FRAME_MAX];
    for (uint64_t i = 1; i < LINK_HOSTS_MAX - 1; i++)
        assert_int_equal(link_know(&a->core, 1000 + i), 0);
    assert_true(link_know(&a->core, 9) < 0);
    assert_int_equal(link_know(&a->core, 'A'), 0); /* known for ever */
    assert_int_equal(link_know(&a->core, 1001), 0);
    meet();
    assert_true(link_next(&a->core, a->peer, WALL_MS, now, f) > 0);
    assert_int_equal(read_greeting(f, &g), 0); /* and the greeting holds them all */
    assert_int_equal(g.n_hosts, LINK_HOSTS_MAX);
    link_forget(&a->core, 1001);
    assert_false(link_knows(&a->core, 1001));
    assert_true(link_knows(&a->core, 1002) && link_knows(&a->core, 'B'));
    assert_int_equal(link_know(&a->core, 9), 0);
}

/* ---- silence ---- */

static void test_ping(void **state)
{
    (void)state;
    meet_in_silence();
    now += LINK_PING_MS - 1;
    talk();
    assert_noted("");
    now++;
    say(a, b);
    now += 30; /* on the way */
    say(b, a);
    assert_noted("A PING 1000\n"
                 "B PONG 1000\n"); /* which is no silence, either */
    assert_int_equal(a->core.peer[a->peer].rtt_ms, 30);
}

static void test_silence_ends_the_link(void **state)
{
    (void)state;
    meet_in_silence();
    now += LINK_DEAD_MS - 1;
    link_tick(&a->core, a->peer, now, &up);
    assert_int_equal(up.reason, REASON_OK);
    link_tick(&a->core, a->peer, now + 1, &up);
    assert_int_equal(up.reason, REASON_LINK_DOWN);
    link_stirs(&a->core, a->peer, now);
    link_tick(&a->core, a->peer, now + 1, &up);
    assert_int_equal(up.reason, REASON_OK);
    now += LINK_DEAD_MS - 1;
    say(b, a); /* a PING is no silence */
    link_tick(&a->core, a->peer, now + 1, &up);
    assert_int_equal(up.reason, REASON_OK);
}

/* Who only pings has not greeted. */
static void test_greeting_in_time(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    meet();
    assert_true(write_ping(f, FRAME_PING, 1) > 0);
    now += LINK_SETUP_MS;
    hear(a, f);
    link_tick(&a->core, a->peer, now, &up);
    assert_int_equal(up.reason, REASON_LINK_DOWN);
}

static void test_down(void **state)
{
    (void)state;
    meet();
    link_down(&a->core, a->peer, &up);
    assert_int_equal(up.feed_len, 0); /* no feed was opened */
    meet();
    talk();
    transcript[0] = '\0';
    link_down(&a->core, a->peer, &up);
    note_orders('A');
    assert_noted("A: close 2\n");
    uint8_t f[FRAME_MAX];
    now += 10 * LINK_DEAD_MS;
    assert_int_equal(link_next(&a->core, a->peer, WALL_MS, now, f), 0);
    link_tick(&a->core, a->peer, now, &up);
    assert_int_equal(up.reason, REASON_OK);
    for (unsigned i = 0; i < LINK_PEERS_MAX; i++)
        assert_true(link_up(&a->core, 'B', 111, now) >= 0);
    assert_true(link_up(&a->core, 'B', 111, now) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_long_vector),
        TEST(test_too_much_news),
        TEST(test_grow),
        TEST(test_no_room_for_more_hosts),
        TEST(test_ping),
        TEST(test_silence_ends_the_link),
        TEST(test_greeting_in_time),
        TEST(test_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
