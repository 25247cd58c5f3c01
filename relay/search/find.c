/* find.c -- places from the index, looked at one by one in the store. */
#include "search/find.h"

#include "base/hash.h"
#include "base/sys.h"
#include "keep/parked.h"
#include "search/gather.h"
#include "search/whole.h"

#include <errno.h>
#include <stdlib.h>

enum {
    LIMIT = 50, /* when none is named */
    TAIL_MESSAGES = 2048, /* so many of what is not indexed yet are searched, too, the newest: about 30 ms */
};

/* A search that runs. */
struct hunt {
    const struct finder *f;
    const struct query *q;
    const struct asker *who;
    struct wanted wanted;
    struct index_search search;
    struct finding *found;
    struct hit *hit;
    uint8_t sees[ROOMS_MAX + 1]; /* by slot: may he know of the room?  Asked once */
    size_t n_hits, in_index; /* in_index: how many there were before the index that is looked into now */
    bool gap;   /* between the tail that was searched and the index lies something */
    bool older; /* and before the index */
    int error;
};

/* One message. */
struct hit {
    size_t last, from, to; /* in `frames`: its last frame; all of them */
};

/* ---- who and where ---- */

static bool refuse(struct hunt *h, uint8_t reason, const char *text)
{
    h->found->reason = reason;
    h->found->text = text;
    return false;
}

enum { NOT_ASKED, SEES, SEES_NOT };

static bool sees(struct hunt *h, uint64_t room)
{
    struct state *st = h->f->st;
    uint32_t slot = roster_room(&st->seg->roster, room);
    if (h->sees[slot] == NOT_ASKED)
        h->sees[slot] = asker_sees(st, h->who, room) ? SEES : SEES_NOT;
    return h->sees[slot] == SEES;
}

/* room_of -- the number of the room that is called so by him who asks; 0: none. */
static uint64_t room_of(const struct hunt *h, struct text called)
{
    char typed[DIRECT_NAME_MAX + 1], name[DIRECT_NAME_MAX + 1];
    struct text host = text_of(h->f->st->seg->shape.host);
    struct person owner;
    struct text room;
    struct direct d;
    if (private_is(called))
        return private_read(called, &owner, &room) ? room_id(called) : 0;
    if (called.len >= PERSON_MAX + 1)
        return 0;
    bool has_host = called.len > 1 && memchr(called.p + 1, '@', called.len - 1);
    memcpy(typed, called.p, called.len);
    typed[called.len] = '\0';
    if (typed[0] != '@')
        return text_room_from_user(typed, name) < 0 ? 0 : room_id(text_of(name));
    if (!has_host) {
        typed[called.len] = '@';
        memcpy(typed + called.len + 1, host.p, host.len + 1);
    }
    if (!direct_read(text_of(typed), &d) || d.n != 1)
        return 0;
    size_t n = direct_name((struct person){asker_user(h->who), host}, d.who[0], name);
    return room_id((struct text){name, n});
}

static bool take_rooms(struct hunt *h)
{
    for (unsigned i = 0; i < h->wanted.n_rooms; i++) {
        uint64_t room = room_of(h, h->wanted.room[i]);
        if (room == 0 || !sees(h, room))
            return refuse(h, REASON_NO_ROOM, "There is no such room.");
        h->search.room[h->search.n_rooms++] = room;
    }
    return true;
}

static bool take_author(struct hunt *h)
{
    const struct segment *seg = h->f->st->seg;
    h->search.user = h->wanted.user;
    if (h->wanted.host.len == 0)
        return true;
    if (text_eq(h->wanted.host, text_of(seg->shape.host)))
        h->search.origin = seg->shape.origin;
    for (uint32_t i = 1; h->search.origin == 0 && i <= seg->roster.n_hosts; i++)
        if (text_eq(h->wanted.host, (struct text){seg->roster.host[i].name, seg->roster.host[i].name_len}))
            h->search.origin = seg->roster.host[i].id;
    return h->search.origin != 0 || refuse(h, REASON_NO_HOST, "No host of that name is known here; see: relay status");
}

/* understand -- false: the finding says why not. */
static bool understand(struct hunt *h)
{
    const char *why = wanted_read(h->q->wanted, &h->wanted);
    if (why)
        return refuse(h, REASON_WANTED, why);
    h->search.wanted = &h->wanted;
    h->search.since = h->q->since;
    h->search.until = h->q->until;
    h->search.deadline_us = now_us() + FIND_MS * 1000ull;
    return take_rooms(h) && take_author(h);
}

