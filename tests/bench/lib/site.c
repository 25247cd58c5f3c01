/* site.c -- start, stop and measure a relay. */
#include "site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"
#include "ipc/mq.h"
#include "program.h"

enum { GONE_MS = 5000, LINK_MS = 10 * 1000, LINE_SIZE = 512 };

/* run_relay -- `relay -i NAME -c CONF COMMAND ARGUMENT`, the relay built beside this program; its standard output goes
 * to `out`, and what it has to say about that nowhere, unless `out` is negative.  Returns its exit status. */
static int run_relay(const char *name, const char *conf, const char *command, const char *argument, int out)
{
    char path[BENCH_PATH_MAX + 32];
    program_find(path, sizeof path, "bin/relay");
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (out >= 0 && (dup2(out, STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr)))
            _exit(127);
        if (conf[0])
            execl(path, "relay", "-i", name, "-c", conf, command, argument, (char *)NULL);
        else
            execl(path, "relay", "-i", name, command, argument, (char *)NULL);
        fprintf(stderr, "bench: cannot run %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int site_command(const char *name, const char *command)
{
    return run_relay(name, "", command, NULL, -1);
}

static int relay(const struct site *s, const char *command, const char *argument, int out)
{
    return run_relay(s->inst.name, s->conf, command, argument, out);
}

/* look -- into the shared memory; it is mapped only for a moment, so as not to take a part of its Pss. */
static void look(const struct instance *inst, void (*see)(const struct segment *seg, void *arg), void *arg)
{
    struct generation g;
    struct state st;
    char why[256] = "no generation";
    if (generation_read(inst, &g) < 0 || state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why) < 0)
        bench_fail("cannot look into the relay: %s", why);
    see(st.seg, arg);
    state_detach(&st);
}

struct pids {
    pid_t *pid;
    unsigned n;
};

static void see_pids(const struct segment *seg, void *arg)
{
    struct pids *p = arg;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        if (atomic_load(&seg->proc[i].pid) != 0)
            p->pid[p->n++] = (pid_t)atomic_load(&seg->proc[i].pid);
}

/* find_pids -- of the supervisor and its children. */
static void find_pids(const struct instance *inst, pid_t *pid, unsigned *n)
{
    struct generation g;
    struct pids p = {.pid = pid, .n = 1};
    if (generation_read(inst, &g) < 0)
        bench_fail("no generation");
    pid[0] = g.pid;
    look(inst, see_pids, &p);
    *n = p.n;
}

/* check_queues -- all queues of a user share one limit, and a relay takes what is left of it:
 * with short queues one measures the limit. */
static void check_queues(const struct instance *inst)
{
    struct generation g;
    struct mq_attr a;
    struct mq mq;
    char text[32] = "";
    if (generation_read(inst, &g) < 0 || mq_attach_reader(&mq, g.queue[0]) < 0)
        bench_fail("cannot look at the relay's queues");
    if (read_file(AT_FDCWD, "/proc/sys/fs/mqueue/msg_default", text, sizeof text) > 0 && mq_getattr(mq_fd(&mq), &a) == 0 &&
        a.mq_maxmsg < strtol(text, NULL, 10))
        fprintf(stderr,
                "bench: queues of only %ld messages: other relays of this user hold the rest "
                "of its "
                "RLIMIT_MSGQUEUE\n",
                a.mq_maxmsg);
    mq_shut(&mq);
}

struct process {
    unsigned which;
    pid_t pid;
};

static void see_process(const struct segment *seg, void *arg)
{
    struct process *p = arg;
    p->pid = (pid_t)atomic_load(&seg->proc[p->which].pid);
}

pid_t site_process(const struct site *s, unsigned which)
{
    struct process p = {.which = which};
    look(&s->inst, see_process, &p);
    return p.pid;
}

static void start(struct site *s, const char *name)
{
    if (instance_user(&s->inst, name) < 0)
        bench_fail("%s is no name for an instance", name);
    if (relay(s, "start", NULL, -1) != 0)
        bench_fail("the relay does not start");
    for (uint64_t deadline = now_ms() + GONE_MS; site_process(s, PROC_SEARCH) == 0; poll(NULL, 0, 1))
        if (now_ms() > deadline) /* the relay itself does not wait for it */
            bench_fail("the relay has no search process");
    find_pids(&s->inst, s->pid, &s->n_pids);
    check_queues(&s->inst);
}

void site_fill(const char *name, const char *messages)
{
    struct instance inst;
    char why[256] = "no such instance";
    if (instance_user(&inst, name) < 0 || instance_make(&inst, why, sizeof why) < 0)
        bench_fail("%s", why);
    if (program_run("tools/fill", (const char *const[]){"fill", inst.state, messages, "10", NULL}, -1, -1) != 0)
        bench_fail("cannot fill the store");
}

void site_start(struct site *s, const char *name)
{
    s->conf[0] = '\0';
    start(s, name);
}

void site_start_with(struct site *s, const char *name, const char *dir, const char *settings)
{
    snprintf(s->conf, sizeof s->conf, "%s/%s.conf", dir, name);
    FILE *f = fopen(s->conf, "w");
    if (!f || fputs(settings, f) < 0 || fclose(f) != 0)
        bench_fail("cannot write %s", s->conf);
    start(s, name);
}

/* ---- links ---- */

static void see_links(const struct segment *seg, void *up)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        if (atomic_load(&seg->link[i].up))
            *(bool *)up = true;
}

