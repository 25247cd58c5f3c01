/* bench_stopped.c -- half of the members of a room stop reading: what that does to the others,
 * to the relay's memory, and how soon those who stopped have all of it, once, when they go on.
 *
 * The others read FIFOs bare, as in the other benchmarks; those who stop are clients as people
 * have them, for who is overtaken by the journal fetches what he missed from the store. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/message.h"
#include "lib/stats.h"
#include "port.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { HALF_MAX = 500, WARM_UP = 2000, CATCH_UP_S = 60, LOOK_MS = 20 };

static const struct size {
    unsigned members;
    uint32_t burst; /* messages: more than the journal holds, where that is no hour's work for
                       so many */
    uint32_t paced, rate;
} sizes[] = {{100, 40000, 1000, 1000}, {1000, 10000, 200, 100}};

/* The journal is a small one: 32,000 messages. */
static const char settings[] = "journal = 8M\n";

static const struct column columns[] = {
    {"members", "members", UNIT_FIXED},
    {"alone_per_s", "others alone/s", UNIT_RATE},
    {"all_per_s", "all read/s", UNIT_RATE},
    {"stopped_per_s", "half stopped/s", UNIT_RATE},
    {"ratio", "stopped : all", UNIT_RATIO},
    {"all_p99_us", "p99 us, all read", UNIT_US},
    {"stopped_p99_us", "half stopped", UNIT_US},
    {"p99_ratio", "ratio", UNIT_RATIO},
    {"heap_growth", "memory grew", UNIT_BYTES},
    {"caught_up_ms", "all there, ms", UNIT_US},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};
enum { MEMBERS, ALONE_S, ALL_S, STOPPED_S, RATIO, ALL_P99, STOPPED_P99, P99_RATIO, GROWTH, CAUGHT_UP, LOST, DOUBLED };

typedef double values[ARRAY_LEN(columns)][REPETITIONS_MAX];

/* Those who will stop. */
struct sleepers {
    const struct site *site;
    unsigned n;
    uint32_t joined; /* the last message before they came */
    struct board *board;
    struct hand hand;
};

/* ---- in their process ---- */

struct sleeper {
    struct port *port;
    uint32_t next; /* the number that it expects */
};

static void see(struct slice *s, struct sleeper *self, const uint8_t *f)
{
    const char *text = message_text(f);
    if (!text)
        return;
    uint32_t number = message_number(text);
    if (number < self->next) {
        atomic_fetch_add(&s->doubled, 1);
        return;
    }
    atomic_fetch_add(&s->lost, number - self->next);
    atomic_fetch_add(&s->seen, 1);
    self->next = number + 1;
}

static void take(struct slice *s, struct sleeper *self)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(self->port, &f)) == 1)
        see(s, self, f);
    if (r < 0)
        bench_fail("a member lost the relay");
}

/* are_in -- the whole room. */
static bool are_in(const struct sleeper *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (port_acked(m[i].port) < 1)
            return false;
    return true;
}

static bool have_all(const struct sleeper *m, unsigned n, uint64_t goal)
{
    for (unsigned i = 0; i < n; i++)
        if (m[i].next <= goal)
            return false;
    return true;
}

static void sleep_or_read(struct hand *self, void *arg)
{
    const struct sleepers *s = arg;
    static struct sleeper m[HALF_MAX];
    struct slice *slice = &s->board->slice[0];
    uint64_t reached = 0;
    bool in = false;
    for (unsigned i = 0; i < s->n; i++) {
        m[i] = (struct sleeper){crew_open(s->site->inst.name), s->joined + 1};
        if (port_join(m[i].port, "bench/0", 0, 0) < 0)
            bench_fail("cannot join");
    }
    for (;;) {
        struct pollfd fd[HALF_MAX];
        for (unsigned i = 0; i < s->n; i++)
            fd[i] = (struct pollfd){port_fd(m[i].port), POLLIN, 0};
        int ready = poll(fd, s->n, LOOK_MS);
        for (unsigned i = 0; i < s->n; i++)
            if (ready == 0 || fd[i].fd < 0 || fd[i].revents)
                take(slice, &m[i]);
        uint64_t goal = atomic_load(&s->board->goal);
        if (!in && (in = are_in(m, s->n)))
            hand_done(self);
        if (reached < goal && have_all(m, s->n, goal)) {
            reached = goal;
            (void)board_reached(s->board, slice);
            hand_done(self);
        }
    }
}

