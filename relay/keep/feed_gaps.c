/* feed_gaps.c -- what is not kept any more, named to a peer that never had it. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"

/* put_gap -- so much of it as the peer does not have. */
static int put_gap(struct feed *f, uint8_t *frame)
{
    struct have_row row = {frame_origin(frame), frame_epoch(frame), frame_room(frame), frame_seq(frame), {0}};
    const struct have_entry *e = have_find(&f->theirs, row.origin, row.epoch, row.room);
    struct gap g;
    int r = read_gap(frame, &g);
    if (r < 0)
        return r;
    g.why = GAP_OLD;
    g.first_seq = max_u64(g.first_seq, e ? e->row.seq + 1 : 0);
    g.messages = (uint32_t)min_u64(g.messages, row.seq - g.first_seq + 1);
    int n = write_gap(frame, &g, row.origin, row.epoch, row.room, frame_hlc(frame));
    ASSERT(n > 0);
    frame_set_client(frame, f->number);
    r = buffer_add(&f->all->out, frame, (size_t)n);
    return r < 0 ? r : feed_has(f, &row, false);
}

/* wants_gap -- what lies before it in its stream the peer has, or was sent: the beginning of a stream is never missing. */
static bool wants_gap(struct feed *f, const uint8_t *frame, uint64_t pos)
{
    struct history_segment s = {.origin = frame_origin(frame), .epoch = frame_epoch(frame), .room = frame_room(frame),
                                .first_seq = frame_seq(frame), .last_seq = frame_seq(frame), .hlc_min = frame_hlc(frame),
                                .pos = pos};
    return feed_wants(f, &s) && !feed_waits(f, &s);
}

bool feed_gaps_before(struct feed *f, uint64_t pos)
{
    uint8_t gap[FRAME_MAX];
    while (f->gap < pos) {
        if (!feed_can_send(f))
            return false;
        int r = history_gap_at(f->all->h, f->gap, gap);
        if (r < 0)
            log_error("the store cannot be read for a link: %s", strerror(-r));
        f->gap = r == 1 ? frame_pos(gap) : UINT64_MAX;
        if (f->gap >= pos)
            break;
        if (wants_gap(f, gap, f->gap) && !MUTANT(GAP_UNTOLD) && put_gap(f, gap) < 0)
            log_error("a stored gap cannot be sent");
        f->cursor = ++f->gap;
    }
    return true;
}
