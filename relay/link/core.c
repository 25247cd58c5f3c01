/* core.c -- greeting, vectors, what is taken and what is acknowledged; no I/O. */
#include "link/core.h"

#include "base/mutant.h"
#include <errno.h>

static void nothing(struct link_update *up)
{
    up->feed_len = 0;
    up->presence = -1;
    up->reason = REASON_OK;
    up->why[0] = '\0';
}

static void end_link(struct link_update *up, enum reason reason, const char *why)
{
    size_t n = min_size(strlen(why), SENTENCE_MAX);
    up->reason = (uint8_t)reason;
    memcpy(up->why, why, n);
    up->why[n] = '\0';
}

/* order -- something for the keeper, behind what is there already. */
static void order(struct link_update *up, enum feed_op op, uint64_t feed, const struct greeting *g)
{
    struct feed_order o = {.op = (uint8_t)op, .host = g ? g->host : NULL, .n_hosts = g ? g->n_hosts : 0};
    int n = write_feed_order(up->feed + up->feed_len, &o, feed);
    ASSERT(n > 0);
    up->feed_len += (size_t)n;
}

void link_init(struct link_core *l, uint64_t self, uint64_t epoch, struct text name, struct have ours)
{
    memset(l, 0, offsetof(struct link_core, peer)); /* not the peers: most of that is never used */
    for (unsigned i = 0; i < LINK_PEERS_MAX; i++)
        l->peer[i].phase = LINK_FREE;
    l->self = self;
    l->epoch = epoch;
    l->ours = ours;
    memcpy(l->name, name.p, min_size(name.len, HOST_NAME_MAX_LEN));
    presence_init(&l->presence, self, epoch);
    topology_init(&l->topology, self);
}

bool link_knows(const struct link_core *l, uint64_t host)
{
    for (size_t i = 0; i < l->n_hosts; i++)
        if (l->host[i] == host)
            return true;
    return host == l->self;
}

int link_know(struct link_core *l, uint64_t host)
{
    if (link_knows(l, host))
        return 0;
    if (l->n_hosts == LINK_HOSTS_MAX - 1) /* and ourselves */
        return -ENOSPC;
    l->host[l->n_hosts++] = host;
    l->planned = UINT64_MAX;
    return 0;
}

void link_forget(struct link_core *l, uint64_t host)
{
    for (size_t i = 0; i < l->n_hosts; i++)
        if (l->host[i] == host && !MUTANT(NEVER_FORGETS))
            l->host[i--] = l->host[--l->n_hosts];
    l->planned = UINT64_MAX;
}

int link_up(struct link_core *l, uint64_t host, uint64_t nonce, uint64_t now_ms)
{
    for (int i = 0; i < LINK_PEERS_MAX; i++) {
        struct link_peer *p = &l->peer[i];
        if (p->phase != LINK_FREE)
            continue;
        *p = (struct link_peer){.host = host, .phase = LINK_GREETING, .feed = ++l->last_feed, .nonce = nonce,
                                .up_ms = now_ms, .heard_ms = now_ms, .said_ms = now_ms};
        return i;
    }
    return -ENOSPC;
}

/* rested -- so long since then that it may be done again.  All hosts hear of each change of our links, and each makes out
 * anew who brings what to whom: what comes in a burst is one change, and who knows many hosts waits longer for more. */
static bool rested(const struct link_core *l, uint64_t since_ms, uint64_t now_ms)
{
    return now_ms - since_ms >= l->topology.n * LINK_REST_MS;
}

/* say_links -- with whom we are linked now. */
static void say_links(struct link_core *l, uint64_t now_ms)
{
    uint64_t link[LINK_PEERS_MAX];
    size_t n = 0;
    if (!l->links_moved || !rested(l, l->links_said_ms, now_ms))
        return;
    l->links_moved = false;
    l->links_said_ms = now_ms;
    for (size_t i = 0; i < LINK_PEERS_MAX; i++)
        if (l->peer[i].phase == LINK_OPEN && !l->peer[i].through)
            link[n++] = l->peer[i].host;
    topology_set(&l->topology, l->presence.epoch, link, n);
}

void link_down(struct link_core *l, unsigned peer, struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    nothing(up);
    if (p->phase >= LINK_VECTOR)
        order(up, FEED_CLOSE, p->feed, NULL);
    p->phase = LINK_FREE;
    l->links_moved = true;
}

