/* answer.c -- one piece of memory per open answer, filled from store or tables, emptied into a FIFO. */
#include "keep/answer.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "base/log.h"
#include "ipc/fifo.h"
#include "keep/asker.h"
#include "keep/gone.h"
#include "keep/parked.h"
#include "keep/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    NEWEST_MAX = 10000,
    VAIN_MAX = 1000, /* acts without effect in one answer */
    PIECE = 256 * 1024,     /* of a long answer in memory at a time */
    REACH = 4 * 1024 * 1024, /* a commit never spans more of the journal */
    SAID_SEGMENTS = 1024,    /* looked through for what a client said a moment ago */
};

struct answer {
    struct loop_source src;
    struct answers *all;
    struct answer *next;
    struct query q;
    uint64_t room, client;
    uint32_t client_seq;
    struct asker who;
    bool inbox; /* the room is his inbox: all his conversations */
    struct buffer out;
    uint64_t batch; /* QUERY_CATCHUP: commits before this are in ... */
    uint64_t done;  /* ... and those up to this were before this piece */
    struct trace trace; /* QUERY_TRACE */
    struct probe probe; /* QUERY_PROBE */
    uint32_t count;
    uint8_t more;
    bool whole, no_room;
    /* while one piece is collected */
    struct buffer frames;
    size_t *at; /* offsets of frames */
    size_t n, n_size;
    size_t sorted; /* how many there were when they were sorted last */
    size_t messages;
    unsigned segments;
    int error;
};

struct answers {
    struct state *st;
    struct history *h;
    struct feeds *feeds;
    const struct folds *folds;
    const struct forks *forks;
    struct loop *loop;
    int rendezvous;
    struct answer *first;
};

int answers_open(struct answers **out, struct state *st, struct history *h, struct feeds *fs, const struct folds *folds,
                 const struct forks *forks, struct loop *loop, int rendezvous)
{
    struct answers *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct answers){st, h, fs, folds, forks, loop, rendezvous, NULL};
    *out = a;
    return 0;
}