/* ---- in the parent ---- */

static void come(struct sleepers *s, const struct site *site, unsigned n, uint32_t joined)
{
    *s = (struct sleepers){.site = site, .n = n, .joined = joined, .board = board_open(n, false)};
    hand_start(&s->hand, "members who will stop", sleep_or_read, s);
}

static void go(struct sleepers *s)
{
    hand_end(&s->hand);
    board_close(s->board);
}

/* await_all -- until they have what was sent so far; fails when that was not all of it, once.
 */
static void await_all(struct sleepers *s, const struct crew *crew)
{
    board_aim(s->board, 0, crew->sent);
    hand_await(&s->hand, CATCH_UP_S);
    struct tally t = board_tally(s->board);
    if (t.lost != 0 || t.doubled != 0 || t.seen != (uint64_t)(crew->sent - s->joined) * s->n)
        bench_fail("%llu messages lost, %llu doubled after a stop", (unsigned long long)t.lost, (unsigned long long)t.doubled);
}

/* stop -- returns when they are. */
static void stop(const struct sleepers *s)
{
    int status;
    if (kill(s->hand.pid, SIGSTOP) < 0 || waitpid(s->hand.pid, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
        bench_fail("they do not stop");
}

static double burst(struct crew *c, uint32_t count)
{
    struct result r = crew_run(c, ORDER_BURST, count);
    return (double)count * c->shape.readers / r.seconds;
}

static double p99(struct crew *c, const struct size *z)
{
    static uint32_t sample[SAMPLES_MAX];
    size_t n = min_size((size_t)z->paced * c->shape.readers, SAMPLES_MAX);
    atomic_store(&c->board->sampling, true);
    (void)crew_run_paced(c, z->paced, z->rate);
    atomic_store(&c->board->sampling, false);
    memcpy(sample, c->board->sample, n * sizeof *sample);
    return percentile(sample, n, 0.99) / 1e3;
}

static void repeat(const struct site *site, struct crew *crew, const struct size *z, values v, unsigned i)
{
    struct sleepers s;
    v[MEMBERS][i] = z->members;
    v[ALONE_S][i] = burst(crew, z->burst);
    come(&s, site, z->members / 2, crew->sent);
    v[ALL_S][i] = burst(crew, z->burst);
    await_all(&s, crew);
    v[ALL_P99][i] = p99(crew, z);
    await_all(&s, crew);
    stop(&s);
    int64_t heap = site_heap(site);
    v[STOPPED_P99][i] = p99(crew, z);
    v[STOPPED_S][i] = burst(crew, z->burst);
    v[GROWTH][i] = (double)(site_heap(site) - heap);
    uint64_t start = bench_ns();
    kill(s.hand.pid, SIGCONT);
    await_all(&s, crew);
    v[CAUGHT_UP][i] = (double)(atomic_load(&s.board->shown_ns) - start) / 1e6;
    v[RATIO][i] = v[STOPPED_S][i] / v[ALL_S][i];
    v[P99_RATIO][i] = v[STOPPED_P99][i] / v[ALL_P99][i];
    go(&s);
}

static void measure(const struct bench *b, const struct table *t, const struct size *z)
{
    static values v; /* lost, doubled: none, or it has failed */
    struct site site;
    struct crew crew;
    char name[32];
    snprintf(name, sizeof name, "stopped%u", z->members);
    site_start_with(&site, name, b->dir, settings);
    crew_start(&crew, &site, z->members / 2);
    (void)burst(&crew, WARM_UP);
    for (unsigned i = 0; i < b->repetitions; i++)
        repeat(&site, &crew, z, v, i);
    table_show(t, "", v, b->repetitions);
    crew_end(&crew);
    site_stop(&site);
}

static int run(const struct bench *b)
{
    struct table t = {"stopped", columns, ARRAY_LEN(columns), b->json, false};
    table_head(&t, "half of the members stop; deliveries to the others, send to shown at the others");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        measure(b, &t, &sizes[i]);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
