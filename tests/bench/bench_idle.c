/* bench_idle.c -- what 10,000 sessions that say nothing cost: memory of the relay's processes
 * (Pss), CPU time; how fast they come when all want in at once, and one after another.  Their FIFOs are on a tmpfs, as /run usually
 * is, or on a disk. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"
#include "many.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS = 10000, ONE_BY_ONE = 500, AT_ONCE = 64, COME_MS = 60 * 1000, OTHER_FILES = 100, IDLE_S = 2 };

static const struct column columns[] = {
    {"sessions", "sessions", UNIT_FIXED},
    {"before_bytes", "memory before", UNIT_BYTES},
    {"with_bytes", "with sessions", UNIT_BYTES},
    {"bytes_per_session", "bytes per session", UNIT_BYTES},
    {"one_by_one_per_s", "one by one/s", UNIT_RATE},
    {"at_once_per_s", "at once/s", UNIT_RATE},
    {"open_cpu_us", "CPU us each", UNIT_US},
    {"idle_cpu_us", "CPU us in 2 s", UNIT_US},
};

static const char *const room = "bench";

/* crowd_size -- as many as one process may have files. */
static unsigned crowd_size(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur <= OTHER_FILES)
        return 1;
    return (unsigned)min_u64(SESSIONS, files.rlim_cur - OTHER_FILES);
}

/* Sessions that stay, so that what the first one touches is not counted as a part of the others. */
static void visitors(struct hand *self, void *arg)
{
    const struct site *site = arg;
    static int fd[ONE_BY_ONE];
    crew_join(site->inst.name, &room, 1, fd, ONE_BY_ONE);
    hand_done(self);
    (void)hand_next(self);
}

static void crowd(struct hand *self, void *arg)
{
    const struct site *site = arg;
    static struct many m;
    many_open(&m, site->inst.name, crowd_size(), 1, room);
    many_come(&m, AT_ONCE, COME_MS);
    hand_done(self);
    (void)hand_next(self);
}

static double seconds_since(uint64_t start)
{
    return (double)(bench_ns() - start) / 1e9;
}

static double idle_cpu(const struct site *site)
{
    struct timespec t = {.tv_sec = IDLE_S};
    uint64_t cpu = site_cpu_ns(site);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* the interval that is measured */
    return (double)(site_cpu_ns(site) - cpu);
}

/* memory -- only root may ask for that; all else is measured without. */
static double memory(const struct site *site)
{
    static bool told;
    int64_t bytes = site_pss(site);
    if (bytes < 0 && !told)
        fprintf(stderr, "bench: cannot read the memory of the relay's processes (%s): only root may\n", strerror((int)-bytes));
    told |= bytes < 0;
    return bytes < 0 ? (double)NAN : (double)bytes;
}

typedef double values[ARRAY_LEN(columns)][REPETITIONS_MAX];

static void repeat(const struct bench *b, const char *where, values v, unsigned i)
{
    struct site site;
    struct hand first, rest;
    unsigned n = crowd_size();
    bench_live_in(where);
    site_start_with(&site, "idle", b->dir, "sessions = 20000\n");
    uint64_t start = bench_ns();
    hand_start(&first, "first sessions", visitors, &site);
    v[4][i] = ONE_BY_ONE / seconds_since(start);
    double before = memory(&site);
    uint64_t cpu = site_cpu_ns(&site);
    start = bench_ns();
    hand_start(&rest, "sessions", crowd, &site);
    v[5][i] = n / seconds_since(start);
    v[6][i] = (double)(site_cpu_ns(&site) - cpu) / 1e3 / n;
    double with = memory(&site);
    v[0][i] = n;
    v[1][i] = before;
    v[2][i] = with;
    v[3][i] = (with - before) / n;
    v[7][i] = idle_cpu(&site) / 1e3;
    hand_end(&rest);
    hand_end(&first);
    site_stop(&site);
}

static int run(const struct bench *b)
{
    struct table t = {"idle", columns, ARRAY_LEN(columns), b->json, true};
    static values on_tmpfs, on_disk;
    table_head(&t, "silent sessions in one room; memory is Pss, CPU that of all relay processes");
    for (unsigned i = 0; i < b->repetitions; i++) {
        if (b->memory[0])
            repeat(b, b->memory, on_tmpfs, i);
        repeat(b, b->dir, on_disk, i);
    }
    if (b->memory[0])
        table_show(&t, "FIFOs on tmpfs", on_tmpfs, b->repetitions);
    table_show(&t, "FIFOs on disk", on_disk, b->repetitions);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
