/* whole.c -- backwards through the stream, to where the message begins. */
#include "search/whole.h"

enum { SEGMENTS_MAX = 64 /* that the parts of one message are looked for in */ };

/* What one segment holds of it. */
struct piece {
    const uint8_t *last;
    struct buffer frames;
    uint64_t seq, first_seq; /* seq: must be in it */
    bool begun; /* the first part is among them */
    int error;
};

static bool is_part(const struct piece *p, const uint8_t *f)
{
    return frame_type(f) == FRAME_SAY && frame_client(f) == frame_client(p->last) && frame_seq(f) < frame_seq(p->last);
}

static bool read_piece(void *arg, const struct history_row *row)
{
    struct piece *p = arg;
    if (row->s.first_seq > p->seq)
        return false; /* it is not kept any more */
    p->first_seq = row->s.first_seq;
    for (size_t at = 0; at < row->s.len && p->error == 0;) {
        const uint8_t *f = row->s.frames + at;
        int n = frame_check(f, row->s.len - at);
        if (n <= 0)
            return false; /* damaged: what is behind it is missing */
        if (is_part(p, f)) {
            if (!(frame_flags(f) & FRAME_CONT))
                p->frames.end = 0, p->begun = true; /* another message of his, or ours */
            p->error = buffer_add(&p->frames, f, (size_t)n);
        }
        at += (size_t)n;
    }
    return false;
}

/* add_before -- what lies up to entry `seq`, the earlier segments first. */
static int add_before(struct history *h, const uint8_t *last, uint64_t seq, unsigned segments, struct buffer *to)
{
    struct piece p = {.last = last, .seq = seq};
    int r = history_holding(h, frame_origin(last), frame_epoch(last), frame_room(last), seq, read_piece, &p);
    r = r < 0 ? r : p.error;
    if (r == 0 && !p.begun && p.first_seq > 1 && segments < SEGMENTS_MAX)
        r = add_before(h, last, p.first_seq - 1, segments + 1, to);
    if (r == 0 && p.frames.end > 0)
        r = buffer_add(to, p.frames.p, p.frames.end);
    buffer_free(&p.frames);
    return r;
}

int whole_message(struct history *h, const uint8_t *last, struct buffer *to)
{
    int r = 0;
    if (frame_flags(last) & FRAME_CONT && frame_seq(last) > 1)
        r = add_before(h, last, frame_seq(last) - 1, 1, to);
    return r < 0 ? r : buffer_add(to, last, frame_stride(last));
}

int whole_text(const uint8_t *frames, size_t len, struct buffer *to)
{
    size_t before = to->end;
    int r = 0;
    for (size_t at = 0; r == 0 && at < len; at += frame_stride(frames + at)) {
        struct say say;
        if (read_say(frames + at, &say) == 0 && to->end - before + say.text.len <= TEXT_MESSAGE_MAX)
            r = buffer_add(to, say.text.p, say.text.len);
    }
    return r;
}
