/* trace.c -- the store, and what the peers said, put together for one entry. */
#include "keep/trace.h"

#include "base/sys.h"
#include "state/scope.h"

struct telling {
    struct trace *t;
    struct history *h;
    void (*row)(void *arg, const uint8_t *frame);
    void *arg;
};

static struct trace_told *told(struct trace *t, uint64_t host)
{
    for (uint32_t i = 0; i < t->n_told; i++)
        if (t->told[i].host == host)
            return &t->told[i];
    if (t->n_told == TRACE_HOSTS_MAX) /* hosts came and went meanwhile: forget those that were first */
        t->n_told = 0;
    t->told[t->n_told] = (struct trace_told){.host = host};
    return &t->told[t->n_told++];
}

/* tell -- unless it is known already.  Returns whether that host has it. */
static bool tell(const struct telling *to, uint64_t host, struct text name, enum trace_state state, uint64_t since_ms)
{
    struct trace_told *is = told(to->t, host);
    struct trace_row row = {(uint8_t)state, since_ms, name};
    uint8_t frame[FRAME_MAX];
    if (is->state == TRACE_HAS || is->state == state)
        return is->state == TRACE_HAS;
    is->state = (uint8_t)state;
    if (write_trace_row(frame, &row, host) > 0)
        to->row(to->arg, frame);
    return state == TRACE_HAS;
}

/* had -- was it found there already?  Then nobody need look again. */
static bool had(struct trace *t, uint64_t host)
{
    return told(t, host)->state == TRACE_HAS;
}

static bool note_first(void *arg, const struct history_row *row)
{
    uint64_t *first_seq = arg;
    *first_seq = row->s.first_seq;
    return false;
}

/* on_disk_here -- returns TRACE_HAS, TRACE_NOT_YET, TRACE_GONE or -errno.  A stream goes on behind what is missing in it. */
static int on_disk_here(struct history *h, const struct have_row *e)
{
    uint64_t last_seq, first_seq = UINT64_MAX;
    uint8_t head[HASH_LEN];
    int r = history_stream(h, e->origin, e->epoch, e->room, &last_seq, head);
    if (r < 0 || e->seq == 0 || last_seq < e->seq)
        return r < 0 ? r : TRACE_NOT_YET;
    r = history_holding(h, e->origin, e->epoch, e->room, e->seq, note_first, &first_seq);
    return r < 0 ? r : first_seq <= e->seq ? TRACE_HAS : TRACE_GONE;
}

/* look_at -- one of the other hosts: where there is a row of a link there is a peer.  Host slots are only ever added, so
 * that their names may be read without the lock. */
static bool look_at(const struct telling *to, const struct segment *seg, const struct link_row *link, uint64_t host,
                    const struct feeds *fs, bool here)
{
    struct trace *t = to->t;
    const struct host *known = &seg->roster.host[roster_host(&seg->roster, host)];
    enum trace_state state = TRACE_HAS; /* what we have of its own words came off its disk */
    if (!here || host != t->entry.origin)
        state = feeds_peer_has(fs, host, &t->entry);
    if (state == TRACE_HAS && !had(t, host) && on_disk_here(to->h, &t->entry) == TRACE_GONE)
        state = TRACE_UNSURE;
    return tell(to, host, (struct text){known->name, known->name_len}, state,
                state == TRACE_NO_LINK ? atomic_load(&link->since_ms) : 0);
}

int trace_look(struct trace *t, const struct segment *seg, struct history *h, const struct feeds *fs,
               void (*row)(void *arg, const uint8_t *frame), void *arg)
{
    const struct telling to = {t, h, row, arg};
    int state = had(t, seg->shape.origin) ? TRACE_HAS : on_disk_here(h, &t->entry);
    uint32_t others = 0, have = 0;
    if (state < 0)
        return state;
    bool here = tell(&to, seg->shape.origin, text_of(seg->shape.host), (enum trace_state)state, 0);
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        uint64_t host = atomic_load(&seg->link[i].host);
        if (host == 0 || !scope_host(seg, t->entry.room, host)) /* he shall never have it */
            continue;
        others++;
        have += look_at(&to, seg, &seg->link[i], host, fs, here);
    }
    return here && have >= min_u64(t->wanted, others);
}

bool probe_look(struct probe *p, const struct query *q, struct feeds *fs, struct hops *hops)
{
    struct echo e = {0};
    if (p->kept_us == 0) {
        p->kept_us = now_us();
        p->knock = q->key.origin ? feeds_knock(fs, q->key.origin) : 0;
    }
    if (p->knock != 0 && !feeds_echo(fs, p->knock, &e))
        return false;
    *hops = (struct hops){{[HOP_SENT] = q->since, [HOP_WORKER] = q->until, [HOP_KEEPER] = p->kept_us,
                           [HOP_LINK] = e.sent_us, [HOP_ECHO] = e.back_us, [HOP_BACK] = now_us()}};
    return true;
}
