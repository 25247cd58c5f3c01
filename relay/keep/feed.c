/* feed.c -- the store's segments, sent to the link process as it asks for them. */
#include "keep/feed.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "link/digest.h"
#include "link/have.h"
#include "link/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FEEDS_MAX = 64,
    ROWS = 16,              /* of the store in one go for one feed */
    WAITING_MAX = 1 << 20,  /* bytes for the link before more is read from the store */
    STREAMS_MIN = 256,
    STREAMS_MAX = 1 << 18,  /* of a peer's that are remembered: what it says it has beyond is sent once more */
};

struct feed {
    struct feeds *all;
    uint64_t number, peer, epoch; /* the peer's host and run; number 0: no such feed */
    uint64_t cursor;              /* segments with pos before this are dealt with */
    int64_t credit;               /* bytes */
    uint64_t host[HOSTS_IN_ORDER_MAX];
    size_t n_hosts;
    struct same_row same[HOSTS_IN_ORDER_MAX]; /* by host: of these parts it has ... */
    uint64_t same_before;                     /* ... all that lies before this ... */
    uint64_t self, present;                   /* ... except of this host's present run */
    struct have theirs;                       /* of others */
    bool going, more; /* more: there may be something behind the cursor */
};

struct feeds {
    struct history *h;
    struct forks *forks;
    struct loop *loop;
    void (*leaf)(void *arg);
    void *arg;
    int runtime;
    struct loop_source listener, line;
    struct wire in;
    struct buffer out;
    struct feed feed[FEEDS_MAX];
    uint64_t stored; /* the durable position up to which all feeds were looked after */
    uint8_t *in_buf;
};

/* ---- the connection ---- */

static void close_feed(struct feed *f)
{
    free(f->theirs.entry);
    *f = (struct feed){.all = f->all};
}

static void hang_up(struct feeds *fs)
{
    if (fs->line.fd < 0)
        return;
    loop_remove(fs->loop, &fs->line);
    close_fd(&fs->line.fd);
    buffer_free(&fs->out);
    for (size_t i = 0; i < FEEDS_MAX; i++)
        close_feed(&fs->feed[i]);
}

static void on_line(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events; /* feeds_pump() looks, each turn */
}

static bool is_ours(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == geteuid();
}

static void on_connect(struct loop_source *s, uint32_t events)
{
    struct feeds *fs = s->arg;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!is_ours(fd)) {
        close(fd);
        return;
    }
    hang_up(fs); /* a link process that died; this is its successor */
    fs->line = (struct loop_source){fd, on_line, fs};
    wire_init(&fs->in, fs->in_buf);
    if (loop_add(fs->loop, &fs->line, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        close_fd(&fs->line.fd);
}

/* make_socket -- in the runtime directory, by a path that is short whatever that directory is called. */
static int make_socket(int runtime)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/feed", runtime);
    (void)unlinkat(runtime, "feed", 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    mode_t old = umask(0077);
    int r = bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4) < 0 ? -errno : fd;
    umask(old);
    if (r < 0)
        close(fd);
    return r;
}

int feeds_open(struct feeds **out, struct history *h, struct forks *forks, struct loop *loop, int runtime,
               void (*leaf)(void *arg), void *arg)
{
    struct feeds *fs = calloc(1, sizeof *fs);
    if (fs)
        fs->in_buf = malloc(WIRE_BUFFER);
    if (!fs || !fs->in_buf) {
        free(fs);
        return -ENOMEM;
    }
    fs->h = h;
    fs->forks = forks;
    fs->loop = loop;
    fs->leaf = leaf;
    fs->arg = arg;
    fs->runtime = runtime;
    fs->line.fd = -1;
    for (size_t i = 0; i < FEEDS_MAX; i++)
        fs->feed[i].all = fs;
    int fd = make_socket(runtime);
    fs->listener = (struct loop_source){fd, on_connect, fs};
    int r = fd < 0 ? fd : loop_add(loop, &fs->listener, EPOLLIN);
    if (r < 0) {
        close_fd(&fs->listener.fd);
        free(fs->in_buf);
        free(fs);
        return r;
    }
    *out = fs;
    return 0;
}

void feeds_close(struct feeds *fs)
{
    hang_up(fs);
    (void)unlinkat(fs->runtime, "feed", 0);
    loop_remove(fs->loop, &fs->listener);
    close_fd(&fs->listener.fd);
    free(fs->in_buf);
    free(fs);
}

/* ---- orders ---- */

static struct feed *find(struct feeds *fs, uint64_t number)
{
    for (size_t i = 0; i < FEEDS_MAX; i++)
        if (fs->feed[i].number == number)
            return &fs->feed[i];
    return NULL;
}

struct heads {
    struct feeds *fs;
    uint8_t frame[FRAME_MAX];
    struct wr w;
    unsigned rows;
    int error;
};