/* ---- digests ---- */

static struct have_row told_row(const struct have_entry *e)
{
    struct have_row row = e->row;
    row.seq = MUTANT(HAVE_ACCEPTED) ? e->row.seq : e->durable;
    memcpy(row.head, e->durable_head, HEAD_LEN);
    return row;
}

bool link_tells(const struct link_core *l, const struct link_peer *p, const struct have_entry *e)
{
    return e->durable > 0 && (!l->may_hear || MUTANT(TOLD_TO_ALL) || l->may_hear(l->arg, e->row.room, p->host));
}

/* host_at -- of the list of those whose streams we take: our own comes last.  place_of -- its place; n_hosts + 1: none. */
static uint64_t host_at(const struct link_core *l, size_t i)
{
    return i < l->n_hosts ? l->host[i] : l->self;
}

static size_t place_of(const struct link_core *l, uint64_t host)
{
    size_t i = 0;
    while (i < l->n_hosts && l->host[i] != host)
        i++;
    return i < l->n_hosts || host == l->self ? i : l->n_hosts + 1;
}

/* Some hosts of our list, one after the other, and what we have of their streams. */
struct digests {
    size_t first, n;
    struct digest_row row[DIGEST_ROWS_MAX];
};

/* apart -- is this stream in no digest?  Of the run that one of the two is in, which may be any part, for clocks are set back; or
 * of a private room. */
static bool apart(const struct link_core *l, const struct link_peer *p, const struct have_row *r)
{
    if (l->is_private && l->is_private(l->arg, r->room) && !MUTANT(PRIVATE_DIGESTED))
        return true;
    return (r->origin == l->self && r->epoch == l->epoch) || (r->origin == p->host && r->epoch == p->epoch);
}

/* row_of -- where this row counts; NULL: nowhere. */
static struct digest_row *row_of(const struct link_core *l, const struct link_peer *p, struct digests *d,
                                 const struct have_entry *e)
{
    if (apart(l, p, &e->row) || !link_tells(l, p, e))
        return NULL;
    for (size_t i = 0; i < d->n; i++)
        if (d->row[i].origin == e->row.origin)
            return &d->row[i];
    return NULL;
}

/* sum_up -- every row into the part it belongs to. */
static void sum_up(const struct link_core *l, const struct link_peer *p, struct digests *d)
{
    for (uint32_t i = 0; i < l->ours.n; i++) {
        struct digest_row *to = row_of(l, p, d, &l->ours.entry[i]);
        struct have_row row = told_row(&l->ours.entry[i]);
        if (to)
            to->sum[digest_part(to->from, row.epoch)] ^= digest_row(p->key, &row);
    }
}

/* divide -- into parts, as we know the runs. */
static void divide(const struct link_core *l, const struct link_peer *p, struct digests *d)
{
    for (size_t i = 0; i < d->n; i++)
        d->row[i] = (struct digest_row){.origin = host_at(l, d->first + i)};
    for (uint32_t i = 0; i < l->ours.n; i++) {
        struct digest_row *to = row_of(l, p, d, &l->ours.entry[i]);
        if (to)
            digest_run(to->from, l->ours.entry[i].row.epoch);
    }
}

/* same -- is this row of a part of which the peer has exactly what we have?  Then it need not be told. */
static bool same(const struct link_core *l, const struct link_peer *p, const struct have_entry *e)
{
    size_t i = place_of(l, e->row.origin);
    return i <= l->n_hosts && !apart(l, p, &e->row) && p->same[i].parts >> digest_part(p->same[i].from, e->row.epoch) & 1;
}

/* ---- what a peer says ---- */

