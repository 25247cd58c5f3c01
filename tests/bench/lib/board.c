/* board.c -- shared memory of sender, readers and parent. */
#include "board.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

struct board *board_open(unsigned readers, bool each)
{
    struct board *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        bench_fail("no memory: %s", strerror(errno));
    b->turn = -1;
    b->progress = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->progress < 0)
        bench_fail("no eventfd: %s", strerror(errno));
    b->readers = readers;
    b->slices = each ? readers : readers > 0;
    if (b->slices > SLICES_MAX)
        bench_fail("%u reader processes are more than %d", readers, SLICES_MAX);
    return b;
}

void board_close(struct board *b)
{
    close(b->progress);
    munmap(b, sizeof *b);
}

void board_aim(struct board *b, uint32_t first, uint32_t last)
{
    b->first = first;
    atomic_store(&b->short_of, b->slices);
    atomic_store(&b->goal, last);
}

struct tally board_tally(const struct board *b)
{
    struct tally t = {0};
    for (unsigned i = 0; i < b->slices; i++) {
        t.seen += atomic_load(&b->slice[i].seen);
        t.lost += atomic_load(&b->slice[i].lost);
        t.doubled += atomic_load(&b->slice[i].doubled);
        t.cpu_ns += atomic_load(&b->slice[i].cpu_ns);
    }
    return t;
}

static uint64_t slowest_of(const struct board *b)
{
    uint64_t slowest = UINT64_MAX;
    for (unsigned i = 0; i < b->slices; i++)
        slowest = min_u64(slowest, atomic_load(&b->slice[i].slowest));
    return slowest;
}

/* Looks at all slices only when what it knows of them is too old. */
bool board_is_ahead(struct board *b, uint64_t sent, uint64_t ahead)
{
    if (b->slices == 0 || sent < b->slowest + ahead)
        return false;
    b->slowest = slowest_of(b);
    return sent >= b->slowest + ahead;
}

/* Sequentially consistent on both sides: either the last reader to get there sees wake_at, or
 * the sender sees that all are. */
bool board_sleep(struct board *b, uint64_t number)
{
    atomic_store(&b->wake_at, number);
    return slowest_of(b) < number;
}

void board_woken(struct board *b)
{
    eventfd_t n;
    atomic_store(&b->wake_at, 0);
    (void)eventfd_read(b->progress, &n);
}

void board_shown(struct board *b, struct slice *s, uint64_t slowest)
{
    uint64_t before = atomic_exchange(&s->slowest, slowest), at = atomic_load(&b->wake_at);
    if (before < at && slowest >= at && slowest_of(b) >= at &&
        atomic_exchange(&b->wake_at, 0) != 0)
        (void)eventfd_write(b->progress, 1);
}

bool board_reached(struct board *b, struct slice *s)
{
    struct timespec t;
    uint64_t now = bench_ns();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    atomic_store(&s->cpu_ns, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
    if (atomic_fetch_sub(&b->short_of, 1) != 1)
        return false;
    atomic_store(&b->shown_ns, now);
    return true;
}
