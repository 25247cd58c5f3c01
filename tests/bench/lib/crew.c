/* crew.c -- sender and readers, and what their orders cost the relay. */
#include "crew.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/sys.h"
#include "bench.h"
#include "drain.h"
#include "message.h"
#include "port.h"

enum {
    OPEN_MS = 10 * 1000,
    ORDER_S = 60,
    /* How far the sender may be ahead of the slowest reader: well within the 16 MiB ring, so
     * that nobody loses his FIFO, and many times what a FIFO holds, so that full FIFOs are a
     * part of what is measured. */
    AHEAD = 16 * 1024,
    PACE_NS = 1000000,
};

/* ---- sessions ---- */

struct port *crew_open(const char *instance)
{
    char why[256] = "";
    struct port *p = NULL;
    struct port_options o = {.instance = instance, .quiet = true, .timeout_ms = OPEN_MS};
    if (port_open(&p, &o, why, sizeof why) < 0)
        bench_fail("cannot open a session: %s", why);
    return p;
}

/* pump -- take in what came; when it acknowledges nothing, wait up to `ms` for more or for
 * `other`. */
static void pump(struct port *p, int other, int ms)
{
    uint32_t unacked = port_unacked(p);
    const uint8_t *f;
    int r;
    while ((r = port_next(p, &f)) == 1)
        if (frame_type(f) == FRAME_REFUSED)
            bench_fail("the relay refused a message");
    if (r < 0 || port_fd(p) < 0)
        bench_fail("the relay went away");
    struct pollfd fds[] = {{port_fd(p), POLLIN, 0}, {other, POLLIN, 0}};
    if (ms != 0 && port_unacked(p) == unacked)
        poll(fds, 2, ms);
}

void crew_join(const char *instance, const char *room, int *fd, unsigned n)
{
    struct port **p = calloc(n, sizeof(struct port *));
    if (!p)
        bench_fail("no memory for %u sessions", n);
    for (unsigned i = 0; i < n; i++) {
        p[i] = crew_open(instance);
        if (port_join(p[i], room, 0, 0) < 0)
            bench_fail("cannot join");
    }
    for (unsigned i = 0; i < n; i++) {
        for (uint64_t deadline = now_ms() + OPEN_MS; port_acked(p[i]) < 1;) {
            if (now_ms() > deadline)
                bench_fail("a session is not in the room after %d ms", OPEN_MS);
            pump(p[i], -1, 50);
        }
        pump(p[i], -1, 0);
        fd[i] = port_fd(p[i]);
    }
    free(p); /* the ports themselves stay, and are not used again */
}

static void reader(struct hand *self, void *arg)
{
    const struct crew *c = arg;
    int *fd = calloc(c->readers, sizeof *fd);
    if (!fd)
        bench_fail("no memory for %u readers", c->readers);
    crew_join(c->far->inst.name, c->room, fd, c->readers);
    drain(self, c->board, fd, c->readers);
}

/* ---- the sender ---- */

struct sender {
    struct port *port;
    const char *room;
    struct board *board;
    char text[MESSAGE_LEN];
    uint32_t sent;
};

static void say(struct sender *s)
{
    message_stamp(s->text, ++s->sent, bench_ns());
    if (port_say(s->port, s->room, (struct text){s->text, MESSAGE_LEN}, false) < 0)
        bench_fail("cannot send message %u", s->sent);
}

static void flush(struct sender *s)
{
    if (port_flush(s->port) < 0)
        bench_fail("cannot send");
}

static void finish(struct sender *s)
{
    flush(s);
    while (port_unacked(s->port) > 0)
        pump(s->port, -1, 1000);
}

static void burst(struct sender *s, uint32_t count)
{
    for (uint32_t end = s->sent + count; s->sent < end;) {
        while (s->sent < end && !board_is_ahead(s->board, s->sent, AHEAD))
            say(s);
        flush(s);
        bool sleep = s->sent < end && board_sleep(s->board, s->sent - AHEAD / 2);
        pump(s->port, s->board->progress, sleep ? 1000 : 0);
        board_woken(s->board);
    }
    finish(s);
}

