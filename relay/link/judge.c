/* judge.c -- segments, gaps and forks: what is taken, and what becomes of it on its way to the disk; no I/O. */
#include "link/core_inside.h"

void link_tell_news(struct link_core *l, uint32_t entry)
{
    l->news[l->news_next++ % LINK_NEWS_MAX] = entry;
}

static enum link_verdict bad(struct link_update *up, enum reason reason, const char *why)
{
    end_link(up, reason, why);
    return LINK_BAD;
}

/* peer_has -- who sends it has it. */
static void peer_has(const struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    struct have_row row = {frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f), {0}};
    struct wr w = frame_begin(up->feed, FRAME_HAVE);
    frame_set_client(up->feed, p->feed);
    write_have_row(&w, &row);
    int n = frame_end(up->feed, &w);
    ASSERT(n > 0);
    up->feed_len = (size_t)n;
}

enum link_verdict link_judge(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms,
                             struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    struct segment_head s;
    static const uint8_t none[HASH_LEN];
    nothing(up);
    p->heard_ms = now_ms;
    if (p->phase < LINK_VECTOR || read_segment(f, &s) < 0 || s.first_seq == 0 || frame_seq(f) < s.first_seq ||
        frame_seq(f) == UINT64_MAX)
        return bad(up, REASON_MALFORMED, "A segment came that is none, or before its time.");
    if (frame_origin(f) == l->self && (frame_epoch(f) == l->epoch || MUTANT(OWN_TAIL_REFUSED)) && !MUTANT(OWN_RUN_TAKEN))
        return LINK_OLD;
    if (!link_knows(l, frame_origin(f)))
        return bad(up, REASON_DENIED, "A segment came of a host that is not known here.");
    const struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    uint64_t have = e ? e->row.seq : 0;
    if (e && (e->frozen || s.first_seq >= e->point))
        return LINK_OLD;
    if (s.first_seq > have + 1 && !MUTANT(GAP_TAKEN))
        return bad(up, REASON_MALFORMED, "A segment came that does not continue its stream.");
    bool beyond = e && frame_seq(f) >= e->point; /* it lies on both sides of it */
    bool fits = beyond                     ? false
                : s.first_seq == have + 1  ? memcmp(s.prev, e ? e->head : none, HASH_LEN) == 0
                : frame_seq(f) == have     ? memcmp(s.hash, e->head, HASH_LEN) == 0
                                           : frame_seq(f) < have;
    if (!fits && !MUTANT(PREV_UNCHECKED)) {
        end_link(up, REASON_DENIED, "A segment came that contradicts what its origin said before.");
        return e && !MUTANT(FORK_ENDS_LINK) ? LINK_FORKED : LINK_BAD;
    }
    peer_has(p, f, up);
    p->moved_ms = now_ms;
    if (s.first_seq <= have && !MUTANT(DUPLICATE_TAKEN))
        return LINK_OLD;
    return l->pending_next - l->pending_first == LINK_PENDING_MAX && !MUTANT(NEVER_LATER) ? LINK_LATER : LINK_NEW;
}

/* ---- gaps ---- */

/* first_to -- of two that name gaps, is this one to go on first?  The one whose gap is older keeps more. */
static bool first_to(const struct link_peer *p, const struct link_peer *other)
{
    return p->gap != other->gap ? p->gap < other->gap : p->host < other->host;
}

/* may_bring -- can this other peer still bring what is missing, or say first that it cannot? */
static bool may_bring(const struct link_peer *q, const struct link_peer *p, uint64_t now_ms)
{
    if (q == p || q->phase < LINK_VECTOR || q->caught)
        return false;
    return q->gap ? first_to(q, p) : !q->vector_told || now_ms - q->moved_ms < LINK_GAP_MS;
}

/* gap_ripe -- is there nobody who may have the missing part?  In the present run of a host that is linked, where it may be what
 * was said a moment ago, that host alone says what is gone; unless it waits itself with a younger gap: then it keeps less. */
static bool gap_ripe(const struct link_core *l, const struct link_peer *p, const uint8_t *f, uint64_t now_ms)
{
    if (now_ms - p->up_ms >= LINK_GAP_MAX_MS || MUTANT(GAP_EARLY))
        return true;
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct link_peer *q = &l->peer[i];
        bool its_own = q != p && q->phase == LINK_OPEN && q->host == frame_origin(f) && q->epoch == frame_epoch(f);
        bool keeps_less = q->gap && first_to(p, q);
        if ((its_own && !keeps_less) || may_bring(q, p, now_ms))
            return false;
    }
    return now_ms - p->up_ms >= LINK_GAP_MS;
}

/* gap_fits -- is what it says to be missing what comes next in this stream, as far as can be told? */
static bool gap_fits(const struct have_entry *e, const struct gap *g)
{
    return g->last.first_seq > e->row.seq &&
           (g->last.first_seq > e->row.seq + 1 || memcmp(g->last.prev, e->head, HASH_LEN) == 0);
}

