/* journal.h -- everything that happens on this host, in order: an endless array of bytes.
 *
 * Conceptually the journal is infinite and every byte has a 64-bit position that is never used twice, not
 * even by a later generation.  In memory lie the newest `size` bytes, position p at p % size, mapped
 * twice in a row so that nothing ever wraps; what is older is in the store.  Frames lie at multiples of 8.
 *
 *      tail <= durable <= head          head - tail <= size
 *
 * head     written by the holder of the lock.  Its store is what makes frames exist, and commits the section.
 * tail     written by the holder of the lock: what lies before it may be overwritten at any moment.
 * durable  written by the keeper: everything before it is on disk.
 * pin[k]   written by process k: "I am reading from here on"; UINT64_MAX when it is not.
 *
 * Nothing that is not durable is ever overwritten, so the keeper reads without a pin; everybody else pins,
 * looks at the tail once, and may then hand the bytes straight to the kernel.  A process that is killed
 * while it pins is started again and clears its pin; one that is stopped is killed by the supervisor. */
#ifndef STATE_JOURNAL_H
#define STATE_JOURNAL_H

#include "base/base.h"

#include <stdatomic.h>

enum {
    WORKERS_MAX = 8,
    PROC_KEEPER = WORKERS_MAX,
    PROC_LINK,
    PROC_SEARCH,
    PROCS_MAX, /* workers are 0 .. WORKERS_MAX-1 */
    CACHE_LINE = 64,
    JOURNAL_SLACK = 64 * 1024, /* the tail moves in steps of this, so that few appends look at the pins */
};

struct journal {
    _Alignas(CACHE_LINE) _Atomic uint64_t head;
    _Alignas(CACHE_LINE) _Atomic uint64_t tail;
    _Alignas(CACHE_LINE) _Atomic uint64_t durable;
    struct {
        _Alignas(CACHE_LINE) _Atomic uint64_t pos;
    } pin[PROCS_MAX];
    _Alignas(CACHE_LINE) uint64_t size; /* bytes, a power of two */
    uint64_t writable;                  /* holder of the lock: nobody reads what lies before this */
};

/* journal_init -- an empty journal whose first frame will lie at `start` (a multiple of 8). */
void journal_init(struct journal *j, uint64_t size, uint64_t start);

/* journal_next_start -- where a new generation may start, given the last durable position and the ring size
 * of the generation before: beyond anything that one can have shown. */
uint64_t journal_next_start(uint64_t durable, uint64_t size);

/* journal_make_room -- under the lock: may `len` bytes behind the head be written?
 *
 * Returns  0; -EAGAIN while what they would overwrite is not durable or is being read;
 *          -EMSGSIZE when they can never fit */
int journal_make_room(struct journal *j, size_t len) MUST_USE;

/* journal_publish -- under the lock: everything before `head` exists from now on. */
void journal_publish(struct journal *j, uint64_t head);

/* journal_pin -- process `who` is about to read from `pos` on.
 *
 * Returns  0: until journal_unpin() nothing from pos on is overwritten;
 *          -EOVERFLOW: it may already be (nothing is pinned then) */
int journal_pin(struct journal *j, unsigned who, uint64_t pos) MUST_USE;
void journal_unpin(struct journal *j, unsigned who);

static inline uint64_t journal_head(const struct journal *j)
{
    return atomic_load_explicit(&j->head, memory_order_acquire); /* with journal_publish() */
}

static inline uint64_t journal_durable(const struct journal *j)
{
    return atomic_load_explicit(&j->durable, memory_order_acquire); /* with the keeper's store */
}

static inline uint64_t journal_tail(const struct journal *j)
{
    return atomic_load_explicit(&j->tail, memory_order_acquire);
}

#endif