/* ---- hits ---- */

static bool in_rooms(const struct hunt *h, uint64_t room)
{
    bool is = h->search.n_rooms == 0;
    for (unsigned i = 0; i < h->search.n_rooms; i++)
        is = is || h->search.room[i] == room;
    return is;
}

/* is_shown -- not behind a point where its origin contradicted itself; the keeper may have learnt of it a moment ago. */
static bool is_shown(struct hunt *h, const uint8_t *f)
{
    uint8_t proof[FRAME_MAX];
    int r = history_fork_of(h->f->h, frame_origin(f), frame_epoch(f), frame_room(f), proof);
    if (r < 0)
        h->error = r;
    return r == 0 || (r > 0 && frame_seq(f) < frame_seq(proof));
}

/* fits -- the message that ends here, beside its words. */
static bool fits(struct hunt *h, const uint8_t *f)
{
    uint64_t until = h->q->until ? h->q->until : UINT64_MAX;
    struct say say;
    return frame_type(f) == FRAME_SAY && !(frame_flags(f) & FRAME_MORE) && read_say(f, &say) == 0 && frame_hlc(f) >= h->q->since &&
           frame_hlc(f) < until && in_rooms(h, frame_room(f)) && (h->search.user.len == 0 || text_eq(say.user, h->search.user)) &&
           (h->search.origin == 0 || frame_origin(f) == h->search.origin) && is_shown(h, f);
}

/* Looking for the frame at one place. */
struct look {
    struct hunt *hunt;
    uint64_t pos;
};

static void add_hit(struct hunt *h, const uint8_t *last)
{
    struct hit *hit = &h->hit[h->n_hits];
    hit->from = h->found->frames.end;
    h->error = whole_message(h->f->h, last, &h->found->frames);
    hit->to = h->found->frames.end;
    hit->last = hit->to - frame_stride(last);
    h->n_hits += h->error == 0;
}

static bool look_into(void *arg, const struct history_row *row)
{
    struct look *l = arg;
    if (parked_hides(l->hunt->f->st, &row->s))
        return false;
    for (size_t at = 0; at < row->s.len;) {
        const uint8_t *f = row->s.frames + at;
        int n = frame_check(f, row->s.len - at);
        if (n <= 0 || frame_pos(f) > l->pos)
            return false;
        if (frame_pos(f) == l->pos && fits(l->hunt, f))
            add_hit(l->hunt, f);
        at += (size_t)n;
    }
    return false;
}

static bool take_place(void *arg, uint64_t pos, uint64_t room)
{
    struct hunt *h = arg;
    struct look l = {h, pos};
    if (!sees(h, room))
        return true;
    int r = history_at(h->f->h, pos, look_into, &l);
    h->error = h->error ? h->error : r;
    return h->error == 0 && h->n_hits - h->in_index < h->q->limit;
}

/* ---- what is not indexed yet ---- */

struct tail {
    struct gather gather;
    uint64_t high;
    bool whole; /* it reaches back to the index */
};

static bool take_tail(void *arg, const struct history_row *row)
{
    struct tail *t = arg;
    t->whole = row->s.pos < t->high;
    if (!t->whole)
        gather_row(&t->gather, row);
    return !t->whole && t->gather.n < TAIL_MESSAGES && t->gather.error == 0;
}

/* find_in -- an index in memory, for this search alone. */
static int find_in(struct hunt *h, struct tail *t)
{
    struct index *x;
    struct index_range none = {.low = 0};
    int r = index_open(&x, NULL);
    if (r < 0)
        return r;
    r = index_begin(x);
    r = r < 0 ? r : gather_add(&t->gather, x);
    r = r < 0 ? r : index_commit(x, &none);
    r = r < 0 ? r : index_find(x, &h->search, take_place, h);
    index_close(x);
    return r;
}