/* on_digest -- with every frame all of our rows are looked at, so there are no more frames than it takes to name all hosts. */
static void on_digest(const struct link_core *l, struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    struct digest_row theirs[DIGEST_ROWS_MAX];
    struct digests d = {.n = 0};
    while (rd_left(&r) > 0 && d.n < DIGEST_ROWS_MAX) {
        struct digest_row *t = &theirs[d.n];
        read_digest_row(&r, t);
        d.row[d.n] = (struct digest_row){.origin = t->origin};
        memcpy(d.row[d.n++].from, t->from, sizeof t->from);
    }
    p->digest_frames++;
    if (p->phase != LINK_VECTOR || p->digests_heard || p->digest_frames > DIGEST_FRAMES_MAX || !rd_done(&r)) {
        end_link(up, REASON_MALFORMED, "The digests of a peer cannot be read.");
        return;
    }
    sum_up(l, p, &d);
    for (size_t i = 0; i < d.n; i++) {
        size_t place = place_of(l, d.row[i].origin);
        if (place > l->n_hosts)
            continue;
        struct link_same *to = &p->same[place];
        memcpy(to->from, d.row[i].from, sizeof to->from);
        for (unsigned part = 0; part <= RUNS_APART; part++)
            if (d.row[i].sum[part] != 0 && d.row[i].sum[part] == theirs[i].sum[part])
                to->parts |= (uint8_t)(1u << part);
    }
    p->digests_heard = !(frame_flags(f) & FRAME_MORE);
}

static void on_greeting(const struct link_core *l, struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    struct greeting g;
    if (p->phase != LINK_GREETING || read_greeting(f, &g) < 0 || frame_origin(f) != p->host) {
        end_link(up, REASON_MALFORMED, "This is not how a link begins; is the other side a relay of this version?");
        return;
    }
    if (g.version_min > LINK_VERSION || g.version_max < LINK_VERSION ||
        (MUTANT(VERSION_EXACT) && g.version_max != LINK_VERSION)) {
        end_link(up, REASON_VERSION, "The two relays have no version of the link protocol in common; update the older one.");
        return;
    }
    p->epoch = frame_epoch(f);
    p->wall_ms = g.wall_ms;
    p->key[l->self > p->host] = p->nonce; /* the smaller host's half first */
    p->key[l->self < p->host] = g.nonce;
    p->phase = LINK_VECTOR;
    order(up, FEED_OPEN, p->feed, &g);
    frame_set_origin(up->feed, p->host);
    frame_set_epoch(up->feed, p->epoch);
}

/* compare -- a row with as much as we have, and not the same?  Then the keeper is to send heads of ours. */
static void compare(const struct link_core *l, const struct link_peer *p, const struct have_row *row, struct link_update *up)
{
    const struct have_entry *e = have_find(&l->ours, row->origin, row->epoch, row->room);
    if (!e || !link_tells(l, p, e) || row->seq != e->durable || memcmp(row->head, e->durable_head, HEAD_LEN) == 0 ||
        MUTANT(ROWS_UNCOMPARED))
        return;
    int n = write_chain(up->feed + up->feed_len, NULL, 0, row->origin, row->epoch, row->room, 0);
    ASSERT(n > 0);
    frame_set_client(up->feed + up->feed_len, p->feed);
    up->feed_len += (size_t)n;
}

/* on_have -- to the keeper, who knows what to send: under the feed's number. */
static void on_have(struct link_core *l, struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    size_t len = frame_body_len(f);
    if (p->phase < LINK_VECTOR || len % sizeof(struct have_row) != 0) {
        end_link(up, REASON_MALFORMED, "What a peer says that it has cannot be read.");
        return;
    }
    memcpy(up->feed, f, frame_stride(f));
    frame_set_client(up->feed, p->feed);
    up->feed_len = frame_stride(f);
    struct rd r = rd_from(frame_body(f), len);
    for (struct have_row row; rd_left(&r) > 0; compare(l, p, &row, up))
        read_have_row(&r, &row);
    if (p->phase == LINK_VECTOR && !(frame_flags(f) & FRAME_MORE)) {
        p->phase = LINK_OPEN;
        l->links_moved = true;
        if (p->through)
            order(up, FEED_THROUGH, p->feed, NULL);
        order(up, FEED_GO, p->feed, NULL);
    }
}

/* on_same -- to the keeper, too: all of these parts that is in the store before our digests, the peer has. */
static void on_same(const struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    if (p->phase != LINK_VECTOR || !p->digests_told || frame_body_len(f) % SAME_ROW_LEN != 0) {
        end_link(up, REASON_MALFORMED, "What a peer says that it has, too, cannot be read.");
        return;
    }
    memcpy(up->feed, f, frame_stride(f));
    frame_set_client(up->feed, p->feed);
    frame_set_pos(up->feed, MUTANT(SAME_OF_NOW) ? UINT64_MAX : p->stored);
    up->feed_len = frame_stride(f);
}

