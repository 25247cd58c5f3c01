/* answer.c -- one piece of memory per open answer, filled from store or tables, emptied into a FIFO. */
#include "keep/answer.h"

#include "base/buffer.h"
#include "base/log.h"
#include "ipc/fifo.h"
#include "keep/parked.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    ANSWERS_MAX = 256,
    NEWEST_MAX = 10000,
    PIECE = 256 * 1024,     /* of a long answer in memory at a time */
    REACH = 4 * 1024 * 1024, /* a commit never spans more of the journal */
};

struct answer {
    struct loop_source src;
    struct answers *all;
    struct answer *next;
    struct query q;
    uint64_t room, client;
    uint32_t client_seq;
    struct buffer out;
    uint64_t batch; /* QUERY_CATCHUP: commits before this are in */
    uint32_t count;
    uint8_t more;
    bool whole;
    /* while one piece is collected */
    struct buffer frames;
    size_t *at; /* offsets of frames */
    size_t n, n_size;
    size_t sorted; /* how many there were when they were sorted last */
    size_t messages;
    int error;
};

struct answers {
    struct state *st;
    struct history *h;
    const struct forks *forks;
    struct loop *loop;
    int rendezvous;
    struct answer *first;
    unsigned n;
};

int answers_open(struct answers **out, struct state *st, struct history *h, const struct forks *forks, struct loop *loop,
                 int rendezvous)
{
    struct answers *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct answers){st, h, forks, loop, rendezvous, NULL, 0};
    *out = a;
    return 0;
}

static void drop(struct answer *w)
{
    struct answer **p = &w->all->first;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    w->all->n--;
    loop_remove(w->all->loop, &w->src);
    close(w->src.fd);
    buffer_free(&w->out);
    buffer_free(&w->frames);
    free(w->at);
    free(w);
}

void answers_close(struct answers *a)
{
    while (a->first)
        drop(a->first);
    free(a);
}

/* ---- memory ---- */

static void append(struct answer *w, const uint8_t *f)
{
    if (buffer_add(&w->out, f, frame_stride(f)) < 0) {
        w->error = -ENOMEM;
        return;
    }
    w->count++;
}

static void collect(struct answer *w, const uint8_t *f)
{
    uint8_t *to = buffer_room(&w->frames, FRAME_MAX);
    if (w->n == w->n_size) {
        size_t size = w->n_size ? w->n_size * 2 : 256, *p = realloc(w->at, size * sizeof *p);
        if (!p)
            to = NULL;
        else
            w->at = p, w->n_size = size;
    }
    if (!to) {
        w->error = -ENOMEM;
        return;
    }
    memcpy(to, f, frame_stride(f));
    w->at[w->n++] = w->frames.end;
    buffer_put(&w->frames, frame_stride(f));
    w->messages += !(frame_flags(f) & FRAME_MORE);
}

static void collected_out(struct answer *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        append(w, w->frames.p + w->at[i]);
    w->n = w->frames.end = w->messages = 0;
}

static int by_pos(const void *a, const void *b, void *base)
{
    const uint8_t *p = base;
    uint64_t x = frame_pos(p + *(const size_t *)a), y = frame_pos(p + *(const size_t *)b);
    return (x > y) - (x < y);
}

static int by_order(const void *a, const void *b, void *base)
{
    const uint8_t *p = base;
    return frame_order(p + *(const size_t *)a, p + *(const size_t *)b);
}

static void sort(struct answer *w, int (*cmp)(const void *, const void *, void *))
{
    if (w->n > 1)
        qsort_r(w->at, w->n, sizeof *w->at, cmp, w->frames.p);
}

static const uint8_t *nth(const struct answer *w, size_t i)
{
    return w->frames.p + w->at[i];
}

/* each_frame -- of a stored segment whose time has come, before its origin's fork; stored bytes are checked like any others. */
static void each_frame(struct answer *w, const struct history_row *row, bool (*want)(const struct answer *w, const uint8_t *f))
{
    uint64_t point = forks_point(w->all->forks, row->s.origin, row->s.epoch, row->s.room);
    if (parked_hides(w->all->st, &row->s))
        return;
    for (size_t at = 0; at < row->s.len && w->error == 0;) {
        const uint8_t *f = row->s.frames + at;
        int n = frame_check(f, row->s.len - at);
        if (n <= 0) {
            w->error = -EBADMSG;
            return;
        }
        if (frame_seq(f) < point && want(w, f))
            collect(w, f);
        at += (size_t)n;
    }
}

/* ---- QUERY_CATCHUP ---- */

static bool want_pos(const struct answer *w, const uint8_t *f)
{
    return frame_pos(f) >= w->q.after && frame_pos(f) < w->q.before;
}

static bool catchup_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    if (row->batch != w->batch) { /* the commit before is complete */
        sort(w, by_pos);
        collected_out(w, 0, w->n);
        if (buffer_len(&w->out) >= PIECE || row->batch >= w->q.before) {
            w->whole = row->batch >= w->q.before;
            return false;
        }
        w->batch = row->batch;
    }
    each_frame(w, row, want_pos);
    return w->error == 0;
}

