/* board.c -- shared memory of sender, reader and parent. */
#include "board.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

struct board *board_open(void)
{
    struct board *b =
        mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        bench_fail("no memory: %s", strerror(errno));
    b->turn = -1;
    b->progress = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->progress < 0)
        bench_fail("no eventfd: %s", strerror(errno));
    atomic_store(&b->slowest, UINT64_MAX);
    return b;
}

void board_close(struct board *b)
{
    close(b->progress);
    munmap(b, sizeof *b);
}

bool board_is_ahead(const struct board *b, uint64_t sent, uint64_t ahead)
{
    uint64_t slowest = atomic_load(&b->slowest);
    return slowest != UINT64_MAX && sent >= slowest + ahead;
}

/* Sequentially consistent on both sides: either the reader sees wake_at, or the sender sees how
 * far it is. */
bool board_sleep(struct board *b, uint64_t number)
{
    atomic_store(&b->wake_at, number);
    return atomic_load(&b->slowest) < number;
}

void board_woken(struct board *b)
{
    eventfd_t n;
    atomic_store(&b->wake_at, 0);
    (void)eventfd_read(b->progress, &n);
}

void board_shown(struct board *b, uint64_t slowest)
{
    atomic_store(&b->slowest, slowest);
    uint64_t at = atomic_load(&b->wake_at);
    if (at != 0 && slowest >= at && atomic_exchange(&b->wake_at, 0) != 0)
        (void)eventfd_write(b->progress, 1);
}
