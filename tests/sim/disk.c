/* disk.c -- the store of a host: what was committed is there after any crash, nothing else is; and snapshots. */
#include "disk_inside.h"

#include <stdlib.h>

struct history *disk_new(struct node *n)
{
    struct history *h = calloc(1, sizeof *h);
    ASSERT(h);
    h->node = n;
    return h;
}

void disk_free(struct history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n; i++)
        blob_put(h->row[i].blob);
    for (uint32_t i = 0; i < h->n_streams; i++)
        free(h->stream[i].at);
    map_free(&h->map);
    free(h->act);
    free(h->gap);
    free(h->fork);
    free(h->by_stamp);
    free(h->row);
    free(h->stream);
    free(h);
}

void *copy_of(const void *p, size_t n)
{
    void *to = malloc(n ? n : 1);
    ASSERT(to);
    if (n > 0)
        memcpy(to, p, n);
    return to;
}

struct history *disk_copy(const struct history *h)
{
    struct history *c = copy_of(h, sizeof *h);
    c->max = h->n;
    c->row = copy_of(h->row, h->n * sizeof *h->row);
    for (size_t i = 0; i < h->n; i++)
        h->row[i].blob->refs++;
    c->max_streams = h->n_streams;
    c->stream = copy_of(h->stream, h->n_streams * sizeof *h->stream);
    for (uint32_t i = 0; i < h->n_streams; i++) {
        c->stream[i].max = h->stream[i].n;
        c->stream[i].at = copy_of(h->stream[i].at, h->stream[i].n * sizeof *h->stream[i].at);
    }
    c->map.slot = copy_of(h->map.slot, h->map.max * sizeof *h->map.slot);
    c->max_acts = h->n_acts;
    c->act = copy_of(h->act, h->n_acts * sizeof *h->act);
    c->max_gaps = h->n_gaps;
    c->gap = copy_of(h->gap, h->n_gaps * sizeof *h->gap);
    c->fork = copy_of(h->fork, h->n_forks * sizeof *h->fork);
    c->max_by_stamp = h->n_by_stamp;
    c->by_stamp = copy_of(h->by_stamp, h->n_by_stamp * sizeof *h->by_stamp);
    c->full = c->tight = false;
    c->fate = FATE_GOOD;
    return c;
}

void disk_full(struct history *h, bool full)
{
    h->full = full;
    h->tight = !w.calm;
}

void disk_fate(struct history *h, enum commit_fate fate)
{
    h->fate = fate;
}

struct stream *find_stream(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint32_t *i = map_find(&h->map, origin, epoch, room);
    return i ? &h->stream[*i] : NULL;
}

/* at_seq -- the first segment of a stream that ends there or later. */
static uint32_t at_seq(const struct stream *s, uint64_t seq)
{
    uint32_t lo = 0, hi = s ? s->n : 0;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (s->at[mid].last_seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- what is on it, for the checks ---- */

uint64_t disk_has(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    return s ? s->last_seq : 0;
}

uint64_t disk_next(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t before_us,
                   uint64_t *last)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    for (uint32_t i = at_seq(s, seq); s && i < s->n; i++)
        if (s->at[i].stored_us < before_us) {
            *last = s->at[i].last_seq;
            return max_u64(s->at[i].blob->s.first_seq, seq);
        }
    return 0;
}

uint64_t disk_hash(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    uint32_t i = at_seq(s, seq);
    if (s && i < s->n && s->at[i].blob->s.first_seq <= seq)
        return get_u64(s->at[i].blob->s.hash);
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    struct gap g;
    return f && read_gap(f, &g) == 0 ? get_u64(g.last.hash) : 0;
}

void disk_each(const struct history *h, void (*each)(void *arg, const struct history_segment *s), void *arg)
{
    for (size_t i = 0; i < h->n; i++)
        each(arg, &h->row[i].blob->s);
}

void disk_streams(const struct history *h, void (*each)(void *arg, const struct have_row *row), void *arg)
{
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        struct have_row row = {s->origin, s->epoch, s->room, s->last_seq, {0}};
        each(arg, &row);
    }
}

uint64_t disk_digest(const struct history *h)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        sum += mix(mix(s->origin ^ s->epoch, s->room ^ s->last_seq), get_u64(s->head));
    }
    return sum;
}
