/* supervise.c -- starts the processes of a relay and starts them again; never looks into their memory.
 *
 * One child died: that one is started again, it goes on at its cursor.  A child says EXIT_RESET, or a name no longer
 * leads to its object: all are killed, and a new generation is made from the store.  The supervisor died: the
 * children see the end of their life line and leave. */
#include "proc/supervise.h"

#include "base/log.h"
#include "base/sys.h"
#include "ipc/fifo.h"
#include "keep/feed.h"
#include "loop/loop.h"
#include "net/address.h"
#include "proc/child.h"
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_MS = 30 * 1000,  /* a keeper that recovers a large store may take a while */
    STOP_MS = 10 * 1000,   /* for what was taken in last to reach the disk */
    CHECK_MS = 5 * 1000,   /* are all names still there?  Where the kernel does not tell */
    YOUNG_MS = 1000,
};

struct supervisor {
    const struct instance *inst;
    const struct conf *conf;
    struct objects objects;
    struct child child[PROCS_MAX];
    struct loop loop;
    int lock, store, notify, listener, feed; /* lock, store: of the runtime and the state directory */
    struct loop_source names; /* inotify */
    bool filled; /* the keeper has filled the tables of this generation */
    bool stop, reset, failed;
};

static bool exists(const struct supervisor *s, unsigned i)
{
    return s->objects.bell[i] >= 0;
}

/* ---- children ---- */

static void start(struct supervisor *s, unsigned i)
{
    struct family f = {s->inst, s->conf, &s->objects, s->listener, s->feed, s->store};
    child_start(&s->child[i], i, &f);
    if (s->filled)
        child_let_in(i, &s->objects);
}

/* start_all -- all are loaded while the objects are made, and all but the keeper go on loading while that fills the tables. */
static int start_all(struct supervisor *s)
{
    s->filled = false;
    int r = objects_begin(&s->objects, s->conf->workers);
    if (r < 0)
        return r;
    start(s, PROC_KEEPER);
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i))
            start(s, i);
    r = objects_make(&s->objects, s->inst, s->conf);
    if (r < 0)
        return r;
    child_let_in(PROC_KEEPER, &s->objects);
    if (child_wait(&s->child[PROC_KEEPER], READY_MS) < 0)
        return -ESRCH;
    s->filled = true;
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i))
            child_let_in(i, &s->objects);
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i) && child_wait(&s->child[i], READY_MS) < 0)
            return -ESRCH;
    start(s, PROC_SEARCH); /* last: nobody waits for it */
    s->objects.gen.ready = true;
    return generation_write(s->inst, &s->objects.gen);
}

static void not_ready(const struct supervisor *s, struct generation *g)
{
    g->ready = false;
    if (generation_write(s->inst, g) < 0)
        log_warn("cannot write the generation record");
}

static void signal_all(struct supervisor *s, int signo, bool keeper)
{
    for (unsigned i = 0; i < PROCS_MAX; i++)
        if (s->child[i].pid > 0 && (i == PROC_KEEPER) == keeper)
            kill(s->child[i].pid, signo);
}

/* reap_all -- wait for workers (or keeper) to be gone; who takes too long is killed. */
static void reap_all(struct supervisor *s, bool keeper)
{
    uint64_t deadline = now_ms() + STOP_MS;
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        struct child *c = &s->child[i];
        while (c->pid > 0 && (i == PROC_KEEPER) == keeper) {
            if (waitpid(c->pid, NULL, WNOHANG) != 0) {
                c->pid = 0;
                break;
            }
            if (now_ms() > deadline)
                kill(c->pid, SIGKILL);
            poll(NULL, 0, 2);
        }
        close_fd(&c->ready);
    }
}

static void stop_all(struct supervisor *s, int signo)
{
    signal_all(s, signo, false);
    reap_all(s, false);
    signal_all(s, signo, true); /* last: it stores what the others took in */
    reap_all(s, true);
}

static void bury(struct supervisor *s, unsigned i, int status)
{
    struct child *c = &s->child[i];
    char name[CHILD_NAME_MAX];
    uint64_t now = now_ms();
    child_name(i, name);
    c->pid = 0;
    close_fd(&c->ready);
    if (s->stop)
        return;
    if (WIFSIGNALED(status))
        log_warn("%s was killed by signal %d; starting it again", name, WTERMSIG(status));
    else
        log_warn("%s left with code %d", name, WEXITSTATUS(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RESET)
        s->reset = true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG)
        s->failed = s->stop = true;
    if (now - c->started < YOUNG_MS)
        c->start_at = now + CHILD_RETRY_MS;
    else
        start(s, i);
}

