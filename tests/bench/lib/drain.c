/* drain.c -- the lean reader: epoll, one large read per descriptor and round, a check of a few
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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "bench.h"
#include "message.h"

enum { READ_MAX = 64 * 1024, EVENTS = 256 };

struct reader {
    int fd;
    uint32_t next;   /* number */
    uint16_t stride; /* bytes from the end of a message to the end of the next one, if it is like the last one */
    uint16_t n_kept; /* bytes of a frame or line of which the rest has not come */
    uint8_t kept[FRAME_MAX];
};

struct drain {
    struct board *board;
    struct slice *slice;
    enum wire wire;
    uint32_t first, n; /* its readers: n from number `first` */
    struct reader *reader;
    uint64_t seen, lost, doubled, goal, now;
    uint8_t buf[FRAME_MAX + READ_MAX];
};

static void sample(const struct drain *d, const struct reader *r, const char *text,
                   uint32_t number)
{
    struct board *b = d->board;
    size_t i = (size_t)(number - b->first) * b->readers + d->first + (size_t)(r - d->reader);
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

/* split_frames, split_lines -- see the whole ones of what came.
 * Returns  how many bytes they are */
static size_t split_frames(struct drain *d, struct reader *r, const uint8_t *p, size_t len)
{
    size_t used = 0;
    while (len - used >= FRAME_HEAD && frame_stride(p + used) <= len - used) {
        size_t n = frame_stride(p + used);
        const char *text = message_text(p + used);
        if (n < FRAME_HEAD)
            bench_fail("a reader got what is no frame");
        if (text)
            see(d, r, text);
        used += n;
    }
    return used;
}

static size_t line_len(const char *p, size_t len)
{
    const char *end = memchr(p, '\n', len);
    return end ? (size_t)(end - p) + 1 : 0;
}

static size_t split_lines(struct drain *d, struct reader *r, const char *p, size_t len)
{
    size_t used = 0, behind = 0; /* the last line, the last message */
    for (;;) {
        size_t n = r->stride;
        if (used != behind || n > len - used || !message_ends(p + used, n))
            n = line_len(p + used, len - used);
        if (n == 0)
            return used;
        used += n;
        if (!message_ends(p + used - n, n))
            continue;
        see(d, r, p + used - MESSAGE_LEN - strlen("\r\n"));
        r->stride = (uint16_t)(used - behind);
        behind = used;
    }
}

static void split(struct drain *d, struct reader *r, const uint8_t *p, size_t len)
{
    size_t used = d->wire == WIRE_FRAMES ? split_frames(d, r, p, len) : split_lines(d, r, (const char *)p, len);
    if (len - used > FRAME_MAX)
        bench_fail("a reader got what is neither frame nor line");
    memcpy(r->kept, p + used, len - used);
    r->n_kept = (uint16_t)(len - used);
}

static void read_one(struct drain *d, struct reader *r)
{
    uint8_t *start = d->buf + FRAME_MAX - r->n_kept;
    ssize_t n = read(r->fd, d->buf + FRAME_MAX, READ_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        bench_fail("a reader was cut off behind message %u: too slow?", r->next - 1);
    d->now = atomic_load_explicit(&d->board->sampling, memory_order_relaxed) ? bench_ns() : 0;
    memcpy(start, r->kept, r->n_kept);
    split(d, r, start, r->n_kept + (size_t)n);
}

static void report(struct drain *d, struct hand *self)
{
    struct board *b = d->board;
    uint64_t slowest = UINT64_MAX, goal = atomic_load(&b->goal) * d->n;
    for (unsigned i = 0; i < d->n; i++)
        slowest = min_u64(slowest, d->reader[i].next - 1);
    atomic_store(&d->slice->doubled, d->doubled);
    atomic_store(&d->slice->lost, d->lost);
    atomic_store(&d->slice->seen, d->seen);
    board_shown(b, d->slice, slowest);
    if (d->goal < goal && d->seen + d->lost >= goal) {
        d->goal = goal;
        if (board_reached(b, d->slice))
            hand_done(self);
    }
}

/* prepare -- as slice number `slice`, with the descriptors `fd`.  Returns the epoll descriptor. */
static int prepare(struct drain *d, struct board *b, unsigned slice, const int *fd, enum wire wire)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    uint32_t n = b->readers / b->slices;
    *d = (struct drain){.board = b, .slice = &b->slice[slice], .wire = wire, .first = slice * n, .n = n};
    if (ep < 0 || !(d->reader = calloc(n, sizeof *d->reader)))
        bench_fail("no memory for %u readers", n);
    for (unsigned i = 0; i < n; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        d->reader[i] = (struct reader){.fd = fd[i], .next = 1};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e) < 0)
            bench_fail("cannot wait for %u descriptors: %s", n, strerror(errno));
    }
    return ep;
}

static _Noreturn void read_on(struct hand *self, struct drain *d, int ep)
{
    struct board *board = d->board;
    struct epoll_event event[EVENTS];
    for (;;) {
        int ready = epoll_wait(ep, event, EVENTS, board->turn < 0 ? -1 : 0);
        eventfd_t bursts;
        if (ready == 0)
            (void)eventfd_read(board->turn, &bursts);
        for (int i = 0; i < ready; i++)
            read_one(d, &d->reader[event[i].data.u32]);
        report(d, self);
    }
}

/* drain_each -- a process per reader; this one only sees whether one of them fails. */
static _Noreturn void drain_each(struct hand *self, struct drain *d, struct board *board, const int *fd, enum wire wire)
{
    pid_t parent = getpid();
    for (unsigned i = 0; i < board->slices; i++) {
        pid_t pid = fork();
        if (pid < 0)
            bench_fail("cannot have %u reader processes: %s", board->slices, strerror(errno));
        if (pid > 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned k = 0; k < board->slices; k++)
            if (k != i)
                close(fd[k]);
        if (getppid() == parent)
            read_on(self, d, prepare(d, board, i, &fd[i], wire));
        exit(1);
    }
    for (unsigned i = 0; i < board->slices; i++)
        close(fd[i]);
    hand_done(self);
    wait(NULL);
    bench_fail("a reader process ended");
}

_Noreturn void drain(struct hand *self, struct board *board, const int *fd, enum wire wire)
{
    static struct drain d;
    if (board->slices > 1)
        drain_each(self, &d, board, fd, wire);
    int ep = prepare(&d, board, 0, fd, wire);
    hand_done(self);
    read_on(self, &d, ep);
}
