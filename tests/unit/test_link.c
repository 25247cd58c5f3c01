/* test_link.c -- the link protocol: two cores against each other in memory, and one against a
 * liar.
 *
 * What is said and ordered is noted in a transcript, which the test compares: `A GREETING AB`
 * is what A says, `A: open` what A orders of its keeper. */
#include "link/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STREAMS = 16384, START_MS = 1000000, WALL_MS = 77000000 };

static const uint64_t room = 5;

struct side {
    char name;
    uint64_t host;
    struct link_core core;
    void *memory;
    unsigned peer;
};

static struct side *a, *b;
static struct link_update up;
static uint64_t now;
static char transcript[65536];

/* ---- the stage ---- */

static void note(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void note(const char *fmt, ...)
{
    size_t n = strlen(transcript);
    va_list args;
    va_start(args, fmt);
    vsnprintf(transcript + n, sizeof transcript - n, fmt, args);
    va_end(args);
}

static void assert_noted(const char *all)
{
    assert_string_equal(transcript, all);
    transcript[0] = '\0';
}

static struct side *side(char name, uint64_t epoch)
{
    struct side *s = calloc(1, sizeof *s);
    struct have ours;
    char text[] = {(char)(name | 0x20), '\0'};
    assert_non_null(s);
    s->name = name;
    s->host = (uint64_t)name;
    s->memory = malloc(have_size(STREAMS));
    have_init(&ours, s->memory, STREAMS);
    link_init(&s->core, s->host, epoch, text_of(text), ours);
    return s;
}

static void leave(struct side *s)
{
    free(s->memory);
    free(s);
}

static int set_up(void **state)
{
    (void)state;
    now = START_MS;
    transcript[0] = '\0';
    a = side('A', 10);
    b = side('B', 20);
    return link_know(&a->core, 'B') | link_know(&b->core, 'A');
}

static int tear_down(void **state)
{
    (void)state;
    leave(a);
    leave(b);
    return 0;
}

static void note_rows(const uint8_t *f)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    struct have_row row;
    unsigned n = 0;
    for (; rd_left(&r) > 0; n++) {
        read_have_row(&r, &row);
        if (n < 3)
            note(" %c%llu=%llu", (char)row.origin, (unsigned long long)row.epoch,
                 (unsigned long long)row.seq);
    }
    if (n > 3)
        note(" and %u", n - 3);
    note(frame_flags(f) & FRAME_MORE ? " ...\n" : "\n");
}

static void note_frame(char who, const uint8_t *f)
{
    struct greeting g;
    uint64_t sent;
    note("%c %s", who, frame_row(frame_type(f))->name);
    if (frame_type(f) == FRAME_HAVE) {
        note_rows(f);
        return;
    }
    if (read_greeting(f, &g) == 0 && frame_type(f) == FRAME_GREETING) {
        note(" ");
        for (size_t i = 0; i < g.n_hosts; i++)
            note("%c", (char)get_u64(g.host + 8 * i));
    }
    if (read_ping(f, &sent) == 0 && frame_type(f) != FRAME_GREETING)
        note(" %llu", (unsigned long long)(sent - START_MS));
    note("\n");
}

/* note_orders -- what the last step wants of the keeper, and how it ends. */
static void note_orders(char who)
{
    static const char *const ops[] = {"", "heads", "open", "go", "credit", "close", "leaf"};
    struct feed_order o;
    for (size_t at = 0; at < up.feed_len; at += frame_stride(up.feed + at)) {
        const uint8_t *f = up.feed + at;
        assert_true(frame_check(f, up.feed_len - at) > 0);
        if (frame_type(f) == FRAME_FEED && read_feed_order(f, &o) == 0)
            note("%c: %s %llu\n", who, ops[o.op], (unsigned long long)frame_client(f));
        else if (frame_type(f) == FRAME_HAVE)
            note("%c: has %llu\n", who, (unsigned long long)frame_client(f));
    }
    if (up.reason != REASON_OK)
        note("%c: ends, reason %u\n", who, up.reason);
}

static void hear(struct side *s, const uint8_t *f)
{
    link_heard(&s->core, s->peer, f, now, &up);
    note_orders(s->name);
}

/* say -- all that `from` has to say now, to `to`.  Returns how much. */
static unsigned say(struct side *from, struct side *to)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (; link_next(&from->core, from->peer, WALL_MS, now, f) > 0; n++) {
        note_frame(from->name, f);
        hear(to, f);
    }
    return n;
}

static void talk(void)
{
    while (say(a, b) + say(b, a) > 0)
        ;
}

