/* test_trace.c -- which hosts have an entry: by their own words, through the keeper's socket.
 */
#include "keep/trace.h"

#include "link/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared.h"
#include "store.h"

enum { RING = SHARED_RING, BETA = 100, GAMMA = 101, EPOCH = 5, RUN = 6, CREDIT = 1 << 20 };

struct play {
    struct state st;
    struct lock lock;
    struct loop loop;
    struct history *h;
    struct forks *forks;
    struct feeds *fs;
    int dir, line; /* line: our end, as the link process */
    uint64_t pos;
    struct trace trace;
    char told[512]; /* "beta has, " ... of one look */
    uint64_t said;
};

/* ---- the stage ---- */

static void leaf(void *arg)
{
    (void)arg;
}

static void know(struct play *p, unsigned row, uint64_t host, const char *name)
{
    assert_int_equal(state_take(&p->st), 0);
    assert_true(roster_host_open(&p->st.edit, host, text_of(name)) > 0);
    state_give(&p->st);
    atomic_store(&p->st.seg->link[row].host, host);
}

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    if (!p || store_setup(state) < 0)
        return -1;
    *state = p;
    if (shared_open(&p->st, &p->lock, HERE, EPOCH, "alpha", PROC_KEEPER) < 0 || loop_open(&p->loop, p) < 0)
        return -1;
    p->h = store_open();
    p->dir = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->line = -1;
    p->pos = RING;
    if (state_take(&p->st) < 0 || roster_room_open(&p->st.edit, ROOM, text_of("lobby")) == 0)
        return -1;
    state_give(&p->st);
    p->trace = (struct trace){.entry = {HERE, EPOCH, ROOM, 2, {0}}, .wanted = UINT32_MAX};
    return forks_open(&p->forks, p->h) < 0 ? -1 : feeds_open(&p->fs, p->h, p->st.seg, p->forks, &p->loop, feeds_listen(p->dir), leaf, NULL);
}

static int tear_down(void **state)
{
    struct play *p = *state;
    feeds_close(p->fs);
    forks_close(p->forks);
    history_close(p->h);
    if (p->line >= 0)
        close(p->line);
    unlinkat(p->dir, "feed", 0);
    close(p->dir);
    loop_close(&p->loop);
    shared_close(&p->st, &p->lock);
    free(p);
    return store_teardown(state);
}

static void pump(struct play *p)
{
    loop_wait(&p->loop, 0);
    while (feeds_pump(p->fs))
        ;
}

/* ---- the link process ---- */

static void dial(struct play *p)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/feed", store_dir);
    p->line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(p->line, (struct sockaddr *)&at, sizeof at), 0);
    pump(p);
}

static void say(struct play *p, uint8_t *frame, int n)
{
    assert_true(n > 0 && write(p->line, frame, (size_t)n) == n);
    pump(p);
}

static void order(struct play *p, uint8_t op, uint64_t host)
{
    uint8_t f[FRAME_MAX], hosts[16];
    put_u64(hosts, HERE);
    put_u64(hosts + 8, THERE);
    struct feed_order o = {
        .op = op, .credit = CREDIT, .host = hosts, .n_hosts = op == FEED_OPEN ? 2 : 0};
    int n = write_feed_order(f, &o, host); /* the feed has the host's number */
    frame_set_origin(f, host);
    frame_set_epoch(f, RUN);
    say(p, f, n);
}

static void have(struct play *p, uint64_t host, uint64_t origin, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct have_row row = {origin, EPOCH, ROOM, seq, {0}};
    struct wr w = frame_begin(f, FRAME_HAVE);
    write_have_row(&w, &row);
    int n = frame_end(f, &w);
    frame_set_client(f, host);
    say(p, f, n);
}

static void linked(struct play *p, uint64_t host)
{
    order(p, FEED_OPEN, host);
    order(p, FEED_GO, host);
}

/* fed -- the next frame of that type that the keeper sent; false: there is none. */
static bool fed(struct play *p, uint8_t type, uint8_t *frame)
{
    static uint8_t in[1 << 16];
    ssize_t n = recv(p->line, in, sizeof in, MSG_DONTWAIT);
    for (ssize_t at = 0; at < n; at += (ssize_t)frame_stride(in + at)) {
        assert_true(frame_check(in + at, (size_t)(n - at)) > 0);
        if (frame_type(in + at) == type) {
            memcpy(frame, in + at, frame_stride(in + at));
            return true;
        }
    }
    return false;
}

/* ---- the store ---- */

static void stored(struct play *p, uint64_t origin, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct say s = {text_of("anna"), text_of("hello")};
    int n = write_say(f, &s, ROOM, 9, (uint32_t)seq, 0);
    frame_set_seq(f, seq);
    struct history_segment seg = store_segment(origin, ROOM, p->pos, seq, 99);
    seg.epoch = EPOCH;
    seg.last_seq = seq;
    seg.frames = f;
    seg.len = (size_t)n;
    assert_int_equal(history_begin(p->h, p->pos), 0);
    assert_int_equal(history_add(p->h, &seg), 0);
    p->pos += (uint64_t)n;
    assert_int_equal(history_commit(p->h, p->pos, RING), 0);
    pump(p);
}

static bool drop(void *arg, const struct history_row *row)
{
    struct play *p = arg;
    assert_int_equal(history_drop(p->h, &row->s, 1, row->s.pos), 0);
    return false;
}

static void deleted(struct play *p, uint64_t origin, uint64_t seq)
{
    assert_int_equal(history_begin(p->h, p->pos), 0);
    assert_int_equal(history_holding(p->h, origin, EPOCH, ROOM, seq, drop, p), 0);
    assert_int_equal(history_commit(p->h, p->pos, RING), 0);
}

