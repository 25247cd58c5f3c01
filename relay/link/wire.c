/* wire.c -- frames and segments out of a stream of bytes; no I/O. */
#include "link/wire.h"

#include <errno.h>

void wire_init(struct wire *w, uint8_t *buf)
{
    splitter_init(&w->split, buf, WIRE_BUFFER);
}

uint8_t *wire_room(struct wire *w, size_t *room)
{
    return splitter_room(&w->split, room);
}

void wire_fed(struct wire *w, size_t n)
{
    splitter_fed(&w->split, n);
}

int wire_next(struct wire *w, const uint8_t **frame, const uint8_t **frames, size_t *len)
{
    struct splitter *s = &w->split;
    struct segment_head head;
    size_t start = s->start;
    int r = splitter_next(s, frame);
    *frames = NULL;
    *len = 0;
    if (r <= 0 || frame_type(*frame) != FRAME_SEGMENT)
        return r;
    if (read_segment(*frame, &head) < 0 || head.bytes < FRAME_HEAD || head.bytes > SEGMENT_BYTES)
        return -EBADMSG;
    if (s->end - s->start < head.bytes) {
        s->start = start;
        return 0;
    }
    *frames = s->buf + s->start;
    *len = head.bytes;
    s->start += head.bytes;
    return 1;
}

void wire_back(struct wire *w, const uint8_t *frame)
{
    w->split.start = (size_t)(frame - w->split.buf);
}
