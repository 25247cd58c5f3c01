/* words.c -- what is said on links: an acknowledgement is honest, and it comes (I9); how much it is.  The linker leads
 * link_next(), link_judge() and greetings here first. */
#include "sim.h"

#include "state/scope.h"

#include <stdlib.h>

static struct map told;

/* The list of whose streams others bring does not fit into a frame in a large network, and lies here meanwhile. */
struct list {
    uint8_t host[NODES_MAX * 8];
    size_t n;
};
static struct map lists; /* (host, feed) -> a place in `list` */
static struct list *list;
static uint32_t n_lists;

static uint32_t link_no[NODES_MAX][NODES_MAX];

void words_reset(void)
{
    map_free(&told);
    map_free(&lists);
    n_lists = 0;
    memset(link_no, 0, sizeof link_no);
}

static uint64_t told_key(const struct node *from, const struct node *to)
{
    return (uint64_t)link_no[from->n][to->n] << 16 | from->n << 8 | to->n;
}

static void note_told(const struct node *from, uint64_t to, const struct have_row *r)
{
    map_add(&told, told_key(from, node_by_id(to)), mix(r->origin, r->epoch), r->room,
            (uint32_t)r->seq);
}

struct told {
    const struct node *from, *to;
    bool loud, all;
};

static void must_be_told(void *arg, const struct have_row *r)
{
    struct told *t = arg;
    if ((r->origin == t->from->id && r->epoch == t->from->st.seg->shape.epoch) || !pair_is_told(r->room, t->from, t->to))
        return; /* its segments say so; it must not know */
    struct have_row row = *r;
    row.seq = min_u64(r->seq, disk_fork(t->from->disk, r->origin, r->epoch, r->room) - 1);
    if (w.prunes && row.seq < r->seq)
        return; /* a gap that reaches beyond the fork is not told when that was known before */
    const uint32_t *said =
        map_find(&told, told_key(t->from, t->to), mix(r->origin, r->epoch), r->room);
    bool heard = feeds_peer_has(t->to->feeds, t->from->id, &row) == TRACE_HAS;
    if (row.seq == 0 || (said && *said >= row.seq && heard))
        return;
    t->all = false;
    if (t->loud && said && *said >= row.seq)
        broken("I9: the keeper of %s never heard that %s has %s/%04llx/%04llx : %llu on disk",
               node_name(t->to->id), node_name(t->from->id), node_name(r->origin), (unsigned long long)(r->epoch & 0xffff),
               (unsigned long long)(r->room & 0xffff), (unsigned long long)row.seq);
    if (t->loud)
        broken("I9: %s never told %s that it has %s's %llu on disk", node_name(t->from->id),
               node_name(t->to->id), node_name(r->origin), (unsigned long long)row.seq);
}

bool check_told(bool loud)
{
    bool all = true;
    for (unsigned i = 0; i < w.n_nodes; i++)
        for (unsigned k = 0; k < CONNS_MAX && !w.node[i]->evil; k++) {
            const struct link *l = &w.node[i]->hub->link[k];
            const struct link_peer *p =
                link_is_up(l) ? &w.node[i]->hub->core.peer[l->peer] : NULL;
            if (!p || p->phase != LINK_OPEN || node_by_id(p->host)->evil)
                continue;
            struct told t = {w.node[i], node_by_id(p->host), loud, true};
            disk_streams(t.from->disk, must_be_told, &t);
            all &= t.all;
        }
    return all;
}

/* same_told -- of these parts the peer hears that we have what it has: each row as our link process knows it. */
static void same_told(const struct link_core *l, unsigned peer, const uint8_t *frame)
{
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    for (struct same_row s; rd_left(&r) > 0;) {
        read_same_row(&r, &s);
        trace("        %s: parts %x", node_name(s.origin), s.parts);
        for (uint32_t i = 0; i < l->ours.n; i++) {
            const struct have_entry *e = &l->ours.entry[i];
            struct have_row row = e->row;
            row.seq = e->durable;
            if (row.origin == s.origin && s.parts >> digest_part(s.from, row.epoch) & 1)
                note_told(here, l->peer[peer].host, &row);
        }
    }
}

static enum tally_kind kind_of(uint8_t type)
{
    bool people = type == FRAME_PRESENCE || type == FRAME_BEAT;
    return type == FRAME_HAVE ? TALLY_HAVE : people ? TALLY_PEOPLE : TALLY_OTHER;
}

static void add_up(enum tally_kind kind, size_t bytes)
{
    w.tally.frames[kind]++;
    w.tally.bytes[kind] += bytes;
}

int __real_link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms,
                     uint8_t *frame);
int __wrap_link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms,
                     uint8_t *frame);
