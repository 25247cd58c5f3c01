/* journal.c -- positions of the journal: who may write where, who reads from where; no I/O. */
#include "state/journal.h"

#include <errno.h>

void journal_init(struct journal *j, uint64_t size, uint64_t start)
{
    ASSERT(size >= 4 * JOURNAL_SLACK && (size & (size - 1)) == 0 && start % 8 == 0);
    j->size = size;
    j->writable = start;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        atomic_init(&j->pin[i].pos, UINT64_MAX);
    atomic_init(&j->head, start);
    atomic_init(&j->tail, start);
    atomic_init(&j->durable, start);
}

uint64_t journal_next_start(uint64_t durable, uint64_t size)
{
    /* The keeper records at the latest every `size` / 2 how far it is, and the head was never more than `size`
     * beyond that. */
    return (durable + 2 * size + 4095) & ~(uint64_t)4095;
}

static uint64_t lowest_pin(const struct journal *j)
{
    uint64_t lowest = UINT64_MAX;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        lowest = min_u64(lowest, atomic_load(&j->pin[i].pos));
    return lowest;
}

int journal_make_room(struct journal *j, size_t len)
{
    if (len > j->size / 2)
        return -EMSGSIZE;
    uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
    if (LIKELY(head + len <= j->writable + j->size))
        return 0;
    uint64_t need = head + len - j->size;
    uint64_t durable = journal_durable(j);
    if (need > durable)
        return -EAGAIN;
    uint64_t want = max_u64(min_u64(need + JOURNAL_SLACK, durable), journal_tail(j));
    /* Sequentially consistent, like the reader's pin and look at the tail: either this store is seen by
     * a reader that pins just now, or its pin is seen here. */
    atomic_store(&j->tail, want);
    j->writable = min_u64(want, lowest_pin(j));
    return head + len <= j->writable + j->size ? 0 : -EAGAIN;
}

void journal_publish(struct journal *j, uint64_t head)
{
    atomic_store_explicit(&j->head, head, memory_order_release);
}

int journal_pin(struct journal *j, unsigned who, uint64_t pos)
{
    atomic_store(&j->pin[who].pos, pos);
    if (LIKELY(atomic_load(&j->tail) <= pos))
        return 0;
    journal_unpin(j, who);
    return -EOVERFLOW;
}

void journal_unpin(struct journal *j, unsigned who)
{
    atomic_store_explicit(&j->pin[who].pos, UINT64_MAX, memory_order_release);
}
