/* core.c -- who is linked, what they say, who brings what to whom; no I/O. */
#include "link/core_inside.h"

#include <errno.h>

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
    link_sum_up(l, p, &d);
    for (size_t i = 0; i < d.n; i++) {
        size_t place = link_place_of(l, d.row[i].origin);
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

/* ---- turns ---- */

int link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
{
    struct link_peer *p = &l->peer[peer];
    say_links(l, now_ms);
    int n = link_choose(l, p, wall_ms, now_ms, f);
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
