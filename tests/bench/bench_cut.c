/* bench_cut.c -- a link is cut, 100,000 messages are sent meanwhile, it is whole again: how soon there is a link, and how
 * soon all of them are shown on the other host.  The cable between the relays is a program (tests/tools/cable). */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/program.h"
#include "lib/stats.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sys.h"

enum { MERGED = 100000, PATIENCE_MS = 20 * 1000 };

static const struct column columns[] = {
    {"back_ms", "linked again, ms", UNIT_US}, {"merged_ms", "all merged, ms", UNIT_US},
    {"merged_per_s", "merged/s", UNIT_RATE},  {"lost", "lost", UNIT_FIXED},
    {"doubled", "doubled", UNIT_FIXED},
};

struct cable {
    int to, from; /* its standard input and output */
    pid_t pid;
    char address[32];
};

static void cable_start(struct cable *c, const char *dir, const char *target)
{
    char program[BENCH_PATH_MAX + 32], port_file[BENCH_PATH_MAX + 8], port[16] = "";
    int to[2], from[2];
    (void)program_find(program, sizeof program, "tools/cable");
    snprintf(port_file, sizeof port_file, "%s/port", dir);
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        bench_fail("no pipes");
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl(program, "cable", port_file, target, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    c->to = to[1];
    c->from = from[0];
    for (uint64_t deadline = now_ms() + PATIENCE_MS; read_file(AT_FDCWD, port_file, port, sizeof port) <= 0 || !strchr(port, '\n');
         poll(NULL, 0, 1))
        if (now_ms() > deadline)
            bench_fail("no cable");
    snprintf(c->address, sizeof c->address, "127.0.0.1:%d", atoi(port));
}

static void cable_do(struct cable *c, const char *command)
{
    char line[32], answer[8];
    int n = snprintf(line, sizeof line, "%s\n", command);
    if (write_all(c->to, line, (size_t)n) < 0 || read(c->from, answer, sizeof answer) <= 0)
        bench_fail("the cable does not obey");
}

static void await_link(const struct site *s, bool up)
{
    for (uint64_t deadline = now_ms() + PATIENCE_MS; site_linked(s) != up; poll(NULL, 0, 1))
        if (now_ms() > deadline)
            bench_fail("the link did not go %s", up ? "up" : "down");
}

static void repeat(struct site *a, struct crew *crew, struct cable *c, const char *how, double v[][REPETITIONS_MAX], unsigned i)
{
    uint64_t given = bench_ns();
    cable_do(c, how);
    crew_begin(crew, (struct order){.how = ORDER_POUR, .count = MERGED});
    for (uint64_t deadline = now_ms() + PATIENCE_MS; atomic_load(&crew->board->acked_ns) < given; poll(NULL, 0, 1))
        if (now_ms() > deadline)
            bench_fail("not acknowledged while there was no link");
    await_link(a, false);
    uint64_t healed = bench_ns();
    cable_do(c, "heal");
    await_link(a, true);
    v[0][i] = (double)(bench_ns() - healed) / 1e6;
    (void)crew_finish(crew);
    v[1][i] = (double)(atomic_load(&crew->board->shown_ns) - healed) / 1e6;
    v[2][i] = MERGED / (v[1][i] - v[0][i]) * 1e3;
}

static int run(const struct bench *b)
{
    static const char *const how[] = {"cut", "hole"};
    struct site near, far;
    struct crew crew;
    struct cable cable;
    char address[64];
    site_start_with(&near, "cuta", b->dir, "name = a\nlisten = 127.0.0.1:0\n");
    site_start_with(&far, "cutb", b->dir, "name = b\njournal = 64M\n"); /* all of it at once, and no faster reader */
    site_address(&near, address, sizeof address);
    cable_start(&cable, b->dir, address);
    site_link(&near, &far, cable.address);
    crew_start_between(&crew, &near, &far, "bench", 1);
    for (size_t k = 0; k < ARRAY_LEN(how); k++) {
        static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
        struct spread row[ARRAY_LEN(columns)];
        struct table t = {how[k], columns, ARRAY_LEN(columns), b->json, false};
        table_head(&t, k == 0 ? "100,000 messages of 200 bytes while every connection is reset"
                              : "the same while bytes vanish, until both sides have given up");
        for (unsigned i = 0; i < b->repetitions; i++)
            repeat(&near, &crew, &cable, how[k], v, i);
        for (unsigned c = 0; c < 3; c++)
            row[c] = spread_of(v[c], b->repetitions);
        row[3] = spread_one((double)board_tally(crew.board).lost);
        row[4] = spread_one((double)board_tally(crew.board).doubled);
        table_row(&t, row);
    }
    crew_end(&crew);
    close(cable.to); /* end of input: it ends */
    site_stop(&near);
    site_stop(&far);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