/* on_presence -- of a host that is known: a peer may pass on what others say of their users, not make up hosts. */
static void on_presence(struct link_core *l, const struct link_peer *p, const uint8_t *f, uint64_t now_ms,
                        struct link_update *up)
{
    if (p->phase < LINK_VECTOR) {
        end_link(up, REASON_MALFORMED, "A peer spoke of people before it greeted.");
        return;
    }
    if (!link_knows(l, frame_origin(f)))
        return;
    up->presence = presence_heard(&l->presence, p->host, f, now_ms);
    if (up->presence == -EBADMSG)
        end_link(up, REASON_MALFORMED, "What a peer says of people cannot be read.");
    if (up->presence == -EACCES)
        end_link(up, REASON_DENIED, "A peer said of the people of a host what that host did not sign.");
}

/* on_beats -- each of a host that is known. */
static void on_beats(struct link_core *l, const struct link_peer *p, const uint8_t *f, uint64_t now_ms, struct link_update *up)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    if (p->phase < LINK_VECTOR || rd_left(&r) % sizeof(struct beat_row) != 0) {
        end_link(up, REASON_MALFORMED, "What a peer says of who is alive cannot be read, or came before it greeted.");
        return;
    }
    for (struct beat_row b; rd_left(&r) > 0;) {
        read_beat_row(&r, &b);
        if (!link_knows(l, b.host) || presence_heard_beat(&l->presence, p->host, &b, now_ms) == 0)
            continue;
        end_link(up, REASON_DENIED, "A peer said that a host is alive, and that host did not sign it.");
        return;
    }
}

/* on_links -- of a host that is known. */
static void on_links(struct link_core *l, const struct link_peer *from, const uint8_t *f, struct link_update *up)
{
    if (from->phase < LINK_VECTOR ||
        (link_knows(l, frame_origin(f)) && topology_heard(&l->topology, from->host, f) < 0))
        end_link(up, REASON_MALFORMED, "What a peer says of links cannot be read, or came before it greeted.");
}

/* plan -- once more, who brings what to which peer; those whose part of it changed are to be told to the keeper. */
static void plan(struct link_core *l, uint64_t now_ms)
{
    uint64_t peer[LINK_PEERS_MAX], others[LINK_PEERS_MAX][TOPOLOGY_WORDS];
    for (size_t i = 0; i < LINK_PEERS_MAX; i++)
        peer[i] = l->peer[i].phase == LINK_OPEN && !l->peer[i].through ? l->peer[i].host : 0;
    topology_others(&l->topology, peer, LINK_PEERS_MAX, l->host, l->n_hosts, others);
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct link_peer *p = &l->peer[i];
        p->plan_due |= peer[i] != 0 && (!p->planned || memcmp(p->others, others[i], sizeof p->others) != 0);
        memcpy(p->others, others[i], sizeof p->others);
    }
    l->planned = l->topology.clock;
    l->planned_ms = now_ms;
}

/* may_wait -- a peer that came up just now: who else is linked with it is on the way to us. */
static bool may_wait(const struct link_core *l, const struct link_peer *p, uint64_t now_ms)
{
    const struct topology_row *row = topology_row(&l->topology, p->host);
    return !p->planned && now_ms - p->up_ms < LINK_PLAN_MS && !(row && topology_says(row, l->self));
}

int link_plan(struct link_core *l, uint64_t now_ms, uint8_t *f)
{
    uint8_t hosts[LINK_HOSTS_MAX * 8];
    say_links(l, now_ms);
    if (l->planned != l->topology.clock && rested(l, l->planned_ms, now_ms))
        plan(l, now_ms);
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct link_peer *p = &l->peer[i];
        struct feed_order o = {.op = FEED_OTHERS, .host = hosts};
        if (!p->plan_due || may_wait(l, p, now_ms))
            continue;
        for (size_t h = 0; h < min_size(l->n_hosts, TOPOLOGY_HOSTS_MAX); h++)
            if (p->others[h / 64] >> (h % 64) & 1)
                put_u64(hosts + 8 * o.n_hosts++, l->host[h]);
        p->planned = true;
        p->plan_due = false;
        return write_feed_order(f, &o, p->feed);
    }
    return 0;
}

