/* present.c -- who is where: I10.  Of two things that a host says of its users nobody goes back to the older one; when all is
 * quiet every host shows exactly who is where; the users of a host that died are gone when its lease is over.  I16: no
 * honest host holds of another honest one what that did not say, or refuses what an honest one passes on.  The linker leads
 * presence_heard(), presence_heard_beat(), presence_signed(), presence_beat() and presence_expire() here first. */
#include "sim.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

/* What a host last held of a row: by (who holds it, whose it is, user, room). */
struct held {
    uint64_t epoch, version;
};
static struct map rows;
static struct held *held;
static uint32_t n_held;
static size_t max_held;
static struct map said; /* of (host, run, row or beat), that it is */

void present_reset(void)
{
    map_free(&rows);
    map_free(&said);
    n_held = 0;
}

static uint64_t row_sum(uint64_t version, uint64_t room, struct text user, uint32_t sessions, bool quiet)
{
    return mix(hash_u64(user.p, user.len) ^ room, mix(version, sessions * 2 + quiet));
}

static uint64_t beat_sum(uint64_t beat)
{
    return mix(beat, 0xbea7);
}

void __real_presence_signed(struct presence *p, const uint8_t *frame);
void __wrap_presence_signed(struct presence *p, const uint8_t *frame);
void __wrap_presence_signed(struct presence *p, const uint8_t *frame)
{
    struct presence_row row;
    struct beat_row b;
    if (frame_type(frame) == FRAME_BEAT) {
        struct rd r = rd_from(frame_body(frame), frame_body_len(frame));
        read_beat_row(&r, &b);
        map_add(&said, here->id, b.epoch, beat_sum(b.beat), 1);
    } else if (read_presence(frame, &row) == 0) {
        map_add(&said, here->id, frame_epoch(frame), row_sum(frame_seq(frame), frame_room(frame), row.user, row.sessions, row.quiet), 1);
    }
    __real_presence_signed(p, frame);
}

static bool both_honest(const struct node *n, uint64_t host)
{
    const struct node *of = node_by_id(host);
    return !n->evil && of && of != n && !of->evil;
}

static struct held *held_by(const struct node *n, const struct presence_entry *e)
{
    uint64_t user = hash_u64(e->user, e->user_len);
    uint32_t *i = map_find(&rows, mix(n->id, n->hub_life), e->host ^ user, e->room);
    if (i)
        return &held[*i];
    held = grown(held, n_held, &max_held, sizeof *held);
    map_add(&rows, mix(n->id, n->hub_life), e->host ^ user, e->room, n_held);
    held[n_held] = (struct held){0};
    return &held[n_held++];
}

/* check_rows -- all that this host holds of that one. */
static void check_rows(struct node *n, const struct presence *p, uint64_t host)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct presence_entry *e = &p->entry[i];
        if (e->host != host)
            continue;
        struct held *h = held_by(n, e);
        if (e->epoch < h->epoch || (e->epoch == h->epoch && e->version < h->version))
            broken("I10: %s goes back to an older row of %s", node_name(n->id), node_name(host));
        uint64_t sum = row_sum(e->version, e->room, (struct text){e->user, e->user_len}, e->sessions, e->quiet != 0);
        if (both_honest(n, host) && (e->epoch != h->epoch || e->version != h->version) && !map_find(&said, host, e->epoch, sum))
            broken("I16: %s holds a row of %s that it did not say", node_name(n->id), node_name(host));
        *h = (struct held){e->epoch, e->version};
    }
}

int __real_presence_heard(struct presence *p, uint64_t from, const uint8_t *frame, uint64_t now_ms);
int __wrap_presence_heard(struct presence *p, uint64_t from, const uint8_t *frame, uint64_t now_ms);
int __wrap_presence_heard(struct presence *p, uint64_t from, const uint8_t *frame, uint64_t now_ms)
{
    int r = __real_presence_heard(p, from, frame, now_ms);
    if (r == -EACCES && both_honest(here, from))
        broken("I16: %s refuses what %s says of people at %s", node_name(here->id), node_name(from), node_name(frame_origin(frame)));
    if (w.n_nodes <= LINK_PEERS_MAX)
        check_rows(here, p, frame_origin(frame));
    return r;
}