enum link_verdict link_judge_gap(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    struct gap g;
    nothing(up);
    p->heard_ms = now_ms;
    p->gap = 0;
    if (p->phase < LINK_VECTOR || read_gap(f, &g) < 0)
        return bad(up, REASON_MALFORMED, "A gap came that is none, or before its time.");
    if (p->caught) /* who else may have the part is asked only while links begin */
        return bad(up, REASON_MALFORMED, "A part was deleted there that was still to come: the link begins anew, to hear what is gone.");
    if (frame_origin(f) == l->self && frame_epoch(f) == l->epoch)
        return LINK_OLD;
    if (!link_knows(l, frame_origin(f)))
        return bad(up, REASON_DENIED, "A gap came in a stream of a host that is not known here.");
    const struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    if (e && (e->frozen || frame_seq(f) >= e->point))
        return LINK_OLD; /* what lies before it was passed over, too */
    if (!e || e->row.seq == 0 || g.first_seq > e->row.seq + 1)
        return bad(up, REASON_MALFORMED, "A gap came that does not continue its stream.");
    if (frame_seq(f) <= e->row.seq)
        return LINK_OLD;
    if (!gap_fits(e, &g)) {
        end_link(up, REASON_DENIED, "A gap came that contradicts what its origin said before.");
        return LINK_FORKED;
    }
    p->gap = max_u64(frame_hlc(f), 1);
    if (!gap_ripe(l, p, f, now_ms) || l->pending_next - l->pending_first == LINK_PENDING_MAX)
        return LINK_LATER;
    p->gap = 0;
    p->moved_ms = now_ms;
    peer_has(p, f, up);
    return LINK_NEW;
}

bool link_gap_waits(const struct link_core *l, unsigned peer)
{
    return l->peer[peer].gap != 0;
}

enum link_verdict link_judge_chain(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms,
                                   struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    struct sealed s[CHAIN_HEADS_MAX];
    int n = read_chain(f, s);
    nothing(up);
    p->heard_ms = now_ms;
    if (p->phase < LINK_VECTOR || n <= 0)
        return bad(up, REASON_MALFORMED, "Heads of segments came that are none, or before their time.");
    if (!link_knows(l, frame_origin(f)))
        return LINK_OLD;
    const struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    for (int i = 0; i < n; i++)
        if (!e || s[i].first_seq < e->point)
            return LINK_NEW;
    return LINK_OLD;
}

bool link_fork(struct link_core *l, const uint8_t *proof)
{
    struct sealed s[CHAIN_HEADS_MAX];
    struct have_entry *e = have_add(&l->ours, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    int n = read_chain(proof, s);
    ASSERT(e && n == 2);
    bool first = e->point == UINT64_MAX;
    uint64_t last = frame_seq(proof) - 1;
    const uint8_t *head = s[s[1].first_seq == last + 1].prev; /* what both sides of the fork come from */
    e->point = min_u64(e->point, last + 1);
    e->frozen = false;
    if (e->row.seq > last) {
        e->row.seq = last;
        memcpy(e->head, head, HASH_LEN);
    }
    if (e->durable > last) {
        e->durable = last;
        memcpy(e->durable_head, head, HEAD_LEN);
    }
    link_tell_news(l, (uint32_t)(e - l->ours.entry));
    return first;
}

void link_freeze(struct link_core *l, const uint8_t *f)
{
    struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    ASSERT(e);
    e = MUTANT(FREEZES_ANOTHER) ? l->ours.entry : e;
    e->frozen = true;
}

bool link_full(const struct link_core *l)
{
    return l->ours.n == l->ours.max;
}

void *link_grow(struct link_core *l, void *memory, uint32_t max)
{
    struct have old = l->ours;
    have_init(&l->ours, memory, max);
    have_move(&l->ours, &old);
    return old.entry;
}

void link_took(struct link_core *l, const uint8_t *f, uint64_t end)
{
    struct sealed s;
    struct gap g;
    struct have_entry *e = have_add(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    int r = frame_type(f) == FRAME_GAP ? read_gap(f, &g) : read_sealed(f, &s);
    s = frame_type(f) == FRAME_GAP ? g.last : s;
    ASSERT(e && r == 0 && l->pending_next - l->pending_first < LINK_PENDING_MAX);
    e->row.seq = frame_seq(f);
    memcpy(e->head, s.hash, HASH_LEN);
    uint64_t i = l->pending_next++ % LINK_PENDING_MAX;
    l->pending[i].end = l->taken = end;
    l->pending[i].seq = e->row.seq;
    memcpy(l->pending[i].head, e->head, HEAD_LEN);
    l->pending[i].entry = (uint32_t)(e - l->ours.entry);
}

bool link_durable(struct link_core *l, uint64_t pos)
{
    uint64_t before = l->news_next;
    l->durable = max_u64(l->durable, pos);
    while (l->pending_first < l->pending_next &&
           (l->pending[l->pending_first % LINK_PENDING_MAX].end <= pos || MUTANT(PENDING_EARLY))) {
        uint64_t i = l->pending_first++ % LINK_PENDING_MAX;
        struct have_entry *e = &l->ours.entry[MUTANT(WRONG_ROW) ? 0 : l->pending[i].entry];
        if (l->pending[i].seq >= e->point)
            continue; /* taken before the fork was known */
        e->durable = l->pending[i].seq;
        memcpy(e->durable_head, l->pending[i].head, HEAD_LEN);
        link_tell_news(l, l->pending[i].entry);
    }
    return l->news_next != before;
}

bool link_on_its_way(const struct link_core *l, uint64_t room)
{
    for (uint64_t i = l->pending_first; i < l->pending_next; i++)
        if (l->ours.entry[l->pending[i % LINK_PENDING_MAX].entry].row.room == room && !MUTANT(REFUSED_AT_ONCE))
            return true;
    return false;
}

void link_tell_room(struct link_core *l, uint64_t room)
{
    for (uint32_t i = 0; i < l->ours.n; i++)
        if (l->ours.entry[i].row.room == room && l->ours.entry[i].durable > 0)
            link_tell_news(l, i);
}
