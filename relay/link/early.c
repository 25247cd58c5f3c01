/* early.c -- segments that came before what they answer, and who passed them on; no I/O. */
#include "link/core.h"

#include "base/mutant.h"

/* is_missing -- is this not here, and could it be? */
static bool is_missing(const struct link_core *l, const struct after_row *a, uint64_t room)
{
    const struct have_entry *e = have_find(&l->ours, a->origin, a->epoch, room);
    if (!link_knows(l, a->origin) || (a->origin == l->self && a->epoch == l->epoch))
        return false;
    return !e || (e->row.seq < a->seq && a->seq < e->point && !e->frozen);
}

static const struct after_row *first_missing(const struct link_core *l, const struct after *after, uint64_t room)
{
    for (uint32_t i = 0; i < after->n && !MUTANT(AFTER_UNCHECKED); i++)
        if (is_missing(l, &after->row[i], room))
            return &after->row[i];
    return NULL;
}

/* place_for -- where to note something of this host; NULL: something is noted already. */
static struct link_early *place_for(struct link_core *l, uint64_t host)
{
    struct link_early *to = NULL;
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (l->early[i].by == host)
            return NULL;
        if (l->early[i].by == 0)
            to = &l->early[i];
    }
    return to;
}

bool link_early(struct link_core *l, unsigned peer, const uint8_t *f, uint64_t now_ms)
{
    struct segment_head s;
    uint64_t by = l->peer[peer].host;
    int r = read_segment(f, &s);
    ASSERT(r == 0);
    const struct after_row *a = first_missing(l, &s.after, frame_room(f));
    struct link_early *to = a ? place_for(l, by) : NULL;
    if (to)
        *to = (struct link_early){.by = by, .author = frame_origin(f), .room = frame_room(f), .missing = *a, .since_ms = now_ms};
    return a;
}

void link_early_anew(struct link_core *l, uint64_t now_ms)
{
    for (size_t i = 0; i < LINK_PEERS_MAX; i++)
        if (!l->early[i].told)
            l->early[i].since_ms = now_ms;
}

/* is_due -- had the peer its time?  An honest one may lack it itself and have a gap to tell of, as soon as it is linked again. */
static bool is_due(const struct link_core *l, const struct link_early *e, uint64_t now_ms)
{
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct link_peer *p = &l->peer[i];
        bool linked = p->phase == LINK_OPEN && p->host == e->by;
        if (linked && now_ms - max_u64(e->since_ms, p->up_ms) >= LINK_EARLY_MS)
            return true;
    }
    return now_ms - e->since_ms >= LINK_EARLY_AWAY_MS;
}

const struct link_early *link_kept_back(struct link_core *l, uint64_t now_ms)
{
    for (size_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct link_early *e = &l->early[i];
        bool due = e->by != 0 && !e->told && is_due(l, e, now_ms);
        if (due && is_missing(l, &e->missing, e->room)) {
            e->told = true;
            return e;
        }
        if (due || (e->told && now_ms - e->since_ms >= LINK_EARLY_REST_MS))
            e->by = 0;
    }
    return NULL;
}
