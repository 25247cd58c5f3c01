/* feed.c -- the store's segments, sent to the link process as it asks for them. */
#include "keep/feed.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "link/digest.h"
#include "link/have.h"
#include "link/wire.h"
#include "state/scope.h"

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
    KNOCKS = 64,            /* echoes that are remembered */
    STREAMS_MIN = 256,
    HELD_MAX = 256,         /* segments that a peer may hear from others first; what is more is sent at once */
    HELD_MS = 2000,         /* for so long */
    STREAMS_MAX = 1 << 18,  /* of a peer's that are remembered: what it says it has beyond is sent once more */
};

struct feed {
    struct feeds *all;
    uint64_t number, peer, epoch; /* the peer's host and run; number 0: no such feed */
    uint64_t said;                /* entries of our own that it said it has */
    uint64_t cursor;              /* segments with pos before this are dealt with */
    int64_t credit;               /* bytes */
    uint64_t host[HOSTS_IN_ORDER_MAX];
    size_t n_hosts;
    struct same_row same[HOSTS_IN_ORDER_MAX]; /* by host: of these parts it has ... */
    uint64_t same_before;                     /* ... all that lies before this */
    struct have theirs; /* of others; of an entry: seq, what it has or will have, as we sent it; durable, what it said itself */
    uint64_t others[HOSTS_IN_ORDER_MAX]; /* hosts whose streams others bring it */
    size_t n_others;
    bool planned; /* before that is known: all but ours */
    bool through; /* we speak through others, who bring it everything, too */
    struct held {
        struct have_row row;
        uint64_t pos, due_ms; /* pos 0: done with; due_ms 0: ours to bring, when what lies before it in its room is there */
    } held[HELD_MAX];         /* a ring, in the order of the journal */
    uint64_t held_first, held_next;
    uint64_t released; /* pos of the one that is sent now */
    uint64_t gap;  /* the next gap in the store is not before this position */
    uint64_t live; /* segments with pos before this were there when it began */
    bool caught;   /* they are on their way, and the peer was told so */
    bool going, more; /* more: there may be something behind the cursor */
    uint64_t may[ROOMS_MAX / 64];   /* private rooms that it could have when we looked last, by slot */
    uint64_t knows[ROOMS_MAX / 64]; /* private rooms of which it said that it has something */
    uint64_t unheard;               /* of what waits for it to say so, the first that we came by */
};

