/* bench_strangers.c -- what those who are linked notice of a crowd at the door: how long a message is on the way without
 * it, with it, and with the same crowd at another door of this host, where somebody does nothing but accept: so much is
 * due to the crowd's own work. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/program.h"
#include "lib/stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PACED = 2000, HELD = 32 };

static const struct column columns[] = {
    {"quiet_p50_us", "quiet p50 us", UNIT_US},
    {"quiet_p99_us", "quiet p99 us", UNIT_US},
    {"elsewhere_p50_us", "elsewhere p50 us", UNIT_US},
    {"elsewhere_p99_us", "elsewhere p99 us", UNIT_US},
    {"crowd_p50_us", "crowd p50 us", UNIT_US},
    {"crowd_p99_us", "crowd p99 us", UNIT_US},
    {"p99_ratio", "p99 crowd:quiet", UNIT_RATIO},
    {"own_ratio", "p99 crowd:elsewh.", UNIT_RATIO},
    {"link_cpu", "link CPU share", UNIT_RATIO},
};

/* keep_accepting -- hold the last few, never answer. */
static _Noreturn void keep_accepting(int fd)
{
    int held[HELD] = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0;; i++) {
        int *place = &held[i % HELD];
        if (*place > 0)
            close(*place);
        *place = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    }
}

/* other_door -- who is at it. */
static pid_t other_door(char *address, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        bench_fail("cannot listen: %s", strerror(errno));
    snprintf(address, size, "127.0.0.1:%u", ntohs(at.sin_port));
    pid_t pid = fork();
    if (pid == 0)
        keep_accepting(fd);
    close(fd);
    return pid;
}

static pid_t crowd_start(const char *address, const char *how, const char *dir)
{
    char program[BENCH_PATH_MAX + 32];
    (void)program_find(program, sizeof program, "tools/crowd");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout))
            _exit(127);
        execl(program, "crowd", address, how, dir, "60s", "1", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* measure -- p50 and p99, and the share of a core that the link process takes. */
static double measure(struct crew *c, double *p50, double *p99)
{
    static uint32_t sample[PACED];
    pid_t link = site_process(c->site, PROC_LINK);
    uint64_t cpu = cpu_ns(link), start = bench_ns();
    (void)crew_run(c, ORDER_PACED, PACED);
    double share = (double)(cpu_ns(link) - cpu) / (double)(bench_ns() - start);
    memcpy(sample, c->board->sample, sizeof sample);
    *p50 = percentile(sample, PACED, 0.5) / 1e3;
    *p99 = percentile(sample, PACED, 0.99) / 1e3;
    return share;
}

static void repeat(struct crew *c, const char *door, const char *other, const char *how, const char *dir,
                   double v[][REPETITIONS_MAX], unsigned i)
{
    double quiet = measure(c, &v[0][i], &v[1][i]);
    pid_t crowd = crowd_start(other, how, dir);
    (void)measure(c, &v[2][i], &v[3][i]);
    end(crowd);
    crowd = crowd_start(door, how, dir);
    v[8][i] = measure(c, &v[4][i], &v[5][i]) - quiet;
    end(crowd);
    v[6][i] = v[5][i] / v[1][i];
    v[7][i] = v[5][i] / v[3][i];
}

static int run(const struct bench *b)
{
    static const char *const how[] = {"open", "hello", "shake"};
    static const char *const about[] = {
        "1,000 messages a second over a link, while one process opens connections and holds them",
        "the same while it sends ClientHellos and resets", "the same while it shakes hands as somebody unknown"};
    struct site near, far;
    struct crew crew;
    char door[64], other[64], dir[BENCH_PATH_MAX + 8];
    snprintf(dir, sizeof dir, "%s/tls", b->dir);
    if (mkdir(dir, 0700) < 0)
        bench_fail("cannot make %s", dir);
    site_start_with(&near, "doora", b->dir, "name = a\nlisten = 127.0.0.1:0\n");
    site_start_with(&far, "doorb", b->dir, "name = b\n");
    site_address(&near, door, sizeof door);
    pid_t accepting = other_door(other, sizeof other);
    site_link(&near, &far, NULL);
    crew_start_between(&crew, &near, &far, "bench", 1);
    atomic_store(&crew.board->sampling, true);
    for (size_t k = 0; k < ARRAY_LEN(how); k++) {
        static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
        struct table t = {how[k], columns, ARRAY_LEN(columns), b->json, false};
        table_head(&t, about[k]);
        for (unsigned i = 0; i < b->repetitions; i++)
            repeat(&crew, door, other, how[k], dir, v, i);
        table_show(&t, "", v, b->repetitions);
    }
    end(accepting);
    crew_end(&crew);
    site_stop(&near);
    site_stop(&far);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
