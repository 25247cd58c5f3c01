/* test_prune.c -- what is deleted, in which order, what stays for ever, and what the store knows of it then. */
#include "keep/prune.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store.h"

#define HOUR     (UINT64_C(3600) * 1000)
#define NOW      (UINT64_C(1000) * 24 * HOUR)
#define AGO(ms)  ((NOW - (ms)) << 16)

static struct history *h;
static struct state st;
static struct prune prune;
static uint64_t next_pos;

static int set_up(void **state)
{
    st.seg = calloc(1, sizeof *st.seg);
    if (!st.seg || store_setup(state) < 0)
        return -1;
    h = store_open();
    prune = (struct prune){.st = &st, .h = h};
    next_pos = 100;
    return 0;
}

static int tear_down(void **state)
{
    history_close(h);
    free(st.seg);
    return store_teardown(state);
}

/* frames -- of a segment: one for each letter, (s) a message, (m) the first part of one, (c) the name of the room. */
static size_t frames(const char *what, uint64_t origin, uint64_t room, uint64_t seq, uint64_t hlc, uint8_t *to)
{
    struct say s = {text_of("alice"), text_of("hello")};
    struct room_change c = {text_of(""), text_of("lobby")};
    size_t len = 0;
    for (; *what; what++, seq++, hlc++) {
        uint8_t *f = to + len;
        int n = *what == 'c' ? write_room_change(f, FRAME_CREATE, &c, room, 0, 0)
                             : write_say(f, &s, room, 9, 1, *what == 'm' ? FRAME_MORE : 0);
        assert_true(n > 0);
        frame_set_origin(f, origin);
        frame_set_epoch(f, 3);
        frame_set_seq(f, seq);
        frame_set_hlc(f, hlc);
        frame_set_pos(f, next_pos);
        next_pos += (uint64_t)n;
        len += (size_t)n;
    }
    return len;
}

/* put -- one commit of one segment, the next of its stream.  Returns its pos */
static uint64_t put(const char *what, uint64_t origin, uint64_t room, uint64_t hlc)
{
    static uint8_t buf[1 << 16];
    uint64_t last, pos = next_pos;
    uint8_t prev[HASH_LEN];
    assert_int_equal(history_stream(h, origin, 3, room, &last, prev), 0);
    size_t len = frames(what, origin, room, last + 1, hlc, buf);
    struct history_segment s = {.origin = origin, .epoch = 3, .room = room, .first_seq = last + 1, .last_seq = last + strlen(what),
                                .hlc_min = hlc, .hlc_max = hlc + strlen(what) - 1, .pos = pos, .prev = prev,
                                .hash = store_filled((unsigned)pos, HASH_LEN), .signature = store_filled(7, SIGNATURE_LEN),
                                .frames = buf, .len = len};
    assert_int_equal(history_begin(h, pos), 0);
    assert_int_equal(history_add(h, &s), 0);
    assert_int_equal(history_commit(h, next_pos, 4096), 0);
    return pos;
}

static bool note_pos(void *arg, const struct history_row *row)
{
    struct store_seen *w = arg;
    w->pos[w->n++] = row->s.pos;
    return true;
}

/* KEPT -- the segments at these positions are there, no others. */
#define KEPT(...) assert_kept(ARRAY_LEN(((uint64_t[]){__VA_ARGS__})), (uint64_t[]){__VA_ARGS__})
static void assert_kept(size_t n, const uint64_t *pos)
{
    struct store_seen w = {0};
    assert_int_equal(history_scan(h, 0, 0, 16, note_pos, &w), 0);
    store_assert_seen(&w, n, pos);
}

static void prune_all(void)
{
    int r;
    while ((r = prune_some(&prune, NOW)) == 1)
        ;
    assert_int_equal(r, 0);
}

/* gap -- the n-th from a position on. */
static struct gap gap_at(uint64_t from, uint8_t *f)
{
    struct gap g;
    assert_int_equal(history_gap_at(h, from, f), 1);
    assert_int_equal(read_gap(f, &g), 0);
    return g;
}

static void test_without_limits_all_stays(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    prune_all();
    assert_int_equal(st.seg->kept_since_ms, 0);
    uint64_t c = put("c", HERE, ROOM, AGO(900 * 24 * HOUR)), s = put("ss", HERE, ROOM, AGO(800 * 24 * HOUR));
    prune_all();
    KEPT(c, s);
    assert_int_equal(history_gap_at(h, 0, f), 0);
    assert_int_equal(st.seg->kept_since_ms, NOW - 800 * 24 * HOUR); /* the oldest message: not the name of the room */
    assert_true(st.seg->kept_bytes > 0);
}

