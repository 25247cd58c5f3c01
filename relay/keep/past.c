/* past.c -- what was said, out of the store: of each query one page at a time, and where some of it is gone, a line that says so. */
#include "keep/answer_inside.h"

#include "keep/gone.h"
#include "keep/parked.h"

#include <errno.h>

enum {
    NEWEST_MAX = 10000,
    REACH = 4 * 1024 * 1024, /* a commit never spans more of the journal */
    SAID_SEGMENTS = 1024,    /* looked through for what a client said a moment ago */
};

static void collect(struct answer *w, const uint8_t *f)
{
    if (page_add(&w->page, f) < 0)
        w->error = -ENOMEM;
}

/* page_out -- the page from this frame on. */
static void page_out(struct answer *w, size_t from)
{
    for (size_t i = from; i < w->page.n; i++) {
        const uint8_t *f = page_frame(&w->page, i);
        answer_put(w, f, (int)frame_stride(f));
    }
    page_clear(&w->page);
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
    return r->room[roster_room(r, room)].name[0] == '@' && answer_sees(w, room);
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

/* add_missing -- in their places among the frames from `at` on. */
static int add_missing(struct answer *w, size_t at, uint64_t after, uint64_t from, uint64_t until)
{
    struct missing m = {.w = w, .before = w->q.before, .from = from, .until = until, .old = {.room = w->room}};
    int r = history_gaps(w->all->h, w->inbox ? 0 : w->room, after, missing_one, &m);
    gone_out(&m, &m.old);
    page_by_order(&w->page, at);
    page_join_gone(&w->page, at);
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
        page_by_pos(&w->page);
        page_out(w, 0);
        if (buffer_len(&w->out) >= ANSWER_PIECE || row->batch >= w->q.before) {
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

int past_catchup(struct answer *w)
{
    uint64_t from = w->batch ? w->batch + 1 : w->q.after > REACH ? w->q.after - REACH : 0;
    w->whole = true;
    w->done = w->batch;
    if (w->count == 0) { /* the first piece */
        int gone = add_missing(w, 0, w->q.after, 0, UINT64_MAX);
        page_out(w, 0);
        if (gone < 0)
            return gone;
    }
    int r = w->inbox ? history_scan(w->all->h, 0, from, UINT32_MAX, inbox_row, w)
                     : history_scan(w->all->h, w->room, from, UINT32_MAX, catchup_row, w);
    page_by_pos(&w->page);
    page_out(w, 0);
    return r;
}

/* ---- QUERY_NEWEST, QUERY_SINCE ---- */

static bool want_said(const struct answer *w, const uint8_t *f)
{
    uint64_t until = w->q.until ? w->q.until : UINT64_MAX;
    bool entry = frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE;
    return entry && frame_pos(f) < w->q.before && frame_hlc(f) >= w->q.since && frame_hlc(f) < until;
}

static bool newest_row(void *arg, const struct history_row *row)
{
    struct answer *w = arg;
    if (w->page.messages >= w->q.limit) {
        page_by_order(&w->page, 0);
        size_t cut = page_newest(&w->page, w->q.limit);
        if (cut > 0 && row->s.hlc_max < frame_hlc(page_frame(&w->page, cut)))
            return false;
    }
    each_frame(w, row, want_said);
    return w->error == 0;
}

int past_newest(struct answer *w)
{
    w->whole = true;
    if (w->q.limit > NEWEST_MAX)
        w->q.limit = NEWEST_MAX;
    if (w->q.before == 0)
        w->q.before = UINT64_MAX;
    int r = w->q.limit ? history_newest(w->all->h, w->room, newest_row, w) : 0;
    page_by_order(&w->page, 0);
    size_t cut = page_newest(&w->page, w->q.limit);
    if (r == 0 && w->q.limit > 0)
        r = add_missing(w, cut, 0, cut > 0 ? frame_hlc(page_frame(&w->page, cut)) : 0, UINT64_MAX);
    page_out(w, cut);
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
    if (w->page.messages > w->q.limit && w->page.n > w->sorted + w->sorted / 2) { /* not at each of many small segments */
        page_by_order(&w->page, 0);
        w->sorted = w->page.n;
        if (row->s.hlc_max > frame_hlc(page_frame(&w->page, page_oldest(&w->page, w->q.limit))) + span)
            return false;
    }
    each_frame(w, row, behind_key);
    return w->error == 0;
}

int past_since(struct answer *w)
{
    w->whole = true;
    w->q.before = UINT64_MAX;
    if (w->q.limit == 0 || w->q.limit > NEWEST_MAX)
        w->q.limit = 1000;
    int r = history_since(w->all->h, w->room, max_u64(w->q.since, w->q.key.hlc), since_row, w);
    page_by_order(&w->page, 0);
    size_t i = page_oldest(&w->page, w->q.limit);
    w->more = i < w->page.n;
    w->page.n = i;
    uint64_t until = w->more ? frame_hlc(page_frame(&w->page, i - 1)) + 1 : w->q.until ? w->q.until : UINT64_MAX;
    if (r == 0)
        r = add_missing(w, 0, 0, w->q.since, until);
    page_out(w, 0);
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
    if (w->page.n >= w->q.limit || row->s.hlc_max < w->q.since || ++w->segments > SAID_SEGMENTS)
        return false;
    each_frame(w, row, want_own);
    return w->error == 0;
}

int past_said(struct answer *w)
{
    w->whole = true;
    w->q.limit = (uint32_t)min_u64(min_u64(w->q.limit, NEWEST_MAX), w->q.before - min_u64(w->q.after, w->q.before));
    int r = w->q.limit ? history_newest(w->all->h, w->room, said_row, w) : 0;
    page_by_pos(&w->page);
    page_out(w, w->page.n - min_size(w->page.n, w->q.limit));
    return r;
}
