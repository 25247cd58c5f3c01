/* parked.c -- from the store into the journal once more, when it is time. */
#include "keep/parked.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"

#include <errno.h>

static uint64_t horizon(void)
{
    return (wall_ms() + SKEW_MAX_MS) << 16 | 0xffff;
}

bool parked_hides(const struct state *st, const struct history_segment *s)
{
    return s->origin != st->seg->shape.origin && s->hlc_max > horizon();
}

/* set_parked -- of a room. */
static int set_parked(struct parked *p, uint32_t slot, uint64_t hlc)
{
    if (state_take(p->st) < 0)
        return -EIDRM;
    roster_room_edit(&p->st->edit, slot)->parked = hlc;
    atomic_store(&p->st->seg->parked, max_u64(atomic_load(&p->st->seg->parked), hlc));
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
    uint64_t due = horizon();
    int error = 0;
    atomic_store(&p->st->seg->due, due);
    for (uint32_t i = 1; error == 0 && i <= r->n_rooms; i++) {
        uint64_t hlc = 0;
        error = history_since(p->h, r->room[i].id, due + 1, last_one, &hlc);
        if (error == 0 && hlc > due)
            error = set_parked(p, i, hlc);
    }
    return error;
}

bool parked_waits(const struct parked *p)
{
    return atomic_load(&p->st->seg->parked) > atomic_load(&p->st->seg->due);
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
    uint64_t until;
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
    int r = show(l->p, s);
    if (r == -EAGAIN || r == -EMSGSIZE)
        log_warn("something that has become due is only shown to who asks for the history");
    else
        l->error = r;
    return l->error == 0;
}

int parked_release(struct parked *p)
{
    const struct roster *r = &p->st->seg->roster;
    uint64_t due = atomic_load(&p->st->seg->due);
    struct release l = {p, horizon(), 0};
    int error = 0;
    for (uint32_t i = 1; error == 0 && i <= r->n_rooms && !MUTANT(NEVER_DUE); i++)
        if (r->room[i].parked > due)
            error = history_since(p->h, r->room[i].id, due + 1, release, &l);
    error = error < 0 ? error : l.error;
    if (error == 0)
        atomic_store(&p->st->seg->due, l.until); /* back, too, when the clock was set back */
    state_ring_all(p->st);
    return error;
}