void link_heard(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    uint64_t sent_ms;
    nothing(up);
    p->heard_ms = now_ms;
    switch (frame_type(f)) {
    case FRAME_GREETING:
        on_greeting(l, p, f, up);
        return;
    case FRAME_DIGEST:
        on_digest(l, p, f, up);
        return;
    case FRAME_SAME:
        on_same(p, f, up);
        return;
    case FRAME_HAVE:
        on_have(l, p, f, up);
        return;
    case FRAME_PING:
        p->pong_due = read_ping(f, &p->pong) == 0;
        return;
    case FRAME_PONG:
        if (read_ping(f, &sent_ms) == 0 && sent_ms <= now_ms)
            p->rtt_ms = (uint32_t)min_u64(now_ms - sent_ms, UINT32_MAX);
        return;
    case FRAME_BEAT:
        on_beats(l, p, f, now_ms, up);
        return;
    case FRAME_PRESENCE:
        on_presence(l, p, f, now_ms, up);
        return;
    case FRAME_LINKS:
        on_links(l, p, f, up);
        return;
    case FRAME_CAUGHT:
        p->caught = true;
        return;
    default:
        end_link(up, REASON_MALFORMED, "A peer sent what no link carries.");
    }
}

/* ---- segments ---- */

static void tell_news(struct link_core *l, uint32_t entry)
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
    if (!e || e->row.seq == 0 || g.first_seq > e->row.seq + 1)
        return bad(up, REASON_MALFORMED, "A gap came that does not continue its stream.");
    if (e->frozen || frame_seq(f) >= e->point || frame_seq(f) <= e->row.seq)
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
    tell_news(l, (uint32_t)(e - l->ours.entry));
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
        tell_news(l, l->pending[i].entry);
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
            tell_news(l, i);
}

/* ---- what we say ---- */

static int say_greeting(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint8_t *f)
{
    uint8_t hosts[LINK_HOSTS_MAX * 8];
    for (size_t i = 0; i < l->n_hosts; i++)
        put_u64(hosts + 8 * i, l->host[i]);
    put_u64(hosts + 8 * l->n_hosts, l->self); /* what we lost of our own comes back */
    struct greeting g = {.version_min = LINK_VERSION, .version_max = LINK_VERSION, .wall_ms = wall_ms, .nonce = p->nonce,
                         .name = text_of(l->name), .host = hosts, .n_hosts = l->n_hosts + !MUTANT(OWN_NOT_ASKED)};
    p->greeted = true;
    p->news = l->news_next;
    return write_greeting(f, &g, l->self, l->epoch);
}

static int say_digests(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_DIGEST);
    struct digests d = {.first = p->digested, .n = min_size(DIGEST_ROWS_MAX, l->n_hosts + 1 - p->digested)};
    if (p->digested == 0)
        p->stored = l->durable;
    divide(l, p, &d);
    sum_up(l, p, &d);
    for (size_t i = 0; i < d.n; i++)
        write_digest_row(&w, &d.row[i]);
    p->digested = (uint16_t)(p->digested + d.n);
    p->digests_told = p->digested > l->n_hosts;
    frame_set_flags(f, p->digests_told ? 0 : FRAME_MORE);
    return frame_end(f, &w);
}

/* say_same -- returns 0 when nothing is. */
static int say_same(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_SAME);
    unsigned rows = 0;
    for (; p->answered <= l->n_hosts && rows < SAME_ROWS_MAX; p->answered++) {
        const struct link_same *s = &p->same[p->answered];
        struct same_row row = {.origin = host_at(l, p->answered), .parts = s->parts};
        memcpy(row.from, s->from, sizeof row.from);
        if (s->parts == 0)
            continue;
        write_same_row(&w, &row);
        rows++;
    }
    return rows > 0 ? frame_end(f, &w) : 0;
}

static void row_out(struct wr *w, const struct have_entry *e)
{
    struct have_row row = told_row(e);
    write_have_row(w, &row);
}

static int say_vector(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_HAVE);
    for (unsigned rows = 0; p->told < l->ours.n && rows < HAVE_ROWS_MAX; p->told++) {
        const struct have_entry *e = &l->ours.entry[p->told];
        if (!link_tells(l, p, e) || same(l, p, e))
            continue;
        row_out(&w, e);
        rows++;
    }
    p->vector_told = p->told == l->ours.n;
    frame_set_flags(f, p->vector_told ? 0 : FRAME_MORE);
    return frame_end(f, &w);
}