static void test_what_is_old_goes(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX], head[HASH_LEN];
    uint64_t last, first;
    st.seg->shape.keep_ms = 24 * HOUR;
    uint64_t name = put("c", HERE, ROOM, AGO(50 * HOUR));
    put("ss", HERE, ROOM, AGO(49 * HOUR));
    put("ms", HERE, ROOM, AGO(48 * HOUR)); /* two parts of one message */
    uint64_t act = put("c", HERE, ROOM, AGO(47 * HOUR)), gone = put("s", HERE, ROOM, AGO(46 * HOUR));
    uint64_t young = put("s", HERE, ROOM, AGO(23 * HOUR));
    prune_all();
    KEPT(name, act, young);
    assert_int_equal(st.seg->kept_since_ms, NOW - 23 * HOUR);
    struct gap g = gap_at(0, f); /* of two segments that follow each other */
    assert_true(g.why == GAP_OLD && g.first_seq == 2 && frame_seq(f) == 5 && g.messages == 3);
    assert_true(g.hlc_min == AGO(49 * HOUR) && frame_hlc(f) == AGO(48 * HOUR) + 1);
    assert_true(g.last.first_seq == 4 && g.last.last_seq == 5);
    assert_memory_equal(g.last.signature, store_filled(7, SIGNATURE_LEN), SIGNATURE_LEN);
    assert_true(frame_pos(f) > name && frame_pos(f) < act);
    g = gap_at(frame_pos(f) + 1, f);
    assert_true(g.first_seq == 7 && frame_seq(f) == 7 && frame_pos(f) == gone);
    assert_int_equal(history_gap_at(h, gone + 1, f), 0);
    assert_int_equal(history_stream(h, HERE, 3, ROOM, &last, head), 0); /* the stream is as long as before */
    assert_int_equal(last, 8);
    assert_int_equal(history_first_missing(h, HERE, 3, ROOM, 1, &first), 0); /* who has only its name is told of the gap first */
    assert_true(first > name && first < act);
    assert_int_equal(history_first_missing(h, HERE, 3, ROOM, 6, &first), 0);
    assert_int_equal(first, gone);
    assert_int_equal(history_first_missing(h, HERE, 3, ROOM, 8, &first), 0);
    assert_int_equal(first, UINT64_MAX);
}

static void test_the_same_after_a_restart(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    st.seg->shape.keep_ms = 24 * HOUR;
    uint64_t name = put("c", HERE, ROOM, AGO(50 * HOUR));
    put("ss", HERE, ROOM, AGO(49 * HOUR));
    uint64_t second = put("ss", HERE, ROOM, AGO(20 * HOUR)), third = put("s", HERE, ROOM, AGO(19 * HOUR));
    prune_all();
    KEPT(name, second, third);
    h = store_reopen(h);
    prune = (struct prune){.st = &st, .h = h};
    st.seg->shape.keep_ms = 20 * HOUR - 1; /* a lower limit now */
    prune_all();
    KEPT(name, third);
    struct gap g = gap_at(0, f);
    assert_true(g.first_seq == 2 && frame_seq(f) == 5 && g.messages == 4); /* it grew */
    assert_int_equal(history_gap_at(h, frame_pos(f) + 1, f), 0);
}

/* Each stream loses its oldest; what came late from elsewhere goes when its turn comes, not before. */
static void test_in_the_order_in_which_it_came(void **state)
{
    (void)state;
    st.seg->shape.keep_ms = 24 * HOUR;
    put("s", HERE, ROOM, AGO(30 * HOUR));
    put("s", THERE, ROOM, AGO(29 * HOUR));
    uint64_t young = put("s", HERE, ROOM, AGO(10 * HOUR)), late = put("s", THERE, ROOM, AGO(28 * HOUR));
    prune_all();
    KEPT(young, late);
    assert_int_equal(prune_some(&prune, NOW + 15 * HOUR), 0);
    assert_kept(0, NULL);
}

/* Stamps of the far future, which anybody can seal, stop nothing; what people of this hour said always stays. */
static void test_stamps_that_are_nonsense(void **state)
{
    (void)state;
    st.seg->shape.keep_bytes = 1;
    uint64_t never = put("s", THERE, ROOM, (NOW + 1000 * HOUR) << 16);
    put("s", THERE, OTHER, 0);
    put("s", HERE, ROOM, AGO(2 * HOUR));
    uint64_t now = put("s", HERE, ROOM, AGO(KEEP_AT_LEAST_MS - 1));
    prune_all();
    KEPT(never, now);
}

