/* bench_start.c -- from `relay start` to the first durable message, with an empty store and
 * with one of a million messages; beside as many processes that do nothing, and beside peers
 * until a reader has his first message.
 *
 * usage: bench_start [-n REPETITIONS] [--json]; BENCH_MESSAGES in the environment: another
 * number of them */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/message.h"
#include "lib/program.h"
#include "lib/stats.h"

#include "base/sys.h"
#include "port.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STARTS = 5, FIRST_MS = 10 * 1000, ROWS_MAX = 8 };

static const struct column columns[] = {
    {"up_p50_us", "start returns us", UNIT_US},   {"first_p50_us", "first message us", UNIT_US}, {"processes", "processes", UNIT_FIXED},
    {"floor_p50_us", "so many true us", UNIT_US}, {"ratio", "first : true", UNIT_RATIO},
};

typedef double values[ARRAY_LEN(columns)][REPETITIONS_MAX];

/* Who is started. */
struct starter {
    const char *who, *instance;   /* one of ours */
    const struct peer_kind *kind; /* or a peer */
    unsigned processes;
    values v;
};

/* say_durably -- one message, until it is on disk. */
static void say_durably(const char *instance)
{
    struct port *p = crew_open(instance);
    const uint8_t *f;
    if (port_say(p, "bench", text_of("first"), false) < 0 || port_flush(p) < 0)
        bench_fail("cannot say the first message");
    for (uint64_t deadline = now_ms() + FIRST_MS; port_unacked(p) > 0;) {
        struct pollfd in = {port_fd(p), POLLIN, 0};
        int r = port_next(p, &f);
        if (r < 0 || (r == 1 && frame_type(f) == FRAME_REFUSED) || now_ms() > deadline)
            bench_fail("the first message is not durable");
        if (r == 0 && port_unacked(p) > 0)
            poll(&in, 1, 50);
    }
    port_close(p);
}

/* start_ours -- up: when the command returned. */
static uint64_t start_ours(const struct starter *s, uint32_t *up)
{
    uint64_t start = bench_ns();
    if (site_command(s->instance, "start") != 0)
        bench_fail("the relay does not start");
    *up = (uint32_t)(bench_ns() - start);
    say_durably(s->instance);
    uint64_t took = bench_ns() - start;
    if (site_command(s->instance, "stop") != 0)
        bench_fail("the relay does not stop");
    return took;
}

/* hear -- one message of another. */
static void hear(const struct peer *p, int speaker, int reader)
{
    char line[PEER_WORD_MAX + MESSAGE_LEN + 2], answer[1024];
    size_t len = peer_word(line, PEER_WORD_MAX, p->kind->head, 0, ""), got = 0;
    message_init(line + len);
    message_stamp(line + len, 1, 0);
    memcpy(line + len + MESSAGE_LEN, "\r\n", 2);
    if (write_all(speaker, line, len + MESSAGE_LEN + 2) < 0)
        bench_fail("%s takes nothing", p->kind->name);
    while (!message_ends(answer, got)) {
        ssize_t n = recv(reader, answer + got, sizeof answer - got, 0);
        if (n <= 0)
            bench_fail("%s does not pass on the first message", p->kind->name);
        got += (size_t)n;
    }
}

static uint64_t start_peer(const struct starter *s, const char *dir, uint32_t *up)
{
    struct peer p;
    uint64_t start = bench_ns();
    peer_start(&p, s->kind, dir);
    *up = (uint32_t)(bench_ns() - start);
    int reader = peer_connect(&p, 1), speaker = peer_connect(&p, 2);
    peer_greeted(&p, reader);
    peer_greeted(&p, speaker);
    peer_join(&p, reader, 0);
    hear(&p, speaker, reader);
    uint64_t took = bench_ns() - start;
    close(reader);
    close(speaker);
    peer_stop(&p);
    return took;
}

static double bare_us(unsigned processes)
{
    uint64_t start = bench_ns();
    for (unsigned i = 0; i < processes; i++)
        if (program_run("true", (const char *const[]){"true", NULL}, -1, -1) != 0)
            bench_fail("cannot run true");
    return (double)(bench_ns() - start) / 1e3;
}

static void repeat(struct starter *s, const char *dir, unsigned i)
{
    uint32_t up[STARTS], first[STARTS];
    double bare[STARTS];
    unsigned n = s->kind && s->kind->greets_late ? 1 : STARTS; /* a second each */
    for (unsigned k = 0; k < n; k++) {
        first[k] = (uint32_t)(s->kind ? start_peer(s, dir, &up[k]) : start_ours(s, &up[k]));
        bare[k] = bare_us(s->processes);
    }
    s->v[0][i] = percentile(up, n, 0.5) / 1e3;
    s->v[1][i] = percentile(first, n, 0.5) / 1e3;
    s->v[2][i] = s->processes;
    s->v[3][i] = spread_of(bare, n).median;
    s->v[4][i] = s->v[1][i] / s->v[3][i];
}

/* prepare -- started once: what is made only then is not measured. */
static struct starter prepare(const char *who, const char *instance)
{
    struct site site;
    site_start(&site, instance);
    say_durably(instance);
    if (site_command(instance, "stop") != 0)
        bench_fail("the relay does not stop");
    return (struct starter){.who = who, .instance = instance, .processes = site.n_pids + 1}; /* and the command */
}

static int run(const struct bench *b)
{
    static struct starter s[ROWS_MAX];
    struct table t = {"start", columns, ARRAY_LEN(columns), b->json, true};
    const char *messages = getenv("BENCH_MESSAGES");
    unsigned n = 2;
    table_head(&t, "`relay start` until the first message is durable; peers, which keep none: "
                   "until it is heard");
    site_fill("long", messages ? messages : "1000000");
    s[0] = prepare("chat, empty", "short");
    s[1] = prepare("chat, full", "long");
    for (const struct peer_kind *k = NULL; (k = peer_next(k)) != NULL; n++)
        s[n] = (struct starter){.who = k->name, .kind = k, .processes = 1};
    for (unsigned i = 0; i < b->repetitions; i++)
        for (unsigned k = 0; k < n; k++)
            repeat(&s[k], b->dir, i);
    for (unsigned k = 0; k < n; k++)
        table_show(&t, s[k].who, s[k].v, b->repetitions);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
