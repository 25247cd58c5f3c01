/* remote.c -- segments of other hosts into the journal, after a look at every frame. */
#include "rules/remote.h"

#include "base/hash.h"
#include "base/mutant.h"

#include <errno.h>

static bool frame_ok(const uint8_t *f, bool first)
{
    struct room_change create;
    struct say say;
    struct member_entry member;
    struct room_act act;
    if (frame_room(f) == MEMBERS_ROOM)
        return frame_type(f) == FRAME_MEMBER && frame_flags(f) == 0 && frame_client(f) == 0 && read_member(f, &member) == 0;
    if (first)
        return frame_type(f) == FRAME_CREATE && frame_flags(f) == 0 && read_room_change(f, &create) == 0 &&
               room_id(create.room) == frame_room(f);
    if (frame_type(f) == FRAME_STATE)
        return frame_flags(f) == 0 && read_room_act(f, &act) == 0;
    return frame_type(f) == FRAME_SAY && (frame_flags(f) & ~(FRAME_MORE | FRAME_CONT | FRAME_ACTION)) == 0 &&
           read_say(f, &say) == 0;
}

int remote_check(const uint8_t *frames, size_t len)
{
    unsigned members = 0;
    for (size_t at = 0; at < len; at += frame_stride(frames + at)) {
        if (!frame_ok(frames + at, frame_seq(frames + at) == 1))
            return -EBADMSG;
        members += frame_type(frames + at) == FRAME_MEMBER;
    }
    return members <= MEMBERS_IN_SEGMENT ? 0 : -EBADMSG;
}

/* park -- in a section: this stamp is to be waited for.  When nothing was, waiting begins now: what came before was shown. */
static void park(struct segment *seg, struct room *room, uint64_t hlc, uint64_t wall)
{
    if (room->parked <= room->due)
        room->due = (wall + SKEW_MAX_MS) << 16 | 0xffff;
    room->parked = max_u64(room->parked, hlc);
    atomic_store(&seg->waiting, 1);
}

/* open_room -- the slot of the segment's room, whose name its first entry gives. */
static uint32_t open_room(struct state *st, const uint8_t *frames)
{
    struct room_change create;
    uint32_t room = roster_room(&st->seg->roster, frame_room(frames));
    if (room == 0 && frame_type(frames) == FRAME_CREATE && read_room_change(frames, &create) == 0)
        room = roster_room_open(&st->edit, frame_room(frames), create.room);
    return room;
}

int remote_apply(struct state *st, const uint8_t *segment, const uint8_t *frames, size_t len, uint64_t wall)
{
    int r = state_room_for(st, frame_stride(segment) + len);
    if (r < 0)
        return r;
    uint32_t slot = open_room(st, frames);
    if (slot == 0)
        return -ENOSPC;
    struct room *room = roster_room_edit(&st->edit, slot);
    uint64_t newest = frame_hlc(segment);
    bool ahead = newest >> 16 > wall + SKEW_MAX_MS;
    bool parked = ahead && frame_origin(segment) != st->seg->shape.origin && !MUTANT(PARKED_SHOWN);
    frame_set_flags(state_put(st, segment), parked ? FRAME_PARKED : 0);
    for (size_t at = 0; at < len; at += frame_stride(frames + at)) {
        const uint8_t *f = frames + at;
        state_put(st, f);
        if (frame_type(f) == FRAME_MEMBER)
            members_apply(&st->seg->members, &st->seg->undo, st->seg, f);
        room->messages += frame_type(f) == FRAME_SAY && !(frame_flags(f) & FRAME_MORE);
    }
    if (parked)
        park(st->seg, room, newest, wall);
    else
        room->last_hlc = max_u64(room->last_hlc, newest);
    if ((!ahead || MUTANT(CLOCK_UNBOUNDED)) && !MUTANT(STAMP_NOT_MERGED))
        st->seg->hlc = max_u64(st->seg->hlc, newest);
    return 0;
}

int remote_gap(struct state *st, const uint8_t *gap, uint64_t from, uint64_t wall)
{
    uint8_t frame[FRAME_MAX];
    struct gap g;
    int r = read_gap(gap, &g);
    if (r == 0)
        r = state_room_for(st, frame_stride(gap));
    if (r < 0)
        return r;
    if (roster_room(&st->seg->roster, frame_room(gap)) == 0)
        return -ENOSPC;
    uint64_t hlc = min_u64(frame_hlc(gap), wall << 16);
    g.why = GAP_AWAY;
    g.first_seq = max_u64(g.first_seq, from);
    g.messages = (uint32_t)min_u64(g.messages, frame_seq(gap) - g.first_seq + 1);
    g.hlc_min = min_u64(g.hlc_min, hlc);
    int n = write_gap(frame, &g, frame_origin(gap), frame_epoch(gap), frame_room(gap), hlc);
    ASSERT(n > 0);
    state_put(st, frame);
    return 0;
}
