/* check_stored.c -- what is on disk: every stream without a hole (I3), every message that is acknowledged (I1), and who has which. */
#include "check_inside.h"

bool held_by_nobody(const struct message *m, unsigned but)
{
    struct hosts holders = m->holders;
    if (but < NODES_MAX)
        hosts_put(&holders, but, false);
    return hosts_none(&holders);
}

static void hold(void *arg, const struct history_segment *s)
{
    const struct node *n = arg;
    for (size_t i = 0; i < s->len && !n->evil; i += frame_stride(s->frames + i)) {
        struct message *m = message_of(frame_client(s->frames + i), frame_client_seq(s->frames + i));
        if (m)
            hosts_put(&m->holders, n->n, true);
    }
}

void check_stored(struct node *n, const struct history_segment *s)
{
    uint32_t stream = stream_number(s->origin, s->epoch, s->room);
    struct truth *t = &truth[stream];
    bool own = s->origin == n->id && n->up && s->epoch == n->st.seg->shape.epoch;
    pair_check(s->room, n, "stores words");
    if (s->first_seq != disk_has(n->disk, s->origin, s->epoch, s->room) + 1)
        broken("I3: %s stores %s's %llu.. after %llu", node_name(n->id), node_name(s->origin), (unsigned long long)s->first_seq,
               (unsigned long long)disk_has(n->disk, s->origin, s->epoch, s->room));
    if (own) {
        t->durable = max_u64(t->durable, s->last_seq);
        has_now(n->checks, stream, s->last_seq, s->hash);
    }
    if (own || s->hlc_max <= n->checks->adopted)
        n->checks->kept = max_u64(n->checks->kept, s->hlc_max);
    hold(n, s);
    w.stats.segments++;
    digest(get_u64(s->hash));
}

void check_missing(struct node *n, const uint8_t *gap, uint64_t from)
{
    const struct truth *t = truth_of(gap);
    for (uint64_t seq = from; seq <= frame_seq(gap) && seq < t->max && !n->evil; seq++) {
        struct message *m = message_of(t->fact[seq].client, t->fact[seq].client_seq);
        if (m)
            hosts_put(&m->gone, n->n, true);
    }
}

void check_dropped(struct node *n, const struct history_segment *s)
{
    for (size_t i = 0; i < s->len && !n->evil; i += frame_stride(s->frames + i)) {
        const uint8_t *f = s->frames + i;
        struct message *m = message_of(frame_client(f), frame_client_seq(f));
        if (m) {
            hosts_put(&m->gone, n->n, true);
            hosts_put(&m->holders, n->n, false);
        }
    }
    if (n->checks)
        no_longer_parked(n->checks, s->origin, s->epoch, s->room, s->hlc_max);
    gone_dropped(n, s);
}

static void each_missing(void *arg, const uint8_t *gap)
{
    struct gap g;
    if (read_gap(gap, &g) == 0)
        check_missing(arg, gap, g.first_seq);
}

void check_restored(struct node *n)
{
    n->checks->kept = 0;
    for (unsigned c = 0; c < w.n_clients; c++)
        for (uint32_t i = 1; i <= w.client[c].said; i++)
            hosts_put(&w.client[c].msg[i].holders, n->n, false), hosts_put(&w.client[c].msg[i].gone, n->n, false);
    disk_each(n->disk, hold, n);
    disk_gaps(n->disk, each_missing, n);
    for (unsigned c = 0; c < w.n_clients; c++)
        for (uint32_t i = 1; i <= w.client[c].said; i++) {
            struct message *m = &w.client[c].msg[i];
            if (m->acked && held_by_nobody(m, NODES_MAX) && !m->lost && !w.client[c].node->evil) {
                m->lost = true; /* nobody else had it yet: that is what a lost disk costs */
                w.stats.lost_by_rollback++;
            }
        }
}

void check_acked(struct node *n, struct message *m, uint64_t client, uint32_t seq)
{
    if (!m->acked && !n->evil && !hosts_have(&m->holders, n->n) && !hosts_have(&m->gone, n->n))
        broken("I1: %s acknowledges message %u of %llx, which is not on its disk", node_name(n->id), seq,
               (unsigned long long)client);
    w.stats.acked += !m->acked;
    m->acked = true;
}
