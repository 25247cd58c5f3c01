/* drain.c -- the lean reader: epoll, one large read per FIFO and round, a check of a few
 * nanoseconds per message.
 *
 * The client library copies each frame once more, keeps histories apart and looks for
 * repetitions by client and room; one process that does so for 1,000 sessions would measure
 * itself. Whoever reads here speaks with the relay through the library until he is in the room,
 * and from then on reads the same FIFO bare. */
#include "drain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "message.h"

enum { READ_MAX = 64 * 1024, EVENTS = 256 };

struct reader {
    int fd;
    uint32_t next;   /* number */
    uint16_t n_kept; /* bytes of a frame of which the rest has not come */
    uint8_t kept[FRAME_MAX];
};

struct drain {
    struct board *board;
    struct reader *reader;
    unsigned n;
    uint64_t seen, lost, doubled, now;
    uint8_t buf[FRAME_MAX + READ_MAX];
};

static void sample(const struct drain *d, const struct reader *r, const char *text,
                   uint32_t number)
{
    struct board *b = d->board;
    size_t i = (size_t)(number - b->first) * b->readers + (size_t)(r - d->reader);
    if (number >= b->first && i < SAMPLES_MAX)
        b->sample[i] = (uint32_t)min_u64(d->now - message_time(text), UINT32_MAX);
}

static void see(struct drain *d, struct reader *r, const char *text)
{
    uint32_t number = message_number(text);
    if (number < r->next) {
        d->doubled++;
        return;
    }
    d->lost += number - r->next;
    d->seen++;
    r->next = number + 1;
    if (d->now != 0)
        sample(d, r, text, number);
}

/* split -- the whole frames of what came; keeps what is left. */
static void split(struct drain *d, struct reader *r, const uint8_t *p, size_t len)
{
    while (len >= FRAME_HEAD && frame_stride(p) <= len) {
        size_t n = frame_stride(p);
        const char *text = message_text(p);
        if (n < FRAME_HEAD)
            bench_fail("a reader got what is no frame");
        if (text)
            see(d, r, text);
        p += n;
        len -= n;
    }
    if (len > FRAME_MAX)
        bench_fail("a reader got what is no frame");
    memcpy(r->kept, p, len);
    r->n_kept = (uint16_t)len;
}

static void read_one(struct drain *d, struct reader *r)
{
    uint8_t *start = d->buf + FRAME_MAX - r->n_kept;
    ssize_t n = read(r->fd, d->buf + FRAME_MAX, READ_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        bench_fail("a reader lost its FIFO behind message %u: too slow for the ring?",
                   r->next - 1);
    memcpy(start, r->kept, r->n_kept);
    split(d, r, start, r->n_kept + (size_t)n);
}

static void report(struct drain *d, struct hand *self)
{
    struct board *b = d->board;
    uint64_t slowest = UINT64_MAX, goal = atomic_load(&b->goal);
    uint64_t before = atomic_load(&b->seen) + atomic_load(&b->lost);
    for (unsigned i = 0; i < d->n; i++)
        slowest = min_u64(slowest, d->reader[i].next - 1);
    atomic_store(&b->doubled, d->doubled);
    atomic_store(&b->lost, d->lost);
    atomic_store(&b->seen, d->seen);
    board_shown(b, slowest);
    if (before < goal && d->seen + d->lost >= goal) {
        atomic_store(&b->shown_ns, bench_ns());
        hand_done(self);
    }
}

_Noreturn void drain(struct hand *self, struct board *board, const int *fd, unsigned n)
{
    struct drain *d = calloc(1, sizeof *d);
    struct epoll_event event[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    if (!d || ep < 0 || !(d->reader = calloc(n, sizeof *d->reader)))
        bench_fail("no memory for %u readers", n);
    d->board = board;
    d->n = n;
    for (unsigned i = 0; i < n; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        d->reader[i] = (struct reader){.fd = fd[i], .next = 1};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e) < 0)
            bench_fail("cannot wait for %u FIFOs: %s", n, strerror(errno));
    }
    atomic_store(&board->slowest, 0);
    hand_done(self);
    for (;;) {
        int ready = epoll_wait(ep, event, EVENTS, board->turn < 0 ? -1 : 0);
        eventfd_t bursts;
        if (ready == 0)
            (void)eventfd_read(board->turn, &bursts);
        d->now = atomic_load(&board->sampling) ? bench_ns() : 0;
        for (int i = 0; i < ready; i++)
            read_one(d, &d->reader[event[i].data.u32]);
        report(d, self);
    }
}