/* ---- the looks ---- */

static void on_row(void *arg, const uint8_t *f)
{
    static const char *const words[] = {"", "has", "not yet", "no link", "gone", "unsure"};
    struct play *p = arg;
    struct trace_row row;
    size_t len = strlen(p->told);
    assert_int_equal(read_trace_row(f, &row), 0);
    snprintf(p->told + len, sizeof p->told - len, "%.*s %s, ", (int)row.host.len, row.host.p,
             words[row.state]);
}

static int look(struct play *p)
{
    p->told[0] = '\0';
    return trace_look(&p->trace, p->st.seg, p->h, p->fs, on_row, p);
}

static void test_alone(void **state)
{
    struct play *p = *state;
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha not yet, ");
    stored(p, HERE, 1);
    assert_int_equal(look(p), 0);
    stored(p, HERE, 2);
    assert_int_equal(look(p), 1);
    assert_string_equal(p->told, "alpha has, ");
}

/* Sent is not said; less than it is not it; and nothing is told twice. */
static void test_what_was_sent_does_not_count(void **state)
{
    struct play *p = *state;
    uint8_t f[FRAME_MAX];
    know(p, 0, BETA, "beta");
    dial(p);
    linked(p, BETA);
    stored(p, HERE, 1);
    stored(p, HERE, 2);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha has, beta not yet, ");
    have(p, BETA, HERE, 1);
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "");
    uint64_t news = feeds_news(p->fs);
    have(p, BETA, HERE, 2);
    assert_true(feeds_news(p->fs) != news);
    assert_int_equal(look(p), 1);
    assert_string_equal(p->told, "beta has, ");
}

static void test_one_or_all(void **state)
{
    struct play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 5, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    stored(p, HERE, 2);
    have(p, BETA, HERE, 2);
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha has, beta has, gamma no link, ");
    p->trace.wanted = 1;
    assert_int_equal(look(p), 1);
    p->trace.wanted = UINT32_MAX;
    linked(p, GAMMA);
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "gamma not yet, ");
    atomic_store(&p->st.seg->link[5].host, 0); /* no peer any more: nobody waits for it */
    assert_int_equal(look(p), 1);
}

/* Its link may go; it had it. */
static void test_had_is_had(void **state)
{
    struct play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 1, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    linked(p, GAMMA);
    stored(p, HERE, 2);
    have(p, BETA, HERE, 2);
    assert_int_equal(look(p), 0);
    order(p, FEED_CLOSE, BETA);
    close(p->line);
    p->line = -1;
    pump(p);
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "gamma no link, ");
    memset(p->trace.told, 0, sizeof p->trace.told);
    p->trace.n_told = 0;
    assert_int_equal(look(p), 0); /* who asks now hears that nobody knows */
    assert_string_equal(p->told, "alpha has, beta no link, gamma no link, ");
}

/* What is here of another host's came off its disk, though it says that of none of its own. */
static void test_its_origin_has_it(void **state)
{
    struct play *p = *state;
    p->trace.entry.origin = THERE;
    know(p, 0, THERE, "there");
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha not yet, there no link, ");
    stored(p, THERE, 2);
    assert_int_equal(look(p), 1);
    assert_string_equal(p->told, "alpha has, there has, ");
}

/* What is deleted here a peer is told of as a gap, and its HAVE is the same as of what it has. */
static void test_a_gap_is_not_the_message(void **state)
{
    struct play *p = *state;
    know(p, 0, BETA, "beta");
    know(p, 1, GAMMA, "gamma");
    dial(p);
    linked(p, BETA);
    linked(p, GAMMA);
    stored(p, HERE, 1);
    stored(p, HERE, 2);
    have(p, BETA, HERE, 2);
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha has, beta has, gamma not yet, ");
    deleted(p, HERE, 2);
    have(p, GAMMA, HERE, 2);
    assert_int_equal(look(p), 0); /* who waits goes on waiting */
    assert_string_equal(p->told, "gamma unsure, ");
    memset(p->trace.told, 0, sizeof p->trace.told);
    p->trace.n_told = 0;
    assert_int_equal(look(p), 0);
    assert_string_equal(p->told, "alpha gone, beta unsure, gamma unsure, ");
    p->trace = (struct trace){.entry = {HERE, EPOCH, ROOM, 1, {0}}, .wanted = UINT32_MAX};
    assert_int_equal(look(p), 1); /* what lies before it is there */
    assert_string_equal(p->told, "alpha has, beta has, gamma has, ");
}

static void on_said(void *arg, uint64_t host, uint64_t entries)
{
    struct play *p = arg;
    assert_int_equal(host, BETA);
    p->said = entries;
}

/* Own entries alone, each once, and not before the vector is whole. */
static void test_how_much_was_said(void **state)
{
    struct play *p = *state;
    feeds_on_said(p->fs, HERE, on_said, p);
    dial(p);
    order(p, FEED_OPEN, BETA);
    p->said = 1000;
    have(p, BETA, HERE, 3);
    assert_int_equal(p->said, 1000);
    order(p, FEED_GO, BETA);
    assert_int_equal(p->said, 3);
    have(p, BETA, HERE, 5);
    have(p, BETA, HERE, 5);
    have(p, BETA, HERE, 4);
    have(p, BETA, THERE, 50);
    assert_int_equal(p->said, 5);
    stored(p, HERE, 6); /* sent */
    assert_int_equal(p->said, 5);
}

static void test_a_probe(void **state)
{
    struct play *p = *state;
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
    say(p, f, write_echo(f, &other));
    assert_false(probe_look(&second, &q, p->fs, &hops));
    say(p, f, write_echo(f, &echo));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
