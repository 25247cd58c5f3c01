/* feed_has.c -- what a peer has: what it said itself, and what was sent to it. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"
#include "state/scope.h"

#include <errno.h>
#include <stdlib.h>

enum {
    STREAMS_MIN = 256,
    PASSED_MIN = 16,
    STREAMS_MAX = 1 << 18, /* of a peer's that are remembered: what it says it has beyond is sent once more */
};

int feed_has_nothing(struct feed *f)
{
    void *theirs = malloc(have_size(STREAMS_MIN)), *passed = malloc(have_size(PASSED_MIN));
    if (!theirs || !passed) {
        free(theirs);
        free(passed);
        return -ENOMEM;
    }
    have_init(&f->theirs, theirs, STREAMS_MIN);
    have_init(&f->passed, passed, PASSED_MIN);
    return 0;
}

/* entry_of -- the entry of a stream, made when it is new; NULL, and 0 or -errno, when there is none. */
static struct have_entry *entry_of(struct have *h, const struct have_row *row, int *error)
{
    struct have_entry *e = have_add(h, row->origin, row->epoch, row->room);
    *error = 0;
    if (e || h->max == STREAMS_MAX)
        return e;
    struct have more;
    void *memory = malloc(have_size(h->max * 2));
    if (!memory) {
        *error = -ENOMEM;
        return NULL;
    }
    have_init(&more, memory, h->max * 2);
    have_move(&more, h);
    free(h->entry);
    *h = more;
    return have_add(h, row->origin, row->epoch, row->room);
}

int feed_has(struct feed *f, const struct have_row *row, bool said)
{
    int error;
    struct have_entry *e = entry_of(&f->theirs, row, &error);
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

void feed_tell(const struct feed *f)
{
    if (f->going && f->all->on_said)
        f->all->on_said(f->all->said_arg, f->peer, f->said);
}

int feed_on_have(struct feed *f, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    int error = 0;
    for (struct have_row row; error == 0 && rd_left(&r) > 0;) {
        read_have_row(&r, &row);
        error = r.bad ? -EBADMSG : feed_has(f, &row, true);
        if (error == 0)
            feed_heard_of(f, &row);
    }
    feed_tell(f);
    return error;
}

int feed_on_same(struct feed *f, const uint8_t *frame)
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

bool feed_same(const struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct segment *seg = f->all->seg;
    if ((origin == seg->shape.origin && epoch == seg->shape.epoch && !MUTANT(PRESENT_SAME)) || scope_private(seg, room))
        return false;
    for (size_t i = 0; i < f->n_hosts; i++)
        if (f->host[i] == origin)
            return f->same[i].parts >> digest_part(f->same[i].from, epoch) & 1;
    return false;
}

void feed_pass_over(struct feed *f, const struct have_row *row)
{
    int error;
    if (row->origin != f->all->seg->shape.origin)
        return;
    struct have_entry *passed = entry_of(&f->passed, row, &error);
    const struct have_entry *e = have_find(&f->theirs, row->origin, row->epoch, row->room);
    if (!passed) {
        log_warn("out of memory: a peer will seem to lack what is not for it");
        return;
    }
    uint64_t from = max_u64(passed->row.seq, e ? e->durable : 0);
    if (row->seq <= from)
        return;
    passed->row.seq = row->seq;
    passed->durable += row->seq - from;
    f->said += row->seq - from;
}

void feed_not_passed(struct feed *f, uint64_t room)
{
    for (uint32_t i = 0; i < f->passed.n; i++) {
        struct have_entry *e = &f->passed.entry[i];
        if (e->row.room != room)
            continue;
        f->said -= e->durable;
        e->row.seq = e->durable = 0;
    }
}

/* has_same -- did its digests say so?  They know nothing of what lies behind a fork. */
static bool has_same(const struct feed *f, const struct have_row *entry)
{
    uint64_t pos;
    return entry->seq > 0 && feed_same(f, entry->origin, entry->epoch, entry->room) &&
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
        if (!feed_may_have(f, entry->room))
            return TRACE_NOT_YET; /* nor ever */
        const struct have_entry *e = have_find(&f->theirs, entry->origin, entry->epoch, entry->room);
        if ((e && e->durable >= entry->seq) || has_same(f, entry))
            return TRACE_HAS;
        best = TRACE_NOT_YET;
    }
    return best;
}