int __wrap_link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms,
                     uint8_t *frame)
{
    int n = __real_link_next(l, peer, wall_ms, now_ms, frame);
    if (n <= 0)
        return n;
    w.stats.frames++;
    w.edge[here->n][node_by_id(l->peer[peer].host)->n].frames++;
    add_up(kind_of(frame_type(frame)), (size_t)n);
    const struct frame_row *row = frame_row(frame_type(frame));
    if (w.tracing && frame_type(frame) != FRAME_PING && frame_type(frame) != FRAME_PONG)
        trace("-> %-4s %s%s", node_name(l->peer[peer].host), row ? row->name : "?",
              frame_flags(frame) & FRAME_MORE ? " ..." : "");
    if (w.tracing && frame_type(frame) == FRAME_PRESENCE)
        trace("        %s/%llx : %llu", node_name(frame_origin(frame)), (unsigned long long)frame_epoch(frame),
              (unsigned long long)frame_seq(frame));
    if (frame_type(frame) == FRAME_GREETING)
        link_no[here->n][node_by_id(l->peer[peer].host)->n]++;
    if (frame_type(frame) == FRAME_SAME)
        same_told(l, peer, frame);
    if (frame_type(frame) != FRAME_HAVE)
        return n;
    struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
    for (struct have_row h; rd_left(&r) > 0;) {
        read_have_row(&r, &h);
        uint64_t disk = disk_has(here->disk, h.origin, h.epoch, h.room);
        note_told(here, l->peer[peer].host, &h);
        pair_check(h.room, node_by_id(l->peer[peer].host), "is told of a conversation");
        trace("        %s/%04llx/%04llx : %llu", node_name(h.origin),
              (unsigned long long)(h.epoch & 0xffff), (unsigned long long)(h.room & 0xffff),
              (unsigned long long)h.seq);
        if (h.seq > disk)
            broken("I9: %s says that it has %s's %llu on disk, and has %llu",
                   node_name(here->id), node_name(h.origin), (unsigned long long)h.seq,
                   (unsigned long long)disk);
    }
    return n;
}

enum link_verdict __real_link_judge(struct link_core *l, unsigned peer, const uint8_t *segment,
                                    uint64_t now_ms, struct link_update *up);
enum link_verdict __wrap_link_judge(struct link_core *l, unsigned peer, const uint8_t *segment,
                                    uint64_t now_ms, struct link_update *up);
enum link_verdict __wrap_link_judge(struct link_core *l, unsigned peer, const uint8_t *f,
                                    uint64_t now_ms, struct link_update *up)
{
    static const char *const names[] = {"new", "old", "later", "BAD", "FORKED"};
    struct segment_head s = {0};
    if (!node_by_id(l->peer[peer].host)->evil)
        pair_check(frame_room(f), here, "is sent words");
    bool proves_itself = scope_private(here->st.seg, frame_room(f)) && scope_owns(here->st.seg, frame_room(f), frame_origin(f));
    if (roster_room(&here->st.seg->roster, frame_room(f)) != 0 && !proves_itself)
        pair_check(frame_room(f), node_by_id(l->peer[peer].host), "gets a verdict about words");
    enum link_verdict v = __real_link_judge(l, peer, f, now_ms, up);
    w.edge[node_by_id(l->peer[peer].host)->n][here->n].frames++;
    if (v != LINK_LATER && read_segment(f, &s) == 0)
        add_up(v == LINK_NEW ? TALLY_NEW : TALLY_OLD, frame_stride(f) + s.bytes);
    if (w.tracing && read_segment(f, &s) == 0)
        trace("<- %-4s SEGMENT %s/%04llx/%04llx %llu..%llu : %s", node_name(l->peer[peer].host),
              node_name(frame_origin(f)), (unsigned long long)(frame_epoch(f) & 0xffff),
              (unsigned long long)(frame_room(f) & 0xffff), (unsigned long long)s.first_seq,
              (unsigned long long)frame_seq(f), v <= LINK_FORKED ? names[v] : "?");
    return v;
}

enum link_verdict __real_link_judge_gap(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up);
enum link_verdict __wrap_link_judge_gap(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up);
enum link_verdict __wrap_link_judge_gap(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up)
{
    const struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    uint64_t have = e ? e->row.seq : 0;
    enum link_verdict v = __real_link_judge_gap(l, peer, f, now_ms, up);
    if (v == LINK_NEW)
        gone_needless(here, peer, f, have);
    return v;
}

bool __real_link_early(struct link_core *l, unsigned peer, const uint8_t *segment, uint64_t now_ms);
bool __wrap_link_early(struct link_core *l, unsigned peer, const uint8_t *segment, uint64_t now_ms);
bool __wrap_link_early(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms)
{
    bool early = __real_link_early(l, peer, f, now_ms);
    if (early)
        check_early(here, node_by_id(l->peer[peer].host), f);
    return early;
}

