/* bench_fanout.c -- one pipelined sender, N readers of one room: deliveries per second and what
 * one costs the relay, beside a program that only writes the same bytes into the same number of
 * FIFOs. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/floor.h"
#include "lib/stats.h"

#include <stdio.h>

static const struct column columns[] = {
    {"readers", "readers", UNIT_FIXED},
    {"deliveries_per_s", "deliveries/s", UNIT_RATE},
    {"relay_cpu_ns", "relay CPU ns each", UNIT_NS},
    {"floor_per_s", "floor/s", UNIT_RATE},
    {"floor_cpu_ns", "floor CPU ns each", UNIT_NS},
    {"ratio", "relay:floor", UNIT_RATIO},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

/* Messages per repetition: half a second or more of work each. */
static const struct {
    unsigned readers;
    uint32_t messages;
} sizes[] = {{1, 200000}, {10, 200000}, {100, 60000}, {1000, 6000}};

static void measure(const struct bench *b, unsigned readers, uint32_t messages,
                    struct spread out[ARRAY_LEN(columns)])
{
    struct site site;
    struct crew crew;
    struct floor floor;
    char name[32];
    double rate[REPETITIONS_MAX], cpu[REPETITIONS_MAX];
    double floor_rate[REPETITIONS_MAX], floor_cpu[REPETITIONS_MAX], ratio[REPETITIONS_MAX];
    snprintf(name, sizeof name, "fanout%u", readers);
    site_start(&site, name);
    crew_start(&crew, &site, readers);
    floor_start(&floor, b->dir, readers);
    double n = (double)messages * readers;
    for (unsigned i = 0; i < b->repetitions; i++) {
        struct result r = crew_run(&crew, ORDER_BURST, messages);
        struct result f = floor_run(&floor, messages);
        rate[i] = n / r.seconds;
        cpu[i] = r.relay_ns / n;
        floor_rate[i] = n / f.seconds;
        floor_cpu[i] = f.relay_ns / n;
        ratio[i] = rate[i] / floor_rate[i];
    }
    out[0] = spread_one(readers);
    out[1] = spread_of(rate, b->repetitions);
    out[2] = spread_of(cpu, b->repetitions);
    out[3] = spread_of(floor_rate, b->repetitions);
    out[4] = spread_of(floor_cpu, b->repetitions);
    out[5] = spread_of(ratio, b->repetitions);
    out[6] = spread_one((double)atomic_load(&crew.board->lost));
    out[7] = spread_one((double)atomic_load(&crew.board->doubled));
    floor_end(&floor);
    crew_end(&crew);
    site_stop(&site);
}

static int run(const struct bench *b)
{
    struct table t = {"fanout", columns, ARRAY_LEN(columns), b->json};
    struct spread row[ARRAY_LEN(columns)];
    table_head(
        &t, "200-byte messages, all durable, one pipelined sender, all readers in one process");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        measure(b, sizes[i].readers, sizes[i].messages, row);
        table_row(&t, row);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
