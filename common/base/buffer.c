/* buffer.c -- bytes that wait to be written. */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP = 1 << 20 }; /* bytes an empty buffer may hold on to */

uint8_t *buffer_room(struct buffer *b, size_t len)
{
    if (b->start > 0 && b->size - b->end < len) {
        memmove(b->p, b->p + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->size - b->end < len) {
        size_t size = (b->end + len) * 2;
        uint8_t *p = realloc(b->p, size);
        if (!p)
            return NULL;
        b->p = p;
        b->size = size;
    }
    return b->p + b->end;
}

void buffer_put(struct buffer *b, size_t len)
{
    b->end += len;
}

int buffer_add(struct buffer *b, const void *p, size_t len)
{
    uint8_t *to = buffer_room(b, len);
    if (!to)
        return -ENOMEM;
    memcpy(to, p, len);
    b->end += len;
    return 0;
}

void buffer_take(struct buffer *b, size_t len)
{
    b->start += len;
    if (b->start < b->end)
        return;
    b->start = b->end = 0;
    if (b->size > KEEP)
        buffer_free(b);
}

void buffer_free(struct buffer *b)
{
    free(b->p);
    *b = (struct buffer){0};
}
