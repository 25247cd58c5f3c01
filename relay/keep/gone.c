/* gone.c -- gaps added up to lines, and the lines into the journal. */
#include "keep/gone.h"

#include "base/sys.h"

void gone_add(struct gone_line *l, const uint8_t *gap)
{
    struct gap g;
    if (read_gap(gap, &g) < 0)
        return;
    l->gone.hlc_min = l->hlc_max ? min_u64(l->gone.hlc_min, g.hlc_min) : g.hlc_min;
    l->hlc_max = max_u64(l->hlc_max, frame_hlc(gap));
    l->gone.messages += g.messages;
    l->gone.why = g.why;
}

void gone_note(void *gone_lines, const uint8_t *gap)
{
    struct gone_lines *g = gone_lines;
    size_t i = 0;
    while (i < g->n && (g->line[i].origin != frame_origin(gap) || g->line[i].room != frame_room(gap)))
        i++;
    if (i == GONE_ROWS_MAX)
        return;
    if (i == g->n)
        g->line[g->n++] = (struct gone_line){.origin = frame_origin(gap), .room = frame_room(gap)};
    gone_add(&g->line[i], gap);
    g->line[i].noted_ms = now_ms();
}

/* tell -- returns false when the journal has no room now. */
static bool tell(struct state *st, const struct gone_line *l)
{
    uint8_t frame[FRAME_MAX];
    int n = write_gone(frame, &l->gone, l->origin, l->room, l->hlc_max);
    ASSERT(n > 0);
    if (state_take(st) < 0)
        return false;
    bool fits = state_room_for(st, (size_t)n) == 0;
    if (fits) {
        state_put(st, frame);
        state_publish(st);
    }
    state_give(st);
    return fits;
}

void gone_tell(struct gone_lines *g, uint64_t now)
{
    bool told = false;
    for (size_t i = 0; i < g->n;) {
        bool quiet = now - g->line[i].noted_ms >= GONE_QUIET_MS;
        if (!quiet || !tell(g->st, &g->line[i])) {
            i++;
            continue;
        }
        g->line[i] = g->line[--g->n];
        told = true;
    }
    if (told)
        state_ring_all(g->st);
}