static void drop(struct answer *w)
{
    struct answer **p = &w->all->first;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
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

/* ---- who asks ---- */

/* ask_who -- the user of the session, for what he may know of. */
static void ask_who(struct answer *w)
{
    char name[PERSON_MAX + 2];
    w->who = asker_of(w->all->st, w->client, w->q.uid);
    struct person asker = {asker_user(&w->who), text_of(w->all->st->seg->shape.host)};
    w->inbox = asker.user.len > 0 && w->room == room_id((struct text){name, direct_inbox(asker, name)});
}

static bool may_see(const struct answer *w, uint64_t room)
{
    return asker_sees(w->all->st, &w->who, room);
}

/* may_ask -- of a room he may not know of, he gets what he gets of one that does not exist: nothing.  But who is in a room of
 * other hosts in which nothing was said yet is known from presence, and that is of ordinary rooms only. */
static bool may_ask(const struct answer *w)
{
    bool none = roster_room(&w->all->st->seg->roster, w->room) == 0;
    bool of_room = w->q.kind != QUERY_ROOMS && w->q.kind != QUERY_PROBE;
    return !of_room || (w->q.kind == QUERY_WHO && none) || may_see(w, w->room);
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

static void row_out(struct answer *w, const uint8_t *buf, int n)
{
    if (n > 0)
        append(w, buf);
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

/* ---- what is gone ---- */

/* in_conversation -- a room that is one of two, the asker being one of them. */
static bool in_conversation(const struct answer *w, uint64_t room)
{
    const struct roster *r = &w->all->st->seg->roster;
    return r->room[roster_room(r, room)].name[0] == '@' && may_see(w, room);
}

/* The gaps that one page of an answer has to tell of. */
struct missing {
    struct answer *w;
    uint64_t before;      /* positions ... */
    uint64_t from, until; /* ... and stamps */
    struct gone_line old; /* all that was kept for long enough is one line */
};

static void gone_out(struct missing *m, const struct gone_line *l)
{
    uint8_t buf[FRAME_MAX];
    if (l->gone.messages > 0 && write_gone(buf, &l->gone, l->origin, l->room, l->hlc_max) > 0)
        collect(m->w, buf);
}

static void missing_one(void *arg, const uint8_t *gap)
{
    struct missing *m = arg;
    struct gap g;
    if (read_gap(gap, &g) < 0 || frame_pos(gap) >= m->before || frame_hlc(gap) < m->from || g.hlc_min >= m->until ||
        forks_hides(m->w->all->forks, gap) || (m->w->inbox && !in_conversation(m->w, frame_room(gap))))
        return;
    if (m->w->q.key.hlc && g.hlc_min <= m->w->q.key.hlc)
        return; /* told with the page before */
    if (g.why == GAP_OLD) {
        gone_add(&m->old, gap);
        return;
    }
    struct gone_line one = {.origin = frame_origin(gap), .room = frame_room(gap)};
    gone_add(&one, gap);
    gone_out(m, &one);
}

/* join -- lines that follow each other and are of one host become one. */
static void join(struct answer *w, size_t from)
{
    size_t to = from, run = from; /* run: where the lines began that follow each other */
    for (size_t i = from; i < w->n; i++) {
        uint8_t *f = w->frames.p + w->at[i];
        struct gone g, before;
        size_t k = run;
        if (frame_type(f) != FRAME_GONE || read_gone(f, &g) < 0) {
            w->at[to++] = w->at[i];
            run = to;
            continue;
        }
        while (k < to && frame_origin(nth(w, k)) != frame_origin(f))
            k++;
        if (k < to && read_gone(nth(w, k), &before) == 0) {
            g.messages += before.messages;
            g.hlc_min = min_u64(g.hlc_min, before.hlc_min);
            int n = write_gone(w->frames.p + w->at[k], &g, frame_origin(f), frame_room(f), frame_hlc(f));
            ASSERT(n > 0);
        } else {
            w->at[to++] = w->at[i];
        }
    }
    w->n = to;
}

/* add_missing -- in their places among the frames from `at` on. */
static int add_missing(struct answer *w, size_t at, uint64_t after, uint64_t from, uint64_t until)
{
    struct missing m = {.w = w, .before = w->q.before, .from = from, .until = until, .old = {.room = w->room}};
    int r = history_gaps(w->all->h, w->inbox ? 0 : w->room, after, missing_one, &m);
    gone_out(&m, &m.old);
    if (w->n > at + 1)
        qsort_r(w->at + at, w->n - at, sizeof *w->at, by_order, w->frames.p);
    join(w, at);
    return r;
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

/* inbox_row -- as catchup_row(), out of the rows of all rooms, which a scan finds by pos, not by batch. */
static bool inbox_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    if (row->batch >= w->q.before)
        return false;
    return row->batch <= w->done || !in_conversation(w, row->s.room) || catchup_row(w, row);
}

static int catchup(struct answer *w)
{
    uint64_t from = w->batch ? w->batch + 1 : w->q.after > REACH ? w->q.after - REACH : 0;
    w->whole = true;
    w->done = w->batch;
    if (w->count == 0) { /* the first piece */
        int gone = add_missing(w, 0, w->q.after, 0, UINT64_MAX);
        collected_out(w, 0, w->n);
        if (gone < 0)
            return gone;
    }
    int r = w->inbox ? history_scan(w->all->h, 0, from, UINT32_MAX, inbox_row, w)
                     : history_scan(w->all->h, w->room, from, UINT32_MAX, catchup_row, w);
    sort(w, by_pos);
    collected_out(w, 0, w->n);
    return r;
}

/* ---- QUERY_NEWEST, QUERY_SINCE ---- */

static bool want_said(const struct answer *w, const uint8_t *f)
{
    uint64_t until = w->q.until ? w->q.until : UINT64_MAX;
    bool entry = frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE;
    return entry && frame_pos(f) < w->q.before && frame_hlc(f) >= w->q.since && frame_hlc(f) < until;
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
    if (r == 0 && w->q.limit > 0)
        r = add_missing(w, cut, 0, cut > 0 ? frame_hlc(nth(w, cut)) : 0, UINT64_MAX);
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
    w->n = i;
    uint64_t until = w->more ? frame_hlc(nth(w, i - 1)) + 1 : w->q.until ? w->q.until : UINT64_MAX;
    if (r == 0)
        r = add_missing(w, 0, 0, w->q.since, until);
    collected_out(w, 0, w->n);
    return r;
}

/* ---- QUERY_SAID ---- */

static bool want_own(const struct answer *w, const uint8_t *f)
{
    return frame_type(f) == FRAME_SAY && frame_client(f) == w->client && frame_client_seq(f) >= w->q.after &&
           frame_client_seq(f) < w->q.before;
}

static bool said_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    if (w->n >= w->q.limit || row->s.hlc_max < w->q.since || ++w->segments > SAID_SEGMENTS)
        return false;
    each_frame(w, row, want_own);
    return w->error == 0;
}

static int said(struct answer *w)
{
    w->whole = true;
    w->q.limit = (uint32_t)min_u64(min_u64(w->q.limit, NEWEST_MAX), w->q.before - min_u64(w->q.after, w->q.before));
    int r = w->q.limit ? history_newest(w->all->h, w->room, said_row, w) : 0;
    sort(w, by_pos);
    collected_out(w, w->n - min_size(w->n, w->q.limit), w->n);
    return r;
}

/* ---- QUERY_TRACE ---- */

static void trace_row(void *arg, const uint8_t *frame)
{
    append(arg, frame);
}

static int traced(struct answer *w)
{
    struct answers *a = w->all;
    w->trace.entry = (struct have_row){w->q.key.origin, w->q.key.epoch, w->room, w->q.key.seq, {0}};
    w->trace.wanted = w->q.limit;
    int r = trace_look(&w->trace, a->st->seg, a->h, a->feeds, trace_row, w);
    w->whole = r != 0 || w->q.limit == 0;
    return r < 0 ? r : 0;
}

/* ---- QUERY_PROBE ---- */

static int probed(struct answer *w)
{
    uint8_t buf[FRAME_MAX];
    struct hops hops;
    w->whole = probe_look(&w->probe, &w->q, w->all->feeds, &hops);
    if (w->whole)
        row_out(w, buf, write_hops(buf, &hops));
    return 0;
}

/* ---- the tables ---- */

/* listed -- ordinary rooms, the private ones that the asker is in, and those of his conversations in which something was said. */
static bool listed(const struct answer *w, const struct room *r)
{
    struct text name = {r->name, r->name_len};
    struct direct d;
    if (private_is(name))
        return r->flags & ROOM_OWNED && may_see(w, r->id);
    if (!direct_read(name, &d))
        return true;
    return d.n == 2 && r->last_hlc != 0 && may_see(w, r->id);
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
        if (copy[i].id == MEMBERS_ROOM || !listed(w, &copy[i])) /* the former is a scope, not a room */
            continue;
        const struct room_state *s = folds_room(w->all->folds, i);
        struct room_row row = {copy[i].members, copy[i].messages, {copy[i].name, copy[i].name_len}, {"", 0}};
        if (s)
            row.topic = (struct text){s->topic, s->topic_len};
        row_out(w, buf, write_room_row(buf, &row, copy[i].id, copy[i].last_hlc));
    }
    free(copy);
    return 0;
}

/* A fold on its own, to see which acts do not count. */
struct vain {
    struct answer *w;
    struct room_state s;
    unsigned n;
};

static void vain_act(void *arg, const uint8_t *f)
{
    struct vain *v = arg;
    if (forks_hides(v->w->all->forks, f))
        return;
    struct fact_row row = {.why = text_of(room_why(room_state_step(&v->s, f)))};
    uint8_t buf[FRAME_MAX];
    if (row.why.len == 0 || read_room_act(f, &row.act) < 0)
        return;
    if (v->n++ == VAIN_MAX)
        v->w->more = 1;
    if (v->n > VAIN_MAX)
        return;
    int n = write_fact_row(buf, &row, v->w->room);
    frame_set_origin(buf, frame_origin(f));
    frame_set_epoch(buf, frame_epoch(f));
    frame_set_seq(buf, frame_seq(f));
    frame_set_hlc(buf, frame_hlc(f));
    row_out(v->w, buf, n);
}

static int vain(struct answer *w)
{
    const struct roster *all = &w->all->st->seg->roster;
    const struct room *room = &all->room[roster_room(all, w->room)];
    struct vain *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->w = w;
    room_state_begin(&v->s, (struct text){room->name, room->name_len});
    int r = history_acts(w->all->h, w->room, vain_act, v);
    free(v);
    return r;
}

/* facts -- what is so in a room, and what is not though somebody tried. */
static int facts(struct answer *w)
{
    uint32_t slot = roster_room(&w->all->st->seg->roster, w->room);
    const struct room_state *s = folds_room(w->all->folds, slot);
    uint8_t buf[FRAME_MAX];
    w->whole = true;
    for (uint32_t i = 0; s && i < s->n; i++)
        row_out(w, buf, room_fact_row(s, i, w->room, buf));
    return s && w->q.limit > 0 ? vain(w) : 0;
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

/* Whom WHO is about: those in a room, or those of two who would hear of it now.  Of a private room it is not said from host to
 * host who is in it: of other hosts those are shown who are members, and in any room. */
struct circle {
    uint32_t slot[2]; /* of the room; of the inboxes of a conversation */
    struct direct d;  /* n 0: a room */
    bool is_private;
};

static struct circle circle_of(const struct answer *w)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint32_t slot = roster_room(r, w->room);
    struct circle c = {.slot = {slot}};
    char inbox[PERSON_MAX + 2];
    if (!direct_read((struct text){r->room[slot].name, r->room[slot].name_len}, &c.d))
        c.d.n = 0;
    c.is_private = private_is((struct text){r->room[slot].name, r->room[slot].name_len});
    for (unsigned i = 0; i < c.d.n; i++)
        c.slot[i] = roster_room(r, room_id((struct text){inbox, direct_inbox(c.d.who[i], inbox)}));
    return c;
}

static bool within(const struct roster *r, const struct circle *c, const struct session *s)
{
    return s->state != SESSION_FREE && ((c->slot[0] != 0 && roster_is_member(r, s, c->slot[0])) ||
                                        (c->slot[1] != 0 && roster_is_member(r, s, c->slot[1])));
}

/* guest_within -- a guest of a conversation is one of the two who is in any room; of a private room, a member who is. */
static bool guest_within(const struct roster *r, const struct circle *c, uint64_t room, const struct guest *g)
{
    const struct host *h = &r->host[roster_host(r, g->host)];
    struct person who = {{g->user, g->user_len}, {h->name, h->name_len}};
    if (c->is_private)
        return g->sessions > 0 && roster_role(r, c->slot[0], g->host, who.user) & (ROLE_OWNER | ROLE_MEMBER);
    return g->sessions > 0 && (c->d.n ? direct_has(&c->d, who) : g->room == room);
}

/* is_among -- there is one guest for each room that somebody is in. */
static bool is_among(const struct guest *g, const struct guest *all, size_t n)
{
    struct text user = {g->user, g->user_len};
    for (size_t i = 0; i < n; i++)
        if (all[i].host == g->host && text_eq(user, (struct text){all[i].user, all[i].user_len}))
            return true;
    return false;
}

/* guests_in -- of a room, each once, copied in a section.  Returns how many. */
static size_t guests_in(const struct roster *r, const struct circle *c, uint64_t room, struct guest *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_guests; i++) {
        const struct guest *g = &r->guest[i];
        if (guest_within(r, c, room, g) && !((c->d.n || c->is_private) && is_among(g, to, n)))
            to[n++] = *g;
    }
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
    struct circle c = circle_of(w);
    uint8_t buf[FRAME_MAX];
    size_t n = 0;
    w->whole = true;
    if (!p || !g || state_take(w->all->st) < 0) {
        free(p);
        free(g);
        return -ENOMEM;
    }
    for (uint32_t i = 1; i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        if (!within(r, &c, s))
            continue;
        p[n] = (struct present){.uid = s->uid, .sessions = 1, .user_len = s->user_len};
        memcpy(p[n++].user, s->user, s->user_len);
    }
    size_t n_guests = guests_in(r, &c, w->room, g);
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
    [QUERY_STATE] = facts,     [QUERY_TRACE] = traced, [QUERY_SAID] = said,   [QUERY_PROBE] = probed,
};

