/* feed.c -- the store's segments, sent to the link process as it asks for them. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"
#include "state/scope.h"
#include "trust/attest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void feeds_on_said(struct feeds *fs, uint64_t self, void (*said)(void *arg, uint64_t host, uint64_t entries), void *arg)
{
    fs->self = self;
    fs->on_said = said;
    fs->said_arg = arg;
}

void feeds_sign(struct feeds *fs, const struct identity *id)
{
    fs->id = id;
}

void feeds_ask_rooms(struct feeds *fs, const struct folds *folds)
{
    fs->folds = folds;
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
    if (!f || o->n_hosts > HOSTS_IN_ORDER_MAX || feed_has_nothing(f) < 0)
        return -ENOMEM;
    f->number = frame_client(frame);
    f->peer = frame_origin(frame);
    f->epoch = frame_epoch(frame);
    f->n_hosts = o->n_hosts;
    f->same_before = f->unheard = UINT64_MAX;
    for (size_t i = 0; i < o->n_hosts; i++)
        f->host[i] = get_u64(o->host + 8 * i);
    return 0;
}

struct first {
    const struct feed *f;
    bool wanted;
};

static bool look_first(void *arg, const struct history_row *row)
{
    struct first *first = arg;
    first->wanted = feed_wants(first->f, &row->s);
    return false;
}

/* wants_after -- is what comes after this entry of its stream for the peer?  The owner's word is, of a room that the peer is in no
 * more, up to the one that says so. */
static bool wants_after(const struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    struct first first = {f, true};
    if (!feed_may_have(f, room) && history_holding(f->all->h, origin, epoch, room, seq + 1, look_first, &first) < 0)
        log_error("the store cannot be read for a link");
    return first.wanted;
}

/* seek -- go back to what the peer lacks of a stream. */
static void seek(struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq)
{
    uint64_t pos = UINT64_MAX;
    const struct have_entry *e = have_find(&f->theirs, origin, epoch, room);
    last_seq = min_u64(last_seq, forks_point(f->all->forks, origin, epoch, room) - 1);
    if ((e && e->row.seq >= last_seq) || !wants_after(f, origin, epoch, room, e ? e->row.seq : 0))
        return;
    if (origin == f->peer && scope_owns(f->all->seg, room, origin))
        feed_owe(f, room);
    if (history_first_missing(f->all->h, origin, epoch, room, e ? e->row.seq : 0, &pos) < 0)
        pos = 0; /* looks at everything: slow, and right */
    f->cursor = min_u64(f->cursor, pos + MUTANT(FEED_ONE_LATE));
}

/* ever_sent -- may anything of this stream go into the feed?  What may not must not be sought: the cursor would begin there with
 * every link, however long the history. */
static bool ever_sent(const struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room)
{
    bool left = scope_left(f->all->seg, room, f->peer) && scope_owns(f->all->seg, room, origin);
    return feed_takes(f, origin) && !feed_says_itself(f, origin, epoch) && (feed_may_have(f, room) || left);
}

static void first_missing(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                          const uint8_t head[HASH_LEN])
{
    struct feed *f = arg;
    bool same = feed_same(f, origin, epoch, room);
    (void)head;
    if (!feed_may_have(f, room) && !scope_left(f->all->seg, room, f->peer))
        feed_pass_over(f, &(struct have_row){origin, epoch, room, last_seq, {0}});
    if (same && origin == f->all->seg->shape.origin)
        f->said += last_seq; /* of a run that is over */
    if (!same && ever_sent(f, origin, epoch, room))
        seek(f, origin, epoch, room, last_seq);
}

static int begin_feed(struct feeds *fs, struct feed *f, uint32_t credit)
{
    uint64_t ring;
    history_durable(fs->h, &f->live, &ring);
    f->cursor = min_u64(f->live, f->same_before);
    f->credit = credit;
    f->going = f->more = true;
    feed_see_rooms(f);
    int r = forks_each(fs->forks, feed_proof, f);
    if (r == 0 && !MUTANT(FEED_FROM_NOW))
        r = history_streams(fs->h, first_missing, f);
    feed_tell(f);
    return r;
}

/* sign -- what is to be said of our people. */
static int sign(struct feeds *fs, const uint8_t *frame)
{
    uint8_t f[FRAME_MAX];
    if (!fs->id)
        return 0;
    memcpy(f, frame, frame_stride(frame));
    attest(fs->id, f);
    return buffer_add(&fs->out, f, frame_stride(f));
}

static int obey(struct feeds *fs, const uint8_t *frame)
{
    struct feed_order o;
    struct feed *f = frame_client(frame) ? find(fs, frame_client(frame)) : NULL;
    struct echo e;
    if (frame_type(frame) == FRAME_PRESENCE || frame_type(frame) == FRAME_BEAT)
        return sign(fs, frame);
    fs->news++;
    if (frame_type(frame) == FRAME_ECHO && read_echo(frame, &e) == 0) {
        fs->echo[e.number % KNOCKS] = e;
        return 0;
    }
    if (frame_type(frame) == FRAME_HAVE)
        return f ? feed_on_have(f, frame) : 0;
    if (frame_type(frame) == FRAME_SAME)
        return f ? feed_on_same(f, frame) : 0;
    if (frame_type(frame) == FRAME_CHAIN)
        return feeds_on_chain(fs, f, frame);
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
    case FEED_OTHERS:
        if (f)
            feed_set_others(f, &o);
        return 0;
    case FEED_THROUGH:
        if (f)
            f->through = true;
        return 0;
    case FEED_CLOSE:
        if (f)
            feed_close(f);
        return 0;
    default:
        return -EBADMSG;
    }
}

