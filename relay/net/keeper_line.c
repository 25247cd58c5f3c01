/* keeper_line.c -- orders to the keeper, segments from it. */
#include "net/keeper_line.h"

#include "base/sys.h"
#include "base/mutant.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEEPER_MS = 5000 };

static int connect_to(const char *runtime)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int dir = open(runtime, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = dir < 0 || fd < 0 ? -errno : fd;
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/feed", dir);
    if (r >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        r = -errno;
    close_fd(&dir);
    if (r < 0)
        close_fd(&fd);
    return r;
}

static void give_order(struct keeper_line *k, enum feed_op op, uint64_t feed, uint32_t credit)
{
    uint8_t frame[FRAME_MAX];
    struct feed_order o = {.op = (uint8_t)op, .credit = credit};
    int n = write_feed_order(frame, &o, feed);
    ASSERT(n > 0);
    keeper_line_say(k, frame, (size_t)n);
}

void keeper_line_credit(struct keeper_line *k, uint64_t feed, uint32_t bytes)
{
    give_order(k, FEED_CREDIT, feed, bytes);
}

void keeper_line_say(struct keeper_line *k, const uint8_t *frames, size_t len)
{
    if (len > 0 && buffer_add(&k->out, frames, len) < 0)
        k->over = true;
}

size_t keeper_line_waits(const struct keeper_line *k)
{
    return buffer_len(&k->out);
}

bool keeper_line_flush(struct keeper_line *k)
{
    while (!k->over && buffer_len(&k->out) > 0) {
        ssize_t n = send(k->src.fd, buffer_data(&k->out), buffer_len(&k->out), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0)
            k->over = true;
        else
            buffer_take(&k->out, (size_t)n);
    }
    return !k->over;
}

/* read_some -- returns 1 and a frame; 0 nothing now; -EPIPE. */
static int read_some(struct keeper_line *k, const uint8_t **frame, const uint8_t **frames, size_t *len)
{
    for (;;) {
        int r = wire_next(&k->in, frame, frames, len);
        if (r != 0)
            return r < 0 ? -EPIPE : 1;
        size_t room;
        uint8_t *to = wire_room(&k->in, &room);
        ssize_t n = read(k->src.fd, to, room);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
        if (n == 0)
            return -EPIPE;
        wire_fed(&k->in, (size_t)n);
    }
}

static void on_line(struct loop_source *s, uint32_t events)
{
    struct keeper_line *k = s->arg;
    const uint8_t *frame, *frames;
    size_t len;
    int r;
    (void)events;
    while ((r = read_some(k, &frame, &frames, &len)) == 1)
        if (frame_type(frame) == FRAME_SEGMENT || frame_type(frame) == FRAME_GAP || frame_type(frame) == FRAME_CAUGHT ||
            frame_type(frame) == FRAME_CHAIN || frame_type(frame) == FRAME_PRESENCE || frame_type(frame) == FRAME_BEAT)
            k->on_fed(k->arg, (uint8_t *)(uintptr_t)frame, frames, len);
        else if (frame_type(frame) == FRAME_KNOCK && k->on_knock)
            k->on_knock(k->arg, frame);
    k->over |= r < 0;
}

/* ---- the start ---- */

static int make_room(struct link_core *core)
{
    if (link_full(core)) {
        uint32_t max = core->ours.max * 2;
        void *memory = malloc(have_size(max));
        if (!memory)
            return -ENOMEM;
        free(link_grow(core, memory, max));
    }
    return 0;
}

static int take_head(struct link_core *core, const struct have_row *row, const uint8_t *hash)
{
    if (make_room(core) < 0)
        return -ENOMEM;
    struct have_entry *e = have_add(&core->ours, row->origin, row->epoch, row->room);
    e->row.seq = e->durable = row->seq;
    memcpy(e->head, hash, HASH_LEN);
    memcpy(e->durable_head, hash, HEAD_LEN);
    return 0;
}

static int take_heads(struct link_core *core, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    int error = 0;
    while (error == 0 && rd_left(&r) > 0 && !MUTANT(HEADS_UNREAD)) {
        struct have_row row;
        uint8_t hash[HASH_LEN];
        read_have_row(&r, &row);
        memcpy(hash, row.head, HEAD_LEN);
        rd_copy(&r, hash + HEAD_LEN, HASH_LEN - HEAD_LEN);
        error = r.bad ? -EBADMSG : take_head(core, &row, hash);
    }
    return error;
}

static int take_fork(struct link_core *core, const uint8_t *proof)
{
    int r = make_room(core);
    if (r == 0)
        (void)link_fork(core, proof);
    return r;
}

/* take_gap -- what lies before it was taken before it. */
static void take_gap(struct link_core *core, const uint8_t *f, uint64_t end)
{
    const struct have_entry *e = have_find(&core->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    if (e && e->row.seq < frame_seq(f) && frame_seq(f) < e->point)
        link_took(core, f, end);
}

/* take_journal -- segments and gaps that a predecessor put there and the store did not have yet when it was asked.
 * Returns 0; -EOVERFLOW: the store is further by now, ask it again */
static int take_journal(struct link_core *core, struct state *st, uint64_t from)
{
    struct journal *j = &st->seg->journal;
    uint64_t head = journal_head(j);
    struct segment_head s;
    int r = journal_pin(j, st->self, from);
    for (uint64_t pos = from; r == 0 && pos < head && !MUTANT(JOURNAL_UNREAD); pos += frame_stride(state_at(st, pos))) {
        const uint8_t *f = state_at(st, pos);
        if (frame_type(f) == FRAME_GAP)
            take_gap(core, f, pos + frame_stride(f));
        if (frame_type(f) != FRAME_SEGMENT || read_segment(f, &s) < 0)
            continue;
        const struct have_entry *e = have_find(&core->ours, frame_origin(f), frame_epoch(f), frame_room(f));
        if (e && (e->row.seq >= frame_seq(f) || s.first_seq >= e->point))
            continue;
        struct have_row row = {frame_origin(f), frame_epoch(f), frame_room(f), 0, {0}};
        if (MUTANT(JOURNAL_IS_DURABLE) && e)
            row.seq = e->row.seq;
        if (!e || MUTANT(JOURNAL_IS_DURABLE)) /* room for it; of one that is there, what is durable stays as it is */
            r = take_head(core, &row, s.prev);
        if (r == 0)
            link_took(core, f, pos + frame_stride(f) + s.bytes);
    }
    journal_unpin(j, st->self);
    return r;
}

/* next_answer -- wait for a frame.  Returns 0 or -errno. */
static int next_answer(struct keeper_line *k, uint64_t deadline, const uint8_t **frame)
{
    const uint8_t *frames;
    size_t len;
    for (;;) {
        int r = read_some(k, frame, &frames, &len);
        if (r != 0)
            return r < 0 ? r : 0;
        uint64_t now = now_ms();
        struct pollfd p = {k->src.fd, POLLIN, 0};
        if (now >= deadline)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)(deadline - now)) < 0 && errno != EINTR)
            return -errno;
    }
}

