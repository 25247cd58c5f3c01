/* feed_play.c -- see feed_play.h. */
#include "feed_play.h"

#include "link/wire.h"
#include "shared.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void leaf(void *arg)
{
    (void)arg;
}

void know(struct feed_play *p, unsigned row, uint64_t host, const char *name)
{
    assert_int_equal(state_take(&p->st), 0);
    assert_true(roster_host_open(&p->st.edit, host, text_of(name)) > 0);
    state_give(&p->st);
    atomic_store(&p->st.seg->link[row].host, host);
}

int feed_play_open(void **state)
{
    struct feed_play *p = calloc(1, sizeof *p);
    if (!p || store_setup(state) < 0)
        return -1;
    *state = p;
    if (shared_open(&p->st, &p->lock, HERE, EPOCH, "alpha", PROC_KEEPER) < 0 || loop_open(&p->loop, p) < 0)
        return -1;
    p->h = store_open();
    p->dir = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->line = -1;
    p->pos = SHARED_RING;
    if (state_take(&p->st) < 0 || roster_room_open(&p->st.edit, ROOM, text_of("lobby")) == 0)
        return -1;
    state_give(&p->st);
    return forks_open(&p->forks, p->h) < 0 ? -1 : feeds_open(&p->fs, p->h, p->st.seg, p->forks, &p->loop, feeds_listen(p->dir), leaf, NULL);
}

int feed_play_close(void **state)
{
    struct feed_play *p = *state;
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

void pump(struct feed_play *p)
{
    loop_wait(&p->loop, 0);
    for (bool more = true; more; p->turns++)
        more = feeds_pump(p->fs);
}

/* ---- the link process ---- */

void dial(struct feed_play *p)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/feed", store_dir);
    p->line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(p->line, (struct sockaddr *)&at, sizeof at), 0);
    pump(p);
}

void line_say(struct feed_play *p, uint8_t *frame, int n)
{
    assert_true(n > 0 && write(p->line, frame, (size_t)n) == n);
    pump(p);
}

void order(struct feed_play *p, uint8_t op, uint64_t host)
{
    uint8_t f[FRAME_MAX], hosts[24];
    put_u64(hosts, HERE);
    put_u64(hosts + 8, THERE);
    put_u64(hosts + 16, host);
    struct feed_order o = {.op = op, .credit = CREDIT, .host = hosts, .n_hosts = op == FEED_OPEN ? 3 : 0};
    int n = write_feed_order(f, &o, host); /* the feed has the host's number */
    frame_set_origin(f, host);
    frame_set_epoch(f, RUN);
    line_say(p, f, n);
}

void have_of(struct feed_play *p, uint64_t host, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct have_row row = {origin, epoch, room, seq, {0}};
    struct wr w = frame_begin(f, FRAME_HAVE);
    write_have_row(&w, &row);
    int n = frame_end(f, &w);
    frame_set_client(f, host);
    line_say(p, f, n);
}

void have(struct feed_play *p, uint64_t host, uint64_t origin, uint64_t epoch, uint64_t seq)
{
    have_of(p, host, origin, epoch, ROOM, seq);
}

void linked(struct feed_play *p, uint64_t host)
{
    order(p, FEED_OPEN, host);
    order(p, FEED_GO, host);
}

bool fed(struct feed_play *p, uint8_t type, uint8_t *frame)
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

void stored_frame(struct feed_play *p, uint8_t *f, uint64_t origin, uint64_t epoch, uint64_t seq, uint64_t hlc)
{
    frame_set_origin(f, origin);
    frame_set_epoch(f, epoch);
    frame_set_seq(f, seq);
    frame_set_hlc(f, hlc);
    struct history_segment seg = store_segment(origin, frame_room(f), p->pos, seq, hlc);
    seg.epoch = epoch;
    seg.last_seq = seq;
    seg.hlc_min = hlc;
    seg.frames = f;
    seg.len = frame_stride(f);
    assert_int_equal(history_begin(p->h, p->pos), 0);
    assert_int_equal(history_add(p->h, &seg), 0);
    if (frame_type(f) == FRAME_STATE)
        assert_int_equal(history_act(p->h, f), 0);
    p->pos += seg.len;
    assert_int_equal(history_commit(p->h, p->pos, SHARED_RING), 0);
    pump(p);
}

void stored(struct feed_play *p, uint64_t origin, uint64_t epoch, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct say s = {text_of("anna"), text_of("hello")};
    assert_true(write_say(f, &s, ROOM, 9, (uint32_t)seq, 0) > 0);
    stored_frame(p, f, origin, epoch, seq, 99);
}

static bool drop(void *arg, const struct history_row *row)
{
    struct feed_play *p = arg;
    assert_int_equal(history_drop(p->h, &row->s, 1, row->s.pos), 0);
    return false;
}

void deleted(struct feed_play *p, uint64_t origin, uint64_t seq)
{
    assert_int_equal(history_begin(p->h, p->pos), 0);
    assert_int_equal(history_holding(p->h, origin, EPOCH, ROOM, seq, drop, p), 0);
    assert_int_equal(history_commit(p->h, p->pos, SHARED_RING), 0);
}