/* take_orders -- returns 0, or -errno when the line is of no use any more. */
static int take_orders(struct feeds *fs)
{
    const uint8_t *frame, *frames;
    size_t room, len;
    for (;;) {
        int r;
        while ((r = wire_next(&fs->in, &frame, &frames, &len)) == 1) {
            if (feeds_chain_early(fs, frame)) {
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

bool feed_takes(const struct feed *f, uint64_t host)
{
    for (size_t i = 0; i < f->n_hosts; i++)
        if (f->host[i] == host)
            return true;
    return false;
}

bool feed_says_itself(const struct feed *f, uint64_t origin, uint64_t epoch)
{
    return origin == f->peer && (epoch == f->epoch || MUTANT(FEED_KEEPS_TAIL));
}

bool feed_wants(const struct feed *f, const struct history_segment *s)
{
    if (feed_says_itself(f, s->origin, s->epoch))
        return false;
    const struct have_entry *e = have_find(&f->theirs, s->origin, s->epoch, s->room);
    if ((e && e->row.seq >= s->last_seq) || (s->pos < f->same_before && feed_same(f, s->origin, s->epoch, s->room)))
        return false;
    if (!feed_may_have(f, s->room) && !feed_says_out(f, s))
        return false;
    return feed_takes(f, s->origin) && s->first_seq < forks_point(f->all->forks, s->origin, s->epoch, s->room);
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

int feed_put(struct feed *f, const struct history_segment *s)
{
    struct buffer *out = &f->all->out;
    struct segment_head head = {.count = (uint32_t)(s->last_seq - s->first_seq + 1), .bytes = (uint32_t)s->len,
                                .first_seq = s->first_seq};
    struct have_row row = {s->origin, s->epoch, s->room, s->last_seq, {0}};
    memcpy(head.prev, s->prev, HASH_LEN);
    memcpy(head.hash, s->hash, HASH_LEN);
    memcpy(head.signature, s->signature, SIGNATURE_LEN);
    head.after = s->after;
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
    return feed_has(f, &row, MUTANT(SENT_IS_SAID));
}

bool feed_can_send(const struct feed *f)
{
    return f->credit > 0 && buffer_len(&f->all->out) < WAITING_MAX;
}

static bool feed_row(void *arg, const struct history_row *row)
{
    struct feed *f = arg;
    f->more = true;
    if (!feed_gaps_before(f, row->s.pos) || !feed_can_send(f) || f->held_next - f->held_first == HELD_MAX)
        return false;
    f->cursor = row->s.pos + 1;
    if (!feed_may_have(f, row->s.room) && !feed_says_out(f, &row->s))
        feed_pass_over(f, &(struct have_row){row->s.origin, row->s.epoch, row->s.room, row->s.last_seq, {0}});
    int r = feed_wants(f, &row->s) && !feed_waits(f, &row->s) && !feed_hold(f, &row->s) ? feed_put(f, &row->s) : 0;
    if (r < 0)
        log_error("a stored segment cannot be sent: %s", strerror(-r));
    return true;
}

static void say_caught(struct feed *f)
{
    uint8_t frame[FRAME_MAX];
    int n = write_caught(frame, f->number);
    ASSERT(n > 0);
    f->caught = buffer_add(&f->all->out, frame, (size_t)n) == 0;
}

/* feed_some -- returns true when this feed could go on at once. */
static bool feed_some(struct feed *f)
{
    if (!f->going || !f->more || !feed_can_send(f) || f->held_next - f->held_first == HELD_MAX)
        return false;
    f->more = false;
    f->gap = f->cursor;
    int r = history_scan(f->all->h, 0, f->cursor, ROWS, feed_row, f);
    if (r < 0)
        log_error("the store cannot be read for a link: %s", strerror(-r));
    if (!f->more)
        f->more = !feed_gaps_before(f, UINT64_MAX);
    feed_tell(f);
    if (!f->caught && (!f->more || f->cursor >= f->live))
        say_caught(f);
    return f->more && f->credit > 0 && f->held_next - f->held_first < HELD_MAX;
}

bool feeds_pump(struct feeds *fs)
{
    uint64_t stored, ring;
    bool again = false;
    if (fs->line.fd < 0)
        return false;
    int r = take_orders(fs);
    feeds_see_rooms(fs);
    history_durable(fs->h, &stored, &ring);
    for (size_t i = 0; r == 0 && i < FEEDS_MAX; i++) {
        struct feed *f = &fs->feed[i];
        f->more |= stored != fs->stored && !MUTANT(FEED_SLEEPS);
        feed_release(f);
        again |= feed_some(f);
    }
    fs->news += stored != fs->stored;
    if (stored != fs->stored)
        forks_retry(fs->forks);
    fs->stored = stored;
    if (r == 0)
        r = feeds_flush(fs);
    if (r < 0)
        feeds_hang_up(fs); /* the link process starts over */
    return r == 0 && again && buffer_len(&fs->out) < WAITING_MAX;
}

/* ---- what is known of the peers ---- */

uint64_t feeds_news(const struct feeds *fs)
{
    return fs->news;
}

uint64_t feeds_knock(struct feeds *fs, uint64_t host)
{
    uint8_t frame[FRAME_MAX];
    if (fs->line.fd < 0)
        return 0;
    int n = write_knock(frame, ++fs->knocks, host);
    ASSERT(n > 0);
    return buffer_add(&fs->out, frame, (size_t)n) < 0 ? 0 : fs->knocks;
}

bool feeds_echo(const struct feeds *fs, uint64_t number, struct echo *e)
{
    *e = fs->echo[number % KNOCKS];
    return e->number == number;
}