static void on_signal(void *arg, int signo)
{
    struct supervisor *s = arg;
    int status;
    pid_t pid;
    if (signo == SIGHUP && s->child[PROC_LINK].pid > 0)
        kill(s->child[PROC_LINK].pid, SIGHUP); /* who the peers are may have changed */
    if (signo != SIGCHLD && signo != SIGHUP)
        s->stop = true;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (WIFSTOPPED(status)) /* it would hold up its clients and whoever waits for its lock or pin */
            kill(pid, SIGKILL);
        for (unsigned i = 0; i < PROCS_MAX && !WIFSTOPPED(status); i++)
            if (s->child[i].pid == pid)
                bury(s, i, status);
    }
}

static int due(struct supervisor *s)
{
    int wait = -1;
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        struct child *c = &s->child[i];
        if (c->start_at != 0 && c->start_at <= now_ms())
            start(s, i);
        if (c->start_at != 0)
            wait = CHILD_RETRY_MS / 4;
    }
    return wait;
}

/* check_names -- do they still lead to our objects? */
static void check_names(void *arg)
{
    struct supervisor *s = arg;
    if (!objects_there(&s->objects)) {
        log_error("shared memory, semaphore or queue vanished (RemoveIPC of logind?); see: relay doctor");
        s->reset = true;
    }
}

static void on_names(struct loop_source *source, uint32_t events)
{
    _Alignas(struct inotify_event) char buf[1024];
    (void)events;
    while (read(source->fd, buf, sizeof buf) > 0)
        ;
    check_names(source->arg);
}

static bool watch(const struct supervisor *s, int object)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", object);
    return inotify_add_watch(s->names.fd, path, IN_ATTRIB) >= 0; /* its number of names is one, too */
}

/* watch_names -- be told when shared memory or a queue loses its name, so that an idle relay sleeps undisturbed.  Of the semaphore
 * one is not told; who takes it next finds that it is gone. */
static void watch_names(struct supervisor *s)
{
    s->names = (struct loop_source){inotify_init1(IN_NONBLOCK | IN_CLOEXEC), on_names, s};
    const struct objects *o = &s->objects;
    bool told = s->names.fd >= 0 && watch(s, o->shm_fd);
    for (unsigned q = 0; told && q < o->gen.n_queues; q++)
        told = watch(s, mq_fd(&o->queue[q]));
    if ((!told || loop_add(&s->loop, &s->names, EPOLLIN) < 0) && loop_every(&s->loop, CHECK_MS, check_names) < 0)
        log_warn("nobody will notice when shared memory or a queue vanishes: too few file descriptors?");
    check_names(s);
}

/* ---- the process ---- */

