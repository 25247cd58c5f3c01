/* lag.c -- a count for each peer, and a short memory of when each number was reached. */
#include "keep/lag.h"

#include "base/sys.h"

#include <errno.h>
#include <stdlib.h>

enum {
    STEPS = 4096, /* remembered; who is further behind is shown as being behind since it began */
    STEP_MS = 10, /* what is stored within one of these is one step */
};

struct lag {
    struct segment *seg;
    uint64_t own;
    struct {
        uint64_t host, said; /* host 0: nothing is known of the peer of this row */
    } peer[LINKS_MAX];
    struct {
        uint64_t own, wall_ms; /* from then on there were so many */
    } step[STEPS]; /* by number */
    uint64_t n_steps; /* ever; the newest STEPS of them are there */
};

int lag_open(struct lag **out, struct segment *seg, uint64_t own)
{
    struct lag *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->seg = seg;
    l->own = own;
    l->n_steps = 1;
    l->step[0].own = own; /* and nobody knows since when */
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        struct link_row *row = &seg->link[i];
        if (atomic_load(&row->since_ms) == 0)
            continue;
        l->peer[i].host = atomic_load(&row->host);
        l->peer[i].said = own - min_u64(own, atomic_load(&row->unacked));
    }
    *out = l;
    return 0;
}

void lag_close(struct lag *l)
{
    free(l);
}

/* stored_at -- when the first of those behind `said` was stored; 0: longer ago than is remembered. */
static uint64_t stored_at(const struct lag *l, uint64_t said)
{
    uint64_t low = l->n_steps > STEPS ? l->n_steps - STEPS : 0, high = l->n_steps, first = low;
    while (low < high) { /* the first step with more than that */
        uint64_t mid = low + (high - low) / 2;
        if (l->step[mid % STEPS].own > said)
            high = mid;
        else
            low = mid + 1;
    }
    return low == l->n_steps || (low == first && first > 0) ? 0 : l->step[low % STEPS].wall_ms;
}

static void show(struct lag *l, unsigned i)
{
    struct link_row *row = &l->seg->link[i];
    if (l->peer[i].host == 0 || l->peer[i].host != atomic_load(&row->host))
        return;
    uint64_t behind = l->own - min_u64(l->own, l->peer[i].said), at = stored_at(l, l->peer[i].said);
    if (behind == 0)
        atomic_store(&row->behind_since_ms, 0);
    else if (at != 0 || atomic_load(&row->behind_since_ms) == 0)
        atomic_store(&row->behind_since_ms, at ? at : wall_ms());
    atomic_store(&row->unacked, (uint32_t)min_u64(behind, UINT32_MAX));
}

void lag_stored(struct lag *l, uint64_t own)
{
    uint64_t wall = wall_ms();
    if (own == l->own)
        return;
    l->own = own;
    if (wall - l->step[(l->n_steps - 1) % STEPS].wall_ms >= STEP_MS)
        l->step[l->n_steps++ % STEPS].wall_ms = wall;
    l->step[(l->n_steps - 1) % STEPS].own = own;
    for (unsigned i = 0; i < LINKS_MAX; i++)
        show(l, i);
}

void lag_said(struct lag *l, uint64_t host, uint64_t said)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (atomic_load(&l->seg->link[i].host) == host) {
            l->peer[i].host = host;
            l->peer[i].said = said;
            show(l, i);
        }
}