static int find_in_tail(struct hunt *h)
{
    bool none = h->f->range.low == h->f->range.high; /* nothing is indexed: all that was said is tail */
    struct tail t = {.gather = {.h = h->f->h}, .high = none ? 0 : h->f->range.high};
    int r = history_back(h->f->h, INT64_MAX, take_tail, &t);
    h->older = !none && h->f->range.low > 0;
    h->gap = !t.whole && t.gather.n >= TAIL_MESSAGES;
    if (r == 0 && h->older && t.gather.n < TAIL_MESSAGES) { /* what the index does not reach back to, yet */
        t.high = 0;
        r = history_back(h->f->h, h->f->range.low, take_tail, &t);
        h->older = t.gather.n >= TAIL_MESSAGES;
    }
    r = r < 0 ? r : t.gather.error;
    if (r == 0 && t.gather.n > 0)
        r = find_in(h, &t);
    gather_free(&t.gather);
    return r;
}

static int find_in_index(struct hunt *h)
{
    struct index *x;
    int r = index_open_reader(&x, h->f->index);
    if (r == -EACCES || r == -EBADMSG) /* there is none yet, or it is being made anew: nothing is in it */
        return 0;
    if (r < 0)
        return r;
    h->in_index = h->n_hits;
    r = index_find(x, &h->search, take_place, h);
    index_close(x);
    return r;
}

/* ---- the answer ---- */

static int by_order(const void *a, const void *b, void *frames)
{
    const uint8_t *p = frames;
    return frame_order(p + ((const struct hit *)a)->last, p + ((const struct hit *)b)->last);
}

static uint64_t room_at(const struct hunt *h, size_t i)
{
    return frame_room(h->found->frames.p + h->hit[i].last);
}

/* add_name -- what the room of this hit is called, as at the beginning of every stream; unless one of those before, from `first`
 * on, was in it. */
static int add_name(const struct hunt *h, size_t first, size_t i, struct buffer *to)
{
    const struct roster *r = &h->f->st->seg->roster;
    uint8_t buf[FRAME_MAX];
    for (size_t before = first; before < i; before++)
        if (room_at(h, before) == room_at(h, i))
            return 0;
    const struct room *room = &r->room[roster_room(r, room_at(h, i))];
    struct room_change create = {.room = {room->name, room->name_len}};
    int n = write_room_change(buf, FRAME_CREATE, &create, room->id, 0, 0);
    return n < 0 ? n : buffer_add(to, buf, (size_t)n);
}

/* arrange -- the newest of all hits, in the order of display. */
static int arrange(struct hunt *h)
{
    struct buffer *frames = &h->found->frames, sorted = {0};
    size_t keep = min_size(h->n_hits, h->q->limit);
    int r = 0;
    if (h->n_hits > 1)
        qsort_r(h->hit, h->n_hits, sizeof *h->hit, by_order, frames->p);
    for (size_t i = h->n_hits - keep; r == 0 && i < h->n_hits; i++)
        r = add_name(h, h->n_hits - keep, i, &sorted);
    for (size_t i = h->n_hits - keep; r == 0 && i < h->n_hits; i++)
        r = buffer_add(&sorted, frames->p + h->hit[i].from, h->hit[i].to - h->hit[i].from);
    buffer_free(frames);
    *frames = sorted;
    for (size_t at = 0; r == 0 && at < sorted.end; at += frame_stride(sorted.p + at))
        h->found->count++;
    return r;
}

static int hunt(struct hunt *h)
{
    int r = find_in_tail(h);
    r = r < 0 ? r : h->error;
    r = r < 0 ? r : find_in_index(h);
    r = r == -ETIMEDOUT ? r : r < 0 ? r : h->error;
    bool all = h->n_hits >= h->q->limit;
    if (r == -ETIMEDOUT)
        h->found->text = "The search was given up after a second, more may be there; name a room, a time, or a rarer word.";
    else if (r == 0 && (h->gap || (!all && h->older)))
        h->found->text = "The index is still being made, so more may be there; ask again in a while.";
    return r == -ETIMEDOUT ? 0 : r;
}

int find(const struct finder *f, const struct query *asked, const struct asker *who, struct finding *found)
{
    struct query q = *asked;
    *found = (struct finding){.text = ""};
    q.limit = q.limit == 0 ? LIMIT : (uint32_t)min_u64(q.limit, FOUND_MAX);
    struct hunt h = {.f = f, .q = &q, .who = who, .found = found};
    if (!understand(&h))
        return 0;
    h.hit = calloc(2 * q.limit, sizeof *h.hit); /* of the tail, and of the index */
    int r = h.hit ? hunt(&h) : -ENOMEM;
    r = r < 0 ? r : arrange(&h);
    free(h.hit);
    if (r < 0)
        buffer_free(&found->frames);
    return r;
}
