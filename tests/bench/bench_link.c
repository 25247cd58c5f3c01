/* bench_link.c -- two relays of this host, linked: messages per second that are shown on the other one and durable on
 * both, one way and both ways at once, and how long one is on the way; beside the same bytes through bare TLS. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/message.h"
#include "lib/stats.h"
#include "lib/tunnel.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frame/body.h"
#include "port.h"

enum { ONE_WAY = 300000, EACH_WAY = 150000, PACED = 2000, TUNNEL = 2000000 };

static const struct column columns[] = {
    {"one_way_per_s", "one way/s", UNIT_RATE},
    {"bytes_per_s", "bytes/s", UNIT_RATE},
    {"relays_cpu_ns", "CPU ns, both relays", UNIT_NS},
    {"tls_per_s", "bare TLS/s", UNIT_RATE},
    {"tls_cpu_ns", "bare TLS CPU ns", UNIT_NS},
    {"both_ways_per_s", "both ways/s", UNIT_RATE},
    {"p50_us", "p50 us", UNIT_US},
    {"p99_us", "p99 us", UNIT_US},
    {"paced_cpu_us", "CPU us at 1,000/s", UNIT_US},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

struct pair {
    struct site a, b;
    struct crew there, back; /* a to b, b to a */
    size_t bytes;            /* of a message on the link */
    char dir[BENCH_PATH_MAX + 8]; /* for certificates */
};

/* frame_bytes -- as it travels: all but some bytes per segment. */
static size_t frame_bytes(const char *instance)
{
    uint8_t f[FRAME_MAX];
    char text[MESSAGE_LEN] = {0};
    struct port *p = crew_open(instance);
    struct say s = {.user = port_user(p), .text = {text, sizeof text}};
    int n = write_say(f, &s, 1, 1, 1, 0);
    port_close(p);
    if (n < 0)
        bench_fail("cannot write a message");
    return (size_t)n;
}

static void start(struct pair *p, const struct bench *b)
{
    site_start_with(&p->a, "linka", b->dir, "name = a\nlisten = 127.0.0.1:0\n");
    site_start_with(&p->b, "linkb", b->dir, "name = b\n");
    site_link(&p->a, &p->b, NULL);
    p->bytes = frame_bytes("linka");
    snprintf(p->dir, sizeof p->dir, "%s/tls", b->dir);
    if (mkdir(p->dir, 0700) < 0)
        bench_fail("cannot make %s", p->dir);
    crew_start_between(&p->there, &p->a, &p->b, "bench/there", 1);
    crew_start_between(&p->back, &p->b, &p->a, "bench/back", 1);
    atomic_store(&p->there.board->sampling, true);
}

static void repeat(struct pair *p, double v[ARRAY_LEN(columns)][REPETITIONS_MAX], unsigned i)
{
    static const struct order each_way = {.how = ORDER_BURST, .count = EACH_WAY};
    static uint32_t sample[PACED];
    struct result r = crew_run(&p->there, ORDER_BURST, ONE_WAY);
    v[0][i] = ONE_WAY / r.seconds;
    v[1][i] = v[0][i] * (double)p->bytes;
    v[2][i] = r.server_ns / ONE_WAY;
    r = tunnel_run(p->dir, TUNNEL, p->bytes);
    v[3][i] = TUNNEL / r.seconds;
    v[4][i] = r.server_ns / TUNNEL;
    crew_begin(&p->there, each_way);
    crew_begin(&p->back, each_way);
    r = crew_finish(&p->there);
    double there = r.seconds, back = crew_finish(&p->back).seconds;
    v[5][i] = 2 * EACH_WAY / (there > back ? there : back);
    r = crew_run(&p->there, ORDER_PACED, PACED);
    memcpy(sample, p->there.board->sample, sizeof sample);
    v[6][i] = percentile(sample, PACED, 0.5) / 1e3;
    v[7][i] = percentile(sample, PACED, 0.99) / 1e3;
    v[8][i] = r.server_ns / 1e3 / PACED;
}

/* sum_up -- what was lost and what came twice, in all rooms. */
static void sum_up(const struct pair *p, struct spread *lost, struct spread *doubled)
{
    struct tally there = board_tally(p->there.board), back = board_tally(p->back.board);
    *lost = spread_one((double)(there.lost + back.lost));
    *doubled = spread_one((double)(there.doubled + back.doubled));
}

static int run(const struct bench *b)
{
    struct table t = {"link", columns, ARRAY_LEN(columns), b->json, false};
    struct spread row[ARRAY_LEN(columns)];
    static struct pair p;
    static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
    table_head(&t, "200-byte messages, shown on the other host, durable on both");
    start(&p, b);
    for (unsigned i = 0; i < b->repetitions; i++)
        repeat(&p, v, i);
    for (unsigned c = 0; c < ARRAY_LEN(columns) - 2; c++)
        row[c] = spread_of(v[c], b->repetitions);
    sum_up(&p, &row[ARRAY_LEN(columns) - 2], &row[ARRAY_LEN(columns) - 1]);
    table_row(&t, row);
    crew_end(&p.there);
    crew_end(&p.back);
    site_stop(&p.a);
    site_stop(&p.b);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