static void heads_out(struct heads *d, uint8_t flags)
{
    int n = frame_end(d->frame, &d->w);
    ASSERT(n > 0);
    frame_set_flags(d->frame, flags);
    if (d->error == 0)
        d->error = buffer_add(&d->fs->out, d->frame, (size_t)n);
    d->w = frame_begin(d->frame, FRAME_HEADS);
    d->rows = 0;
}

static void heads_row(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                      const uint8_t head[HASH_LEN])
{
    struct heads *d = arg;
    struct have_row row = {origin, epoch, room, last_seq, {0}};
    if (d->rows == HEADS_ROWS_MAX)
        heads_out(d, FRAME_MORE);
    memcpy(row.head, head, HEAD_LEN);
    write_have_row(&d->w, &row);
    wr_bytes(&d->w, head + HEAD_LEN, HASH_LEN - HEAD_LEN);
    d->rows++;
}

static void heads_proof(void *arg, const uint8_t *proof)
{
    struct heads *d = arg;
    if (d->error == 0)
        d->error = buffer_add(&d->fs->out, proof, frame_stride(proof));
}

static int send_heads(struct feeds *fs)
{
    struct heads d = {.fs = fs};
    d.w = frame_begin(d.frame, FRAME_HEADS);
    int r = history_streams(fs->h, heads_row, &d);
    heads_out(&d, FRAME_MORE);
    if (r == 0)
        r = forks_each(fs->forks, heads_proof, &d);
    heads_out(&d, 0);
    return r < 0 ? r : d.error;
}

static int open_feed(struct feeds *fs, const uint8_t *frame, const struct feed_order *o)
{
    struct feed *f = find(fs, 0);
    void *memory = f && o->n_hosts <= HOSTS_IN_ORDER_MAX ? malloc(have_size(STREAMS_MIN)) : NULL;
    if (!memory)
        return -ENOMEM;
    f->number = frame_client(frame);
    f->peer = frame_origin(frame);
    f->epoch = frame_epoch(frame);
    f->n_hosts = o->n_hosts;
    f->same_before = UINT64_MAX;
    for (size_t i = 0; i < o->n_hosts; i++)
        f->host[i] = get_u64(o->host + 8 * i);
    have_init(&f->theirs, memory, STREAMS_MIN);
    return 0;
}

/* peer_has -- at least this much. */
static int peer_has(struct feed *f, const struct have_row *row)
{
    struct have_entry *e = have_add(&f->theirs, row->origin, row->epoch, row->room);
    if (!e && f->theirs.max == STREAMS_MAX)
        return 0;
    if (!e) {
        struct have more;
        void *memory = malloc(have_size(f->theirs.max * 2));
        if (!memory)
            return -ENOMEM;
        have_init(&more, memory, f->theirs.max * 2);
        have_move(&more, &f->theirs);
        free(f->theirs.entry);
        f->theirs = more;
        e = have_add(&f->theirs, row->origin, row->epoch, row->room);
    }
    e->row.seq = max_u64(e->row.seq, row->seq + MUTANT(FEED_ASSUMES_ONE));
    return 0;
}

static int on_have(struct feed *f, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    int error = 0;
    for (struct have_row row; error == 0 && rd_left(&r) > 0;) {
        read_have_row(&r, &row);
        error = r.bad ? -EBADMSG : peer_has(f, &row);
    }
    return error;
}

static int on_same(struct feed *f, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    struct same_row row;
    f->self = frame_origin(frame);
    f->present = frame_epoch(frame);
    f->same_before = frame_pos(frame);
    while (rd_left(&r) > 0) {
        read_same_row(&r, &row);
        for (size_t i = 0; i < f->n_hosts; i++)
            if (f->host[i] == row.origin)
                f->same[i] = row;
    }
    return r.bad ? -EBADMSG : 0;
}

/* said_same -- of this stream the peer has all that lies before `same_before`. */
static bool said_same(const struct feed *f, uint64_t origin, uint64_t epoch)
{
    if (origin == f->self && epoch == f->present)
        return false;
    for (size_t i = 0; i < f->n_hosts; i++)
        if (f->host[i] == origin)
            return f->same[i].parts >> digest_part(f->same[i].from, epoch) & 1;
    return false;
}

static void first_missing(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                          const uint8_t head[HASH_LEN])
{
    struct feed *f = arg;
    const struct have_entry *e = have_find(&f->theirs, origin, epoch, room);
    uint64_t pos = UINT64_MAX;
    (void)head;
    last_seq = min_u64(last_seq, forks_point(f->all->forks, origin, epoch, room) - 1);
    if ((e && e->row.seq >= last_seq) || said_same(f, origin, epoch))
        return;
    if (history_first_missing(f->all->h, origin, epoch, room, e ? e->row.seq : 0, &pos) < 0)
        pos = 0; /* looks at everything: slow, and right */
    f->cursor = min_u64(f->cursor, pos + MUTANT(FEED_ONE_LATE));
}

