/* bench_latency.c -- from the sender's clock before it sends to the reader's behind its
 * read(2), at 1,000 messages per second: of every delivery, and of the last one of each
 * message. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = 2000 };

static const struct column columns[] = {
    {"readers", "readers", UNIT_FIXED},      {"p50_us", "p50 us", UNIT_US},
    {"p99_us", "p99 us", UNIT_US},           {"last_p50_us", "last p50 us", UNIT_US},
    {"last_p99_us", "last p99 us", UNIT_US}, {"relay_cpu_us", "relay CPU us each", UNIT_US},
};

static const unsigned sizes[] = {1, 10};

/* last_of -- into the first `MESSAGES` places: the latest reader of each message. */
static void last_of(uint32_t *sample, unsigned readers)
{
    for (size_t m = 0; m < MESSAGES; m++) {
        uint32_t last = 0;
        for (size_t i = 0; i < readers; i++)
            last = (uint32_t)max_u64(last, sample[m * readers + i]);
        sample[m] = last;
    }
}

static void measure(const struct bench *b, unsigned readers,
                    struct spread out[ARRAY_LEN(columns)])
{
    struct site site;
    struct crew crew;
    char name[32];
    static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
    static uint32_t sample[SAMPLES_MAX];
    snprintf(name, sizeof name, "latency%u", readers);
    site_start(&site, name);
    crew_start(&crew, &site, readers);
    atomic_store(&crew.board->sampling, true);
    for (unsigned i = 0; i < b->repetitions; i++) {
        struct result r = crew_run(&crew, ORDER_PACED, MESSAGES);
        size_t n = (size_t)MESSAGES * readers;
        memcpy(sample, crew.board->sample, n * sizeof *sample);
        v[1][i] = percentile(sample, n, 0.5) / 1e3;
        v[2][i] = percentile(sample, n, 0.99) / 1e3;
        memcpy(sample, crew.board->sample, n * sizeof *sample);
        last_of(sample, readers);
        v[3][i] = percentile(sample, MESSAGES, 0.5) / 1e3;
        v[4][i] = percentile(sample, MESSAGES, 0.99) / 1e3;
        v[5][i] = r.server_ns / 1e3 / (double)n;
    }
    out[0] = spread_one(readers);
    for (unsigned c = 1; c < ARRAY_LEN(columns); c++)
        out[c] = spread_of(v[c], b->repetitions);
    crew_end(&crew);
    site_stop(&site);
}

static int run(const struct bench *b)
{
    struct table t = {"latency", columns, ARRAY_LEN(columns), b->json, false};
    struct spread row[ARRAY_LEN(columns)];
    table_head(
        &t, "send to shown, 200-byte messages, 1,000 per second, all readers in one process");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        measure(b, sizes[i], row);
        table_row(&t, row);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