static int catchup(struct answer *w)
{
    uint64_t from = w->batch ? w->batch + 1 : w->q.after > REACH ? w->q.after - REACH : 0;
    w->whole = true;
    int r = history_scan(w->all->h, w->room, from, UINT32_MAX, catchup_row, w);
    sort(w, by_pos);
    collected_out(w, 0, w->n);
    return r;
}

/* ---- QUERY_NEWEST, QUERY_SINCE ---- */

static bool want_said(const struct answer *w, const uint8_t *f)
{
    uint64_t until = w->q.until ? w->q.until : UINT64_MAX;
    return frame_type(f) == FRAME_SAY && frame_pos(f) < w->q.before && frame_hlc(f) >= w->q.since && frame_hlc(f) < until;
}

/* cut_newest -- index of the first frame of the `limit` newest messages. */
static size_t cut_newest(struct answer *w)
{
    size_t i = w->n, seen = 0;
    while (i > 0 && (seen < w->q.limit || frame_flags(nth(w, i - 1)) & FRAME_MORE)) {
        i--;
        seen += !(frame_flags(nth(w, i)) & FRAME_MORE);
    }
    if (i > 0 && seen >= w->q.limit) /* the parts of a message that did not make it */
        while (i < w->n && frame_flags(nth(w, i)) & FRAME_CONT)
            i++;
    return i;
}

static bool newest_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    if (w->messages >= w->q.limit) {
        sort(w, by_order);
        size_t cut = cut_newest(w);
        if (cut > 0 && row->s.hlc_max < frame_hlc(nth(w, cut)))
            return false;
    }
    each_frame(w, row, want_said);
    return w->error == 0;
}

static int newest(struct answer *w)
{
    w->whole = true;
    if (w->q.limit > NEWEST_MAX)
        w->q.limit = NEWEST_MAX;
    if (w->q.before == 0)
        w->q.before = UINT64_MAX;
    int r = w->q.limit ? history_newest(w->all->h, w->room, newest_row, w) : 0;
    sort(w, by_order);
    size_t cut = cut_newest(w);
    collected_out(w, cut, w->n);
    return r;
}

static bool behind_key(const struct answer *w, const uint8_t *f)
{
    uint8_t key[FRAME_HEAD] = {0};
    frame_set_hlc(key, w->q.key.hlc);
    frame_set_origin(key, w->q.key.origin);
    frame_set_epoch(key, w->q.key.epoch);
    frame_set_seq(key, w->q.key.seq);
    return want_said(w, f) && frame_order(f, key) > 0;
}

static bool since_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    uint64_t span = (uint64_t)2000 << 16; /* twice what a segment may span */
    if (w->messages > w->q.limit && w->n > w->sorted + w->sorted / 2) { /* not at each of many small segments */
        sort(w, by_order);
        w->sorted = w->n;
        if (row->s.hlc_max > frame_hlc(nth(w, w->q.limit)) + span)
            return false;
    }
    each_frame(w, row, behind_key);
    return w->error == 0;
}

static int since(struct answer *w)
{
    w->whole = true;
    w->q.before = UINT64_MAX;
    if (w->q.limit == 0 || w->q.limit > NEWEST_MAX)
        w->q.limit = 1000;
    int r = history_since(w->all->h, w->room, max_u64(w->q.since, w->q.key.hlc), since_row, w);
    sort(w, by_order);
    size_t i = 0, seen = 0;
    while (i < w->n && seen < w->q.limit)
        seen += !(frame_flags(nth(w, i++)) & FRAME_MORE);
    w->more = i < w->n;
    collected_out(w, 0, i);
    return r;
}

/* ---- the tables ---- */

static void row_out(struct answer *w, const uint8_t *buf, int n)
{
    if (n > 0)
        append(w, buf);
}

static int rooms(struct answer *w)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint8_t buf[FRAME_MAX];
    struct room *copy = malloc(sizeof r->room);
    w->whole = true;
    if (!copy || state_take(w->all->st) < 0) {
        free(copy);
        return -ENOMEM;
    }
    uint32_t n = r->n_rooms;
    memcpy(copy, r->room, sizeof r->room);
    for (uint32_t g = 0; g < r->n_guests; g++)
        copy[r->guest[g].sessions > 0 ? roster_room(r, r->guest[g].room) : 0].members++;
    state_give(w->all->st);
    for (uint32_t i = 1; i <= n; i++) {
        struct room_row row = {copy[i].members, copy[i].messages, {copy[i].name, copy[i].name_len}};
        row_out(w, buf, write_room_row(buf, &row, copy[i].id, copy[i].last_hlc));
    }
    free(copy);
    return 0;
}

struct present {
    uint32_t uid, sessions;
    char user[USER_NAME_MAX];
    uint8_t user_len;
};

static int by_uid(const void *a, const void *b)
{
    uint32_t x = ((const struct present *)a)->uid, y = ((const struct present *)b)->uid;
    return (x > y) - (x < y);
}