/* bulk_on_disk -- what the file of large segments takes, whatever its length says. */
static uint64_t bulk_on_disk(void)
{
    char path[128];
    struct stat s;
    snprintf(path, sizeof path, "%s-bulk", store_path);
    assert_int_equal(stat(path, &s), 0);
    return (uint64_t)s.st_blocks * 512;
}

static void test_no_more_than_so_much(void **state)
{
    (void)state;
    char many[501];
    uint64_t bytes, limit;
    memset(many, 's', 500);
    many[500] = '\0';
    for (int i = 0; i < 300; i++)
        put(many, HERE, ROOM, AGO(100 * HOUR) + (uint64_t)i * 1000);
    assert_int_equal(history_bytes(h, &bytes), 0);
    assert_in_range(bulk_on_disk(), bytes / 2, bytes * 2); /* these are large ones */
    st.seg->shape.keep_bytes = limit = bytes / 2;
    unsigned pieces = 1;
    while (prune_some(&prune, NOW) == 1 && history_bytes(h, &bytes) == 0 && bytes > limit)
        pieces++;
    prune_all();
    assert_int_equal(history_bytes(h, &bytes), 0);
    assert_in_range(bytes, limit * 8 / 10, limit);
    assert_in_range(pieces, 2, 150); /* not all in one transaction */
    assert_int_equal(st.seg->kept_bytes, bytes);
    assert_in_range(bulk_on_disk(), 1, limit * 11 / 10);
    h = store_reopen(h);
    assert_int_equal(history_bytes(h, &limit), 0);
    assert_int_equal(limit, bytes);
    uint64_t last = put(many, HERE, ROOM, AGO(0)); /* what comes goes behind all that */
    struct store_seen w = {0};
    assert_int_equal(history_scan(h, 0, last, 1, note_pos, &w), 0);
    assert_int_equal(w.n, 1);
}

/* What a disk does not take leaves all as it was. */
static void test_a_piece_that_fails(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    st.seg->shape.keep_ms = HOUR;
    uint64_t pos = put("s", HERE, ROOM, AGO(50 * HOUR));
    assert_int_equal(history_begin(h, next_pos), 0);
    struct history_segment s = store_segment(HERE, ROOM, pos, 1, 5);
    assert_int_equal(history_drop(h, &s, 1, pos), 0);
    history_rollback(h);
    KEPT(pos);
    assert_int_equal(history_gap_at(h, 0, f), 0);
    prune_all();
    assert_kept(0, NULL);
}

/* A gap that another host named: the stream goes on behind it, and the gap begins where what is here ends. */
static void test_a_gap_of_others(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX], head[HASH_LEN];
    uint64_t last;
    put("cs", THERE, ROOM, AGO(50 * HOUR));
    struct gap g = {.why = GAP_AWAY, .first_seq = 3, .hlc_min = AGO(90 * HOUR), .messages = 5, .last = {.first_seq = 8, .last_seq = 9}};
    memset(g.last.hash, 77, HASH_LEN);
    assert_true(write_gap(f, &g, THERE, 3, ROOM, AGO(40 * HOUR)) > 0);
    frame_set_pos(f, next_pos);
    assert_int_equal(history_begin(h, next_pos), 0);
    assert_int_equal(history_gap(h, f), 0);
    assert_int_equal(history_commit(h, next_pos + 300, 4096), 0);
    next_pos += 300;
    assert_int_equal(history_stream(h, THERE, 3, ROOM, &last, head), 0);
    assert_int_equal(last, 9);
    assert_memory_equal(head, store_filled(77, HASH_LEN), HASH_LEN);
    g = gap_at(0, f);
    assert_true(g.why == GAP_AWAY && g.hlc_min == AGO(50 * HOUR) + 1 && g.messages == 5);
    st.seg->shape.keep_ms = 24 * HOUR;
    put("s", THERE, ROOM, AGO(30 * HOUR));
    prune_all(); /* what is deleted behind it is another story */
    g = gap_at(frame_pos(f) + 1, f);
    assert_true(g.why == GAP_OLD && g.first_seq == 10 && frame_seq(f) == 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_limits_all_stays),
        TEST(test_what_is_old_goes),
        TEST(test_the_same_after_a_restart),
        TEST(test_in_the_order_in_which_it_came),
        TEST(test_stamps_that_are_nonsense),
        TEST(test_no_more_than_so_much),
        TEST(test_a_piece_that_fails),
        TEST(test_a_gap_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
