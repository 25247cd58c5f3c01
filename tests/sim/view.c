/* view.c -- I7: when all is quiet again, every honest host has the same and shows the same. */
#include "sim.h"

#include "base/hash.h"
#include "store/history.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const rooms[ROOMS] = {"lobby", "ops", "quiet"};

struct view {
    const struct node *node;
    const uint8_t **frame;
    size_t n, max;
    uint64_t room;
};

static bool excused(uint64_t origin)
{
    const struct node *n = node_by_id(origin);
    return n && n->n == w.evicted;
}

struct sum {
    const struct node *node;
    uint64_t sum;
};

/* shown -- how much of a stream is: what lies before a fork. */
static uint64_t shown(const struct node *n, const struct have_row *r)
{
    return min_u64(r->seq, disk_fork(n->disk, r->origin, r->epoch, r->room) - 1);
}

/* end_of -- a stream, as it is compared.  Where some delete, a gap may reach beyond a fork, and is not taken by who knows that. */
static uint64_t end_of(const struct node *n, const struct have_row *r, uint64_t seq)
{
    uint64_t point = disk_fork(n->disk, r->origin, r->epoch, r->room);
    return w.prunes && point != UINT64_MAX ? point : seq ^ disk_hash(n->disk, r->origin, r->epoch, r->room, seq);
}

static void add_up(void *arg, const struct have_row *r)
{
    struct sum *s = arg;
    uint64_t seq = shown(s->node, r);
    if (!excused(r->origin) && !pair_is(r->room) && seq > 0)
        s->sum += mix(mix(r->origin ^ r->epoch, r->room), end_of(s->node, r, seq));
}

static uint64_t vector_sum(const struct node *n)
{
    struct sum s = {n, 0};
    disk_streams(n->disk, add_up, &s);
    return s.sum;
}

struct pair {
    const struct node *one, *other;
};

static void show_difference(void *arg, const struct have_row *r)
{
    const struct pair *p = arg;
    struct have_row theirs = *r;
    theirs.seq = disk_has(p->other->disk, r->origin, r->epoch, r->room);
    uint64_t has = shown(p->other, &theirs), should = shown(p->one, r);
    bool same = has == should && disk_hash(p->other->disk, r->origin, r->epoch, r->room, has) ==
                                     disk_hash(p->one->disk, r->origin, r->epoch, r->room, should);
    if (!same && !excused(r->origin) && pair_may(r->room, p->other))
        trace("        %s has %s/%04llx/%04llx : %llu instead of %llu", node_name(p->other->id),
              node_name(r->origin), (unsigned long long)(r->epoch & 0xffff),
              (unsigned long long)(r->room & 0xffff), (unsigned long long)has,
              (unsigned long long)should);
}

/* ---- the state of rooms ---- */

struct hidden {
    const struct node *one, *other;
    bool any;
};

static void look_hidden(void *arg, const struct history_segment *s)
{
    struct hidden *h = arg;
    const struct node *by = node_by_id(s->origin);
    uint64_t last, point = min_u64(disk_fork(h->one->disk, s->origin, s->epoch, s->room), disk_fork(h->other->disk, s->origin, s->epoch, s->room));
    uint64_t there = disk_hash(h->other->disk, s->origin, s->epoch, s->room, s->last_seq);
    if (by && by->evil && s->last_seq < point && !disk_gap(h->other->disk, s->origin, s->epoch, s->room, s->last_seq, &last))
        h->any |= there != 0 && there != get_u64(s->hash);
}

/* hides_fork -- did a liar say two things to these two, and is it past proof?  What came after one of them is deleted, and behind that
 * gap both go on alike (docs/LINK.md). */
static bool hides_fork(const struct node *one, const struct node *other)
{
    struct hidden h = {one, other, false};
    if (w.prunes && w.stats.evil_runs)
        disk_each(one->disk, look_hidden, &h);
    return h.any;
}

/* same_rooms -- where some delete, end_of() says little. */
static bool same_rooms(const struct node *one, const struct node *other)
{
    bool same = true;
    for (unsigned r = 0; r < ROOMS && w.prunes && w.evicted == NODES_MAX; r++)
        same &= rooms_sum(one, room_id(text_of(rooms[r]))) == rooms_sum(other, room_id(text_of(rooms[r])));
    return same || hides_fork(one, other);
}

/* ---- what is said between two ---- */

