/* seen.c -- a hash table of the last number seen of each client in each room. */
#include "seen.h"

#include <errno.h>
#include <stdlib.h>

enum { SEEN_START = 256 };

struct last {
    uint64_t client, room;
    uint32_t seq; /* 0: a free slot */
};

static struct last *slot(struct last *table, size_t size, uint64_t client, uint64_t room)
{
    size_t i = (size_t)((client ^ room) * 0x9e3779b97f4a7c15u >> 16) & (size - 1);
    while (table[i].seq != 0 && (table[i].client != client || table[i].room != room))
        i = (i + 1) & (size - 1);
    return &table[i];
}

static int grow(struct seen *s)
{
    size_t size = s->size ? s->size * 2 : SEEN_START;
    struct last *t = calloc(size, sizeof *t);
    if (!t)
        return -ENOMEM;
    for (size_t i = 0; i < s->size; i++)
        if (s->last[i].seq != 0)
            *slot(t, size, s->last[i].client, s->last[i].room) = s->last[i];
    free(s->last);
    s->last = t;
    s->size = size;
    return 0;
}

bool seen_first(struct seen *s, const uint8_t *f)
{
    if ((s->n + 1) * 2 > s->size && grow(s) < 0)
        return true;
    struct last *l = slot(s->last, s->size, frame_client(f), frame_room(f));
    if (l->seq >= frame_client_seq(f))
        return false;
    s->n += l->seq == 0;
    *l = (struct last){frame_client(f), frame_room(f), frame_client_seq(f)};
    return true;
}

void seen_free(struct seen *s)
{
    free(s->last);
    *s = (struct seen){0};
}
