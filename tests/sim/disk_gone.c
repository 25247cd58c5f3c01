/* disk_gone.c -- what is not there: gaps that others told of, and segments that were deleted. */
#include "disk_inside.h"

const uint8_t *gap_of(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    for (size_t i = 0; i < h->n_gaps; i++) {
        const uint8_t *f = h->gap[i].frame;
        struct gap g;
        if (frame_origin(f) == origin && frame_epoch(f) == epoch && frame_room(f) == room && frame_seq(f) >= seq &&
            read_gap(f, &g) == 0 && g.first_seq <= seq)
            return f;
    }
    return NULL;
}

bool disk_gap(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t *last)
{
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    *last = f ? frame_seq(f) : 0;
    return f != NULL;
}

void disk_gaps(const struct history *h, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        each(arg, h->gap[i].frame);
}

/* ---- in a transaction ---- */

/* add_gap -- in the order of pos. */
static void add_gap(struct history *h, const uint8_t *gap)
{
    ASSERT(frame_stride(gap) <= sizeof h->gap->frame);
    h->gap = grown(h->gap, h->n_gaps, &h->max_gaps, sizeof *h->gap);
    size_t i = h->n_gaps++;
    for (; i > 0 && frame_pos(h->gap[i - 1].frame) > frame_pos(gap); i--)
        h->gap[i] = h->gap[i - 1];
    memcpy(h->gap[i].frame, gap, frame_stride(gap));
}

int history_gap(struct history *h, uint8_t *gap)
{
    add_gap(h, gap); /* behind all others: it came just now */
    return 0;
}

void gaps_into_streams(struct history *h, uint64_t pos)
{
    for (; h->n_gaps_before < h->n_gaps && frame_pos(h->gap[h->n_gaps_before].frame) < pos; h->n_gaps_before++) {
        const uint8_t *f = h->gap[h->n_gaps_before].frame;
        struct stream *s = find_stream(h, frame_origin(f), frame_epoch(f), frame_room(f));
        struct gap g;
        int r = read_gap(f, &g);
        ASSERT(r == 0);
        if (!s || g.first_seq != s->last_seq + 1 || frame_seq(f) <= s->last_seq)
            broken("I3: %s goes on behind a gap of %s's from %llu", node_name(h->node->id), node_name(frame_origin(f)),
                   (unsigned long long)g.first_seq);
        check_missing(h->node, f, s->last_seq + 1);
        s->last_seq = frame_seq(f);
        memcpy(s->head, g.last.hash, HASH_LEN);
    }
}

int history_drop(struct history *h, const struct history_segment *s, uint32_t messages, uint64_t last_pos)
{
    (void)last_pos; /* the frames are kept without */
    ASSERT(h->n_drops < ARRAY_LEN(h->drop));
    h->drop[h->n_drops++] = (struct kept_drop){s->pos, messages};
    return 0;
}

/* join -- to the gap that this one continues, if it is of the same kind. */
static void join(struct history *h, struct gap *g, const struct history_segment *s)
{
    for (size_t i = 0; i < h->n_gaps; i++) {
        const uint8_t *f = h->gap[i].frame;
        struct gap b;
        if (frame_origin(f) != s->origin || frame_epoch(f) != s->epoch || frame_room(f) != s->room ||
            frame_seq(f) + 1 != s->first_seq || read_gap(f, &b) < 0 || b.why != g->why)
            continue;
        g->first_seq = b.first_seq;
        g->messages += b.messages;
        g->hlc_min = min_u64(g->hlc_min, b.hlc_min);
        h->n_gaps--;
        memmove(&h->gap[i], &h->gap[i + 1], (h->n_gaps - i) * sizeof *h->gap);
        return;
    }
}

void drop_segment(struct history *h, const struct kept_drop *d)
{
    uint8_t gap[FRAME_MAX];
    size_t i = 0, k = 0;
    uint32_t m = 0;
    while (i < h->n && h->row[i].pos != d->pos)
        i++;
    while (k < h->n_by_stamp && h->by_stamp[k].pos != d->pos)
        k++;
    ASSERT(i < h->n && k < h->n_by_stamp);
    struct blob *b = h->row[i].blob;
    struct stream *s = find_stream(h, b->s.origin, b->s.epoch, b->s.room);
    ASSERT(s);
    while (s->at[m].pos != d->pos)
        m++;
    struct gap g = {.why = GAP_OLD, .first_seq = b->s.first_seq, .hlc_min = b->s.hlc_min, .messages = d->messages, .last = sealed_of(&b->s)};
    join(h, &g, &b->s);
    int n = write_gap(gap, &g, b->s.origin, b->s.epoch, b->s.room, b->s.hlc_max);
    ASSERT(n > 0);
    frame_set_pos(gap, h->row[i].last_pos);
    add_gap(h, gap);
    check_dropped(h->node, &b->s);
    h->bytes -= b->s.len;
    h->n--;
    h->n_by_stamp--;
    s->n--;
    memmove(&h->row[i], &h->row[i + 1], (h->n - i) * sizeof *h->row);
    memmove(&h->by_stamp[k], &h->by_stamp[k + 1], (h->n_by_stamp - k) * sizeof *h->by_stamp);
    memmove(&s->at[m], &s->at[m + 1], (s->n - m) * sizeof *s->at);
    blob_put(b);
}

/* ---- what is there of it ---- */

int history_gap_at(struct history *h, uint64_t from, uint8_t *gap)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        if (frame_pos(h->gap[i].frame) >= from) {
            memcpy(gap, h->gap[i].frame, frame_stride(h->gap[i].frame));
            return 1;
        }
    return 0;
}

int history_gap_end(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint8_t *gap)
{
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    if (!f || frame_seq(f) != seq)
        return 0;
    memcpy(gap, f, frame_stride(f));
    return 1;
}

int history_gaps(struct history *h, uint64_t room, uint64_t from, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        if (frame_pos(h->gap[i].frame) >= from && (room == 0 || frame_room(h->gap[i].frame) == room))
            each(arg, h->gap[i].frame);
    return 0;
}
