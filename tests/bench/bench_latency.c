/* bench_latency.c -- from the sender's clock before it sends to the reader's behind its read(2), at a steady pace: of every
 * delivery, and of the last one of each message; beside the peers and a program that passes on lines over TCP. */
#include "lib/contest.h"
#include "lib/stats.h"

#include <stdio.h>

static const struct column columns[] = {
    {"readers", "readers", UNIT_FIXED},       {"rate", "messages/s", UNIT_FIXED},
    {"p50_us", "p50 us", UNIT_US},            {"p99_us", "p99 us", UNIT_US},
    {"last_p50_us", "last p50 us", UNIT_US},  {"last_p99_us", "last p99 us", UNIT_US},
    {"last_p999_us", "last p99.9 us", UNIT_US}, {"server_cpu_us", "server CPU us each", UNIT_US},
};

static const struct {
    unsigned readers, rate;
} sizes[] = {{2, 100}, {2, 1000}, {10, 1000}, {100, 100}, {100, 1000}};

/* measure -- the FIFO floor only pours and is not asked. */
static void measure(const struct bench *b, const struct table *t, unsigned readers, unsigned rate)
{
    static double v[CONTESTANTS_MAX][ARRAY_LEN(columns)][REPETITIONS_MAX];
    struct order o = {.how = ORDER_PACED, .count = rate, .rate = rate};
    struct contest contest;
    char name[32];
    snprintf(name, sizeof name, "latency%u-%u", readers, rate);
    contest_start(&contest, b, name, (struct shape){.readers = readers});
    for (unsigned i = 0; i < b->repetitions; i++)
        for (unsigned k = 0; k < contest.n; k++) {
            struct score s;
            if ((k > 0 && !contest.list[k].kind) || !contest_run(&contest.list[k], o, &s))
                continue;
            v[k][0][i] = readers;
            v[k][1][i] = rate;
            v[k][2][i] = s.any.ns[0] / 1e3;
            v[k][3][i] = s.any.ns[1] / 1e3;
            for (unsigned q = 0; q < QUANTILES; q++)
                v[k][4 + q][i] = s.last.ns[q] / 1e3;
            v[k][7][i] = s.result.server_ns / 1e3 / ((double)o.count * readers);
        }
    for (unsigned k = 0; k < contest.n; k++)
        if ((k == 0 || contest.list[k].kind) && !contest.list[k].out)
            table_show(t, contest.list[k].name, v[k], b->repetitions);
    contest_end(&contest);
}

static int run(const struct bench *b)
{
    struct table t = {"latency", columns, ARRAY_LEN(columns), b->json, true};
    table_head(&t, "send to shown, 200-byte messages, all readers in one process; only chat's are durable");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        measure(b, &t, sizes[i].readers, sizes[i].rate);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