static void end_it(struct answer *w, int r)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.pos = journal_durable(&w->all->st->seg->journal),
                    .count = w->count,
                    .more = w->more,
                    .reason = r < 0 ? REASON_STORE : REASON_OK,
                    .text = text_of(r < 0 ? "The store could not be read; see the relay's log." : "")};
    if (r == 0 && w->no_room) {
        e.reason = REASON_NO_ROOM;
        e.text = text_of("There is no such room.");
    }
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
    w->whole = !may_ask(w);
    w->no_room = w->whole && w->q.kind == QUERY_STATE; /* in any other, there is nothing */
    int r = w->whole ? 0 : kinds[w->q.kind](w);
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
            if (buffer_len(&w->out) == 0)
                return true; /* it waits for other hosts */
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

static bool waits(const struct query *q)
{
    return (q->kind == QUERY_TRACE && q->limit > 0) || q->kind == QUERY_PROBE;
}

/* too_many -- why this one is not answered now, or NULL. */
static const char *too_many(const struct answers *a, const struct query *q)
{
    unsigned same_kind = 0, same_user = 0;
    for (const struct answer *w = a->first; w; w = w->next)
        if (waits(&w->q) == waits(q)) {
            same_kind++;
            same_user += w->q.uid == q->uid;
        }
    if (same_user >= ANSWERS_PER_USER && q->uid != geteuid())
        return "You have asked the relay too much at once; ask again when some of it is answered.";
    if (same_kind >= (waits(q) ? WAITS_MAX : ANSWERS_MAX))
        return "The relay is asked too much at once; ask again in a moment.";
    return NULL;
}

static void turn_away(int fd, const uint8_t *query, const char *why)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.reason = REASON_BUSY, .text = text_of(why)};
    int n = write_end(buf, &e, frame_client(query), frame_client_seq(query));
    if (n > 0 && write(fd, buf, (size_t)n) < 0)
        log_debug("one who asked too much did not wait to hear so");
    close(fd);
}

void answers_begin(struct answers *a, const uint8_t *frame)
{
    struct query q;
    if (read_query(frame, &q) < 0 || q.kind >= ARRAY_LEN(kinds) || !kinds[q.kind])
        return;
    int fd = open_fifo(a, &q);
    if (fd < 0) {
        log_debug("query not answered: %s", strerror(-fd));
        return;
    }
    const char *why = too_many(a, &q);
    if (why) {
        turn_away(fd, frame, why);
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
    ask_who(w);
    if (loop_add(a->loop, &w->src, EPOLLOUT | EPOLLET) < 0 || !go_on(w))
        drop(w);
}

void answers_go_on(struct answers *a)
{
    for (struct answer *w = a->first, *next; w; w = next) {
        next = w->next;
        if (waits(&w->q) && !go_on(w))
            drop(w);
    }
}
