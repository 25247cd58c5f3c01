/* admin.c -- start in the background, stop, status. */
#include "admin/admin.h"

#include "base/sys.h"
#include "frame/body.h"
#include "state/state.h"

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

enum { START_MS = 60 * 1000, STOP_MS = 15 * 1000 };

/* ---- start ---- */

static _Noreturn void background(const struct instance *inst, const struct conf *conf,
                                 int (*serve)(const struct instance *, const struct conf *, int), int ready)
{
    char log[INSTANCE_PATH_MAX + 16];
    snprintf(log, sizeof log, "%s/relay.log", inst->state);
    setsid();
    int null = open("/dev/null", O_RDWR), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(out >= 0 ? out : null, 2);
    }
    if (chdir("/") < 0)
        _exit(1);
    exit(serve(inst, conf, ready));
}

/* last_line -- of the log, without its date: why it did not start. */
static void last_error(const struct instance *inst, char *to, size_t size)
{
    char path[INSTANCE_PATH_MAX + 16], line[1024];
    snprintf(path, sizeof path, "%s/relay.log", inst->state);
    FILE *f = fopen(path, "re");
    snprintf(to, size, "see %s", path);
    while (f && fgets(line, sizeof line, f)) {
        const char *error = strstr(line, " error: ");
        if (error) {
            snprintf(to, size, "%s", error + 8);
            to[strcspn(to, "\n")] = '\0';
        }
    }
    if (f)
        fclose(f);
}

/* is_ending -- was it told to stop, and has not come to it yet; or killed, and has not let go of everything?  The lock of an instance goes
 * late; the memory, and with it the command line, first. */
static bool is_ending(pid_t pid)
{
    char path[32], byte, status[4096];
    unsigned long long pending = 0;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    bool dies = read_file(dir, "cmdline", &byte, sizeof byte) == 0;
    const char *at = read_file(dir, "status", status, sizeof status) > 0 ? strstr(status, "\nShdPnd:") : NULL;
    close(dir);
    if (at)
        sscanf(at, "\nShdPnd: %llx", &pending);
    return dies || (pending & (1ull << (SIGTERM - 1) | 1ull << (SIGINT - 1))) != 0;
}

/* runs -- is there one that clients may come to?  One that starts, stops or dies is waited for, till it is ready or gone. */
static bool runs(const struct instance *inst)
{
    struct generation g;
    for (uint64_t deadline = now_ms() + START_MS; generation_alive(inst) && now_ms() < deadline; poll(NULL, 0, 5))
        if (generation_read(inst, &g) == 0 && g.ready && !is_ending(g.pid))
            return true;
    return false;
}

