/* have.h -- how far each stream has come at one host: (origin, epoch, room) -> seq and the hash it ends with; no I/O.
 *
 * Rows lie in the order in which they were added and stay where they are, so a number is a cursor that survives
 * additions.  The memory is the caller's. */
#ifndef LINK_HAVE_H
#define LINK_HAVE_H

#include "frame/body.h"

struct have_entry {
    struct have_row row; /* seq: taken so far, without a gap */
    uint64_t durable;    /* of these, on disk */
    uint64_t point;      /* of a fork that is proven: nothing is taken from here on; UINT64_MAX: there is none */
    uint8_t head[HASH_LEN], durable_head[HEAD_LEN]; /* of the segments that end there */
    bool frozen; /* its origin said two different things, the keeper looks where: nothing is taken meanwhile */
};

struct have {
    struct have_entry *entry;
    uint32_t *index; /* hash table of entry numbers + 1 */
    uint32_t n, max; /* max: a power of two */
};

/* have_size -- bytes of memory for `max` streams, a power of two; the memory must be aligned as by malloc(). */
size_t have_size(uint32_t max);

/* have_init -- empty, in have_size(max) bytes at `memory`. */
void have_init(struct have *h, void *memory, uint32_t max);

/* have_move -- everything in `from` into `to`, which is empty and not smaller. */
void have_move(struct have *to, const struct have *from);

/* have_find -- the entry of a stream, or NULL: nothing of it. */
struct have_entry *have_find(const struct have *h, uint64_t origin, uint64_t epoch, uint64_t room);

/* have_add -- the same, made (seq 0) when it is new.  NULL when there is no room for it: have_move() to a larger one. */
struct have_entry *have_add(struct have *h, uint64_t origin, uint64_t epoch, uint64_t room);

#endif
