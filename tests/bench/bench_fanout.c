/* bench_fanout.c -- one pipelined sender, N readers of one room: deliveries per second and what
 * one costs the server. First all readers are in one process, and there are the peers and a program that passes on
 * lines over TCP; then each is a process of its own. Beside both a program that only writes the same bytes into the same
 * number of FIFOs. Then a hundred rooms of ten, to which ten speak; last, what a second worker brings. */
#include "lib/contest.h"
#include "lib/stats.h"

#include <stdio.h>

static const struct column columns[] = {
    {"readers", "readers", UNIT_FIXED},
    {"deliveries_per_s", "deliveries/s", UNIT_RATE},
    {"server_cpu_ns", "server CPU ns each", UNIT_NS},
    {"load_cpu_ns", "load CPU ns each", UNIT_NS},
    {"ratio", "chat : this", UNIT_RATIO},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

static const unsigned together[] = {2, 10, 100, 1000}, apart[] = {10, 100, 1000};
static const struct entry workers[] = {{"chat, 1 worker", "workers = 1\n"}, {"chat, 2 workers", "workers = 2\n"}};

enum { WARM_UP = 2 };

/* compete -- all that take part, in turn. */
static void compete(const struct bench *b, const struct table *t, struct contest *contest)
{
    static double v[CONTESTANTS_MAX][ARRAY_LEN(columns)][REPETITIONS_MAX];
    unsigned readers = contest->shape.readers;
    for (unsigned i = 0; i < WARM_UP + b->repetitions; i++)
        for (unsigned k = 0; k < contest->n; k++) {
            unsigned at = i < WARM_UP ? 0 : i - WARM_UP;
            struct score s;
            if (!contest_burst(&contest->list[k], &s))
                continue;
            double n = (double)s.result.count * readers;
            v[k][0][at] = readers;
            v[k][1][at] = n / s.result.seconds;
            v[k][2][at] = s.result.server_ns / n;
            v[k][3][at] = s.result.load_ns / n;
            v[k][4][at] = v[0][1][at] / v[k][1][at];
            v[k][5][at] = (double)s.tally.lost;
            v[k][6][at] = (double)s.tally.doubled;
        }
    for (unsigned k = 0; k < contest->n; k++)
        if (!contest->list[k].out)
            table_show(t, contest->list[k].name, v[k], b->repetitions);
    contest_end(contest);
}

static void measure(const struct bench *b, const struct table *t, struct shape shape)
{
    struct contest contest;
    char name[32];
    snprintf(name, sizeof name, "fanout%u-%u", shape.readers, shape.rooms);
    contest_start(&contest, b, name, shape);
    compete(b, t, &contest);
}

static void measure_workers(const struct bench *b, const struct table *t, unsigned readers)
{
    struct contest contest;
    char name[32];
    snprintf(name, sizeof name, "workers%u", readers);
    contest_start_relays(&contest, b, name, (struct shape){.readers = readers}, workers, ARRAY_LEN(workers));
    compete(b, t, &contest);
}

static int run(const struct bench *b)
{
    struct table one = {"fanout", columns, ARRAY_LEN(columns), b->json, true};
    struct table rooms = {"rooms", columns, ARRAY_LEN(columns), b->json, true};
    struct table each = {"fanout_each", columns, ARRAY_LEN(columns), b->json, true};
    struct table two = {"workers", columns, ARRAY_LEN(columns), b->json, true};
    table_head(&one, "200-byte messages, one pipelined sender, all readers in one process; only chat's are durable");
    for (size_t i = 0; i < ARRAY_LEN(together); i++)
        measure(b, &one, (struct shape){.readers = together[i]});
    table_head(&each, "the same with a process per reader");
    for (size_t i = 0; i < ARRAY_LEN(apart); i++)
        measure(b, &each, (struct shape){.readers = apart[i], .each = true});
    table_head(&rooms, "a hundred rooms with ten readers each, ten senders");
    measure(b, &rooms, (struct shape){.readers = 1000, .rooms = 100, .voices = 10});
    table_head(&two, "one worker and two, all readers in one process");
    for (size_t i = 0; i < ARRAY_LEN(apart); i++)
        measure_workers(b, &two, apart[i]);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
