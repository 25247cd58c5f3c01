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
    memset(l, 0, sizeof *l);
    l->self = self;
    l->epoch = epoch;
    l->ours = ours;
    memcpy(l->name, name.p, min_size(name.len, HOST_NAME_MAX_LEN));
    presence_init(&l->presence, self, epoch);
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
    return 0;
}

void link_forget(struct link_core *l, uint64_t host)
{
    for (size_t i = 0; i < l->n_hosts; i++)
        if (l->host[i] == host && !MUTANT(NEVER_FORGETS))
            l->host[i--] = l->host[--l->n_hosts];
}

int link_up(struct link_core *l, uint64_t host, uint64_t now_ms)
{
    for (int i = 0; i < LINK_PEERS_MAX; i++) {
        struct link_peer *p = &l->peer[i];
        if (p->phase != LINK_FREE)
            continue;
        *p = (struct link_peer){.host = host, .phase = LINK_GREETING, .feed = ++l->last_feed,
                                .up_ms = now_ms, .heard_ms = now_ms, .said_ms = now_ms};
        return i;
    }
    return -ENOSPC;
}

void link_down(struct link_core *l, unsigned peer, struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    nothing(up);
    if (p->phase >= LINK_VECTOR)
        order(up, FEED_CLOSE, p->feed, NULL);
    p->phase = LINK_FREE;
}

/* ---- what a peer says ---- */

static void on_greeting(struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    struct greeting g;
    if (p->phase != LINK_GREETING || read_greeting(f, &g) < 0 || frame_origin(f) != p->host) {
        end_link(up, REASON_MALFORMED, "This is not how a link begins; is the other side a relay of this version?");
        return;
    }
    if (g.version_min > PROTOCOL_VERSION || g.version_max < PROTOCOL_VERSION ||
        (MUTANT(VERSION_EXACT) && g.version_max != PROTOCOL_VERSION)) {
        end_link(up, REASON_VERSION, "The two relays have no version of the link protocol in common; update the older one.");
        return;
    }
    p->epoch = frame_epoch(f);
    p->wall_ms = g.wall_ms;
    p->phase = LINK_VECTOR;
    order(up, FEED_OPEN, p->feed, &g);
    frame_set_origin(up->feed, p->host);
    frame_set_epoch(up->feed, p->epoch);
}

/* on_have -- to the keeper, who knows what to send: under the feed's number. */
static void on_have(struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    size_t len = frame_body_len(f);
    if (p->phase < LINK_VECTOR || len % sizeof(struct have_row) != 0) {
        end_link(up, REASON_MALFORMED, "What a peer says that it has cannot be read.");
        return;
    }
    memcpy(up->feed, f, frame_stride(f));
    frame_set_client(up->feed, p->feed);
    up->feed_len = frame_stride(f);
    if (p->phase == LINK_VECTOR && !(frame_flags(f) & FRAME_MORE)) {
        p->phase = LINK_OPEN;
        order(up, FEED_GO, p->feed, NULL);
    }
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
}

void link_heard(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms, struct link_update *up)
{
    struct link_peer *p = &l->peer[peer];
    uint64_t sent_ms;
    nothing(up);
    p->heard_ms = now_ms;
    switch (frame_type(f)) {
    case FRAME_GREETING:
        on_greeting(p, f, up);
        return;
    case FRAME_HAVE:
        on_have(p, f, up);
        return;
    case FRAME_PING:
        p->pong_due = read_ping(f, &p->pong) == 0;
        return;
    case FRAME_PONG:
        if (read_ping(f, &sent_ms) == 0 && sent_ms <= now_ms)
            p->rtt_ms = (uint32_t)min_u64(now_ms - sent_ms, UINT32_MAX);
        return;
    case FRAME_PRESENCE:
    case FRAME_BEAT:
        on_presence(l, p, f, now_ms, up);
        return;
    default:
        end_link(up, REASON_MALFORMED, "A peer sent what no link carries.");
    }
}

/* ---- segments ---- */

static enum link_verdict bad(struct link_update *up, enum reason reason, const char *why)
{
    end_link(up, reason, why);
    return LINK_BAD;
}

/* peer_has -- who sends it has it. */
static void peer_has(const struct link_peer *p, const uint8_t *f, struct link_update *up)
{
    struct have_row row = {frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f)};
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
    if (p->phase != LINK_OPEN || read_segment(f, &s) < 0 || s.first_seq == 0 || frame_seq(f) < s.first_seq)
        return bad(up, REASON_MALFORMED, "A segment came that is none, or before its time.");
    if (frame_origin(f) == l->self && (frame_epoch(f) == l->epoch || MUTANT(OWN_TAIL_REFUSED)) && !MUTANT(OWN_RUN_TAKEN))
        return LINK_OLD;
    if (!link_knows(l, frame_origin(f)))
        return bad(up, REASON_DENIED, "A segment came of a host that is not known here.");
    const struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    uint64_t have = e ? e->row.seq : 0;
    if (e && e->frozen)
        return LINK_OLD;
    if (s.first_seq > have + 1 && !MUTANT(GAP_TAKEN))
        return bad(up, REASON_MALFORMED, "A segment came that does not continue its stream.");
    bool fits = s.first_seq == have + 1 ? memcmp(s.prev, e ? e->head : none, HASH_LEN) == 0 : frame_seq(f) <= have;
    if (!fits && !MUTANT(PREV_UNCHECKED)) {
        end_link(up, REASON_DENIED, "A segment came that contradicts what its origin said before.");
        return e && !MUTANT(FORK_ENDS_LINK) ? LINK_FORKED : LINK_BAD;
    }
    peer_has(p, f, up);
    if (s.first_seq <= have && !MUTANT(DUPLICATE_TAKEN))
        return LINK_OLD;
    return l->pending_next - l->pending_first == LINK_PENDING_MAX && !MUTANT(NEVER_LATER) ? LINK_LATER : LINK_NEW;
}

