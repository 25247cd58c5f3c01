/* test_keeper_line.c -- a link process that starts in the middle: what it takes for stored, and
 * what for merely taken. */
#include "net/keeper_line.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "shared.h"

enum { RING = SHARED_RING, START = 1 << 20, THERE = 77, EPOCH = 5, ROOM = 9 };

struct play {
    struct scratch dir;
    struct state st;
    struct lock lock;
    struct loop loop;
    struct keeper_line line;
    struct link_core core;
    void *memory;
    int listener;
    uint64_t stored; /* of the one stream that the keeper knows */
    pthread_t keeper;
};

/* ---- the other end ---- */

static int answer(struct play *p, const uint8_t *order, uint8_t *to)
{
    struct feed_order o;
    struct have_row row = {THERE, EPOCH, ROOM, p->stored, {1}};
    static const uint8_t rest[HASH_LEN - HEAD_LEN];
    if (read_feed_order(order, &o) < 0)
        return -1;
    if (o.op == FEED_LEAF) {
        memcpy(to, order, frame_stride(order));
        return (int)frame_stride(order);
    }
    struct wr w = frame_begin(to, FRAME_HEADS);
    if (p->stored > 0) {
        write_have_row(&w, &row);
        wr_bytes(&w, rest, sizeof rest);
    }
    return frame_end(to, &w);
}

/* keep -- two orders are answered; then the line stays open. */
static void *keep(void *arg)
{
    struct play *p = arg;
    uint8_t in[2 * FRAME_MAX], out[FRAME_MAX];
    size_t len = 0;
    int fd = accept(p->listener, NULL, NULL);
    for (unsigned orders = 0; orders < 2;) {
        ssize_t got = read(fd, in + len, sizeof in - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        for (int n; (n = frame_check(in, len)) > 0; orders++) {
            int m = answer(p, in, out);
            if (m <= 0 || write(fd, out, (size_t)m) != m)
                break;
            len -= (size_t)n;
            memmove(in, in + n, len);
        }
    }
    return (void *)(intptr_t)fd;
}

/* ---- the stage ---- */

static int make_state(struct play *p)
{
    if (shared_open(&p->st, &p->lock, 1, 2, "here", PROC_LINK) < 0)
        return -1;
    journal_init(&p->st.seg->journal, RING, START);
    return 0;
}

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct have ours;
    if (!p || make_state(p) < 0 || loop_open(&p->loop, p) < 0)
        return -1;
    scratch_open(&p->dir);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/feed", p->dir.path);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->memory = malloc(have_size(1)); /* full with the first stream */
    have_init(&ours, p->memory, 1);
    link_init(&p->core, 1, 2, text_of("here"), ours);
    *state = p;
    return bind(p->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
                   listen(p->listener, 1) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    shared_close(&p->st, &p->lock);
    loop_close(&p->loop);
    close(p->listener);
    close(p->line.src.fd);
    free(p->line.buf);
    buffer_free(&p->line.out);
    free(p->core.ours.entry);
    scratch_close(&p->dir);
    free(p);
    return 0;
}

static void nothing(void *arg, uint8_t *segment, const uint8_t *frames, size_t len)
{
    (void)arg;
    (void)segment;
    (void)frames;
    (void)len;
}

/* taken -- entry `seq` of a stream is in the journal, by a link process that died.  Returns
 * where it ends. */
static uint64_t taken(struct play *p, uint64_t epoch, uint64_t seq, uint8_t prev, uint8_t hash)
{
    uint8_t say[FRAME_MAX], head[FRAME_MAX];
    struct say s = {text_of("alice"), text_of("hello")};
    int n = write_say(say, &s, ROOM, 1, 1, 0);
    struct segment_head h = {
        .count = 1, .bytes = (uint32_t)n, .first_seq = seq, .prev = {prev}, .hash = {hash}};
    assert_true(n > 0 && write_segment(head, &h, THERE, epoch, ROOM, seq, 1) > 0);
    assert_int_equal(state_take(&p->st), 0);
    state_put(&p->st, head);
    state_put(&p->st, say);
    state_publish(&p->st);
    state_give(&p->st);
    return journal_head(&p->st.seg->journal);
}

static void open_line(struct play *p)
{
    void *fd;
    assert_int_equal(pthread_create(&p->keeper, NULL, keep, p), 0);
    assert_int_equal(
        keeper_line_open(&p->line, &p->loop, p->dir.path, &p->st, &p->core, nothing, NULL), 0);
    pthread_join(p->keeper, &fd);
    close((int)(intptr_t)fd);
}

static void assert_entry(struct play *p, uint64_t epoch, uint64_t seq, uint64_t durable,
                         uint8_t hash)
{
    const struct have_entry *e = have_find(&p->core.ours, THERE, epoch, ROOM);
    assert_non_null(e);
    assert_int_equal(e->row.seq, seq);
    assert_int_equal(e->durable, durable);
    assert_int_equal(e->head[0], hash);
}

static void test_what_is_stored(void **state)
{
    struct play *p = *state;
    p->stored = 4;
    open_line(p);
    assert_true(p->line.leaf);
    assert_entry(p, EPOCH, 4, 4, 1);
    assert_int_equal(p->core.ours.n, 1);
}

/* Two segments behind what is stored: taken, and acknowledged only as they become durable. */
static void test_what_is_only_taken(void **state)
{
    struct play *p = *state;
    p->stored = 4;
    uint64_t first = taken(p, EPOCH, 5, 1, 2), second = taken(p, EPOCH, 6, 2, 3);
    open_line(p);
    assert_entry(p, EPOCH, 6, 4, 3);
    assert_true(link_durable(&p->core, first));
    assert_entry(p, EPOCH, 6, 5, 3);
    assert_true(link_durable(&p->core, second));
    assert_entry(p, EPOCH, 6, 6, 3);
}

/* What the store has by now is not taken twice; a stream it has nothing of is there, too. */
static void test_overlap_and_new_streams(void **state)
{
    struct play *p = *state;
    p->stored = 4;
    (void)taken(p, EPOCH, 4, 0, 1);
    (void)taken(p, EPOCH + 1, 1, 0, 7);
    (void)taken(p, EPOCH + 1, 2, 7, 8);
    open_line(p);
    assert_entry(p, EPOCH, 4, 4, 1);
    assert_entry(p, EPOCH + 1, 2, 0, 8);
    assert_int_equal(p->core.pending_next - p->core.pending_first, 2);
}

static void test_nothing_yet(void **state)
{
    struct play *p = *state;
    open_line(p);
    assert_int_equal(p->core.ours.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_stored),
        TEST(test_what_is_only_taken),
        TEST(test_overlap_and_new_streams),
        TEST(test_nothing_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
