/* parked.c -- from the store into the journal once more, when it is time. */
#include "keep/parked.h"

#include "base/mutant.h"
#include "base/sys.h"

#include <errno.h>

uint64_t parked_horizon(void)
{
    return (wall_ms() + SKEW_MAX_MS) << 16 | 0xffff;
}

bool parked_hides(const struct state *st, const struct history_segment *s)
{
    return s->origin != st->seg->shape.origin && s->hlc_max > parked_horizon();
}

/* set_room -- what is known of a room. */
static int set_room(struct parked *p, uint32_t slot, uint64_t parked, uint64_t due)
{
    if (state_take(p->st) < 0)
        return -EIDRM;
    struct room *room = roster_room_edit(&p->st->edit, slot);
    room->parked = max_u64(room->parked, parked);
    room->due = due;
    if (room->parked > due)
        atomic_store(&p->st->seg->waiting, 1);
    state_give(p->st);
    return 0;
}

static bool last_one(void *arg, const struct history_row *row)
{
    uint64_t *hlc = arg;
    *hlc = row->s.hlc_max; /* they rise */
    return true;
}

int parked_restore(struct parked *p)
{
    const struct roster *r = &p->st->seg->roster;
    uint64_t due = parked_horizon();
    int error = 0;
    for (uint32_t i = 1; error == 0 && i <= r->n_rooms; i++) {
        uint64_t hlc = 0;
        error = history_since(p->h, r->room[i].id, due + 1, last_one, &hlc);
        if (error == 0)
            error = set_room(p, i, hlc, due);
    }
    return error;
}

bool parked_waits(const struct parked *p)
{
    return atomic_load(&p->st->seg->waiting) != 0;
}

/* show -- one segment, for the workers.  Returns 0; -EAGAIN no room; -EIDRM. */
static int show(struct parked *p, const struct history_segment *s)
{
    struct state *st = p->st;
    uint8_t head[FRAME_MAX];
    int n = write_due(head, (uint32_t)s->len, s->room);
    ASSERT(n > 0);
    if (state_take(st) < 0)
        return -EIDRM;
    int r = state_room_for(st, (size_t)n + s->len);
    if (r == 0) {
        state_put(st, head);
        for (size_t at = 0; at < s->len; at += frame_stride(s->frames + at))
            state_put(st, s->frames + at);
        state_publish(st);
    }
    state_give(st);
    return r;
}

struct release {
    struct parked *p;
    uint64_t until, shown; /* shown: how far this room has come */
    int error;
};

static bool release(void *arg, const struct history_row *row)
{
    struct release *l = arg;
    const struct history_segment *s = &row->s;
    if (s->hlc_max > l->until)
        return false;
    if (s->origin == l->p->st->seg->shape.origin || s->first_seq >= forks_point(l->p->forks, s->origin, s->epoch, s->room))
        return true;
    l->error = show(l->p, s);
    l->shown = s->hlc_max - 1; /* another may have the same stamp: who is shown this one twice drops it */
    return l->error == 0;
}

/* release_room -- returns -EAGAIN when there is more to show than fits now. */
static int release_room(struct parked *p, uint32_t slot, uint64_t until)
{
    const struct room *room = &p->st->seg->roster.room[slot];
    struct release l = {.p = p, .until = until, .shown = room->due};
    int r = history_since(p->h, room->id, room->due + 1, release, &l);
    r = r < 0 ? r : l.error;
    int set = set_room(p, slot, 0, r == 0 ? l.until : l.shown); /* back, too, when the clock was set back */
    return r < 0 ? r : set;
}

int parked_release(struct parked *p, uint64_t until)
{
    const struct roster *r = &p->st->seg->roster;
    int error = 0;
    atomic_store(&p->st->seg->waiting, 0); /* before looking: who parks something meanwhile sets it again */
    for (uint32_t i = 1; error == 0 && i <= r->n_rooms && !MUTANT(NEVER_DUE); i++)
        if (r->room[i].parked > r->room[i].due)
            error = release_room(p, i, until);
    if (error < 0)
        atomic_store(&p->st->seg->waiting, 1);
    state_ring_all(p->st);
    return error == -EAGAIN ? 0 : error;
}
