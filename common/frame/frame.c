/* frame.c -- build, check and split frames; no I/O. */
#include "frame/frame.h"

#include <errno.h>
#include <limits.h>

_Static_assert(FRAME_MAX <= PIPE_BUF, "a FIFO must take every frame whole");

static const struct frame_row rows[] = {
#define FRAME(name, value, who, durable, min, max)                                             \
    [value] = {#name, FRAME_BY_##who, durable, min, max},
#include "frame/types.def"
#undef FRAME
};

const struct frame_row *frame_row(uint8_t type)
{
    return type < ARRAY_LEN(rows) && rows[type].name ? &rows[type] : NULL;
}

int frame_check(const uint8_t *f, size_t avail)
{
    if (avail < FRAME_HEAD)
        return 0;
    size_t len = frame_len(f);
    const struct frame_row *row = frame_row(frame_type(f));
    if (len < FRAME_HEAD || len > FRAME_MAX || !row)
        return -EBADMSG;
    size_t body = len - FRAME_HEAD;
    if (body < row->body_min || body > row->body_max)
        return -EBADMSG;
    size_t stride = frame_stride(f);
    if (avail < stride)
        return 0;
    for (size_t i = len; i < stride; i++)
        if (f[i] != 0)
            return -EBADMSG;
    return (int)stride;
}

struct wr frame_begin(uint8_t *buf, enum frame_type type)
{
    memset(buf, 0, FRAME_HEAD);
    buf[2] = (uint8_t)type;
    return wr_to(buf + FRAME_HEAD, FRAME_MAX - FRAME_HEAD);
}

int frame_end(uint8_t *buf, const struct wr *body)
{
    const struct frame_row *row = frame_row(frame_type(buf));
    size_t len = wr_len(body);
    if (!wr_done(body) || !row || len < row->body_min || len > row->body_max)
        return -EMSGSIZE;
    put_u16(buf, (uint16_t)(FRAME_HEAD + len));
    size_t stride = frame_stride(buf);
    memset(buf + FRAME_HEAD + len, 0, stride - FRAME_HEAD - len);
    return (int)stride;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int frame_order(const uint8_t *a, const uint8_t *b)
{
    int c = compare(frame_hlc(a), frame_hlc(b));
    if (c == 0)
        c = compare(frame_origin(a), frame_origin(b));
    if (c == 0)
        c = compare(frame_epoch(a), frame_epoch(b));
    if (c == 0)
        c = compare(frame_seq(a), frame_seq(b));
    return c;
}

void splitter_init(struct splitter *s, uint8_t *buf, size_t size)
{
    *s = (struct splitter){buf, size, 0, 0};
}

uint8_t *splitter_room(struct splitter *s, size_t *room)
{
    if (s->start > 0) {
        memmove(s->buf, s->buf + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    *room = s->size - s->end;
    return s->buf + s->end;
}

void splitter_fed(struct splitter *s, size_t n)
{
    s->end += n;
}

int splitter_next(struct splitter *s, const uint8_t **frame)
{
    int n = frame_check(s->buf + s->start, s->end - s->start);
    if (n <= 0)
        return n;
    *frame = s->buf + s->start;
    s->start += (size_t)n;
    return 1;
}