struct feeds {
    struct history *h;
    const struct segment *seg; /* for who may have what */
    struct forks *forks;
    struct loop *loop;
    void (*leaf)(void *arg);
    void *arg;
    void (*on_said)(void *arg, uint64_t host, uint64_t entries);
    void *said_arg;
    uint64_t self; /* whose entries on_said() counts */
    const struct folds *folds; /* NULL: unknown */
    uint32_t audiences; /* changes of private rooms' hosts that all feeds know of */
    int runtime;
    struct loop_source listener, line;
    struct wire in;
    struct buffer out;
    struct feed feed[FEEDS_MAX];
    uint64_t stored; /* the durable position up to which all feeds were looked after */
    uint64_t news;   /* feeds_news() */
    uint64_t knocks; /* the last number given */
    struct echo echo[KNOCKS]; /* by number */
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
    fs->news++;
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

int feeds_open(struct feeds **out, struct history *h, const struct segment *seg, struct forks *forks, struct loop *loop,
               int runtime, void (*leaf)(void *arg), void *arg)
{
    struct feeds *fs = calloc(1, sizeof *fs);
    if (fs)
        fs->in_buf = malloc(WIRE_BUFFER);
    if (!fs || !fs->in_buf) {
        free(fs);
        return -ENOMEM;
    }
    fs->h = h;
    fs->seg = seg;
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

void feeds_on_said(struct feeds *fs, uint64_t self, void (*said)(void *arg, uint64_t host, uint64_t entries), void *arg)
{
    fs->self = self;
    fs->on_said = said;
    fs->said_arg = arg;
}

void feeds_ask_rooms(struct feeds *fs, const struct folds *folds)
{
    fs->folds = folds;
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

/* others_bring -- is the peer to hear from others what this host says?  Not what is between two; of a private room each host
 * brings its own, for who else has links with whom does not count there. */
static bool others_bring(const struct feed *f, uint64_t origin, uint64_t room)
{
    if (scope_private(f->all->seg, room))
        return origin != f->all->seg->shape.origin;
    if (!scope_public(f->all->seg, room))
        return false;
    if (f->through)
        return true;
    if (!f->planned)
        return origin != f->all->seg->shape.origin;
    for (size_t i = 0; i < f->n_others; i++)
        if (f->others[i] == origin)
            return true;
    return false;
}

/* set_others -- and those who were to bring what is held may be others now: perhaps we. */
static void set_others(struct feed *f, const struct feed_order *o)
{
    f->planned = true;
    f->n_others = min_size(o->n_hosts, HOSTS_IN_ORDER_MAX);
    for (size_t i = 0; i < f->n_others; i++)
        f->others[i] = get_u64(o->host + 8 * i);
    for (uint64_t i = f->held_first; i < f->held_next; i++) {
        struct held *h = &f->held[i % HELD_MAX];
        h->due_ms = others_bring(f, h->row.origin, h->row.room) ? (h->due_ms ? h->due_ms : now_ms() + HELD_MS) : 0;
    }
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
    f->same_before = f->unheard = UINT64_MAX;
    for (size_t i = 0; i < o->n_hosts; i++)
        f->host[i] = get_u64(o->host + 8 * i);
    have_init(&f->theirs, memory, STREAMS_MIN);
    return 0;
}

/* theirs -- the entry of a stream, made when it is new; NULL, and 0 or -errno, when there is none. */
static struct have_entry *theirs(struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room, int *error)
{
    struct have_entry *e = have_add(&f->theirs, origin, epoch, room);
    *error = 0;
    if (e || f->theirs.max == STREAMS_MAX)
        return e;
    struct have more;
    void *memory = malloc(have_size(f->theirs.max * 2));
    if (!memory) {
        *error = -ENOMEM;
        return NULL;
    }
    have_init(&more, memory, f->theirs.max * 2);
    have_move(&more, &f->theirs);
    free(f->theirs.entry);
    f->theirs = more;
    return have_add(&f->theirs, origin, epoch, room);
}

/* peer_has -- at least this much; said: by its own words. */
static int peer_has(struct feed *f, const struct have_row *row, bool said)
{
    int error;
    struct have_entry *e = theirs(f, row->origin, row->epoch, row->room, &error);
    if (!e)
        return error;
    e->row.seq = max_u64(e->row.seq, row->seq + MUTANT(FEED_ASSUMES_ONE));
    if (!said || row->seq <= e->durable || MUTANT(SAID_UNHEARD))
        return 0;
    if (row->origin == f->all->self)
        f->said += row->seq - e->durable;
    e->durable = row->seq;
    return 0;
}

/* tell_said -- not before it told all of its vector. */
static void tell_said(const struct feed *f)
{
    if (f->going && f->all->on_said)
        f->all->on_said(f->all->said_arg, f->peer, f->said);
}

static bool has_bit(const uint64_t *bits, uint32_t slot)
{
    return bits[slot / 64] >> (slot % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t slot, bool to)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    bits[slot / 64] = (bits[slot / 64] & ~bit) | (to ? bit : 0);
}

/* heard_of -- it has something in that room.  Of a private one it says so only to who is in it, too, as far as it knows: now it
 * takes what waited for that. */
static void heard_of(struct feed *f, uint64_t room)
{
    const struct segment *seg = f->all->seg;
    uint32_t slot = roster_room(&seg->roster, room);
    if (!scope_private(seg, room) || has_bit(f->knows, slot))
        return;
    set_bit(f->knows, slot, true);
    f->cursor = min_u64(f->cursor, f->unheard);
    f->unheard = UINT64_MAX;
    f->more = true;
}

static int on_have(struct feed *f, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    int error = 0;
    for (struct have_row row; error == 0 && rd_left(&r) > 0;) {
        read_have_row(&r, &row);
        error = r.bad ? -EBADMSG : peer_has(f, &row, true);
        heard_of(f, row.room);
    }
    tell_said(f);
    return error;
}

/* may_have -- is the room one whose words the peer may have? */
static bool may_have(const struct feed *f, uint64_t room)
{
    return scope_host(f->all->seg, room, f->peer) || MUTANT(FEED_TO_ALL);
}

/* says_out -- is it of the owner's word up to the one that took the peer's last out of a private room? */
static bool says_out(const struct feed *f, const struct history_segment *s)
{
    const struct segment *seg = f->all->seg;
    if (!f->all->folds || !scope_left(seg, s->room, f->peer) || !scope_owns(seg, s->room, s->origin))
        return false;
    const struct room_state *room = folds_room(f->all->folds, roster_room(&seg->roster, s->room));
    return room && s->hlc_min <= room_state_out(room, f->peer);
}

/* waits_to_be_known -- would it be sent before the peer knows that we are in that room, too?  Then it is noted.  The owner's host
 * said so itself; and of what it says now it has nothing to tell but that. */
static bool waits_to_be_known(struct feed *f, const struct history_segment *s)
{
    const struct segment *seg = f->all->seg;
    bool early = scope_private(seg, s->room) && !scope_owns(seg, s->room, s->origin) && !scope_owns(seg, s->room, f->peer) &&
           !has_bit(f->knows, roster_room(&seg->roster, s->room)) && !MUTANT(PRIVATE_EARLY);
    if (early)
        f->unheard = min_u64(f->unheard, s->pos);
    return early;
}

static int on_same(struct feed *f, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    struct same_row row;
    f->same_before = frame_pos(frame);
    while (!r.bad && rd_left(&r) > 0) {
        read_same_row(&r, &row);
        for (size_t i = 0; i < f->n_hosts; i++)
            if (f->host[i] == row.origin)
                f->same[i] = row;
    }
    return r.bad ? -EBADMSG : 0;
}

/* said_same -- of this stream the peer has all that lies before `same_before`: never of our present run, nor of a private room. */
static bool said_same(const struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct segment *seg = f->all->seg;
    if ((origin == seg->shape.origin && epoch == seg->shape.epoch && !MUTANT(PRESENT_SAME)) || scope_private(seg, room))
        return false;
    for (size_t i = 0; i < f->n_hosts; i++)
        if (f->host[i] == origin)
            return f->same[i].parts >> digest_part(f->same[i].from, epoch) & 1;
    return false;
}

/* pass_over -- what is not for this peer must not count among what it lacks.  Kept apart from what it said, under a host that
 * there is not: durable, how far; seq, how many that were. */
static void pass_over(struct feed *f, const struct have_row *row)
{
    int error;
    if (row->origin != f->all->seg->shape.origin)
        return;
    struct have_entry *passed = theirs(f, 0, row->epoch, row->room, &error);
    const struct have_entry *e = have_find(&f->theirs, row->origin, row->epoch, row->room);
    if (!passed) {
        log_warn("out of memory: a peer will seem to lack what is not for it");
        return;
    }
    uint64_t from = max_u64(passed->durable, e ? e->durable : 0);
    if (row->seq <= from)
        return;
    passed->row.seq += row->seq - from;
    passed->durable = row->seq;
    f->said += row->seq - from;
}

/* not_passed -- it is for this peer after all. */
static void not_passed(struct feed *f, uint64_t room)
{
    for (uint32_t i = 0; i < f->theirs.n; i++) {
        struct have_entry *e = &f->theirs.entry[i];
        if (e->row.origin != 0 || e->row.room != room)
            continue;
        f->said -= e->row.seq;
        e->row.seq = e->durable = 0;
    }
}

/* seek -- go back to what the peer lacks of a stream. */
static void seek(struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq)
{
    uint64_t pos = UINT64_MAX;
    const struct have_entry *e = have_find(&f->theirs, origin, epoch, room);
    last_seq = min_u64(last_seq, forks_point(f->all->forks, origin, epoch, room) - 1);
    if (e && e->row.seq >= last_seq)
        return;
    if (history_first_missing(f->all->h, origin, epoch, room, e ? e->row.seq : 0, &pos) < 0)
        pos = 0; /* looks at everything: slow, and right */
    f->cursor = min_u64(f->cursor, pos + MUTANT(FEED_ONE_LATE));
}

static void first_missing(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                          const uint8_t head[HASH_LEN])
{
    struct feed *f = arg;
    bool may = may_have(f, room), left = scope_left(f->all->seg, room, f->peer), same = said_same(f, origin, epoch, room);
    (void)head;
    if (!may && !left)
        pass_over(f, &(struct have_row){origin, epoch, room, last_seq, {0}});
    if (same && origin == f->all->seg->shape.origin)
        f->said += last_seq; /* of a run that is over */
    if ((may || left) && !same)
        seek(f, origin, epoch, room, last_seq);
}

/* came_in -- the same, of private rooms that the peer may have only now: those of which its bit is not set. */
static void came_in(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq, const uint8_t head[HASH_LEN])
{
    struct feed *f = arg;
    const struct segment *seg = f->all->seg;
    (void)head;
    if (scope_private(seg, room) && may_have(f, room) && !has_bit(f->may, roster_room(&seg->roster, room)))
        seek(f, origin, epoch, room, last_seq);
}

/* see_rooms -- note which private rooms the peer may have. */
static void see_rooms(struct feed *f)
{
    const struct roster *r = &f->all->seg->roster;
    for (uint32_t i = 1; i <= r->n_rooms; i++)
        set_bit(f->may, i, scope_private(f->all->seg, r->room[i].id) && may_have(f, r->room[i].id));
}

/* look_again -- hosts came to private rooms: feed them what was passed over. */
static void look_again(struct feed *f)
{
    const struct roster *r = &f->all->seg->roster;
    for (uint32_t i = 1; i <= r->n_rooms; i++)
        if (!has_bit(f->may, i) && scope_private(f->all->seg, r->room[i].id) && may_have(f, r->room[i].id))
            not_passed(f, r->room[i].id);
    if (history_streams(f->all->h, came_in, f) < 0)
        log_error("the store cannot be read for a link");
    see_rooms(f);
    f->more = true;
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

/* may_hear -- of this fork?  Of a room that is not known here, for nothing lies before the fork, whoever says himself that he
 * has something of it. */
static bool may_hear(const struct feed *f, const uint8_t *proof)
{
    const struct have_entry *e = have_find(&f->theirs, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    bool known = roster_room(&f->all->seg->roster, frame_room(proof)) != 0;
    return takes(f, frame_origin(proof)) && (known ? may_have(f, frame_room(proof)) : e && e->durable > 0);
}

static void proof_out(void *arg, const uint8_t *proof)
{
    struct feed *f = arg;
    if (may_hear(f, proof) && !MUTANT(FORK_NOT_TOLD))
        chain_out(f->all, f->number, proof);
}

static void ladder_out(struct feed *f, const uint8_t *about)
{
    uint8_t ladder[FRAME_MAX];
    if (!may_have(f, frame_room(about)))
        return;
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
    history_durable(fs->h, &f->live, &ring);
    f->cursor = min_u64(f->live, f->same_before);
    f->credit = credit;
    f->going = f->more = true;
    see_rooms(f);
    int r = forks_each(fs->forks, proof_out, f);
    if (r == 0 && !MUTANT(FEED_FROM_NOW))
        r = history_streams(fs->h, first_missing, f);
    tell_said(f);
    return r;
}

static int obey(struct feeds *fs, const uint8_t *frame)
{
    struct feed_order o;
    struct feed *f = frame_client(frame) ? find(fs, frame_client(frame)) : NULL;
    struct echo e;
    fs->news++;
    if (frame_type(frame) == FRAME_ECHO && read_echo(frame, &e) == 0) {
        fs->echo[e.number % KNOCKS] = e;
        return 0;
    }
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
    case FEED_OTHERS:
        if (f)
            set_others(f, &o);
        return 0;
    case FEED_THROUGH:
        if (f)
            f->through = true;
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
    if ((e && e->row.seq >= s->last_seq) || (s->pos < f->same_before && said_same(f, s->origin, s->epoch, s->room)))
        return false;
    if (!may_have(f, s->room) && !says_out(f, s))
        return false;
    return takes(f, s->origin) && s->first_seq < forks_point(f->all->forks, s->origin, s->epoch, s->room);
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
    return peer_has(f, &row, MUTANT(SENT_IS_SAID));
}

/* ---- what others bring ---- */

static bool waits_in(const struct feed *f, uint64_t room)
{
    for (uint64_t i = f->held_first; i < f->held_next; i++)
        if (f->held[i % HELD_MAX].pos != 0 && f->held[i % HELD_MAX].row.room == room)
            return true;
    return false;
}

/* hold -- keep it back: because others bring it, so that a message crosses a link once, also where there are loops; or
 * because it lies behind such a one in its room, and must not come before it.  Nobody is relied on: what has not come in
 * time is sent after all.  What was there before the link is sent by whoever the peer told what it has: one after the other
 * (link/core.h). */
static bool hold(struct feed *f, const struct history_segment *s)
{
    bool others = s->pos >= f->live && others_bring(f, s->origin, s->room);
    if (!others && (f->held_first == f->held_next || !waits_in(f, s->room) || MUTANT(HELD_OVERTAKEN)))
        return false;
    f->held[f->held_next++ % HELD_MAX] =
        (struct held){{s->origin, s->epoch, s->room, s->last_seq, {0}}, s->pos, others ? now_ms() + HELD_MS : 0};
    return true;
}

static bool held_row(void *arg, const struct history_row *row)
{
    struct feed *f = arg;
    bool same = row->s.pos == f->released; /* it may be deleted by now */
    int r = same && wants(f, &row->s) ? put_segment(f, &row->s) : 0; /* a fork may be known by now */
    if (r < 0)
        log_error("a stored segment cannot be sent: %s", strerror(-r));
    return false;
}

static bool can_send(const struct feed *f)
{
    return f->credit > 0 && buffer_len(&f->all->out) < WAITING_MAX;
}

/* lacks -- and is to get it: nobody takes what lies behind a fork, so nothing waits for that. */
static bool lacks(const struct feed *f, const struct held *h)
{
    const struct have_entry *e = have_find(&f->theirs, h->row.origin, h->row.epoch, h->row.room);
    return h->row.seq < forks_point(f->all->forks, h->row.origin, h->row.epoch, h->row.room) && (!e || e->row.seq < h->row.seq);
}

/* release -- those that came from elsewhere are done with; those whose turn it is, or that did not come in time, are sent. */
static void release(struct feed *f)
{
    uint64_t room[HELD_MAX], now = now_ms(); /* in which something still waits */
    size_t n = 0;
    for (uint64_t i = f->held_first; i < f->held_next && can_send(f); i++) {
        struct held *h = &f->held[i % HELD_MAX];
        bool waits = false;
        for (size_t k = 0; k < n && !waits; k++)
            waits = room[k] == h->row.room;
        if (h->pos == 0 || waits)
            continue;
        if (lacks(f, h)) {
            if (now < h->due_ms || (h->due_ms != 0 && MUTANT(HELD_FOR_EVER))) {
                room[n++] = h->row.room;
                continue;
            }
            f->released = h->pos;
            if (history_scan(f->all->h, 0, h->pos, 1, held_row, f) < 0)
                log_error("the store cannot be read for a link");
        }
        h->pos = 0;
    }
    for (; f->held_first < f->held_next && f->held[f->held_first % HELD_MAX].pos == 0; f->held_first++)
        f->more = true; /* there is room in the ring */
}

bool feeds_hold(const struct feeds *fs)
{
    for (size_t i = 0; i < FEEDS_MAX; i++)
        if (fs->feed[i].held_first < fs->feed[i].held_next)
            return true;
    return false;
}

/* put_gap -- so much of it as the peer does not have. */
static int put_gap(struct feed *f, uint8_t *frame)
{
    struct have_row row = {frame_origin(frame), frame_epoch(frame), frame_room(frame), frame_seq(frame), {0}};
    const struct have_entry *e = have_find(&f->theirs, row.origin, row.epoch, row.room);
    struct gap g;
    int r = read_gap(frame, &g);
    if (r < 0)
        return r;
    g.why = GAP_OLD;
    g.first_seq = max_u64(g.first_seq, e ? e->row.seq + 1 : 0);
    g.messages = (uint32_t)min_u64(g.messages, row.seq - g.first_seq + 1);
    int n = write_gap(frame, &g, row.origin, row.epoch, row.room, frame_hlc(frame));
    ASSERT(n > 0);
    frame_set_client(frame, f->number);
    r = buffer_add(&f->all->out, frame, (size_t)n);
    return r < 0 ? r : peer_has(f, &row, false);
}

/* wants_gap -- what lies before it in its stream the peer has, or was sent: the beginning of a stream is never missing. */
static bool wants_gap(struct feed *f, const uint8_t *frame, uint64_t pos)
{
    struct history_segment s = {.origin = frame_origin(frame), .epoch = frame_epoch(frame), .room = frame_room(frame),
                                .first_seq = frame_seq(frame), .last_seq = frame_seq(frame), .hlc_min = frame_hlc(frame),
                                .pos = pos};
    return wants(f, &s) && !waits_to_be_known(f, &s);
}

/* gaps_before -- those in the store that lie before this position, in their place among the segments.  Returns false when there is
 * no credit for all of them. */
static bool gaps_before(struct feed *f, uint64_t pos)
{
    uint8_t gap[FRAME_MAX];
    while (f->gap < pos) {
        if (!can_send(f))
            return false;
        int r = history_gap_at(f->all->h, f->gap, gap);
        if (r < 0)
            log_error("the store cannot be read for a link: %s", strerror(-r));
        f->gap = r == 1 ? frame_pos(gap) : UINT64_MAX;
        if (f->gap >= pos)
            break;
        if (wants_gap(f, gap, f->gap) && put_gap(f, gap) < 0)
            log_error("a stored gap cannot be sent");
        f->cursor = ++f->gap;
    }
    return true;
}

static bool feed_row(void *arg, const struct history_row *row)
{
    struct feed *f = arg;
    f->more = true;
    if (!gaps_before(f, row->s.pos) || !can_send(f) || f->held_next - f->held_first == HELD_MAX)
        return false;
    f->cursor = row->s.pos + 1;
    if (!may_have(f, row->s.room) && !says_out(f, &row->s))
        pass_over(f, &(struct have_row){row->s.origin, row->s.epoch, row->s.room, row->s.last_seq, {0}});
    int r = wants(f, &row->s) && !waits_to_be_known(f, &row->s) && !hold(f, &row->s) ? put_segment(f, &row->s) : 0;
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
    if (!f->going || !f->more || !can_send(f) || f->held_next - f->held_first == HELD_MAX)
        return false;
    f->more = false;
    f->gap = f->cursor;
    int r = history_scan(f->all->h, 0, f->cursor, ROWS, feed_row, f);
    if (r < 0)
        log_error("the store cannot be read for a link: %s", strerror(-r));
    if (!f->more)
        f->more = !gaps_before(f, UINT64_MAX);
    tell_said(f);
    if (!f->caught && (!f->more || f->cursor >= f->live))
        say_caught(f);
    return f->more && f->credit > 0 && f->held_next - f->held_first < HELD_MAX;
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
    uint32_t audiences = atomic_load(&fs->seg->roster.audiences);
    history_durable(fs->h, &stored, &ring);
    for (size_t i = 0; r == 0 && i < FEEDS_MAX; i++) {
        struct feed *f = &fs->feed[i];
        f->more |= stored != fs->stored && !MUTANT(FEED_SLEEPS);
        if (f->going && audiences != fs->audiences && !MUTANT(NEWCOMER_UNFED))
            look_again(f);
        release(f);
        again |= feed_some(f);
    }
    fs->news += stored != fs->stored;
    if (stored != fs->stored)
        forks_retry(fs->forks);
    fs->stored = stored;
    fs->audiences = audiences;
    if (r == 0)
        r = flush(fs);
    if (r < 0)
        hang_up(fs); /* the link process starts over */
    return r == 0 && again && buffer_len(&fs->out) < WAITING_MAX;
}

/* ---- what is known of the peers ---- */

/* has_same -- did its digests say so?  They know nothing of what lies behind a fork. */
static bool has_same(const struct feed *f, const struct have_row *entry)
{
    uint64_t pos;
    return entry->seq > 0 && said_same(f, entry->origin, entry->epoch, entry->room) &&
           entry->seq < forks_point(f->all->forks, entry->origin, entry->epoch, entry->room) &&
           history_first_missing(f->all->h, entry->origin, entry->epoch, entry->room, entry->seq - 1, &pos) == 0 && pos < f->same_before;
}

enum trace_state feeds_peer_has(const struct feeds *fs, uint64_t host, const struct have_row *entry)
{
    enum trace_state best = TRACE_NO_LINK;
    for (size_t i = 0; i < FEEDS_MAX; i++) {
        const struct feed *f = &fs->feed[i];
        if (f->number == 0 || f->peer != host)
            continue;
        if (!may_have(f, entry->room))
            return TRACE_NOT_YET; /* nor ever */
        const struct have_entry *e = have_find(&f->theirs, entry->origin, entry->epoch, entry->room);
        if ((e && e->durable >= entry->seq) || has_same(f, entry))
            return TRACE_HAS;
        best = TRACE_NOT_YET;
    }
    return best;
}

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
