/* bench_lines.c -- `chat send --lines`: 200,000 lines of a file until all are durable, read by
 * one member; beside what gives a file to Redis, and beside cat through a pipe, which is the
 * least that it takes to move them. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/message.h"
#include "lib/program.h"
#include "lib/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 200000, SHOWN_S = 60, WAYS_MAX = 3 };

static const struct column columns[] = {
    {"lines_per_s", "lines/s", UNIT_RATE},
    {"program_cpu_ns", "its CPU ns each", UNIT_NS},
    {"server_cpu_ns", "server CPU ns each", UNIT_NS},
    {"ratio", "chat : this", UNIT_RATIO},
    {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

/* A program that is given the file. */
struct way {
    const char *name, *program;
    const char *const *argv;
    const char *head, *end; /* around each text in its file */
    struct crew *crew;      /* whose reader is shown them; NULL: nobody's */
    uint32_t sent;
};

/* write_lines -- a file with the messages behind `sent`. */
static void write_lines(const struct way *w, const char *path)
{
    char text[MESSAGE_LEN];
    message_init(text);
    FILE *f = fopen(path, "w");
    for (uint32_t i = 1; f && i <= LINES; i++) {
        message_stamp(text, w->sent + i, 0);
        fprintf(f, "%s%.*s%s", w->head, MESSAGE_LEN, text, w->end);
    }
    if (!f || fclose(f) != 0)
        bench_fail("cannot write %s: %s", path, strerror(errno));
}

static uint64_t server_ns(const struct way *w)
{
    if (!w->crew)
        return 0;
    return w->crew->peer ? cpu_ns(w->crew->peer->pid) : site_cpu_ns(w->crew->site);
}

static void repeat(const struct bench *b, struct way *w, double v[ARRAY_LEN(columns)][REPETITIONS_MAX], unsigned i)
{
    char path[BENCH_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lines", b->dir);
    write_lines(w, path);
    int in = open(path, O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (w->crew)
        board_aim(w->crew->board, w->sent + 1, w->sent + LINES);
    w->sent += LINES;
    uint64_t server = server_ns(w), own = programs_cpu_ns(), start = bench_ns();
    if (program_run(w->program, w->argv, in, null) != 0)
        bench_fail("%s failed", w->name);
    v[0][i] = LINES / ((double)(bench_ns() - start) / 1e9);
    v[1][i] = (double)(programs_cpu_ns() - own) / LINES;
    if (w->crew)
        hand_await(&w->crew->reading, SHOWN_S);
    v[2][i] = (double)(server_ns(w) - server) / LINES;
    close(in);
    close(null);
}

static void show(const struct table *t, const struct way *w, double v[ARRAY_LEN(columns)][REPETITIONS_MAX], unsigned n)
{
    struct spread row[ARRAY_LEN(columns)];
    struct tally tally = {0};
    for (unsigned c = 0; c < 4; c++)
        row[c] = spread_of(v[c], n);
    if (w->crew)
        tally = board_tally(w->crew->board);
    else
        row[2] = spread_none();
    if (tally.lost != 0 || tally.doubled != 0)
        bench_fail("%s: %llu lines lost, %llu doubled", w->name, (unsigned long long)tally.lost, (unsigned long long)tally.doubled);
    row[4] = spread_one((double)tally.lost);
    row[5] = spread_one((double)tally.doubled);
    table_row_of(t, w->name, row);
}

/* start_redis -- if it is there with its client.  port: room for its port. */
static bool start_redis(struct peer *p, struct crew *crew, char port[16], const char *dir)
{
    char path[PEER_WORD_MAX];
    for (const struct peer_kind *k = NULL; program_find(path, sizeof path, "redis-cli") && (k = peer_next(k)) != NULL;)
        if (strcmp(k->program, "redis-server") == 0) {
            peer_start(p, k, dir);
            crew_start_peer(crew, p, (struct shape){.readers = 1});
            snprintf(port, 16, "%u", p->port);
            return true;
        }
    fprintf(stderr, "bench: Redis is not installed and is left out\n");
    return false;
}

static int run(const struct bench *b)
{
    static double v[WAYS_MAX][ARRAY_LEN(columns)][REPETITIONS_MAX];
    struct table t = {"lines", columns, ARRAY_LEN(columns), b->json, true};
    struct site site;
    struct peer redis;
    struct crew ours, theirs;
    char port[16], head[PEER_WORD_MAX];
    unsigned n = 2;
    struct way way[WAYS_MAX] = {
        {"chat", "bin/chat", (const char *const[]){"chat", "-i", "lines", "send", "--lines", "bench/0", NULL}, "", "\n", &ours, 0},
        {"cat floor", "sh", (const char *const[]){"sh", "-c", "cat | cat", NULL}, "", "\n", NULL, 0},
        {"Redis", "redis-cli", (const char *const[]){"redis-cli", "-p", port, "--pipe", NULL}, head, "\r\n", &theirs, 0},
    };
    table_head(&t, "200,000 lines of 200 bytes from a file; chat's until all are durable");
    site_start_with(&site, "lines", b->dir, "journal = 64M\n"); /* all of it at once, and no faster reader */
    crew_start(&ours, &site, 1);
    if (start_redis(&redis, &theirs, port, b->dir)) {
        (void)peer_word(head, sizeof head, redis.kind->head, 0, "");
        n++;
    }
    for (unsigned i = 0; i < b->repetitions; i++)
        for (unsigned k = 0; k < n; k++) {
            repeat(b, &way[k], v[k], i);
            v[k][3][i] = v[0][0][i] / v[k][0][i];
        }
    for (unsigned k = 0; k < n; k++)
        show(&t, &way[k], v[k], b->repetitions);
    crew_end(&ours);
    site_stop(&site);
    if (n == WAYS_MAX) {
        crew_end(&theirs);
        peer_stop(&redis);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