/* guests_in -- of a room, copied in a section.  Returns how many. */
static size_t guests_in(const struct roster *r, uint64_t room, struct guest *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_guests; i++)
        if (r->guest[i].room == room && r->guest[i].sessions > 0)
            to[n++] = r->guest[i];
    return n;
}

/* guests_out -- host slots are only ever added, so that their names may be read without the lock. */
static void guests_out(struct answer *w, const struct guest *g, size_t n)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint8_t buf[FRAME_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct host *h = &r->host[roster_host(r, g[i].host)];
        struct who_row row = {g[i].sessions, {g[i].user, g[i].user_len}, {h->name, h->name_len}};
        row_out(w, buf, write_who_row(buf, &row, w->room, g[i].host));
    }
}

static int who(struct answer *w)
{
    const struct segment *seg = w->all->st->seg;
    const struct roster *r = &seg->roster;
    struct present *p = malloc(((size_t)r->sessions_max + 1) * sizeof *p);
    struct guest *g = malloc(sizeof r->guest);
    uint8_t buf[FRAME_MAX];
    size_t n = 0;
    w->whole = true;
    if (!p || !g || state_take(w->all->st) < 0) {
        free(p);
        free(g);
        return -ENOMEM;
    }
    uint32_t room = roster_room(r, w->room);
    for (uint32_t i = 1; room != 0 && i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        if (s->state == SESSION_FREE || !roster_is_member(s, room))
            continue;
        p[n] = (struct present){.uid = s->uid, .sessions = 1, .user_len = s->user_len};
        memcpy(p[n++].user, s->user, s->user_len);
    }
    size_t n_guests = guests_in(r, w->room, g);
    state_give(w->all->st);
    qsort(p, n, sizeof *p, by_uid);
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && p[k].uid == p[i].uid;)
            k++;
        struct who_row row = {(uint32_t)(k - i), {p[i].user, p[i].user_len}, text_of(seg->shape.host)};
        row_out(w, buf, write_who_row(buf, &row, w->room, seg->shape.origin));
    }
    guests_out(w, g, n_guests);
    free(p);
    free(g);
    return 0;
}

/* ---- the stream ---- */

static int (*const kinds[])(struct answer *) = {
    [QUERY_CATCHUP] = catchup, [QUERY_NEWEST] = newest, [QUERY_SINCE] = since, [QUERY_WHO] = who, [QUERY_ROOMS] = rooms,
};

static void end_it(struct answer *w, int r)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.pos = journal_durable(&w->all->st->seg->journal),
                    .count = w->count,
                    .more = w->more,
                    .reason = r < 0 ? REASON_STORE : REASON_OK,
                    .text = text_of(r < 0 ? "The store could not be read; see the relay's log." : "")};
    if (w->q.kind == QUERY_CATCHUP && w->q.before < UINT64_MAX)
        e.pos = w->q.before;
    int n = write_end(buf, &e, w->client, w->client_seq);
    ASSERT(n > 0);
    append(w, buf);
    w->whole = true;
}

static void produce(struct answer *w)
{
    w->error = 0;
    int r = kinds[w->q.kind](w);
    if (r == 0)
        r = w->error;
    if (r < 0)
        log_warn("an answer could not be completed: %s", strerror(-r));
    if (r < 0 || w->whole)
        end_it(w, r);
}

/* go_on -- returns false when the answer is over, one way or the other. */
static bool go_on(struct answer *w)
{
    for (;;) {
        if (buffer_len(&w->out) == 0) {
            if (w->whole)
                return false;
            produce(w);
        }
        ssize_t n = write(w->src.fd, buffer_data(&w->out), buffer_len(&w->out));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&w->out, (size_t)n);
    }
}

static void on_room(struct loop_source *s, uint32_t events)
{
    struct answer *w = s->arg;
    if (events & EPOLLERR || !go_on(w))
        drop(w);
}

static int open_fifo(struct answers *a, const struct query *q)
{
    uid_t owner;
    int fd = fifo_open(a->rendezvous, q->fifo, &owner);
    if (fd >= 0 && owner != q->uid) {
        log_warn("user %u asked for an answer into a FIFO of user %u", q->uid, (unsigned)owner);
        close(fd);
        return -EPERM;
    }
    return fd;
}

void answers_begin(struct answers *a, const uint8_t *frame)
{
    struct query q;
    if (read_query(frame, &q) < 0 || q.kind >= ARRAY_LEN(kinds) || !kinds[q.kind])
        return;
    int fd = a->n < ANSWERS_MAX ? open_fifo(a, &q) : -ENOSPC;
    if (fd < 0) {
        log_debug("query not answered: %s", strerror(-fd));
        return;
    }
    struct answer *w = calloc(1, sizeof *w);
    if (!w) {
        close(fd);
        return;
    }
    *w = (struct answer){.src = {fd, on_room, w}, .all = a, .next = a->first, .q = q, .room = frame_room(frame),
                         .client = frame_client(frame), .client_seq = frame_client_seq(frame)};
    a->first = w;
    a->n++;
    if (loop_add(a->loop, &w->src, EPOLLOUT | EPOLLET) < 0 || !go_on(w))
        drop(w);
}
