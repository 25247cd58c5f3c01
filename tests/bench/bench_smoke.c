/* bench_smoke.c -- what a message costs, counted instead of timed, so that it can be held against bounds on any machine: system calls,
 * takes of the lock, calls for memory and wake-ups of the processes of a relay. Fails when a bound is passed. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

enum { READERS = 100, WARM_UP = 5000, MESSAGES = 20000, ATTACH_S = 10, SETTLE_S = 60, IDLE_MS = 10000,
       QUIET_MS = 3000 /* longer than the ticks of who waits for something */ };

/* One run of strace over all processes of the relay but the one that makes the index for searches, which is nobody's way. */
struct count {
    const struct site *site;
    char path[BENCH_PATH_MAX + 16];
    pid_t strace;
};

static const struct {
    const char *what, *calls; /* of system calls, or NULL: all */
    double per, bound;
} bounds[] = {
    {"system calls for a delivery", NULL, (double)MESSAGES * READERS, 0.03},
    {"takes of the lock for a message", "semtimedop", 2.0 * MESSAGES, 0.02},
    {"calls for memory for a message", "brk mmap mremap", MESSAGES, 0.001},
    {"syncs of the disk for a message", "fdatasync", MESSAGES, 0.02},
};

/* status_of -- a number that the system knows of a process. */
static long status_of(pid_t pid, const char *key)
{
    char path[64], line[128];
    long v = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            v = strtol(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return v;
}

/* woken -- how often all of them went to sleep so far. */
static double woken(const struct site *site)
{
    long n = 0;
    for (unsigned i = 0; i < site->n_pids; i++)
        n += status_of(site->pid[i], "voluntary_ctxt_switches:");
    return (double)n;
}

static void begin(struct count *c, const struct bench *b, const struct site *site)
{
    char pid[PROCS_MAX + 1][16];
    const char *argv[2 * PROCS_MAX + 12] = {"strace", "-c", "-f", "-q", "-o", c->path};
    unsigned n = 6;
    pid_t search = site_process(site, PROC_SEARCH);
    c->site = site;
    snprintf(c->path, sizeof c->path, "%s/strace", b->dir);
    for (unsigned i = 0; i < site->n_pids; i++) {
        snprintf(pid[i], sizeof pid[i], "%d", (int)site->pid[i]);
        if (site->pid[i] != search) {
            argv[n++] = "-p";
            argv[n++] = pid[i];
        }
    }
    c->strace = fork();
    if (c->strace == 0) {
        execvp(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    uint64_t deadline = now_ms() + ATTACH_S * 1000;
    for (unsigned i = 0; i < site->n_pids;)
        if (site->pid[i] == search || status_of(site->pid[i], "TracerPid:") != 0)
            i++;
        else if (now_ms() > deadline || waitpid(c->strace, NULL, WNOHANG) != 0)
            bench_fail("strace does not attach; it is to be installed, and this to be run as root");
        else
            poll(NULL, 0, 5);
}

/* end -- what was counted, as text. */
static char *end(struct count *c)
{
    static char text[1 << 16];
    kill(c->strace, SIGINT);
    while (waitpid(c->strace, NULL, 0) < 0 && errno == EINTR)
        ;
    if (read_file(AT_FDCWD, c->path, text, sizeof text) < 0)
        bench_fail("strace left nothing");
    return text;
}

static bool is_in(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; (p = strstr(p, name)) != NULL; p += n)
        if ((p == names || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

/* calls_of -- how often these (NULL: all) were called.  Lines: % time, seconds, usecs/call, calls, maybe errors, name. */
static double calls_of(const char *text, const char *names)
{
    double sum = 0;
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
        char line[128], field[6][32];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        int n = sscanf(line, "%31s %31s %31s %31s %31s %31s", field[0], field[1], field[2], field[3], field[4], field[5]);
        if (n >= 5 && strcmp(field[n - 1], "total") != 0 && (!names || is_in(names, field[n - 1])))
            sum += strtod(field[3], NULL);
    }
    return sum;
}

/* settle -- until nothing of the relay has done anything for a while. */
static void settle(const struct site *site)
{
    uint64_t deadline = now_ms() + SETTLE_S * 1000, since = now_ms(), used = site_cpu_ns(site);
    while (now_ms() < since + QUIET_MS) {
        poll(NULL, 0, 20);
        uint64_t now = site_cpu_ns(site);
        if (now != used)
            since = now_ms();
        used = now;
        if (now_ms() > deadline)
            bench_fail("the relay does not come to rest within %d seconds", SETTLE_S);
    }
}

static int verdict(const char *what, double value, double bound)
{
    bool ok = value <= bound;
    printf("%s %-34s %8.4f, at most %g\n", ok ? "  " : "! ", what, value, bound);
    return ok ? 0 : 1;
}

static int run(const struct bench *b)
{
    struct site site;
    struct crew crew;
    struct count count;
    int bad = 0;
    site_start(&site, "smoke");
    crew_start(&crew, &site, READERS);
    (void)crew_run(&crew, ORDER_BURST, WARM_UP);
    begin(&count, b, &site);
    (void)crew_run(&crew, ORDER_BURST, MESSAGES);
    const char *text = end(&count);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        bad |= verdict(bounds[i].what, calls_of(text, bounds[i].calls) / bounds[i].per, bounds[i].bound);
    settle(&site);
    double before = woken(&site);
    poll(NULL, 0, IDLE_MS);
    bad |= verdict("wake-ups in 10 idle seconds", woken(&site) - before, 0);
    crew_end(&crew);
    site_stop(&site);
    return bad;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
