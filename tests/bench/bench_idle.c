/* bench_idle.c -- what 1,000 sessions that say nothing cost: memory of the relay's processes
 * (Pss), CPU time, and how fast one client process can open them one after another. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS = 1000, IDLE_S = 2 };

static const struct column columns[] = {
    {"sessions", "sessions", UNIT_FIXED},
    {"before_bytes", "memory before", UNIT_BYTES},
    {"with_bytes", "with sessions", UNIT_BYTES},
    {"bytes_per_session", "bytes per session", UNIT_BYTES},
    {"opened_per_s", "opened/s", UNIT_RATE},
    {"open_cpu_us", "CPU us to open", UNIT_US},
    {"idle_cpu_us", "CPU us in 2 s", UNIT_US},
};

static const char *const room = "bench";

/* One session that stays, so that what the first one touches is not counted as a thousandth of
 * the others. */
static void visitor(struct hand *self, void *arg)
{
    const struct site *site = arg;
    int fd[1];
    crew_join(site->inst.name, &room, 1, fd, 1);
    hand_done(self);
    (void)hand_next(self);
}

static void crowd(struct hand *self, void *arg)
{
    const struct site *site = arg;
    static int fd[SESSIONS];
    crew_join(site->inst.name, &room, 1, fd, SESSIONS);
    hand_done(self);
    (void)hand_next(self);
}

static double idle_cpu(const struct site *site)
{
    struct timespec t = {.tv_sec = IDLE_S};
    uint64_t cpu = site_cpu_ns(site);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* the interval that is measured */
    return (double)(site_cpu_ns(site) - cpu);
}

static double memory(const struct site *site)
{
    int64_t bytes = site_pss(site);
    if (bytes < 0)
        bench_fail("cannot read the memory of the relay's processes (%s); run this as root",
                   strerror((int)-bytes));
    return (double)bytes;
}

static void repeat(double v[ARRAY_LEN(columns)][REPETITIONS_MAX], unsigned i)
{
    struct site site;
    struct hand first, rest;
    site_start(&site, "idle");
    hand_start(&first, "first session", visitor, &site);
    double before = memory(&site);
    uint64_t cpu = site_cpu_ns(&site), start = bench_ns();
    hand_start(&rest, "sessions", crowd, &site);
    double seconds = (double)(bench_ns() - start) / 1e9;
    double with = memory(&site);
    v[0][i] = SESSIONS;
    v[1][i] = before;
    v[2][i] = with;
    v[3][i] = (with - before) / SESSIONS;
    v[4][i] = SESSIONS / seconds;
    v[5][i] = (double)(site_cpu_ns(&site) - cpu) / 1e3 / SESSIONS;
    v[6][i] = idle_cpu(&site) / 1e3;
    hand_end(&rest);
    hand_end(&first);
    site_stop(&site);
}

static int run(const struct bench *b)
{
    struct table t = {"idle", columns, ARRAY_LEN(columns), b->json, false};
    struct spread row[ARRAY_LEN(columns)];
    static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
    table_head(&t,
               "silent sessions in one room; memory is Pss, CPU that of all relay processes");
    for (unsigned i = 0; i < b->repetitions; i++)
        repeat(v, i);
    for (unsigned c = 0; c < ARRAY_LEN(columns); c++)
        row[c] = spread_of(v[c], b->repetitions);
    table_row(&t, row);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
