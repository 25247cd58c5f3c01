/* restore.c -- each row of the store in a section of its own. */
#include "keep/restore.h"

#include "base/mutant.h"

#include <errno.h>

static void restore_room(void *arg, uint64_t id, struct text name, uint64_t messages, uint64_t last_hlc)
{
    struct state *st = arg;
    if (state_take(st) < 0)
        return;
    uint32_t slot = roster_room_open(&st->edit, id, name);
    if (slot != 0) {
        struct room *room = roster_room_edit(&st->edit, slot);
        room->messages = messages;
        room->last_hlc = last_hlc;
    }
    state_give(st);
}

static void restore_client(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq)
{
    struct state *st = arg;
    if (state_take(st) < 0)
        return;
    uint32_t slot = roster_attach(&st->edit, client, uid, (struct text){"", 0}, 0, true);
    if (slot != 0 && slot != UINT32_MAX) {
        roster_session_edit(&st->edit, slot)->last_seq = last_seq;
        roster_detach(&st->edit, slot, 0);
    }
    state_give(st);
}

/* restore_members -- what every host ever said of the others. */
static bool restore_members(void *arg, const struct history_row *row)
{
    struct state *st = arg;
    if (state_take(st) < 0)
        return false;
    unsigned n = 0;
    for (size_t at = 0; at < row->s.len && n < MEMBERS_IN_SEGMENT; n++) {
        int stride = frame_check(row->s.frames + at, row->s.len - at);
        if (stride <= 0)
            break;
        members_apply(&st->seg->members, &st->seg->undo, st->seg, row->s.frames + at);
        at += (size_t)stride;
    }
    state_give(st);
    return true;
}

int restore(struct state *st, struct history *h)
{
    uint64_t pos, ring;
    history_durable(h, &pos, &ring);
    journal_init(&st->seg->journal, st->seg->shape.ring_size,
                 journal_next_start(pos, max_u64(ring, st->seg->shape.ring_size)));
    int r = history_rooms(h, restore_room, st);
    if (r == 0)
        r = history_clients(h, st->seg->shape.sessions_max / 2, restore_client, st);
    if (r == 0)
        r = history_scan(h, MEMBERS_ROOM, 0, UINT32_MAX, restore_members, st);
    if (r < 0 || state_take(st) < 0)
        return r < 0 ? r : -EIDRM;
    if (roster_host_open(&st->edit, st->seg->shape.origin, text_of(st->seg->shape.host)) == 0 ||
        roster_room_open(&st->edit, MEMBERS_ROOM, text_of(".members")) == 0)
        r = -ENOSPC;
    st->seg->hlc = max_u64(st->seg->hlc, MUTANT(CLOCK_NOT_RESTORED) ? 0 : history_newest_hlc(h));
    state_give(st);
    return r;
}