/* takes -- are streams of this host to go into the feed? */
static bool takes(const struct feed *f, uint64_t host)
{
    for (size_t i = 0; i < f->n_hosts; i++)
        if (f->host[i] == host)
            return true;
    return false;
}

/* chain_out -- into a feed, or to the link process itself (0). */
static void chain_out(struct feeds *fs, uint64_t feed, const uint8_t *chain)
{
    uint8_t frame[FRAME_MAX];
    memcpy(frame, chain, frame_stride(chain));
    frame_set_client(frame, feed);
    if (buffer_add(&fs->out, frame, frame_stride(frame)) < 0)
        log_error("out of memory");
}

static void proof_out(void *arg, const uint8_t *proof)
{
    struct feed *f = arg;
    if (takes(f, frame_origin(proof)) && !MUTANT(FORK_NOT_TOLD))
        chain_out(f->all, f->number, proof);
}

static void ladder_out(struct feed *f, const uint8_t *about)
{
    uint8_t ladder[FRAME_MAX];
    int r = forks_ladder(f->all->forks, frame_origin(about), frame_epoch(about), frame_room(about), ladder);
    if (r > 0)
        chain_out(f->all, f->number, ladder);
    else if (r < 0)
        log_error("the store cannot be read for a link: %s", strerror(-r));
}

/* on_chain -- heads from a peer, or of ours for it.  What is proven everybody hears, with what we have before it. */
static int on_chain(struct feeds *fs, struct feed *from, const uint8_t *chain)
{
    uint8_t proof[FRAME_MAX];
    if (frame_body_len(chain) == 0) {
        if (from)
            ladder_out(from, chain);
        return 0;
    }
    int r = forks_learn(fs->forks, chain, proof);
    if (r <= 0)
        return r;
    chain_out(fs, 0, proof);
    for (size_t i = 0; i < FEEDS_MAX; i++) {
        struct feed *f = &fs->feed[i];
        if (!f->going || !takes(f, frame_origin(proof)))
            continue;
        proof_out(f, proof);
        ladder_out(f, proof);
    }
    return 0;
}

static int begin_feed(struct feeds *fs, struct feed *f, uint32_t credit)
{
    uint64_t ring;
    history_durable(fs->h, &f->cursor, &ring);
    f->cursor = min_u64(f->cursor, f->same_before);
    f->credit = credit;
    f->going = f->more = true;
    int r = forks_each(fs->forks, proof_out, f);
    return r < 0 || MUTANT(FEED_FROM_NOW) ? r : history_streams(fs->h, first_missing, f);
}

static int obey(struct feeds *fs, const uint8_t *frame)
{
    struct feed_order o;
    struct feed *f = frame_client(frame) ? find(fs, frame_client(frame)) : NULL;
    if (frame_type(frame) == FRAME_HAVE)
        return f ? on_have(f, frame) : 0;
    if (frame_type(frame) == FRAME_SAME)
        return f ? on_same(f, frame) : 0;
    if (frame_type(frame) == FRAME_CHAIN)
        return on_chain(fs, f, frame);
    if (frame_type(frame) != FRAME_FEED || read_feed_order(frame, &o) < 0)
        return -EBADMSG;
    switch (o.op) {
    case FEED_LEAF:
        fs->leaf(fs->arg);
        return buffer_add(&fs->out, frame, frame_stride(frame));
    case FEED_HEADS:
        return send_heads(fs);
    case FEED_OPEN:
        return frame_client(frame) && !f ? open_feed(fs, frame, &o) : -EBADMSG;
    case FEED_GO:
        return f ? begin_feed(fs, f, o.credit) : 0;
    case FEED_CREDIT:
        if (f)
            f->credit += o.credit;
        return 0;
    case FEED_CLOSE:
        if (f)
            close_feed(f);
        return 0;
    default:
        return -EBADMSG;
    }
}

/* too_early -- what a CHAIN may contradict was taken, and is not stored yet; the next turn begins when more is. */
static bool too_early(const struct feeds *fs, const uint8_t *frame)
{
    uint64_t stored, ring;
    history_durable(fs->h, &stored, &ring);
    return frame_type(frame) == FRAME_CHAIN && frame_pos(frame) > stored;
}

