/* crew.c -- senders and readers, and what their orders cost the server. */
#include "crew.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/sys.h"
#include "bench.h"
#include "drain.h"
#include "message.h"
#include "port.h"
#include "voice.h"

enum {
    OPEN_MS = 10 * 1000,
    ORDER_S = 60,
    /* How far the sender may be ahead of the slowest reader: well within the 16 MiB ring, so
     * that nobody loses his FIFO, and many times what a FIFO holds, so that full FIFOs are a
     * part of what is measured. */
    AHEAD = 16 * 1024,
    /* At a peer this is memory, for each of its members. */
    PEER_BYTES = 64 << 20,
    PACE = 1000, /* a second */
    SECOND_NS = 1000000000,
    ROOM_LEN = 32,
    FIFO_BYTES = 64 * 1024,
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

/* settle -- take in all that comes until it is in its room. */
static void settle(struct port *p)
{
    const uint8_t *f;
    int r = 0;
    for (uint64_t deadline = now_ms() + OPEN_MS;;) {
        while ((r = port_next(p, &f)) == 1)
            if (frame_type(f) == FRAME_REFUSED)
                bench_fail("the relay lets nobody into the room");
        if (r < 0 || port_fd(p) < 0)
            bench_fail("the relay went away");
        if (port_acked(p) >= 1)
            return;
        if (now_ms() > deadline)
            bench_fail("a session is not in the room after %d ms", OPEN_MS);
        struct pollfd in = {port_fd(p), POLLIN, 0};
        poll(&in, 1, 50);
    }
}

void crew_join(const char *instance, const char *const *room, unsigned rooms, int *fd, unsigned n)
{
    struct port **p = calloc(n, sizeof(struct port *));
    if (!p)
        bench_fail("no memory for %u sessions", n);
    for (unsigned i = 0; i < n; i++) {
        p[i] = crew_open(instance);
        if (port_join(p[i], room[i / (n / rooms)], 0, 0) < 0)
            bench_fail("cannot join");
    }
    for (unsigned i = 0; i < n; i++) {
        settle(p[i]);
        fd[i] = port_fd(p[i]);
    }
    free(p); /* the ports themselves stay, and are not used again */
}

/* warn_of_small -- pipes that one user has beyond a limit are small, so that who comes last is slow. */
static void warn_of_small(const int *fd, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (fcntl(fd[i], F_GETPIPE_SZ) < FIFO_BYTES) {
            fprintf(stderr, "bench: FIFO %u of %u is small, which makes this slow: fs.pipe-user-pages-soft; run this as root\n", i + 1, n);
            return;
        }
}

/* name_rooms -- for those who are at a relay. */
static void name_rooms(const struct crew *c, const char *name[CREW_ROOMS_MAX])
{
    static char text[CREW_ROOMS_MAX][ROOM_LEN];
    for (unsigned i = 0; !c->peer && i < c->shape.rooms; i++) {
        snprintf(text[i], ROOM_LEN, "%s/%u", c->room, i);
        name[i] = text[i];
    }
}

static void join_peer(const struct crew *c, int *fd)
{
    unsigned n = c->shape.readers;
    const struct peer *p = c->far_peer;
    for (unsigned i = 0; p->kind->greets_late && i < n; i++)
        fd[i] = peer_connect(p, i);
    for (unsigned i = 0; i < n; i++) {
        unsigned room = i / (n / c->shape.rooms);
        if (!p->kind->greets_late)
            fd[i] = peer_connect(p, i);
        peer_greeted(p, fd[i]);
        peer_join(p, fd[i], room);
        if (p != c->peer)
            peer_reach(c->peer, fd[i], room);
        if (set_nonblock(fd[i]) < 0)
            bench_fail("cannot read without waiting");
    }
}

static void reader(struct hand *self, void *arg)
{
    const struct crew *c = arg;
    const char *room[CREW_ROOMS_MAX];
    int *fd = calloc(c->shape.readers, sizeof *fd);
    if (!fd)
        bench_fail("no memory for %u readers", c->shape.readers);
    name_rooms(c, room);
    if (c->peer)
        join_peer(c, fd);
    else {
        crew_join(c->far->inst.name, room, c->shape.rooms, fd, c->shape.readers);
        warn_of_small(fd, c->shape.readers);
    }
    drain(self, c->board, fd, c->peer ? WIRE_LINES : WIRE_FRAMES);
}

/* ---- the sender ---- */

struct sender {
    struct voice *voice[CREW_VOICES_MAX];
    unsigned voices, rooms_each;
    struct board *board;
    uint32_t ahead;
    char text[MESSAGE_LEN];
    uint32_t sent;
};

static void say(struct sender *s)
{
    message_stamp(s->text, ++s->sent, bench_ns());
    for (unsigned i = 0; i < s->voices; i++)
        for (unsigned k = 0; k < s->rooms_each; k++)
            voice_say(s->voice[i], k, s->text);
}

static void flush(struct sender *s)
{
    for (unsigned i = 0; i < s->voices; i++)
        voice_flush(s->voice[i]);
}

/* pump -- of all voices; the wait is the last one's. */
static void pump(struct sender *s, int other, int ms)
{
    for (unsigned i = 0; i < s->voices; i++)
        voice_pump(s->voice[i], other, i + 1 == s->voices ? ms : 0);
}

static void finish(struct sender *s)
{
    flush(s);
    for (unsigned i = 0; i < s->voices; i++)
        while (voice_unacked(s->voice[i]) > 0)
            voice_pump(s->voice[i], -1, 1000);
}

static void burst(struct sender *s, uint32_t count)
{
    for (uint32_t end = s->sent + count; s->sent < end;) {
        while (s->sent < end && !board_is_ahead(s->board, s->sent, s->ahead))
            say(s);
        flush(s);
        bool sleep = s->sent < end && board_sleep(s->board, s->sent - s->ahead / 2);
        pump(s, s->board->progress, sleep ? 1000 : 0);
        board_woken(s->board);
    }
    finish(s);
}

static void pour(struct sender *s, uint32_t count)
{
    while (count-- > 0) {
        say(s);
        if (count % 64 == 0)
            pump(s, -1, 0);
    }
    finish(s);
}

static void paced(struct sender *s, uint32_t count, uint32_t rate)
{
    uint64_t due = bench_ns();
    while (count-- > 0) {
        struct timespec t = {(time_t)(due / SECOND_NS), (long)(due % SECOND_NS)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        say(s);
        flush(s);
        pump(s, -1, 0);
        due += SECOND_NS / rate;
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

static void open_voices(struct sender *s, const struct crew *c)
{
    static const char *room[CREW_ROOMS_MAX];
    name_rooms(c, room);
    s->voices = c->shape.voices;
    s->rooms_each = c->shape.rooms / c->shape.voices;
    for (unsigned i = 0; i < s->voices; i++)
        s->voice[i] = c->peer ? voice_at_peer(c->peer, c->shape.readers + i, i * s->rooms_each, s->rooms_each)
                              : voice_at_relay(c->site->inst.name, &room[i * s->rooms_each]);
}

static uint32_t ahead_of(const struct crew *c)
{
    uint64_t ahead = AHEAD / c->shape.rooms;
    if (c->peer)
        ahead = min_u64(ahead, PEER_BYTES / MESSAGE_LEN / max_u64(c->shape.readers, 1));
    if (c->peer && c->peer->kind->in_flight)
        ahead = min_u64(ahead, c->peer->kind->in_flight);
    return (uint32_t)ahead;
}

static void sender(struct hand *self, void *arg)
{
    const struct crew *c = arg;
    struct sender s = {.board = c->board, .ahead = ahead_of(c)};
    open_voices(&s, c);
    message_init(s.text);
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        hand_done(self);
        struct order o = hand_next(self);
        if (o.how == ORDER_BURST)
            burst(&s, o.count);
        else if (o.how == ORDER_PACED)
            paced(&s, o.count, o.rate);
        else if (o.how == ORDER_POUR)
            pour(&s, o.count);
        else
            lone(&s, o.count);
        atomic_store(&c->board->acked_ns, bench_ns());
    }
}

/* ---- the parent ---- */

static void start(struct crew *c)
{
    struct shape *s = &c->shape;
    s->rooms = (unsigned)max_u64(s->rooms, 1);
    s->voices = (unsigned)max_u64(s->voices, 1);
    ASSERT(s->rooms <= CREW_ROOMS_MAX && s->voices <= CREW_VOICES_MAX && s->rooms % s->voices == 0 && s->readers % s->rooms == 0);
    c->board = board_open(s->readers, s->each);
    if (s->readers > 0)
        hand_start(&c->reading, "reader", reader, c);
    hand_start(&c->sending, "sender", sender, c);
}

void crew_start_between(struct crew *c, struct site *site, struct site *far, const char *room, unsigned readers)
{
    *c = (struct crew){.site = site, .far = far, .room = room, .shape = {.readers = readers}};
    start(c);
}

void crew_start_shape(struct crew *c, struct site *site, struct shape shape)
{
    *c = (struct crew){.site = site, .far = site, .room = "bench", .shape = shape};
    start(c);
}

void crew_start_peer(struct crew *c, const struct peer *peer, struct shape shape)
{
    crew_start_peers(c, peer, peer, shape);
}

void crew_start_peers(struct crew *c, const struct peer *near, const struct peer *far, struct shape shape)
{
    *c = (struct crew){.peer = near, .far_peer = far, .shape = shape};
    start(c);
}

void crew_start(struct crew *c, struct site *site, unsigned readers)
{
    crew_start_shape(c, site, (struct shape){.readers = readers});
}

void crew_end(struct crew *c)
{
    hand_end(&c->sending);
    if (c->shape.readers > 0)
        hand_end(&c->reading);
    board_close(c->board);
}

static void check(const struct crew *c)
{
    struct tally t = board_tally(c->board);
    if (t.lost != 0 || t.doubled != 0 || t.seen != (uint64_t)c->sent * c->shape.readers)
        bench_fail("%llu messages lost, %llu doubled", (unsigned long long)t.lost, (unsigned long long)t.doubled);
}

static uint64_t server_ns(const struct crew *c)
{
    if (c->peer)
        return cpu_ns(c->peer->pid) + (c->far_peer != c->peer ? cpu_ns(c->far_peer->pid) : 0);
    return site_cpu_ns(c->site) + (c->far != c->site ? site_cpu_ns(c->far) : 0);
}

void crew_begin(struct crew *c, struct order o)
{
    uint32_t first = c->sent + 1;
    c->sent += o.count;
    c->count = o.count;
    c->reader_cpu = board_tally(c->board).cpu_ns;
    c->sender_cpu = cpu_ns(c->sending.pid);
    board_aim(c->board, first, c->sent);
    c->cpu = server_ns(c);
    c->start = bench_ns();
    hand_order(&c->sending, o);
}

struct result crew_finish(struct crew *c)
{
    const struct board *b = c->board;
    hand_await(&c->sending, ORDER_S);
    if (c->shape.readers > 0)
        hand_await(&c->reading, ORDER_S);
    uint64_t end = max_u64(atomic_load(&b->acked_ns), atomic_load(&b->shown_ns));
    struct result r = {.seconds = (double)(end - c->start) / 1e9, .server_ns = (double)(server_ns(c) - c->cpu), .count = c->count};
    r.load_ns = (double)(cpu_ns(c->sending.pid) - c->sender_cpu + board_tally(b).cpu_ns - c->reader_cpu);
    check(c);
    return r;
}

struct result crew_run(struct crew *c, enum how how, uint32_t count)
{
    crew_begin(c, (struct order){how, count, PACE});
    return crew_finish(c);
}

struct result crew_run_paced(struct crew *c, uint32_t count, uint32_t rate)
{
    crew_begin(c, (struct order){ORDER_PACED, count, rate});
    return crew_finish(c);
}