static void tell_news(struct link_core *l, uint32_t entry)
{
    l->news[l->news_next++ % LINK_NEWS_MAX] = entry;
}

void link_freeze(struct link_core *l, const uint8_t *f)
{
    struct have_entry *e = have_find(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    ASSERT(e);
    e = MUTANT(FREEZES_ANOTHER) ? l->ours.entry : e;
    e->frozen = true;
    tell_news(l, (uint32_t)(e - l->ours.entry));
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
    struct segment_head s;
    struct have_entry *e = have_add(&l->ours, frame_origin(f), frame_epoch(f), frame_room(f));
    int r = read_segment(f, &s);
    ASSERT(e && r == 0 && l->pending_next - l->pending_first < LINK_PENDING_MAX);
    e->row.seq = frame_seq(f);
    memcpy(e->head, s.hash, HASH_LEN);
    uint64_t i = l->pending_next++ % LINK_PENDING_MAX;
    l->pending[i].end = end;
    l->pending[i].seq = e->row.seq;
    l->pending[i].entry = (uint32_t)(e - l->ours.entry);
}

bool link_durable(struct link_core *l, uint64_t pos)
{
    uint64_t before = l->news_next;
    while (l->pending_first < l->pending_next &&
           (l->pending[l->pending_first % LINK_PENDING_MAX].end <= pos || MUTANT(PENDING_EARLY))) {
        uint64_t i = l->pending_first++ % LINK_PENDING_MAX;
        l->ours.entry[MUTANT(WRONG_ROW) ? 0 : l->pending[i].entry].durable = l->pending[i].seq;
        tell_news(l, l->pending[i].entry);
    }
    return l->news_next != before;
}

/* ---- what we say ---- */

static int say_greeting(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint8_t *f)
{
    uint8_t hosts[LINK_HOSTS_MAX * 8];
    for (size_t i = 0; i < l->n_hosts; i++)
        put_u64(hosts + 8 * i, l->host[i]);
    put_u64(hosts + 8 * l->n_hosts, l->self); /* what we lost of our own comes back */
    struct greeting g = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION, .wall_ms = wall_ms,
                         .name = text_of(l->name), .host = hosts, .n_hosts = l->n_hosts + !MUTANT(OWN_NOT_ASKED)};
    p->greeted = true;
    p->news = l->news_next;
    return write_greeting(f, &g, l->self, l->epoch);
}

static void row_out(struct wr *w, const struct have_entry *e)
{
    struct have_row row = e->row;
    row.seq = e->frozen ? HAVE_ENOUGH : MUTANT(HAVE_ACCEPTED) ? e->row.seq : e->durable;
    write_have_row(w, &row);
}

static int say_vector(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_HAVE);
    for (unsigned rows = 0; p->told < l->ours.n && rows < HAVE_ROWS_MAX; p->told++) {
        if (l->ours.entry[p->told].durable == 0 && !l->ours.entry[p->told].frozen)
            continue;
        row_out(&w, &l->ours.entry[p->told]);
        rows++;
    }
    p->vector_told = p->told == l->ours.n;
    frame_set_flags(f, p->vector_told ? 0 : FRAME_MORE);
    return frame_end(f, &w);
}

static int say_news(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    if (l->news_next - p->news > LINK_NEWS_MAX && !MUTANT(NEWS_DROPPED)) { /* too much to tell one by one: all of it anew */
        p->news = l->news_next;
        p->told = 0;
        return say_vector(l, p, f);
    }
    struct wr w = frame_begin(f, FRAME_HAVE);
    for (unsigned rows = 0; p->news < l->news_next && rows < HAVE_ROWS_MAX; rows++) {
        uint32_t entry = l->news[p->news++ % LINK_NEWS_MAX];
        while (p->news < l->news_next && l->news[p->news % LINK_NEWS_MAX] == entry)
            p->news++;
        row_out(&w, &l->ours.entry[entry]);
    }
    return frame_end(f, &w);
}

static int choose(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
{
    if (p->phase == LINK_FREE)
        return 0;
    if (!p->greeted)
        return say_greeting(l, p, wall_ms, f);
    if (!p->vector_told)
        return say_vector(l, p, f);
    if (p->news < l->news_next)
        return say_news(l, p, f);
    int n = presence_next(&l->presence, &p->presence, p->host, f);
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