struct pair_sum {
    const struct node *node;
    uint64_t room, sum;
};

static void add_up_pair(void *arg, const struct have_row *r)
{
    struct pair_sum *p = arg;
    uint64_t seq = shown(p->node, r);
    if (r->room == p->room && !excused(r->origin) && seq > 0)
        p->sum += mix(r->origin ^ r->epoch, end_of(p->node, r, seq));
}

/* same_pair -- do the two hosts of a conversation have the same of it? */
static bool same_pair(const struct node *one, const struct node *other, uint64_t room)
{
    struct pair_sum a = {one, room, 0}, b = {other, room, 0};
    disk_streams(one->disk, add_up_pair, &a);
    disk_streams(other->disk, add_up_pair, &b);
    return a.sum == b.sum;
}

/* show_pair -- where they do not. */
static bool show_pair(const struct node *one, const struct node *other, uint64_t room)
{
    if (!same_pair(one, other, room)) {
        struct pair p = {one, other}, q = {other, one};
        trace("        %s and %s differ in %04llx", node_name(one->id), node_name(other->id), (unsigned long long)(room & 0xffff));
        disk_streams(one->disk, show_difference, &p);
        disk_streams(other->disk, show_difference, &q);
    }
    return true;
}

struct proofs {
    const struct node *node;
    bool kept, loud;
};

static void must_be_proven(void *arg, const struct have_row *r)
{
    struct proofs *p = arg;
    uint64_t known = forks_point(p->node->forks, r->origin, r->epoch, r->room);
    bool kept = known == disk_fork(p->node->disk, r->origin, r->epoch, r->room);
    if (!kept && p->loud)
        trace("        %s knows that %s/%04llx/%04llx forks at %llu, and has no proof of it on disk", node_name(p->node->id),
              node_name(r->origin), (unsigned long long)(r->epoch & 0xffff), (unsigned long long)(r->room & 0xffff),
              (unsigned long long)known);
    p->kept &= kept;
}

/* proofs_kept -- is what its keeper knows of forks on its disk, too?  And does no stream wait for a proof? */
static bool proofs_kept(const struct node *n, bool loud)
{
    struct proofs p = {n, true, loud};
    const struct have *ours = &n->hub->core.ours;
    if (w.stats.forks)
        disk_streams(n->disk, must_be_proven, &p);
    for (uint32_t i = 0; i < ours->n; i++) {
        const struct have_row *r = &ours->entry[i].row;
        if (ours->entry[i].frozen && loud)
            trace("        %s waits for the proof that %s/%04llx/%04llx forks", node_name(n->id), node_name(r->origin),
                  (unsigned long long)(r->epoch & 0xffff), (unsigned long long)(r->room & 0xffff));
        p.kept &= !ours->entry[i].frozen || excused(r->origin);
    }
    return p.kept;
}

/* show_waiting -- links that are not read for now. */
static void show_waiting(const struct node *n)
{
    for (unsigned k = 0; k < CONNS_MAX; k++) {
        const struct link *l = &n->hub->link[k];
        const struct link_peer *p = link_is_up(l) ? &n->hub->core.peer[l->peer] : NULL;
        if (p)
            trace("        %s hears %s%s%s%s", node_name(n->id), node_name(p->host), p->caught ? ", all it had" : "",
                  l->c.deaf ? ", not now" : "", p->gap ? ", it waits with a gap" : "");
    }
}

bool check_same(bool loud)
{
    const struct node *first = NULL;
    uint64_t sum = 0;
    for (unsigned i = 0; i < w.n_nodes; i++) {
        const struct node *n = w.node[i];
        if (!counts(n))
            continue;
        if (!n->up ||
            journal_head(&n->st.seg->journal) != journal_durable(&n->st.seg->journal)) {
            if (loud)
                trace("        %s is not at rest: journal %llu, on disk %llu", node_name(n->id),
                      (unsigned long long)journal_head(&n->st.seg->journal),
                      (unsigned long long)journal_durable(&n->st.seg->journal));
            return false;
        }
        if (!proofs_kept(n, loud))
            return false;
        if (first && (vector_sum(n) != sum || !same_rooms(first, n))) {
            if (loud) {
                struct pair p = {first, n}, q = {n, first};
                disk_streams(first->disk, show_difference, &p);
                disk_streams(n->disk, show_difference, &q);
                for (unsigned k = 0; k < w.n_nodes; k++)
                    show_waiting(w.node[k]);
            }
            return false;
        }
        first = n;
        sum = vector_sum(n);
    }
    for (unsigned i = 0; loud && i < w.n_nodes; i++)
        show_waiting(w.node[i]);
    for (unsigned c = 0; loud && c < w.n_clients; c++)
        if (w.client[c].acked < w.client[c].said)
            trace("        client %u at %s: %u of %u acknowledged", c,
                  node_name(w.client[c].node->id), w.client[c].acked, w.client[c].said);
    if (loud)
        (void)pairs_each(show_pair);
    return pairs_each(same_pair) && people_content();
}