bool site_linked(const struct site *s)
{
    bool up = false;
    look(&s->inst, see_links, &up);
    return up;
}

void site_address(const struct site *s, char *to, size_t size)
{
    int dir = open(s->inst.runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || read_file(dir, "address", to, size) <= 0)
        bench_fail("%s does not listen", s->inst.name);
    to[strcspn(to, "\n")] = '\0';
    close(dir);
}

/* invite -- its line; NAME@ADDRESS/KEY/SECRET/EXPIRES. */
static void invite(const struct site *s, char line[LINE_SIZE])
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0 || relay(s, "invite", NULL, p[1]) != 0)
        bench_fail("the relay does not invite");
    ssize_t n = read(p[0], line, LINE_SIZE - 1);
    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    close(p[0]);
    close(p[1]);
}

void site_link(struct site *a, struct site *b, const char *through)
{
    char line[LINE_SIZE], other[2 * LINE_SIZE];
    invite(a, line);
    const char *at = strchr(line, '@'), *slash = strchr(line, '/');
    if (!at || !slash)
        bench_fail("an invitation that is none: %s", line);
    if (through)
        snprintf(other, sizeof other, "%.*s@%s%s", (int)(at - line), line, through, slash);
    if (relay(b, "join", through ? other : line, STDOUT_FILENO) != 0)
        bench_fail("the relay does not join");
    for (uint64_t deadline = now_ms() + LINK_MS; !site_linked(a) || !site_linked(b); poll(NULL, 0, 10))
        if (now_ms() > deadline)
            bench_fail("no link");
}

/* ---- stop ---- */

static int remove_in(const char *dir, const char *name)
{
    char path[INSTANCE_PATH_MAX + NAME_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return unlink(path);
}

static void remove_store(const char *dir)
{
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && remove_in(dir, e->d_name) < 0 && errno != ENOENT)
            bench_fail("cannot remove %s: %s", e->d_name, strerror(errno));
    if (d)
        closedir(d);
}

void site_stop(struct site *s)
{
    pid_t pid[ARRAY_LEN(s->pid)];
    unsigned n;
    find_pids(&s->inst, pid, &n);
    if (n != s->n_pids || memcmp(pid, s->pid, n * sizeof *pid) != 0)
        bench_fail("a process of the relay died while it was measured");
    if (site_command(s->inst.name, "stop") != 0)
        bench_fail("the relay does not stop");
    remove_store(s->inst.state);
}

/* stop_one -- politely, and if that fails, by killing it and removing its objects. */
static int stop_one(const char *name)
{
    struct instance inst;
    struct generation g;
    if (instance_user(&inst, name) < 0)
        return 0;
    if (generation_alive(&inst) && site_command(name, "stop") == 0)
        return 0;
    if (generation_read(&inst, &g) < 0)
        return 0;
    if (generation_alive(&inst))
        kill(g.pid, SIGKILL);
    for (uint64_t deadline = now_ms() + GONE_MS; generation_alive(&inst) && now_ms() < deadline;)
        poll(NULL, 0, 1);
    generation_drop(&g);
    return generation_alive(&inst) ? -ETIMEDOUT : 0;
}

int site_stop_all(const char *dir)
{
    char run[BENCH_PATH_MAX + 8];
    int r = 0;
    snprintf(run, sizeof run, "%s/run", dir);
    DIR *d = opendir(run);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && stop_one(e->d_name) < 0) {
            fprintf(stderr, "bench: the relay %s/%s cannot be stopped\n", run, e->d_name);
            r = -ETIMEDOUT;
        }
    if (d)
        closedir(d);
    return r;
}

/* ---- costs ---- */

/* The process's own CPU clock counts nanoseconds; /proc/PID/stat counts hundredths of a second.
 */
uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        bench_fail("process %d is gone", (int)pid);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t site_cpu_ns(const struct site *s)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->n_pids; i++)
        sum += cpu_ns(s->pid[i]);
    return sum;
}

static int64_t heap_of(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *line = read_file(AT_FDCWD, path, text, sizeof text) > 0 ? strstr(text, "\nRssAnon:") : NULL;
    if (!line)
        bench_fail("process %d is gone", (int)pid);
    return (int64_t)strtoll(line + strlen("\nRssAnon:"), NULL, 10) * 1024;
}

int64_t site_caching(const struct site *s)
{
    return heap_of(site_process(s, PROC_KEEPER)) + heap_of(site_process(s, PROC_SEARCH));
}

int64_t site_heap(const struct site *s)
{
    int64_t sum = -site_caching(s);
    for (unsigned i = 0; i < s->n_pids; i++)
        sum += heap_of(s->pid[i]);
    return sum;
}

int64_t site_shared(const struct site *s)
{
    struct generation g;
    struct stat st;
    int fd = generation_read(&s->inst, &g) < 0 ? -1 : shm_open(g.shm, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) < 0)
        bench_fail("the relay has no shared memory");
    close(fd);
    return (int64_t)st.st_blocks * 512;
}

static int64_t pss_of(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    ssize_t n = read_file(AT_FDCWD, path, text, sizeof text);
    const char *line = n > 0 ? strstr(text, "\nPss:") : NULL;
    if (!line)
        return n < 0 ? n : -EACCES;
    return (int64_t)strtoll(line + strlen("\nPss:"), NULL, 10) * 1024;
}

int64_t site_pss(const struct site *s)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < s->n_pids; i++) {
        int64_t one = pss_of(s->pid[i]);
        if (one < 0)
            return one;
        sum += one;
    }
    return sum;
}
