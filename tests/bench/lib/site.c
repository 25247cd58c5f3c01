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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"
#include "ipc/mq.h"

enum { GONE_MS = 5000 };

/* relay_command -- run `relay -i NAME COMMAND`, the relay built beside this program. Returns
 * its exit status. */
static int relay_command(const char *name, const char *command)
{
    char self[BENCH_PATH_MAX], path[BENCH_PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(path, sizeof path, "%s/../bin/relay", self);
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, "relay", "-i", name, command, (char *)NULL);
        fprintf(stderr, "bench: cannot run %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* find_pids -- from the shared memory; it is mapped only for a moment, so as not to take a part
 * of its Pss. */
static void find_pids(const struct instance *inst, pid_t *pid, unsigned *n)
{
    struct generation g;
    struct state st;
    char why[256] = "no generation";
    if (generation_read(inst, &g) < 0 ||
        state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why) < 0)
        bench_fail("cannot look into the relay: %s", why);
    *n = 0;
    pid[(*n)++] = g.pid;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        if (atomic_load(&st.seg->proc[i].pid) != 0)
            pid[(*n)++] = (pid_t)atomic_load(&st.seg->proc[i].pid);
    state_detach(&st);
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
    if (read_file(AT_FDCWD, "/proc/sys/fs/mqueue/msg_default", text, sizeof text) > 0 &&
        mq_getattr(mq_fd(&mq), &a) == 0 && a.mq_maxmsg < strtol(text, NULL, 10))
        fprintf(stderr,
                "bench: queues of only %ld messages: other relays of this user hold the rest "
                "of its "
                "RLIMIT_MSGQUEUE\n",
                a.mq_maxmsg);
    mq_shut(&mq);
}

void site_start(struct site *s, const char *name)
{
    if (instance_user(&s->inst, name) < 0)
        bench_fail("%s is no name for an instance", name);
    if (relay_command(name, "start") != 0)
        bench_fail("the relay does not start");
    find_pids(&s->inst, s->pid, &s->n_pids);
    check_queues(&s->inst);
}

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
    if (relay_command(s->inst.name, "stop") != 0)
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
    if (generation_alive(&inst) && relay_command(name, "stop") == 0)
        return 0;
    if (generation_read(&inst, &g) < 0)
        return 0;
    if (generation_alive(&inst))
        kill(g.pid, SIGKILL);
    for (uint64_t deadline = now_ms() + GONE_MS;
         generation_alive(&inst) && now_ms() < deadline;)
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
