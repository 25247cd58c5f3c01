/* say.c -- what we say to a peer: greeting, digests, vector, news, people, links, and that we are here; no I/O. */
#include "link/core_inside.h"

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
    link_divide(l, p, &d);
    link_sum_up(l, p, &d);
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
        struct same_row row = {.origin = link_host_at(l, p->answered), .parts = s->parts};
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
    struct have_row row = link_row(e);
    write_have_row(w, &row);
}

static int say_vector(struct link_core *l, struct link_peer *p, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_HAVE);
    for (unsigned rows = 0; p->told < l->ours.n && rows < HAVE_ROWS_MAX; p->told++) {
        const struct have_entry *e = &l->ours.entry[p->told];
        if (!link_tells(l, p, e) || link_same(l, p, e))
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

int link_choose(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
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
    if (p->digests_heard && !p->vector_told && (p->told > 0 || p->at_once || turn_of(l, p, now_ms))) {
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

int link_before_gap(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms, uint8_t *f)
{
    struct link_peer *p = &l->peer[peer];
    p->at_once = true;
    return p->vector_told || !p->digests_heard || MUTANT(GAP_BEFORE_VECTOR) ? 0 : link_next(l, peer, wall_ms, now_ms, f);
}
