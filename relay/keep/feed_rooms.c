/* feed_rooms.c -- which rooms a peer may have, and what changes when hosts come to private ones and go. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"
#include "state/scope.h"

static bool has_bit(const uint64_t *bits, uint32_t slot)
{
    return bits[slot / 64] >> (slot % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t slot, bool to)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    bits[slot / 64] = (bits[slot / 64] & ~bit) | (to ? bit : 0);
}

bool feed_may_have(const struct feed *f, uint64_t room)
{
    return scope_host(f->all->seg, room, f->peer) || MUTANT(FEED_TO_ALL);
}

bool feed_says_out(const struct feed *f, const struct history_segment *s)
{
    const struct segment *seg = f->all->seg;
    if (!f->all->folds || !scope_left(seg, s->room, f->peer) || !scope_owns(seg, s->room, s->origin))
        return false;
    const struct room_state *room = folds_room(f->all->folds, roster_room(&seg->roster, s->room));
    return room && s->hlc_min <= room_state_out(room, f->peer);
}

bool feed_waits(struct feed *f, const struct history_segment *s)
{
    const struct segment *seg = f->all->seg;
    uint32_t slot = roster_room(&seg->roster, s->room);
    bool ready = scope_owns(seg, s->room, f->peer) ? !has_bit(f->owed, slot) : has_bit(f->knows, slot);
    bool early = scope_private(seg, s->room) && !scope_owns(seg, s->room, s->origin) && !ready && !MUTANT(PRIVATE_EARLY);
    if (early)
        f->unheard = min_u64(f->unheard, s->pos);
    return early;
}

void feed_owe(struct feed *f, uint64_t room)
{
    set_bit(f->owed, roster_room(&f->all->seg->roster, room), true);
}

/* lacks_own -- has it not said that it has all of this run of its own in this room? */
static bool lacks_own(const struct feed *f, uint64_t epoch, uint64_t room, uint64_t last_seq)
{
    const struct have_entry *e = have_find(&f->theirs, f->peer, epoch, room);
    return (e ? e->durable : 0) < min_u64(last_seq, forks_point(f->all->forks, f->peer, epoch, room) - 1);
}

struct owed {
    const struct feed *f;
    uint64_t room;
    bool any;
};

static void look_owed(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq, const uint8_t head[HASH_LEN])
{
    struct owed *o = arg;
    (void)head;
    o->any |= room == o->room && origin == o->f->peer && epoch != o->f->epoch && lacks_own(o->f, epoch, room, last_seq);
}

/* repaid -- it has said this; is there no word of its own left in this room that it lost?  That changes with what it says of these
 * words, not of others (and with a fork of its own), and all streams are looked at only when it has all of this one. */
static bool repaid(const struct feed *f, const struct have_row *row)
{
    struct owed o = {f, row->room, false};
    uint64_t last_seq;
    uint8_t head[HASH_LEN];
    if (row->origin != f->peer || row->epoch == f->epoch)
        return false;
    int r = history_stream(f->all->h, f->peer, row->epoch, row->room, &last_seq, head);
    if (r == 0 && lacks_own(f, row->epoch, row->room, last_seq))
        return false;
    if (r < 0 || history_streams(f->all->h, look_owed, &o) < 0)
        log_error("the store cannot be read for a link");
    return !o.any;
}

void feed_heard_of(struct feed *f, const struct have_row *row)
{
    const struct segment *seg = f->all->seg;
    uint32_t slot = roster_room(&seg->roster, row->room);
    if (!scope_private(seg, row->room))
        return;
    bool was_owed = has_bit(f->owed, slot), new = !has_bit(f->knows, slot);
    if (was_owed && !repaid(f, row))
        return;
    set_bit(f->owed, slot, false);
    set_bit(f->knows, slot, true);
    if (!was_owed && !new)
        return;
    f->cursor = min_u64(f->cursor, f->unheard);
    f->unheard = UINT64_MAX;
    f->more = true;
}

static bool may_private(const struct feed *f, uint64_t room)
{
    return scope_private(f->all->seg, room) && feed_may_have(f, room);
}

void feed_see_rooms(struct feed *f)
{
    const struct roster *r = &f->all->seg->roster;
    for (uint32_t i = 1; i <= r->n_rooms; i++)
        set_bit(f->may, i, may_private(f, r->room[i].id));
}

static bool back_to(void *arg, const struct history_row *row)
{
    struct feed *f = arg;
    f->cursor = min_u64(f->cursor, row->s.pos);
    return false;
}

/* see_room -- this one changed: is the peer in it only now?  Then it is fed what was passed over, also that a stream of it forks. */
static void see_room(struct feed *f, uint32_t slot)
{
    uint64_t room = f->all->seg->roster.room[slot].id;
    bool may = may_private(f, room), came = may && !has_bit(f->may, slot);
    set_bit(f->may, slot, may);
    if (!came)
        return;
    feed_not_passed(f, room);
    if (forks_each(f->all->forks, feed_proof, f) < 0 || history_scan(f->all->h, room, 0, 1, back_to, f) < 0)
        log_error("the store cannot be read for a link");
    f->more = true;
}

void feeds_see_rooms(struct feeds *fs)
{
    const struct roster *r = &fs->seg->roster;
    uint32_t now = atomic_load(&r->audiences);
    for (uint32_t slot = 1; now != fs->audiences && slot <= r->n_rooms; slot++) {
        if (atomic_load(&r->audience[slot].moved) - fs->audiences - 1 >= now - fs->audiences)
            continue;
        for (size_t i = 0; i < FEEDS_MAX; i++)
            if (fs->feed[i].going && !MUTANT(NEWCOMER_UNFED))
                see_room(&fs->feed[i], slot);
    }
    fs->audiences = now;
}
