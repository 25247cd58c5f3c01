/* feed_held.c -- what a peer is to hear from others first. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "state/scope.h"

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

void feed_set_others(struct feed *f, const struct feed_order *o)
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

static bool waits_in(const struct feed *f, uint64_t room)
{
    for (uint64_t i = f->held_first; i < f->held_next; i++)
        if (f->held[i % HELD_MAX].pos != 0 && f->held[i % HELD_MAX].row.room == room)
            return true;
    return false;
}

bool feed_hold(struct feed *f, const struct history_segment *s)
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
    if (row->s.pos != f->released)
        return false;
    f->released = 0;
    int r = feed_wants(f, &row->s) ? feed_put(f, &row->s) : 0; /* a fork may be known by now */
    if (r < 0)
        log_error("a stored segment cannot be sent: %s", strerror(-r));
    return false;
}

/* lacks -- and is to get it: nobody takes what lies behind a fork, so nothing waits for that. */
static bool lacks(const struct feed *f, const struct held *h)
{
    const struct have_entry *e = have_find(&f->theirs, h->row.origin, h->row.epoch, h->row.room);
    return h->row.seq < forks_point(f->all->forks, h->row.origin, h->row.epoch, h->row.room) && (!e || e->row.seq < h->row.seq);
}

void feed_release(struct feed *f)
{
    uint64_t room[HELD_MAX], now = now_ms(); /* in which something still waits */
    size_t n = 0;
    for (uint64_t i = f->held_first; i < f->held_next && feed_can_send(f); i++) {
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
            if (f->released != 0) { /* deleted meanwhile: the gap behind it is to be told, if by a link that begins anew */
                f->cursor = min_u64(f->cursor, h->pos);
                f->more = true;
            }
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