/* take_orders -- returns 0, or -errno when the line is of no use any more. */
static int take_orders(struct feeds *fs)
{
    const uint8_t *frame, *frames;
    size_t room, len;
    for (;;) {
        int r;
        while ((r = wire_next(&fs->in, &frame, &frames, &len)) == 1) {
            if (too_early(fs, frame)) {
                wire_back(&fs->in, frame);
                return 0;
            }
            if ((r = obey(fs, frame)) < 0)
                return r;
        }
        if (r < 0)
            return r;
        uint8_t *to = wire_room(&fs->in, &room);
        ssize_t n = read(fs->line.fd, to, room);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        wire_fed(&fs->in, (size_t)n);
    }
}

/* ---- segments ---- */

static bool wants(const struct feed *f, const struct history_segment *s)
{
    if (s->origin == f->peer && (s->epoch == f->epoch || MUTANT(FEED_KEEPS_TAIL)))
        return false; /* it said so itself */
    const struct have_entry *e = have_find(&f->theirs, s->origin, s->epoch, s->room);
    if ((e && e->row.seq >= s->last_seq) || (s->pos < f->same_before && said_same(f, s->origin, s->epoch)))
        return false;
    return takes(f, s->origin) &&
           s->first_seq < forks_point(f->all->forks, s->origin, s->epoch, s->room);
}

/* put_frames -- as they travel: with pos zero. */
static int put_frames(struct buffer *out, const struct history_segment *s)
{
    uint8_t *to = buffer_room(out, s->len);
    if (!to)
        return -ENOMEM;
    memcpy(to, s->frames, s->len);
    for (size_t at = 0; at < s->len;) {
        int n = frame_check(to + at, s->len - at);
        if (n <= 0)
            return -EBADMSG;
        frame_set_pos(to + at, MUTANT(FEED_POS_LEFT));
        at += (size_t)n;
    }
    buffer_put(out, s->len);
    return 0;
}

static int put_segment(struct feed *f, const struct history_segment *s)
{
    struct buffer *out = &f->all->out;
    struct segment_head head = {.count = (uint32_t)(s->last_seq - s->first_seq + 1), .bytes = (uint32_t)s->len,
                                .first_seq = s->first_seq};
    struct have_row row = {s->origin, s->epoch, s->room, s->last_seq, {0}};
    memcpy(head.prev, s->prev, HASH_LEN);
    memcpy(head.hash, s->hash, HASH_LEN);
    memcpy(head.signature, s->signature, SIGNATURE_LEN);
    uint8_t *to = buffer_room(out, FRAME_MAX + s->len);
    if (!to)
        return -ENOMEM;
    int n = write_segment(to, &head, s->origin, s->epoch, s->room, s->last_seq, s->hlc_max);
    ASSERT(n > 0);
    frame_set_client(to, f->number);
    buffer_put(out, (size_t)n);
    int r = put_frames(out, s);
    if (r < 0) {
        out->end -= (size_t)n;
        return r;
    }
    f->credit -= (int64_t)((size_t)n + s->len);
    return peer_has(f, &row);
}

static bool feed_row(void *arg, const struct history_row *row)
{
    struct feed *f = arg;
    f->more = true;
    if (f->credit <= 0 || buffer_len(&f->all->out) >= WAITING_MAX)
        return false;
    f->cursor = row->s.pos + 1;
    int r = wants(f, &row->s) ? put_segment(f, &row->s) : 0;
    if (r < 0)
        log_error("a stored segment cannot be sent: %s", strerror(-r));
    return true;
}

/* feed_some -- returns true when this feed could go on at once. */
static bool feed_some(struct feed *f)
{
    if (!f->going || !f->more || f->credit <= 0 || buffer_len(&f->all->out) >= WAITING_MAX)
        return false;
    f->more = false;
    int r = history_scan(f->all->h, 0, f->cursor, ROWS, feed_row, f);
    if (r < 0)
        log_error("the store cannot be read for a link: %s", strerror(-r));
    return f->more && f->credit > 0;
}

static int flush(struct feeds *fs)
{
    while (buffer_len(&fs->out) > 0) {
        ssize_t n = send(fs->line.fd, buffer_data(&fs->out), buffer_len(&fs->out), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        buffer_take(&fs->out, (size_t)n);
    }
    return 0;
}

bool feeds_pump(struct feeds *fs)
{
    uint64_t stored, ring;
    bool again = false;
    if (fs->line.fd < 0)
        return false;
    int r = take_orders(fs);
    history_durable(fs->h, &stored, &ring);
    for (size_t i = 0; r == 0 && i < FEEDS_MAX; i++) {
        struct feed *f = &fs->feed[i];
        f->more |= stored != fs->stored && !MUTANT(FEED_SLEEPS);
        again |= feed_some(f);
    }
    if (stored != fs->stored)
        forks_retry(fs->forks);
    fs->stored = stored;
    if (r == 0)
        r = flush(fs);
    if (r < 0)
        hang_up(fs); /* the link process starts over */
    return r == 0 && again && buffer_len(&fs->out) < WAITING_MAX;
}
