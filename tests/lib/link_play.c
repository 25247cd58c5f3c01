/* link_play.c -- two cores, what they say to each other, and the notes. */
#include "link_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STREAMS = 16384 };

struct side *a, *b;
struct link_update up;
uint64_t now;
char transcript[65536];
size_t bytes_said;

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

void assert_noted(const char *all)
{
    assert_string_equal(transcript, all);
    transcript[0] = '\0';
}

struct side *side(char name, uint64_t epoch)
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

void leave(struct side *s)
{
    free(s->memory);
    free(s);
}

int link_play_open(void **state)
{
    (void)state;
    now = START_MS;
    transcript[0] = '\0';
    a = side('A', 10);
    b = side('B', 20);
    return link_know(&a->core, 'B') | link_know(&b->core, 'A');
}

int link_play_close(void **state)
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

/* note_digests -- of whom there is something in which parts: `B:9` the oldest and the newest. */
static void note_digests(const uint8_t *f)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    struct digest_row d;
    while (rd_left(&r) > 0) {
        unsigned parts = 0;
        read_digest_row(&r, &d);
        for (unsigned i = 0; i <= RUNS_APART; i++)
            parts |= (unsigned)(d.sum[i] != 0) << i;
        if (parts != 0)
            note(" %c:%x", (char)d.origin, parts);
    }
    note(frame_flags(f) & FRAME_MORE ? " ...\n" : "\n");
}

static void note_same(const uint8_t *f)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    struct same_row s;
    while (rd_left(&r) > 0) {
        read_same_row(&r, &s);
        note(" %c:%x", (char)s.origin, s.parts);
    }
    note("\n");
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
    if (frame_type(f) == FRAME_DIGEST) {
        note_digests(f);
        return;
    }
    if (frame_type(f) == FRAME_SAME) {
        note_same(f);
        return;
    }
    if (read_greeting(f, &g) == 0 && frame_type(f) == FRAME_GREETING) {
        note(" ");
        for (size_t i = 0; i < g.n_hosts; i++)
            note("%c", (char)get_u64(g.host + 8 * i));
    }
    struct links_row links;
    if (frame_type(f) == FRAME_LINKS && read_links(f, &links) == 0) {
        note(" ");
        for (size_t i = 0; i < links.n; i++)
            note("%c", (char)get_u64(links.link + 8 * i));
    } else if (read_ping(f, &sent) == 0 && frame_type(f) != FRAME_GREETING)
        note(" %llu", (unsigned long long)(sent - START_MS));
    note("\n");
}

/* note_orders -- what the last step wants of the keeper, and how it ends. */
void note_orders(char who)
{
    static const char *const ops[] = {"", "heads", "open", "go", "credit", "close", "others", "through", "leaf"};
    struct feed_order o;
    for (size_t at = 0; at < up.feed_len; at += frame_stride(up.feed + at)) {
        const uint8_t *f = up.feed + at;
        assert_true(frame_check(f, up.feed_len - at) > 0);
        if (frame_type(f) == FRAME_FEED && read_feed_order(f, &o) == 0)
            note("%c: %s %llu\n", who, ops[o.op], (unsigned long long)frame_client(f));
        else if (frame_type(f) == FRAME_SAME)
            note("%c: same %llu up to %llu\n", who, (unsigned long long)frame_client(f),
                 (unsigned long long)frame_pos(f));
        else if (frame_type(f) == FRAME_CHAIN)
            note("%c: chain %llu\n", who, (unsigned long long)frame_client(f));
        else if (frame_type(f) == FRAME_HAVE)
            note("%c: has %llu\n", who, (unsigned long long)frame_client(f));
    }
    if (up.reason != REASON_OK)
        note("%c: ends, reason %u\n", who, up.reason);
}

void hear(struct side *s, const uint8_t *f)
{
    link_heard(&s->core, s->peer, f, now, &up);
    note_orders(s->name);
}

/* say -- all that `from` has to say now, to `to`.  Returns how much. */
unsigned say(struct side *from, struct side *to)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (int len; (len = link_next(&from->core, from->peer, WALL_MS, now, f)) > 0; n++) {
        bytes_said += (size_t)len;
        note_frame(from->name, f);
        hear(to, f);
    }
    return n;
}

void talk(void)
{
    while (say(a, b) + say(b, a) > 0)
        ;
}

void meet(void)
{
    int i = link_up(&a->core, 'B', 111, now), j = link_up(&b->core, 'A', 222, now);
    assert_true(i >= 0 && j >= 0);
    a->peer = (unsigned)i;
    b->peer = (unsigned)j;
}

void meet_in_silence(void)
{
    meet();
    talk();
    transcript[0] = '\0';
}

/* segment -- entries first..last; its hash is what `hash` says, behind a segment with hash
 * `prev`. */
const uint8_t *segment(uint64_t origin, uint64_t epoch, uint64_t first, uint64_t last,
                       uint8_t prev, uint8_t hash)
{
    static uint8_t f[FRAME_MAX];
    struct segment_head s = {
        .count = (uint32_t)(last - first + 1), .bytes = FRAME_HEAD, .first_seq = first};
    memset(s.prev, prev, HASH_LEN);
    memset(s.hash, hash, HASH_LEN);
    assert_true(write_segment(f, &s, origin, epoch, ROOM, last, 1) > 0);
    return f;
}

enum link_verdict judge(struct side *s, const uint8_t *f)
{
    return link_judge(&s->core, s->peer, f, now, &up);
}