/* listen_for_feed -- to our own link process: the socket is ours, so that it outlives the keeper. */
static int listen_for_feed(struct supervisor *s)
{
    int dir = open(s->inst->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->feed = dir < 0 ? -errno : feeds_listen(dir);
    if (s->feed < 0)
        log_error("cannot make the socket %s/feed: %s", s->inst->runtime, strerror(-s->feed));
    close_fd(&dir);
    return s->feed < 0 ? s->feed : 0;
}

/* listen_for_links -- the socket is ours, so that it outlives the link process; where others find us goes into the file
 * `address`. */
static int listen_for_links(struct supervisor *s)
{
    char why[256], at[ADDRESS_MAX] = "", public[2 * ADDRESS_MAX];
    if (s->conf->listen[0] && (s->listener = address_listen(s->conf->listen, why, sizeof why)) < 0) {
        log_error("%s", why);
        return -1;
    }
    if (s->listener >= 0) {
        address_local(s->listener, at, sizeof at);
        log_info("listening on %s", at);
    }
    address_public(s->conf->address, at, public, sizeof public);
    int dir = open(s->inst->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : replace_brief_file(dir, "address", public, strlen(public), 0644);
    close_fd(&dir);
    return r;
}

static void forget(const struct instance *inst, const char *name)
{
    char path[INSTANCE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", inst->runtime, name);
    (void)unlink(path);
}

/* forget_before -- what a crash left: objects, and a record that says "ready" while we hold the lock already. */
static void forget_before(struct supervisor *s)
{
    struct generation old;
    forget(s->inst, "address");
    if (generation_read(s->inst, &old) < 0)
        return;
    not_ready(s, &old);
    generation_drop(&old);
    objects_none(&s->objects, old.number);
}

/* lock_store -- nobody else may write to it: a relay of another runtime directory, the keeper of one that was killed. */
static int lock_store(struct supervisor *s)
{
    char holder[INSTANCE_PATH_MAX];
    s->store = instance_lock_state(s->inst, STOP_MS, holder);
    const char *name = strrchr(holder, '/');
    if (s->store == -EWOULDBLOCK && name)
        log_error("the store in %s is in use by a relay that runs in %s; stop that one first: RELAY_RUNTIME_DIR=%.*s relay -i %s stop",
                  s->inst->state, holder, (int)(name - holder), holder, name + 1);
    else if (s->store == -EWOULDBLOCK)
        log_error("the keeper of a relay that was killed still writes to the store in %s; start when it is gone", s->inst->state);
    else if (s->store < 0)
        log_error("cannot lock %s/lock: %s", s->inst->state, strerror(-s->store));
    return s->store < 0 ? -1 : 0;
}

static int prepare(struct supervisor *s)
{
    char why[INSTANCE_PATH_MAX + 128];
    if (instance_make(s->inst, why, sizeof why) < 0) {
        log_error("%s", why);
        return -1;
    }
    s->lock = instance_lock(s->inst);
    if (s->lock < 0) {
        if (s->lock == -EWOULDBLOCK)
            log_error("a relay of instance %s runs already; stop it first (relay stop), or choose another name (-i)",
                      s->inst->name);
        else
            log_error("cannot lock %s/lock: %s", s->inst->runtime, strerror(-s->lock));
        return -1;
    }
    forget_before(s); /* at once: nobody is to wait for queues that nobody reads */
    if (lock_store(s) < 0)
        return -1;
    int dir = fifo_rendezvous(s->inst->fifo, s->inst->system);
    if (dir < 0) {
        log_error("cannot make the directory %s: %s", s->inst->fifo, strerror(-dir));
        return -1;
    }
    fifo_sweep(dir, 60);
    close(dir);
    return listen_for_feed(s) < 0 ? -1 : listen_for_links(s);
}

static void drop(struct supervisor *s)
{
    objects_drop(&s->objects);
    close_fd(&s->names.fd);
}

static int run_generation(struct supervisor *s)
{
    s->reset = false;
    int r = start_all(s);
    if (r < 0) {
        stop_all(s, SIGTERM);
        drop(s);
        return r;
    }
    watch_names(s);
    log_info("ready: generation %llu, %u workers", (unsigned long long)s->objects.gen.number, s->conf->workers);
    if (s->notify >= 0 && write_all(s->notify, "r", 1) < 0)
        log_debug("nobody waits for us any more");
    close_fd(&s->notify);
    while (!s->stop && !s->reset)
        loop_wait(&s->loop, due(s));
    not_ready(s, &s->objects.gen); /* who starts a relay now waits until this one is gone */
    stop_all(s, s->reset ? SIGKILL : SIGTERM);
    drop(s);
    return 0;
}

int supervise_main(const struct instance *inst, const struct conf *conf, int ready_fd)
{
    struct supervisor s = {.inst = inst, .conf = conf, .lock = -1, .store = -1, .notify = ready_fd, .listener = -1, .feed = -1, .names = {.fd = -1}};
    sigset_t signals;
    log_open("supervise", LOG_INFO);
    if (log_level_from(conf->log) >= 0)
        log_open("supervise", (enum log_level)log_level_from(conf->log));
    objects_none(&s.objects, 0);
    for (unsigned i = 0; i < PROCS_MAX; i++)
        s.child[i].ready = -1;
    sigemptyset(&signals);
    for (const int *p = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *p; p++)
        sigaddset(&signals, *p);
    if (prepare(&s) < 0 || instance_pin(inst) < 0 || loop_open(&s.loop, &s) < 0 || loop_signals(&s.loop, &signals, on_signal) < 0)
        return EXIT_FAILURE;
    int r = 0;
    for (unsigned tries = 0; !s.stop && tries < 3; tries = r == 0 ? 0 : tries + 1)
        r = run_generation(&s);
    forget(inst, "generation");
    forget(inst, "address");
    forget(inst, "feed");
    log_info("stopped");
    return r < 0 || s.failed ? EXIT_FAILURE : 0;
}