/* say_news -- returns 0 when there is none for this peer. */
static int say_news(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    if (l->news_next - p->news > LINK_NEWS_MAX && !MUTANT(NEWS_DROPPED)) { /* too much to tell one by one: all of it anew */
        p->news = l->news_next;
        p->told = 0;
        if (!MUTANT(SAME_LASTS))
            memset(p->same, 0, sizeof p->same); /* what was the same then may have grown */
        return say_vector(l, p, f);
    }
    struct wr w = frame_begin(f, FRAME_HAVE);
    unsigned rows = 0;
    while (p->news < l->news_next && rows < HAVE_ROWS_MAX) {
        uint32_t entry = l->news[p->news++ % LINK_NEWS_MAX];
        while (p->news < l->news_next && l->news[p->news % LINK_NEWS_MAX] == entry)
            p->news++;
        if (!link_tells(l, p, &l->ours.entry[entry]))
            continue;
        row_out(&w, &l->ours.entry[entry]);
        rows++;
    }
    return rows > 0 ? frame_end(f, &w) : 0;
}

/* turn_of -- is it this peer's turn to hear what we have, and send what we lack?  One after the other, or all would send the
 * same; but who sends nothing does not keep the others waiting. */
static bool turn_of(const struct link_core *l, const struct link_peer *p, uint64_t now_ms)
{
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct link_peer *q = &l->peer[i];
        if (q != p && q->phase != LINK_FREE && (q->vector_told || q->told > 0) && !q->caught && now_ms - q->moved_ms < LINK_TURN_MS)
            return false;
    }
    return true;
}

/* say_people -- beats from time to time, many at once. */
static int say_people(struct link_core *l, struct link_peer *p, uint64_t now_ms, uint8_t *f)
{
    int n = presence_next(&l->presence, &p->presence, p->host, rested(l, p->beats_said_ms, now_ms), f);
    if (n > 0 && frame_type(f) == FRAME_BEAT)
        p->beats_said_ms = now_ms;
    return n;
}

static int choose(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
{
    int n = 0;
    if (p->phase == LINK_FREE)
        return 0;
    if (!p->greeted)
        return say_greeting(l, p, wall_ms, f);
    if (p->phase == LINK_GREETING)
        return 0; /* the key takes both greetings */
    if (!p->digests_told)
        return say_digests(l, p, f);
    if (p->digests_heard && p->answered <= l->n_hosts && (n = say_same(l, p, f)) != 0)
        return n;
    if (p->digests_heard && !p->vector_told && (p->told > 0 || turn_of(l, p, now_ms))) {
        p->moved_ms = now_ms;
        return say_vector(l, p, f);
    }
    if (p->vector_told && p->news < l->news_next)
        n = say_news(l, p, f);
    if (n == 0 && !p->through)
        n = say_people(l, p, now_ms, f);
    if (n == 0 && !p->through)
        n = topology_next(&l->topology, &p->links_told, p->host, f);
    if (n != 0)
        return n;
    if (p->pong_due) {
        p->pong_due = false;
        return write_ping(f, FRAME_PONG, p->pong);
    }
    return now_ms - p->said_ms >= LINK_PING_MS ? write_ping(f, FRAME_PING, now_ms) : 0;
}

int link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
{
    struct link_peer *p = &l->peer[peer];
    say_links(l, now_ms);
    int n = choose(l, p, wall_ms, now_ms, f);
    ASSERT(n >= 0);
    if (n > 0)
        p->said_ms = now_ms;
    return n;
}

void link_stirs(struct link_core *l, unsigned peer, uint64_t now_ms)
{
    l->peer[peer].heard_ms = now_ms;
}

void link_tick(struct link_core *l, unsigned peer, uint64_t now_ms, struct link_update *up)
{
    const struct link_peer *p = &l->peer[peer];
    nothing(up);
    if (p->phase == LINK_FREE)
        return;
    if (now_ms - p->heard_ms >= LINK_DEAD_MS)
        end_link(up, REASON_LINK_DOWN, "The other side was silent for too long.");
    else if (p->phase == LINK_GREETING && now_ms - p->up_ms >= LINK_SETUP_MS)
        end_link(up, REASON_LINK_DOWN, "The other side did not greet in time.");
}
