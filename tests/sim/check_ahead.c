/* check_ahead.c -- what is ahead of its time: no clock (I13); what is stamped so is parked, and shown when it is due (I14). */
#include "check_inside.h"

#define LATE_US (30 * S) /* longer than any process is stopped */

void check_clock(struct node *n)
{
    if (n->evil)
        return;
    w.wall_max_ms = max_u64(w.wall_max_ms, wall_of(n));
    if (n->st.seg->hlc >> 16 > w.wall_max_ms + SKEW_MAX_MS + 1)
        broken("I13: the clock of %s runs %llu s ahead of every honest one", node_name(n->id),
               (unsigned long long)((n->st.seg->hlc >> 16) - w.wall_max_ms) / 1000);
}

static bool ahead(const struct node *n, uint64_t hlc)
{
    return hlc >> 16 > wall_of(n) + SKEW_MAX_MS;
}

void check_parked(struct node *n, const uint8_t *segment)
{
    bool parked = frame_flags(segment) & FRAME_PARKED;
    bool must = ahead(n, frame_hlc(segment)) && frame_origin(segment) != n->id;
    if (parked != must)
        broken("I14: %s %s what is stamped %lld ms ahead", node_name(n->id), parked ? "hides" : "shows",
               (long long)((frame_hlc(segment) >> 16) - wall_of(n)));
    if (parked)
        map_add(&n->checks->parked, frame_origin(segment) ^ frame_epoch(segment), frame_room(segment), frame_hlc(segment), 1);
    n->checks->n_parked += parked;
    w.stats.parked += parked;
}

/* no_longer_parked -- it is shown, or deleted. */
void no_longer_parked(struct checks *c, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc)
{
    uint32_t *parked = map_find(&c->parked, origin ^ epoch, room, hlc);
    if (parked && *parked == 1) {
        *parked = 2;
        c->n_parked--;
    }
}

/* check_due -- a segment that was parked, for its second time. */
size_t check_due(struct node *n, const uint8_t *due, const uint8_t *frames)
{
    uint32_t bytes;
    int r = read_due(due, &bytes);
    ASSERT(r == 0);
    const uint8_t *last = frames;
    for (size_t i = 0; i < bytes; i += frame_stride(frames + i))
        last = frames + i;
    if (ahead(n, frame_hlc(last)))
        broken("I14: %s shows what is stamped %lld ms ahead", node_name(n->id), (long long)((frame_hlc(last) >> 16) - wall_of(n)));
    no_longer_parked(n->checks, frame_origin(last), frame_epoch(last), frame_room(last), frame_hlc(last));
    return bytes;
}

/* check_shown -- is everything shown whose time has come since it was parked?  Soon, that is; not while the disk is full, and
 * not what lies behind a fork. */
void check_shown(struct node *n)
{
    const struct map *m = &n->checks->parked;
    bool late = false;
    for (uint32_t i = 0; n->checks->n_parked > 0 && i < m->max; i++)
        late |= m->slot[i].used && m->slot[i].value == 1 && !ahead(n, m->slot[i].room);
    late &= !n->failing && w.stats.forks == 0;
    if (!late || n->checks->late_since == 0)
        n->checks->late_since = late ? w.now : 0;
    else if (w.now - n->checks->late_since > LATE_US)
        broken("I14: %s does not show what has been due for a while", node_name(n->id));
}