/* ---- what people would see ---- */

static void collect(void *arg, const struct history_segment *s)
{
    struct view *v = arg;
    if (s->room != v->room || excused(s->origin))
        return;
    uint64_t point = disk_fork(v->node->disk, s->origin, s->epoch, s->room);
    for (size_t i = 0; i < s->len; i += frame_stride(s->frames + i)) {
        bool entry = frame_type(s->frames + i) == FRAME_SAY || frame_type(s->frames + i) == FRAME_STATE;
        if (!entry || frame_seq(s->frames + i) >= point)
            continue;
        v->frame = grown(v->frame, v->n, &v->max, sizeof *v->frame);
        v->frame[v->n++] = s->frames + i;
    }
}

static int order(const void *a, const void *b)
{
    return frame_order(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

/* sum -- of what is shown, in that order; each message once, where it stands first. */
static uint64_t sum(const struct node *n, uint64_t room)
{
    struct view v = {.node = n, .room = room};
    struct map once = {0};
    uint64_t h = 0;
    disk_each(n->disk, collect, &v);
    if (v.n > 0)
        qsort(v.frame, v.n, sizeof *v.frame, order);
    for (size_t i = 0; i < v.n; i++) {
        const uint8_t *f = v.frame[i];
        if (i > 0 && frame_order(v.frame[i - 1], f) == 0)
            broken("I2: %s shows an entry twice", node_name(n->id));
        if (map_find(&once, frame_client(f), frame_client_seq(f), 0))
            continue;
        map_add(&once, frame_client(f), frame_client_seq(f), 0, 1);
        h = mix(h, frame_client(f) ^ frame_client_seq(f) ^ frame_hlc(f) ^ hash_u64(f + FRAME_HEAD, frame_body_len(f)));
    }
    free(v.frame);
    map_free(&once);
    return h;
}

static void check_kept(const struct node *n)
{
    for (unsigned c = 0; c < w.n_clients; c++)
        for (uint32_t i = 1; i <= w.client[c].said && counts(w.client[c].node); i++) {
            const struct message *m = &w.client[c].msg[i];
            if (w.evicted < NODES_MAX && held_by_nobody(m, w.evicted))
                continue; /* a lost disk, and the only other host that had it was put out */
            if (m->room >= PAIR && !pair_keeps(pair_of(&w.client[c], m->room), n))
                continue;
            if (m->acked && !m->lost && !hosts_have(&m->holders, n->n) && !hosts_have(&m->gone, n->n))
                broken("I1: message %u of client %u was acknowledged and is not at %s", i, c,
                       node_name(n->id));
        }
}

static bool shown_the_same(const struct node *one, const struct node *other, uint64_t room)
{
    if (!w.prunes && sum(one, room) != sum(other, room))
        broken("I7: %s and %s show a conversation differently", node_name(one->id), node_name(other->id));
    return true;
}

void check_end(void)
{
    const struct node *first = NULL;
    for (unsigned i = 0; i < w.n_nodes; i++) {
        const struct node *n = w.node[i];
        if (!counts(n))
            continue;
        check_kept(n);
        for (unsigned r = 0; r < ROOMS; r++) {
            uint64_t room = room_id(text_of(rooms[r])), state = check_rooms(n, room);
            if (first && state != check_rooms(first, room) && w.evicted == NODES_MAX && !hides_fork(first, n))
                broken("I11: #%s is not in the same state at %s and %s", rooms[r], node_name(first->id), node_name(n->id));
            if (first && !w.prunes && sum(first, room) != sum(n, room))
                broken("I7: %s and %s show #%s differently", node_name(first->id),
                       node_name(n->id), rooms[r]);
        }
        first = n;
        digest(vector_sum(n));
    }
    (void)pairs_each(shown_the_same);
    gone_end();
}