static void meet(void)
{
    int i = link_up(&a->core, 'B', now), j = link_up(&b->core, 'A', now);
    assert_true(i >= 0 && j >= 0);
    a->peer = (unsigned)i;
    b->peer = (unsigned)j;
}

static void meet_in_silence(void)
{
    meet();
    talk();
    transcript[0] = '\0';
}

/* segment -- entries first..last; its hash is what `hash` says, behind a segment with hash
 * `prev`. */
static const uint8_t *segment(uint64_t origin, uint64_t epoch, uint64_t first, uint64_t last,
                              uint8_t prev, uint8_t hash)
{
    static uint8_t f[FRAME_MAX];
    struct segment_head s = {
        .count = (uint32_t)(last - first + 1), .bytes = FRAME_HEAD, .first_seq = first};
    memset(s.prev, prev, HASH_LEN);
    memset(s.hash, hash, HASH_LEN);
    assert_true(write_segment(f, &s, origin, epoch, room, last, 1) > 0);
    return f;
}

static enum link_verdict judge(struct side *s, const uint8_t *f)
{
    return link_judge(&s->core, s->peer, f, now, &up);
}

/* ---- the play ---- */

static void test_greetings_and_vectors(void **state)
{
    (void)state;
    meet();
    talk();
    assert_noted("A GREETING BA\n"
                 "B: open 1\n"
                 "A HAVE\n"
                 "B: has 1\nB: go 1\n"
                 "B GREETING AB\n"
                 "A: open 1\n"
                 "B HAVE\n"
                 "A: has 1\nA: go 1\n");
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
    assert_int_equal(b->core.peer[b->peer].durable_there,
                     1); /* the vector is no acknowledgement */
    assert_true(link_durable(&a->core, 1000));
    assert_false(link_durable(&a->core, 2000));
    talk();
    assert_noted("A HAVE B18=1 B20=1\nB: has 1\n");
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
    assert_int_equal(judge(a, segment('B', 20, 2, 3, 0, 9)), LINK_OLD); /* a part of it */
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
    assert_bad(a, segment('B', 20, 3, 4, 1, 2), REASON_MALFORMED); /* over the edge */
    assert_bad(a, segment('B', 20, 0, 4, 0, 2), REASON_MALFORMED);
    assert_bad(a, segment('B', 20, 4, 3, 1, 2), REASON_MALFORMED); /* ends before it begins */
    assert_bad(a, segment('B', 20, 4, 4, 7, 2), REASON_DENIED);    /* behind another one */
    assert_bad(a, segment('B', 21, 1, 1, 7, 2), REASON_DENIED); /* something before the first */
    assert_bad(a, segment('C', 30, 1, 1, 0, 1), REASON_DENIED); /* whoever C is */
    assert_int_equal(link_know(&a->core, 'C'), 0);
    assert_int_equal(judge(a, segment('C', 30, 1, 1, 0, 1)), LINK_NEW);
    link_forget(&a->core, 'C');
    assert_bad(a, segment('C', 30, 1, 1, 0, 1), REASON_DENIED);
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
    g.version_min = g.version_max = PROTOCOL_VERSION + 1;
    assert_true(write_greeting(f, &g, 'B', 1) > 0);
    assert_ends(a, f, REASON_VERSION);
    g.version_min = 0;
    g.version_max = PROTOCOL_VERSION - 1;
    assert_true(write_greeting(f, &g, 'B', 1) > 0);
    assert_ends(a, f, REASON_VERSION);
    g.version_max = PROTOCOL_VERSION + 5;
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
    assert_true(write_say(f, &s, room, 1, 1, 0) > 0);
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
    assert_noted("A GREETING BA\nB: open 1\n"
                 "A HAVE B100=1 B101=1 B102=1 and 123 ...\nB: has 1\n"
                 "A HAVE B226=1 B227=1 B228=1 and 123 ...\nB: has 1\n"
                 "A HAVE B352=1\nB: has 1\nB: go 1\n");
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
    assert_int_equal(have_find(&c->core.ours, 'B', 1, room)->row.seq, 2);
    assert_int_equal(c->core.ours.n, 3);
    (void)link_durable(&c->core, 4);
    assert_int_equal(have_find(&c->core.ours, 'B', 3, room)->durable, 1);
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
        assert_true(link_up(&a->core, 'B', now) >= 0);
    assert_true(link_up(&a->core, 'B', now) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_greetings_and_vectors),
        TEST(test_open_order),
        TEST(test_only_what_is_durable_is_told),
        TEST(test_news_are_joined),
        TEST(test_verdicts),
        TEST(test_bad_segments),
        TEST(test_later),
        TEST(test_greetings_that_are_none),
        TEST(test_frames_of_others),
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