int admin_start(const struct instance *inst, const struct conf *conf,
                int (*serve)(const struct instance *, const struct conf *, int))
{
    char why[INSTANCE_PATH_MAX + 128], byte;
    int ready[2];
    if (runs(inst))
        return 0;
    if (instance_make(inst, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return 1;
    }
    if (pipe2(ready, O_CLOEXEC) < 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        background(inst, conf, serve, ready[1]);
    close(ready[1]);
    struct pollfd p = {ready[0], POLLIN, 0};
    bool ok = pid > 0 && poll(&p, 1, START_MS) == 1 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    ok = ok || runs(inst); /* somebody else may have started it in the same moment */
    if (!ok) {
        last_error(inst, why, sizeof why);
        fprintf(stderr, "relay: it did not start: %s\n", why);
    }
    return ok ? 0 : 1;
}

/* ---- stop ---- */

int admin_stop(const struct instance *inst)
{
    struct generation g;
    if (!generation_alive(inst) || generation_read(inst, &g) < 0) {
        fprintf(stderr, "relay: no relay of instance %s runs\n", inst->name);
        return 1;
    }
    if (kill(g.pid, SIGTERM) < 0) {
        fprintf(stderr, "relay: cannot stop process %d: %s\n", (int)g.pid, strerror(errno));
        return errno == EPERM ? 4 : 1;
    }
    for (uint64_t deadline = now_ms() + STOP_MS; generation_alive(inst);) {
        if (now_ms() > deadline) {
            fprintf(stderr, "relay: process %d does not stop; see its log\n", (int)g.pid);
            return 124;
        }
        poll(NULL, 0, 5);
    }
    return 0;
}

/* ---- status ---- */

static void show_processes(const struct segment *seg)
{
    printf("%-10s %8s  %s\n", "process", "pid", "state");
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        pid_t pid = (pid_t)atomic_load(&seg->proc[i].pid);
        if (pid == 0)
            continue;
        char name[32];
        snprintf(name, sizeof name, i == PROC_KEEPER ? "keeper" : i == PROC_LINK ? "link" : i == PROC_SEARCH ? "search" : "worker/%u", i);
        printf("%-10s %8d  %s\n", name, (int)pid,
               kill(pid, 0) < 0 && errno == ESRCH ? "not running" : i == PROC_LINK ? "running" : atomic_load(&seg->proc[i].asleep) ? "waiting" : "busy");
    }
}

static void show_tables(const struct segment *seg)
{
    const struct roster *r = &seg->roster;
    const struct journal *j = &seg->journal;
    unsigned attached = 0;
    for (uint32_t i = 1; i < r->unused_session; i++)
        attached += r->session[i].state == SESSION_ATTACHED;
    uint64_t head = journal_head(j), durable = journal_durable(j);
    printf("\nhost       %s (%016llx)\n", seg->shape.host, (unsigned long long)seg->shape.origin);
    printf("sessions   %u of %u\n", attached, r->sessions_max);
    printf("rooms      %u of %d\n", r->n_rooms - (r->n_rooms > 0), ROOMS_MAX - 2); /* without the scope of the members */
    printf("journal    %llu KiB of %llu KiB, %llu bytes not yet on disk\n",
           (unsigned long long)((head - journal_tail(j)) >> 10), (unsigned long long)(j->size >> 10),
           (unsigned long long)(head - durable));
    printf("store      %s\n", atomic_load(&seg->store_reason) == REASON_OK ? "ok" : "takes nothing: the disk is full");
}

/* show_kept -- since when, how much, and what the settings say. */
static void show_kept(const struct segment *seg)
{
    char date[40] = "no messages";
    uint64_t since = atomic_load(&seg->kept_since_ms), bytes = atomic_load(&seg->kept_bytes);
    time_t at = (time_t)(since / 1000);
    struct tm tm;
    if (bytes == 0)
        return; /* the keeper has not looked yet */
    if (since != 0 && localtime_r(&at, &tm))
        strftime(date, sizeof date, "messages since %Y-%m-%d %H:%M", &tm);
    printf("kept       %s, %llu KiB", date, (unsigned long long)(bytes >> 10));
    if (seg->shape.keep_ms)
        printf(", for %llu days", (unsigned long long)(seg->shape.keep_ms / 1000 / 3600 / 24));
    if (seg->shape.keep_bytes)
        printf(", up to %llu KiB", (unsigned long long)(seg->shape.keep_bytes >> 10));
    printf("%s\n", seg->shape.keep_ms || seg->shape.keep_bytes ? "" : ", for ever");
}

/* show_lag -- what this peer has not said it has of ours, once it has said anything. */
static void show_lag(const struct link_row *l, uint64_t now, char *unacked, char *behind, size_t size)
{
    uint64_t since = atomic_load(&l->behind_since_ms);
    if (atomic_load(&l->since_ms) == 0)
        return;
    snprintf(unacked, size, "%u", atomic_load(&l->unacked));
    snprintf(behind, size, "%.1f s", since != 0 && now > since ? (double)(now - since) / 1000 : 0.0);
}

static void show_links(const struct segment *seg)
{
    const struct roster *r = &seg->roster;
    bool any = false;
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        const struct link_row *l = &seg->link[i];
        uint64_t host = atomic_load(&l->host), since = atomic_load(&l->since_ms), now = wall_ms();
        uint32_t slot = host ? roster_host(r, host) : 0;
        if (slot == 0)
            continue;
        if (!any)
            printf("\n%-20s %-5s %10s %8s %10s %8s %10s\n", "link", "state", "since", "rtt ms", "clock", "unacked", "behind");
        any = true;
        uint32_t up = atomic_load(&l->up);
        char seconds[24] = "-", skew[24] = "-", rtt[24] = "-";
        if (since != 0)
            snprintf(seconds, sizeof seconds, "%llu s", (unsigned long long)(now > since ? (now - since) / 1000 : 0));
        if (up) {
            uint32_t ms = atomic_load(&l->rtt_ms);
            snprintf(rtt, sizeof rtt, ms == 0 ? "<1" : "%u", ms);
            snprintf(skew, sizeof skew, "%+.1f s", (double)atomic_load(&l->skew_ms) / 1000);
        }
        char unacked[24] = "-", behind[24] = "-";
        show_lag(l, now, unacked, behind, sizeof unacked);
        printf("%-20.*s %-5s %10s %8s %10s %8s %10s\n", (int)r->host[slot].name_len, r->host[slot].name,
               up == LINK_IS_UP ? "up" : up == LINK_IS_INDIRECT ? "via" : "down",
               seconds, rtt, skew, unacked, behind);
    }
}

int admin_status(const struct instance *inst)
{
    struct generation g;
    struct state st;
    char why[256];
    if (!generation_alive(inst) || generation_read(inst, &g) < 0) {
        fprintf(stderr, "relay: no relay of instance %s runs\n", inst->name);
        return 1;
    }
    int r = state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "relay: %s%s\n", why, r == -EPERM || r == -EACCES ? ": only the relay's own user and root may look" : "");
        return r == -EPERM || r == -EACCES ? 4 : 1;
    }
    printf("instance   %s, generation %llu, supervisor %d\n\n", inst->name, (unsigned long long)g.number, (int)g.pid);
    show_processes(st.seg);
    show_tables(st.seg);
    show_kept(st.seg);
    show_links(st.seg);
    state_detach(&st);
    return 0;
}
