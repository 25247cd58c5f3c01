/* bench_link.c -- two relays of this host, linked: messages per second that are shown on the other one and durable on
 * both, one way and both ways at once, and how long one is on the way; beside the same bytes through bare TLS, and beside linked peers. */
#include "lib/contest.h"
#include "lib/message.h"
#include "lib/stats.h"
#include "lib/tunnel.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "frame/body.h"
#include "port.h"

enum { ONE_WAY = 300000, EACH_WAY = 150000, PACED = 2000, PEERS_PACED = 1000, TUNNEL = 2000000 };

static const struct column columns[] = {
    {"one_way_per_s", "one way/s", UNIT_RATE},
    {"bytes_per_s", "bytes/s", UNIT_RATE},
    {"server_cpu_ns", "CPU ns, both", UNIT_NS},
    {"both_ways_per_s", "both ways/s", UNIT_RATE},
    {"p50_us", "p50 us", UNIT_US},
    {"p99_us", "p99 us", UNIT_US},
    {"paced_cpu_us", "CPU us at 1,000/s", UNIT_US},
    {"ratio", "chat : this", UNIT_RATIO},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};
enum { ONE_WAY_S, BYTES_S, CPU, BOTH_WAYS_S, P50, P99, PACED_CPU, RATIO, LOST, DOUBLED };

typedef double values[ARRAY_LEN(columns)][REPETITIONS_MAX];

struct pair {
    struct site a, b;
    struct crew there, back;      /* a to b, b to a */
    size_t bytes;                 /* of a message on the link */
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

static void repeat(struct pair *p, values v, unsigned i)
{
    static const struct order each_way = {.how = ORDER_BURST, .count = EACH_WAY};
    static uint32_t sample[PACED];
    struct result r = crew_run(&p->there, ORDER_BURST, ONE_WAY);
    v[ONE_WAY_S][i] = ONE_WAY / r.seconds;
    v[BYTES_S][i] = v[ONE_WAY_S][i] * (double)p->bytes;
    v[CPU][i] = r.server_ns / ONE_WAY;
    crew_begin(&p->there, each_way);
    crew_begin(&p->back, each_way);
    r = crew_finish(&p->there);
    double there = r.seconds, back = crew_finish(&p->back).seconds;
    v[BOTH_WAYS_S][i] = 2 * EACH_WAY / (there > back ? there : back);
    r = crew_run(&p->there, ORDER_PACED, PACED);
    memcpy(sample, p->there.board->sample, sizeof sample);
    v[P50][i] = percentile(sample, PACED, 0.5) / 1e3;
    v[P99][i] = percentile(sample, PACED, 0.99) / 1e3;
    v[PACED_CPU][i] = r.server_ns / 1e3 / PACED;
    v[RATIO][i] = 1;
    struct tally a = board_tally(p->there.board), b = board_tally(p->back.board);
    v[LOST][i] = (double)(a.lost + b.lost);
    v[DOUBLED][i] = (double)(a.doubled + b.doubled);
}

/* none -- of all columns until one is measured. */
static void none(values v)
{
    for (unsigned c = 0; c < ARRAY_LEN(columns); c++)
        for (unsigned i = 0; i < REPETITIONS_MAX; i++)
            v[c][i] = spread_none().median;
}

static void repeat_bare(const struct pair *p, values v, const values ours, unsigned i)
{
    struct result r = tunnel_run(p->dir, TUNNEL, p->bytes);
    v[ONE_WAY_S][i] = TUNNEL / r.seconds;
    v[BYTES_S][i] = v[ONE_WAY_S][i] * (double)p->bytes;
    v[CPU][i] = r.server_ns / TUNNEL;
    v[RATIO][i] = ours[ONE_WAY_S][i] / v[ONE_WAY_S][i];
}

static void repeat_peer(struct contestant *c, values v, const values ours, unsigned i)
{
    static const struct order paced = {ORDER_PACED, PEERS_PACED, 1000};
    struct score s;
    if (!contest_burst(c, &s))
        return;
    v[ONE_WAY_S][i] = s.result.count / s.result.seconds;
    v[CPU][i] = s.result.server_ns / s.result.count;
    v[RATIO][i] = ours[ONE_WAY_S][i] / v[ONE_WAY_S][i];
    double rate = c->rate; /* the one to go by */
    if (!contest_run(c, paced, &s))
        return;
    c->rate = rate;
    v[P50][i] = s.any.ns[0] / 1e3;
    v[P99][i] = s.any.ns[1] / 1e3;
    v[PACED_CPU][i] = s.result.server_ns / 1e3 / PEERS_PACED;
    v[LOST][i] = (double)s.tally.lost;
    v[DOUBLED][i] = (double)s.tally.doubled;
}

static int run(const struct bench *b)
{
    struct table t = {"link", columns, ARRAY_LEN(columns), b->json, true};
    static struct pair p;
    static struct contest peers;
    static values ours, bare, theirs[CONTESTANTS_MAX];
    table_head(&t, "200-byte messages, shown on the other host; chat's are durable on both");
    none(bare);
    for (unsigned k = 0; k < CONTESTANTS_MAX; k++)
        none(theirs[k]);
    start(&p, b);
    contest_start_linked(&peers, b);
    for (unsigned k = 0; k < peers.n; k++) { /* to learn how fast it is */
        struct score s;
        (void)!contest_burst(&peers.list[k], &s);
    }
    for (unsigned i = 0; i < b->repetitions; i++) {
        repeat(&p, ours, i);
        repeat_bare(&p, bare, ours, i);
        for (unsigned k = 0; k < peers.n; k++)
            repeat_peer(&peers.list[k], theirs[k], ours, i);
    }
    table_show(&t, "chat", ours, b->repetitions);
    table_show(&t, "TLS floor", bare, b->repetitions);
    for (unsigned k = 0; k < peers.n; k++)
        if (!peers.list[k].out)
            table_show(&t, peers.list[k].name, theirs[k], b->repetitions);
    contest_end(&peers);
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
