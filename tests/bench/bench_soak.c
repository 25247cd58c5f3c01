/* bench_soak.c -- full load for as long as it is told, with people who come and go: does a
 * relay's memory stay what it is?  Prints it every minute; fails when it was more in the last
 * third than in the one before. Keeper and search have caches of the database, which fill in
 * their time: what they may hold is no growth.
 *
 * usage: bench_soak [--json]; MINUTES in the environment, 30 if it says nothing.  Takes some
 * 200 MB of disk a minute. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"
#include "many.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { READERS = 1000, BURST = 2000, GUESTS = 200, AT_ONCE = 64, COME_MS = 60 * 1000, MINUTES = 30, SAMPLES = 600, THIRD = SAMPLES / 3 };

static const double growth_max = 1.05, caches = 36 << 20; /* 16 and 8 MiB of pages, and what both need beside */

static const struct column columns[] = {
    {"second", "second", UNIT_FIXED},
    {"memory_bytes", "memory", UNIT_BYTES},
    {"caching_bytes", "keeper, search", UNIT_BYTES},
    {"deliveries_per_s", "deliveries/s", UNIT_RATE},
    {"came_and_went", "came and went", UNIT_FIXED},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

/* What a relay had when it was looked at. */
struct watch {
    double memory[SAMPLES], caching[SAMPLES]; /* caching: of keeper and search; memory: all else, with what is shared */
};

struct guests {
    const char *instance;
    _Atomic uint64_t *went;
};

/* come_and_go -- for ever: all come, stay for a moment, and say goodbye or just vanish. */
static void come_and_go(struct hand *self, void *arg)
{
    const struct guests *g = arg;
    hand_done(self);
    for (bool politely = true;; politely = !politely) {
        static struct many m;
        many_open(&m, g->instance, GUESTS, 1, "bench/0");
        many_come(&m, AT_ONCE, COME_MS);
        many_pump(&m, 100);
        if (politely)
            many_bye(&m);
        many_close(&m);
        atomic_fetch_add(g->went, GUESTS);
    }
}

/* burst -- Returns deliveries a second. */
static double burst(struct crew *crew)
{
    struct result r = crew_run(crew, ORDER_BURST, BURST);
    return (double)r.count * READERS / r.seconds;
}

static double memory(const struct site *s)
{
    return (double)(site_heap(s) + site_shared(s));
}

static void show(const struct table *t, const struct site *site, struct crew *crew, uint64_t seconds, double rate, uint64_t went)
{
    struct tally tally = board_tally(crew->board);
    double v[ARRAY_LEN(columns)] = {(double)seconds, memory(site),       (double)site_caching(site), rate,
                                    (double)went,    (double)tally.lost, (double)tally.doubled};
    struct spread row[ARRAY_LEN(columns)];
    for (unsigned c = 0; c < ARRAY_LEN(columns); c++)
        row[c] = spread_one(v[c]);
    table_row(t, row);
}

/* grew -- from the second third to the last, beyond `free` bytes? */
static int grew(const char *what, double *sample, double free)
{
    double before = spread_of(sample + THIRD, THIRD).median, after = spread_of(sample + 2 * THIRD, THIRD).median;
    bool bad = after > growth_max * before && after > free;
    fprintf(stderr, "%s %-16s last third : the one before %.3f\n", bad ? "!" : " ", what, after / before);
    return bad;
}

static int run(const struct bench *b)
{
    static struct watch w;
    const char *minutes = getenv("MINUTES");
    uint64_t length = (minutes && *minutes ? strtoul(minutes, NULL, 10) : MINUTES) * 60, shown = 0;
    struct table t = {"soak", columns, ARRAY_LEN(columns), b->json, false};
    struct site site;
    struct crew crew;
    struct hand hand;
    struct guests guests = {.instance = "soak"};
    guests.went = mmap(NULL, sizeof *guests.went, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guests.went == MAP_FAILED || length == 0)
        bench_fail("MINUTES is to be a number of minutes");
    table_head(&t, "a pipelined sender, 1,000 readers, 200 who come and go");
    site_start(&site, "soak");
    crew_start(&crew, &site, READERS);
    hand_start(&hand, "guests", come_and_go, &guests);
    uint64_t start = bench_ns();
    for (unsigned taken = 0; taken < SAMPLES;) {
        double rate = burst(&crew), seconds = (double)(bench_ns() - start) / 1e9;
        for (; taken < SAMPLES && seconds * SAMPLES >= (double)length * taken; taken++) {
            w.memory[taken] = memory(&site);
            w.caching[taken] = (double)site_caching(&site);
        }
        if (seconds >= (double)shown * 60) {
            show(&t, &site, &crew, (uint64_t)seconds, rate, atomic_load(guests.went));
            shown++;
        }
    }
    hand_end(&hand);
    crew_end(&crew);
    site_stop(&site);
    return grew("memory", w.memory, 0) | grew("keeper, search", w.caching, caches);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