static void pour(struct sender *s, uint32_t count)
{
    while (count-- > 0) {
        say(s);
        if (count % 64 == 0)
            pump(s->port, -1, 0);
    }
    finish(s);
}

static void paced(struct sender *s, uint32_t count)
{
    uint64_t due = bench_ns();
    while (count-- > 0) {
        struct timespec t = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        say(s);
        flush(s);
        pump(s->port, -1, 0);
        due += PACE_NS;
    }
    finish(s);
}

static void lone(struct sender *s, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < SAMPLES_MAX; i++) {
        uint64_t start = bench_ns();
        say(s);
        finish(s);
        s->board->sample[i] = (uint32_t)min_u64(bench_ns() - start, UINT32_MAX);
    }
}

static void sender(struct hand *self, void *arg)
{
    const struct crew *c = arg;
    struct sender s = {.port = crew_open(c->site->inst.name), .room = c->room, .board = c->board};
    message_init(s.text);
    for (;;) {
        hand_done(self);
        struct order o = hand_next(self);
        if (o.how == ORDER_BURST)
            burst(&s, o.count);
        else if (o.how == ORDER_PACED)
            paced(&s, o.count);
        else if (o.how == ORDER_POUR)
            pour(&s, o.count);
        else
            lone(&s, o.count);
        atomic_store(&c->board->acked_ns, bench_ns());
    }
}

/* ---- the parent ---- */

void crew_start_between(struct crew *c, struct site *site, struct site *far, const char *room, unsigned readers)
{
    *c = (struct crew){.site = site, .far = far, .room = room, .readers = readers, .board = board_open()};
    c->board->readers = readers;
    if (readers > 0)
        hand_start(&c->reading, "reader", reader, c);
    hand_start(&c->sending, "sender", sender, c);
}

void crew_start(struct crew *c, struct site *site, unsigned readers)
{
    crew_start_between(c, site, site, "bench", readers);
}

void crew_end(struct crew *c)
{
    hand_end(&c->sending);
    if (c->readers > 0)
        hand_end(&c->reading);
    board_close(c->board);
}

static void check(const struct crew *c)
{
    uint64_t lost = atomic_load(&c->board->lost), doubled = atomic_load(&c->board->doubled);
    if (lost != 0 || doubled != 0 ||
        atomic_load(&c->board->seen) != (uint64_t)c->sent * c->readers)
        bench_fail("%llu messages lost, %llu doubled", (unsigned long long)lost,
                   (unsigned long long)doubled);
}

static uint64_t relay_ns(const struct crew *c)
{
    return site_cpu_ns(c->site) + (c->far != c->site ? site_cpu_ns(c->far) : 0);
}

void crew_begin(struct crew *c, enum how how, uint32_t count)
{
    c->board->first = c->sent + 1;
    c->sent += count;
    c->count = count;
    atomic_store(&c->board->goal, (uint64_t)c->sent * c->readers);
    c->cpu = relay_ns(c);
    c->start = bench_ns();
    hand_order(&c->sending, (struct order){how, count});
}

struct result crew_finish(struct crew *c)
{
    const struct board *b = c->board;
    hand_await(&c->sending, ORDER_S);
    if (c->readers > 0)
        hand_await(&c->reading, ORDER_S);
    uint64_t end = max_u64(atomic_load(&b->acked_ns), atomic_load(&b->shown_ns));
    struct result r = {(double)(end - c->start) / 1e9, (double)(relay_ns(c) - c->cpu), c->count};
    check(c);
    return r;
}

struct result crew_run(struct crew *c, enum how how, uint32_t count)
{
    crew_begin(c, how, count);
    return crew_finish(c);
}
