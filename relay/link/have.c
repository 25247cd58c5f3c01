/* have.c -- a dense array of streams and a hash table of places in it. */
#include "link/have.h"

#include "base/mutant.h"
size_t have_size(uint32_t max)
{
    return (size_t)max * (sizeof(struct have_entry) + 2 * sizeof(uint32_t));
}

void have_init(struct have *h, void *memory, uint32_t max)
{
    ASSERT(max > 0 && (max & (max - 1)) == 0);
    *h = (struct have){.entry = memory, .max = max};
    h->index = (uint32_t *)(h->entry + max);
    memset(h->index, 0, 2 * sizeof(uint32_t) * max);
}

/* place -- where in the index this stream stands, or would. */
static uint32_t *place(const struct have *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint64_t key = (origin ^ epoch * 0x9e3779b97f4a7c15u ^ room) * 0xbf58476d1ce4e5b9u;
    for (uint32_t i = (uint32_t)(key >> 32);; i++) {
        uint32_t *at = &h->index[i & (2 * h->max - 1)];
        if (*at == 0)
            return at;
        const struct have_row *r = &h->entry[*at - 1].row;
        if (r->origin == origin && (r->epoch == epoch || MUTANT(RUNS_MIXED)) && r->room == room)
            return at;
    }
}

struct have_entry *have_find(const struct have *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint32_t *at = place(h, origin, epoch, room);
    return *at ? &h->entry[*at - 1] : NULL;
}

struct have_entry *have_add(struct have *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint32_t *at = place(h, origin, epoch, room);
    if (*at == 0) {
        if (h->n == h->max)
            return NULL;
        h->entry[h->n] = (struct have_entry){.row = {origin, epoch, room, 0, {0}}, .point = UINT64_MAX};
        *at = ++h->n;
    }
    return &h->entry[*at - 1];
}

void have_move(struct have *to, const struct have *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct have_row *r = &from->entry[i].row;
        struct have_entry *e = have_add(to, r->origin, r->epoch, r->room);
        ASSERT(e);
        if (!MUTANT(GROWN_EMPTY))
            *e = from->entry[i];
    }
}
