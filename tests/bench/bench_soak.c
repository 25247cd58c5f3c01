/* bench_soak.c -- full load for as long as it is told, with people who come and go: does a relay's memory stay what it is?  Prints it every
 * minute; fails when it was more in the last third than in the one before.
 *
 * usage: bench_soak [--json]; MINUTES in the environment, 30 if it says nothing.  Takes some 200 MB of disk a minute. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"
#include "many.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { READERS = 1000, BURST = 2000, GUESTS = 200, AT_ONCE = 64, COME_MS = 60 * 1000, MINUTES = 30, SAMPLES = 600, THIRD = SAMPLES / 3 };

static const double growth_max = 1.05;

static const struct column columns[] = {
    {"second", "second", UNIT_FIXED},          {"heap_bytes", "heap", UNIT_BYTES},
    {"shared_bytes", "shared memory", UNIT_BYTES}, {"deliveries_per_s", "deliveries/s", UNIT_RATE},
    {"came_and_went", "came and went", UNIT_FIXED}, {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
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

static void show(const struct table *t, const struct site *site, struct crew *crew, uint64_t seconds, double rate, uint64_t went)
{
    struct tally tally = board_tally(crew->board);
    double v[ARRAY_LEN(columns)] = {(double)seconds,   (double)site_heap(site), (double)site_shared(site), rate,
                                    (double)went, (double)tally.lost,     (double)tally.doubled};
    struct spread row[ARRAY_LEN(columns)];
    for (unsigned c = 0; c < ARRAY_LEN(columns); c++)
        row[c] = spread_one(v[c]);
    table_row(t, row);
}

/* verdict -- of SAMPLES sums of heap and shared memory. */
static int verdict(double *sample)
{
    double before = spread_of(sample + THIRD, THIRD).median, after = spread_of(sample + 2 * THIRD, THIRD).median;
    fprintf(stderr, "bench: memory in the last third : in the one before: %.3f, at most %.2f\n", after / before, growth_max);
    return after <= growth_max * before ? 0 : 1;
}

static int run(const struct bench *b)
{
    static double sample[SAMPLES];
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
        for (; taken < SAMPLES && seconds * SAMPLES >= (double)length * taken; taken++)
            sample[taken] = (double)(site_heap(&site) + site_shared(&site));
        if (seconds >= (double)shown * 60)
            show(&t, &site, &crew, (uint64_t)seconds, rate, atomic_load(guests.went)), shown++;
    }
    hand_end(&hand);
    crew_end(&crew);
    site_stop(&site);
    return verdict(sample);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