const struct link_early *__real_link_kept_back(struct link_core *l, uint64_t now_ms);
const struct link_early *__wrap_link_kept_back(struct link_core *l, uint64_t now_ms);
const struct link_early *__wrap_link_kept_back(struct link_core *l, uint64_t now_ms)
{
    const struct link_early *e = __real_link_kept_back(l, now_ms);
    if (e)
        check_kept_back(here, e);
    return e;
}

/* ---- greetings ---- */

/* The list of hosts of a large network does not fit into a frame: an empty one means everybody. */
enum { LISTED_MAX = 256 };
static uint8_t listed[NODES_MAX * 8];

static size_t list_all(const uint8_t **host)
{
    for (unsigned i = 0; i < w.n_nodes; i++)
        put_u64(listed + 8 * i, w.node[i]->id);
    *host = listed;
    return w.n_nodes;
}

int __real_write_greeting(uint8_t *buf, const struct greeting *g, uint64_t origin, uint64_t epoch);
int __wrap_write_greeting(uint8_t *buf, const struct greeting *g, uint64_t origin, uint64_t epoch);
int __wrap_write_greeting(uint8_t *buf, const struct greeting *g, uint64_t origin, uint64_t epoch)
{
    struct greeting said = *g;
    said.version_max = (uint16_t)(said.version_max + here->newer);
    said.n_hosts = said.n_hosts > LISTED_MAX ? 0 : said.n_hosts;
    return __real_write_greeting(buf, &said, origin, epoch);
}

int __real_read_greeting(const uint8_t *f, struct greeting *g);
int __wrap_read_greeting(const uint8_t *f, struct greeting *g);
int __wrap_read_greeting(const uint8_t *f, struct greeting *g)
{
    int r = __real_read_greeting(f, g);
    if (r == 0 && w.n_nodes > LISTED_MAX)
        g->n_hosts = list_all(&g->host);
    return r;
}

static struct list *list_of(uint64_t feed)
{
    uint32_t *at = map_find(&lists, here->id, feed, 0);
    if (!at) {
        list = realloc(list, (n_lists + 1) * sizeof *list);
        ASSERT(list);
        at = map_add(&lists, here->id, feed, 0, n_lists++);
    }
    return &list[*at];
}

int __real_write_feed_order(uint8_t *buf, const struct feed_order *o, uint64_t feed);
int __wrap_write_feed_order(uint8_t *buf, const struct feed_order *o, uint64_t feed);
int __wrap_write_feed_order(uint8_t *buf, const struct feed_order *o, uint64_t feed)
{
    struct feed_order said = *o;
    if (w.n_nodes > LISTED_MAX && o->op == FEED_OTHERS) {
        struct list *l = list_of(feed);
        l->n = o->n_hosts;
        memcpy(l->host, o->host, 8 * l->n);
    }
    said.n_hosts = w.n_nodes > LISTED_MAX ? 0 : said.n_hosts;
    return __real_write_feed_order(buf, &said, feed);
}

int __real_read_feed_order(const uint8_t *f, struct feed_order *o);
int __wrap_read_feed_order(const uint8_t *f, struct feed_order *o);
int __wrap_read_feed_order(const uint8_t *f, struct feed_order *o)
{
    int r = __real_read_feed_order(f, o);
    if (r < 0 || w.n_nodes <= LISTED_MAX)
        return r;
    if (o->op == FEED_OPEN)
        o->n_hosts = list_all(&o->host);
    if (o->op == FEED_OTHERS) {
        o->host = list_of(frame_client(f))->host;
        o->n_hosts = list_of(frame_client(f))->n;
    }
    return r;
}

/* ---- what a keeper believes ---- */

struct believed {
    const struct node *n, *peer;
};

static void must_be_true(void *arg, const struct have_row *r)
{
    const struct believed *b = arg;
    struct have_row next = *r;
    next.seq = disk_has(b->peer->disk, r->origin, r->epoch, r->room) + 1;
    uint64_t last;
    bool kept = disk_has(b->n->disk, r->origin, r->epoch, r->room) >= next.seq &&
                !disk_gap(b->n->disk, r->origin, r->epoch, r->room, next.seq, &last);
    if (kept && /* of what is not, nothing is said (keep/trace.h) */
        feeds_peer_has(b->n->feeds, b->peer->id, &next) == TRACE_HAS)
        broken("I9: %s believes that %s has %s/%llx/%llx %llu on disk", node_name(b->n->id), node_name(b->peer->id), node_name(r->origin),
               (unsigned long long)r->epoch, (unsigned long long)r->room, (unsigned long long)next.seq);
}

/* check_believed -- now and then, one of its peers: whoever sends with --wait is told so.  Of
 * one whose disk was ever set back old words may be on the way. */
void check_believed(const struct node *n)
{
    struct believed b = {n, w.node[w.step / 16 % w.n_nodes]};
    if (w.step % 16 == 0 && !n->evil && !b.peer->evil && b.peer != n &&
        b.peer->incarnation == 0)
        disk_streams(n->disk, must_be_true, &b);
}