int __real_presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms);
int __wrap_presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms);
int __wrap_presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms)
{
    int r = __real_presence_heard_beat(p, from, b, now_ms);
    if (r == -EACCES && both_honest(here, from))
        broken("I16: %s refuses a beat of %s from %s", node_name(here->id), node_name(b->host), node_name(from));
    for (uint32_t i = 1; i < p->n_hosts && w.n_nodes <= LINK_PEERS_MAX; i++) {
        const struct presence_host *h = &p->host[i];
        if (h->host == b->host && both_honest(here, h->host) && h->beat != 0 && !map_find(&said, h->host, h->epoch, beat_sum(h->beat)))
            broken("I16: %s holds a beat of %s that it did not say", node_name(here->id), node_name(h->host));
    }
    return r;
}

bool __real_presence_beat(struct presence *p, uint64_t now_ms);
bool __wrap_presence_beat(struct presence *p, uint64_t now_ms);
bool __wrap_presence_beat(struct presence *p, uint64_t now_ms)
{
    return !w.no_beats && __real_presence_beat(p, now_ms);
}

uint64_t __real_presence_expire(struct presence *p, uint64_t now_ms);
uint64_t __wrap_presence_expire(struct presence *p, uint64_t now_ms);
uint64_t __wrap_presence_expire(struct presence *p, uint64_t now_ms)
{
    return w.no_beats ? 0 : __real_presence_expire(p, now_ms);
}

/* ---- what a host shows, and what is so ---- */

/* shown -- as a sum over (user, room, how often), of the users of `of` at `at`. */
static uint64_t shown(const struct node *at, const struct node *of)
{
    const struct roster *r = &at->st.seg->roster;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < r->n_guests; i++) {
        const struct guest *g = &r->guest[i];
        if (g->host == of->id && g->sessions > 0)
            sum += mix(hash_u64(g->user, g->user_len) ^ g->sessions, g->room);
    }
    return sum;
}

/* is_so -- the same sum, from the tables of the host itself. */
static uint64_t is_so(const struct node *of)
{
    const struct roster *r = &of->st.seg->roster;
    uint64_t sum = 0;
    for (uint32_t i = 1; i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        for (uint32_t room = 0; s->state != SESSION_FREE && (room = roster_next_room(r, s, room + 1)) != 0;)
            sum += mix(hash_u64(s->user, s->user_len) ^ 1, r->room[room].id);
    }
    return sum;
}

static void show_rows(const struct node *at, const struct node *of)
{
    const struct presence *p = &at->hub->core.presence;
    for (uint32_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].host == of->id)
            trace("        %s of %s: run %llx, beat %llu, heard %llu ms ago", node_name(at->id), node_name(of->id),
                  (unsigned long long)p->host[i].epoch, (unsigned long long)p->host[i].beat,
                  (unsigned long long)(1000 * 1000 + w.now / MS - p->host[i].heard_ms));
    for (uint32_t i = 0; i < p->n; i++) {
        const struct presence_entry *e = &p->entry[i];
        if (e->host == of->id)
            trace("        %s: %.*s in %.*s of %s: run %llx, version %llu, %u times", node_name(at->id), e->user_len, e->user, e->room_len, e->room_name,
                  node_name(of->id), (unsigned long long)e->epoch, (unsigned long long)e->version, e->sessions);
    }
}

bool check_present(bool loud)
{
    for (unsigned i = 0; i < w.n_nodes; i++)
        for (unsigned k = 0; k < w.n_nodes; k++) {
            const struct node *at = w.node[i], *of = w.node[k];
            if (i == k || !counts(at) || of->evil || shown(at, of) == (of->n == w.evicted ? 0 : is_so(of)))
                continue;
            if (loud) {
                show_rows(at, of);
                show_rows(of, of);
            }
            if (loud)
                broken("I10: %s does not show who is at %s", node_name(at->id), node_name(of->id));
            return false;
        }
    return true;
}

bool check_gone(const struct node *dead, bool loud)
{
    for (unsigned i = 0; i < w.n_nodes; i++) {
        const struct node *at = w.node[i];
        if (at == dead || !counts(at) || shown(at, dead) == 0)
            continue;
        if (loud)
            broken("I10: %s still shows people of %s, which is dead", node_name(at->id), node_name(dead->id));
        return false;
    }
    return true;
}
