/* undo.c -- before-images in shared memory; no I/O.
 *
 * An image is {u64 offset, u64 len, the bytes, u64 size of the whole image}, rounded up to 8; the size at
 * its end lets recovery walk from the newest to the oldest. */
#include "state/undo.h"

#include <errno.h>
#include <string.h>

enum { IMAGE_HEAD = 16, IMAGE_TAIL = 8 };

static uint64_t load(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void store(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

void undo_begin(struct undo *u, uint64_t head)
{
    ASSERT(atomic_load_explicit(&u->used, memory_order_relaxed) == 0);
    u->head = head;
}

void undo_save(struct undo *u, const void *base, const void *at, size_t len)
{
    uint64_t used = atomic_load_explicit(&u->used, memory_order_relaxed);
    size_t size = IMAGE_HEAD + ((len + 7) & ~(size_t)7) + IMAGE_TAIL;
    ASSERT(size <= UNDO_BYTES - used);
    uint8_t *p = u->image + used;
    store(p, (uint64_t)((const uint8_t *)at - (const uint8_t *)base));
    store(p + 8, len);
    memcpy(p + IMAGE_HEAD, at, len);
    store(p + size - IMAGE_TAIL, size);
    /* Release: the image is whole before it counts, and it counts before the caller's change. */
    atomic_store_explicit(&u->used, used + size, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

void undo_done(struct undo *u)
{
    atomic_store_explicit(&u->used, 0, memory_order_release);
}

static int roll_back_one(const struct undo *u, uint64_t used, uint8_t *base, size_t size)
{
    if (used > UNDO_BYTES || used < IMAGE_HEAD + IMAGE_TAIL)
        return -EBADMSG;
    uint64_t whole = load(u->image + used - IMAGE_TAIL);
    if (whole > used || whole < IMAGE_HEAD + IMAGE_TAIL)
        return -EBADMSG;
    const uint8_t *p = u->image + used - whole;
    uint64_t at = load(p), len = load(p + 8);
    if (len > whole - IMAGE_HEAD - IMAGE_TAIL || at > size || len > size - at)
        return -EBADMSG;
    memcpy(base + at, p + IMAGE_HEAD, len);
    return (int)whole;
}

int undo_recover(struct undo *u, void *base, size_t size, uint64_t head)
{
    uint64_t used = atomic_load_explicit(&u->used, memory_order_acquire);
    if (used == 0)
        return 0;
    bool stands = head != u->head;
    while (!stands && used > 0) {
        int n = roll_back_one(u, used, base, size);
        if (n < 0)
            return n;
        used -= (uint64_t)n;
    }
    undo_done(u);
    return stands ? 2 : 1;
}
