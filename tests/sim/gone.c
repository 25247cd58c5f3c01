/* gone.c -- who keeps how much of what was said, and what must hold when some delete it (I15): only what people said, and only what
 * is old enough; what one host has and another has not is a gap there, and everything else is there once. */
#include "sim.h"

#include "base/sys.h"
#include "store/history.h"

/* gone_plan -- chance of its own: what else happens in a run is as without. */
void gone_plan(void)
{
    struct prng own = {mix(w.seed, 15)};
    w.prunes = prng_below(&own, 3) == 0;
    w.stats.prune_runs = w.prunes;
    for (unsigned i = 0; i < w.n_nodes && w.prunes; i++) {
        struct node *n = w.node[i];
        uint64_t how = prng_below(&own, 6);
        if (how < 3)
            n->keep_ms = KEEP_AT_LEAST_MS + prng_below(&own, how == 0 ? 100 * 1000 : 10 * 1000);
        else if (how == 3)
            n->keep_bytes = 5000 + prng_below(&own, 100000);
    }
}

void gone_dropped(struct node *n, const struct history_segment *s)
{
    uint64_t age = n->keep_bytes ? KEEP_AT_LEAST_MS : max_u64(n->keep_ms, KEEP_AT_LEAST_MS);
    w.stats.dropped++;
    trace("deletes %s/%04llx/%04llx %llu..%llu", node_name(s->origin), (unsigned long long)(s->epoch & 0xffff),
          (unsigned long long)(s->room & 0xffff), (unsigned long long)s->first_seq, (unsigned long long)s->last_seq);
    if ((s->hlc_max >> 16) + age > wall_of(n))
        broken("I15: %s deletes what is %lld ms old, and keeps %llu ms", node_name(n->id),
               (long long)(wall_of(n) - (s->hlc_max >> 16)), (unsigned long long)age);
    for (size_t i = 0; i < s->len; i += frame_stride(s->frames + i))
        if (frame_type(s->frames + i) != FRAME_SAY)
            broken("I15: %s deletes more than what people said", node_name(n->id));
}

/* gone_needless -- is another peer linked since all is quiet who had some of it before that, names no gap himself, and does not lie? */
void gone_needless(const struct node *n, unsigned peer, const uint8_t *gap, uint64_t have)
{
    const struct link_core *core = &n->hub->core;
    for (unsigned i = 0; i < LINK_PEERS_MAX && w.calm && !n->evil && w.evicted == NODES_MAX; i++) {
        const struct link_peer *p = &core->peer[i];
        const struct node *q = p->phase == LINK_OPEN ? node_by_id(p->host) : NULL;
        uint64_t up_us = w.now - min_u64(w.now, (now_ms() - p->up_ms) * MS), last;
        if (now_ms() - core->peer[peer].up_ms >= LINK_GAP_MAX_MS)
            return; /* it waited for long enough */
        if (!q || i == peer || q->evil || !q->up || up_us < w.calm_us || p->gap || !pair_may(frame_room(gap), q) || pair_is_private(frame_room(gap)) ||
            frame_seq(gap) >= disk_fork(q->disk, frame_origin(gap), frame_epoch(gap), frame_room(gap)))
            continue;
        uint64_t first = disk_next(q->disk, frame_origin(gap), frame_epoch(gap), frame_room(gap), have + 1, up_us, &last);
        if (first != 0 && last <= frame_seq(gap))
            broken("I15: %s takes a gap of %s's %llu.., which %s has", node_name(n->id), node_name(frame_origin(gap)),
                   (unsigned long long)first, node_name(q->id));
    }
}

/* whole -- is every entry of this stream there once, or missing once? */
static void whole(void *arg, const struct have_row *r)
{
    const struct node *n = arg;
    for (uint64_t seq = 1, last, lost; seq <= r->seq; seq = last + 1) {
        bool there = disk_next(n->disk, r->origin, r->epoch, r->room, seq, UINT64_MAX, &last) == seq;
        bool gap = disk_gap(n->disk, r->origin, r->epoch, r->room, seq, &lost);
        if (there == gap)
            broken("I15: %s has %s's number %llu %s", node_name(n->id), node_name(r->origin), (unsigned long long)seq,
                   there ? "and says that it is gone" : "not, and no gap there");
        last = gap ? lost : last;
    }
}

struct two {
    const struct node *one, *other;
};

/* is_there -- at the other, or a gap. */
static void is_there(void *arg, const struct history_segment *s)
{
    const struct two *t = arg;
    const struct node *origin = node_by_id(s->origin);
    uint64_t lost, point = min_u64(disk_fork(t->one->disk, s->origin, s->epoch, s->room),
                                   disk_fork(t->other->disk, s->origin, s->epoch, s->room));
    if (pair_is(s->room) || !origin || origin->n == w.evicted || s->last_seq >= point || (origin->evil && w.stats.forks))
        return;
    if (!disk_gap(t->other->disk, s->origin, s->epoch, s->room, s->last_seq, &lost) &&
        disk_hash(t->other->disk, s->origin, s->epoch, s->room, s->last_seq) != get_u64(s->hash))
        broken("I15: %s has %s's number %llu, %s has not, and says nothing of it", node_name(t->one->id), node_name(s->origin),
               (unsigned long long)s->last_seq, node_name(t->other->id));
}

void gone_end(void)
{
    for (unsigned i = 0; i < w.n_nodes && w.prunes; i++) {
        struct node *n = w.node[i];
        if (!counts(n))
            continue;
        disk_streams(n->disk, whole, n);
        for (unsigned k = 0; k < w.n_nodes; k++) {
            struct two t = {n, w.node[k]};
            if (k != i && counts(w.node[k]))
                disk_each(n->disk, is_there, &t);
        }
    }
}
