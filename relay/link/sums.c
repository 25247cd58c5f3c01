/* sums.c -- what of our streams is summed up in digests for a peer, and what is told row by row; no I/O. */
#include "link/core_inside.h"

struct have_row link_row(const struct have_entry *e)
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

uint64_t link_host_at(const struct link_core *l, size_t i)
{
    return i < l->n_hosts ? l->host[i] : l->self;
}

size_t link_place_of(const struct link_core *l, uint64_t host)
{
    size_t i = 0;
    while (i < l->n_hosts && l->host[i] != host)
        i++;
    return i < l->n_hosts || host == l->self ? i : l->n_hosts + 1;
}

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

void link_sum_up(const struct link_core *l, const struct link_peer *p, struct digests *d)
{
    for (uint32_t i = 0; i < l->ours.n; i++) {
        struct digest_row *to = row_of(l, p, d, &l->ours.entry[i]);
        struct have_row row = link_row(&l->ours.entry[i]);
        if (to)
            to->sum[digest_part(to->from, row.epoch)] ^= digest_row(p->key, &row);
    }
}

void link_divide(const struct link_core *l, const struct link_peer *p, struct digests *d)
{
    for (size_t i = 0; i < d->n; i++)
        d->row[i] = (struct digest_row){.origin = link_host_at(l, d->first + i)};
    for (uint32_t i = 0; i < l->ours.n; i++) {
        struct digest_row *to = row_of(l, p, d, &l->ours.entry[i]);
        if (to)
            digest_run(to->from, l->ours.entry[i].row.epoch);
    }
}

bool link_same(const struct link_core *l, const struct link_peer *p, const struct have_entry *e)
{
    size_t i = link_place_of(l, e->row.origin);
    return i <= l->n_hosts && !apart(l, p, &e->row) && p->same[i].parts >> digest_part(p->same[i].from, e->row.epoch) & 1;
}