static int ask_heads(struct keeper_line *k, struct link_core *core, uint64_t deadline)
{
    const uint8_t *frame;
    int r;
    give_order(k, FEED_HEADS, 0, 0);
    if (!keeper_line_flush(k))
        return -EPIPE;
    do {
        r = next_answer(k, deadline, &frame);
        if (r == 0 && frame_type(frame) == FRAME_FEED)
            k->leaf = true;
        if (r == 0 && frame_type(frame) == FRAME_HEADS)
            r = take_heads(core, frame);
        if (r == 0 && frame_type(frame) == FRAME_CHAIN)
            r = take_fork(core, frame);
    } while (r == 0 && (frame_type(frame) != FRAME_HEADS || frame_flags(frame) & FRAME_MORE));
    return r;
}

int keeper_line_open(struct keeper_line *k, struct loop *loop, const char *runtime, struct state *st,
                     struct link_core *core, void (*on_fed)(void *arg, uint8_t *frame, const uint8_t *frames, size_t len),
                     void *arg)
{
    uint64_t deadline = now_ms() + KEEPER_MS;
    *k = (struct keeper_line){.loop = loop, .on_fed = on_fed, .arg = arg, .buf = malloc(WIRE_BUFFER)};
    if (!k->buf)
        return -ENOMEM;
    wire_init(&k->in, k->buf);
    int fd;
    while ((fd = connect_to(runtime)) < 0 && now_ms() < deadline)
        poll(NULL, 0, 5); /* the keeper may be starting again just now */
    if (fd < 0)
        return fd;
    k->src = (struct loop_source){fd, on_line, k};
    give_order(k, FEED_LEAF, 0, 0);
    int r;
    do {
        uint64_t stored = journal_durable(&st->seg->journal); /* by the time it is asked, and maybe more */
        r = ask_heads(k, core, deadline);
        if (r == 0)
            r = take_journal(core, st, stored);
    } while (r == -EOVERFLOW && now_ms() < deadline);
    return r < 0 ? r : loop_add(loop, &k->src, EPOLLIN);
}
