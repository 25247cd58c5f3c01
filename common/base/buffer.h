/* buffer.h -- bytes that wait to be written: put in at the end, taken from the front. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/base.h"

struct buffer {
    uint8_t *p; /* [start, end) waits */
    size_t start, end, size;
};

/* buffer_room -- `len` bytes at the end to be filled in, counted by buffer_put(); NULL: out of memory.  Moves what
 * waits. */
uint8_t *buffer_room(struct buffer *b, size_t len);
void buffer_put(struct buffer *b, size_t len);

/* buffer_add -- both, with a copy.  Returns 0 or -ENOMEM. */
int buffer_add(struct buffer *b, const void *p, size_t len) MUST_USE;

/* buffer_take -- the first `len` bytes were written.  An empty buffer gives a large allocation back. */
void buffer_take(struct buffer *b, size_t len);

static inline size_t buffer_len(const struct buffer *b)
{
    return b->end - b->start;
}

static inline const uint8_t *buffer_data(const struct buffer *b)
{
    return (const uint8_t *)((uintptr_t)b->p + b->start); /* of an empty one: NULL and nothing, which pointers may not add */
}

void buffer_free(struct buffer *b);

#endif
