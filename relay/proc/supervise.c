/* supervise.c -- starts the processes of a relay and starts them again; never looks into their memory.
 *
 * One child died: that one is started again, it goes on at its cursor.  A child says EXIT_RESET, or a name no longer
 * leads to its object: all are killed, and a new generation is made from the store.  The supervisor died: the
 * children see the end of their life line and leave. */
#include "proc/supervise.h"

#include "base/log.h"
#include "base/sys.h"
#include "ipc/fifo.h"
#include "ipc/mq.h"
#include "ipc/shm.h"
#include "net/address.h"
#include "proc/proc.h"
#include "trust/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_MS = 30 * 1000,  /* a keeper that recovers a large store may take a while */
    STOP_MS = 10 * 1000,   /* for what was taken in last to reach the disk */
    CHECK_MS = 5 * 1000,   /* are all names still there?  Where the kernel does not tell */
    RETRY_MS = 100,        /* before a child that died young is started again */
    YOUNG_MS = 1000,
};

/* What can run; `ls relay/proc` shows the same. */
static const struct kind {
    const char *name;
    int (*main)(const struct proc_args *args);
    unsigned first; /* index in the segment */
} kinds[] = {
    {"keeper", keeper_main, PROC_KEEPER},
    {"worker", worker_main, 0},
    {"link", link_main, PROC_LINK},
    {"search", search_main, PROC_SEARCH},
};

struct child {
    pid_t pid;
    uint64_t started, start_at; /* now_ms(); start_at 0: it runs */
    int ready;                  /* read end while it starts; else -1 */
};

struct supervisor {
    const struct instance *inst;
    const struct conf *conf;
    struct generation gen;
    struct loop loop;
    struct child child[PROCS_MAX];
    int lifeline[2];
    int questions[2]; /* from keeper to search; ours, so that it outlives both */
    int bell[PROCS_MAX];
    int lock, shm_fd, notify, listener;
    struct mq queue[WORKERS_MAX];
    struct loop_source names; /* inotify */
    bool filled; /* the keeper has filled the tables of this generation */
    bool stop, reset, failed;
};

static bool exists(const struct supervisor *s, unsigned i)
{
    return i < s->conf->workers || i == PROC_KEEPER || i == PROC_LINK || i == PROC_SEARCH;
}

static void name_of(unsigned i, char *name, size_t size)
{
    if (i < WORKERS_MAX)
        snprintf(name, size, "worker/%u", i);
    else
        snprintf(name, size, "%s", i == PROC_KEEPER ? "keeper" : i == PROC_LINK ? "link" : "search");
}

/* ---- objects ---- */

static void random_name(char *to, const char *what)
{
    snprintf(to, OBJECT_NAME_MAX, "/relay-%016llx%s", (unsigned long long)os_random_u64(), what);
}

/* plan -- the names, into the record, before any object exists: whatever happens, the next start finds them. */
static int plan(struct supervisor *s)
{
    uint64_t number = s->gen.number + 1;
    s->gen = (struct generation){.number = number, .pid = getpid(), .lock_id = -1, .n_queues = s->conf->workers};
    random_name(s->gen.shm, "");
    for (unsigned q = 0; q < s->gen.n_queues; q++)
        random_name(s->gen.queue[q], "-in");
    return generation_write(s->inst, &s->gen);
}

static mode_t queue_mode(const struct supervisor *s)
{
    if (!s->inst->system)
        return 0600;
    return s->conf->group[0] ? 0620 : 0622;
}

static int make_queues(struct supervisor *s)
{
    const struct group *g = s->conf->group[0] ? getgrnam(s->conf->group) : NULL;
    if (s->conf->group[0] && !g) {
        log_error("there is no group %s; see `group` in relay.conf", s->conf->group);
        return -EINVAL;
    }
    for (unsigned q = 0; q < s->gen.n_queues; q++) {
        int r = mq_create(&s->queue[q], s->gen.queue[q], queue_mode(s), 10, 8192);
        if (r == 0 && g && fchown(mq_fd(&s->queue[q]), (uid_t)-1, g->gr_gid) < 0)
            r = -errno;
        if (r < 0) {
            log_error("cannot make a message queue: %s; see: relay doctor",
                      r == -EMFILE ? "this user's relays hold as many bytes in queues as he may (ulimit -q)" : strerror(-r));
            return r;
        }
    }
    return 0;
}

static int make_segment(struct supervisor *s, uint64_t origin)
{
    struct state_options o = {
        .generation = s->gen.number,
        .origin = origin,
        .epoch = wall_ms() << 16 | (os_random_u64() & 0xffff),
        .host = s->conf->name,
        .workers = s->conf->workers,
        .sessions_max = s->conf->sessions,
        .sessions_per_user = s->conf->sessions_per_user,
        .ring_size = s->conf->journal,
        .keep_ms = s->conf->keep_days * 24 * 3600 * 1000,
        .keep_bytes = s->conf->keep_bytes,
    };
    size_t size;
    int r = state_create(s->gen.shm, &o);
    if (r == 0)
        r = s->shm_fd = shm_attach(s->gen.shm, &size);
    if (r < 0)
        log_error("cannot make %llu MiB of shared memory: %s; make /dev/shm larger, or set `journal` lower in relay.conf",
                  (unsigned long long)(s->conf->journal >> 20) + 4, strerror(-r));
    return r < 0 ? r : 0;
}

static int read_origin(const struct supervisor *s, uint64_t *origin)
{
    struct identity *id;
    char why[256] = "cannot open the state directory";
    int dir = open(s->inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : identity_load(&id, dir, why, sizeof why);
    close_fd(&dir);
    if (r < 0) {
        log_error("%s", why);
        return r;
    }
    *origin = identity_host(id);
    identity_free(id);
    return 0;
}

static int make_bells(struct supervisor *s)
{
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        s->bell[i] = exists(s, i) ? eventfd(0, EFD_NONBLOCK) : -1; /* inherited by all children */
        if (exists(s, i) && s->bell[i] < 0)
            return -errno;
    }
    if (pipe2(s->questions, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0) /* O_DIRECT: one write is one read */
        return -errno;
    return pipe2(s->lifeline, O_CLOEXEC) < 0 ? -errno : 0;
}

static int make_generation(struct supervisor *s)
{
    uint64_t origin;
    int r = read_origin(s, &origin);
    if (r == 0)
        r = plan(s);
    if (r == 0)
        r = make_segment(s, origin);
    if (r == 0)
        r = make_queues(s);
    struct lock l = {-1};
    if (r == 0 && (r = lock_create(&l)) < 0)
        log_error("cannot make a semaphore: %s; see: relay doctor", strerror(-r));
    s->gen.lock_id = l.id;
    if (r == 0)
        r = generation_write(s->inst, &s->gen);
    return r == 0 ? make_bells(s) : r;
}

static void drop_generation(struct supervisor *s)
{
    generation_drop(&s->gen);
    close_fd(&s->shm_fd);
    close_fd(&s->names.fd);
    close_fd(&s->lifeline[0]);
    close_fd(&s->lifeline[1]);
    close_fd(&s->questions[0]);
    close_fd(&s->questions[1]);
    for (unsigned q = 0; q < WORKERS_MAX; q++)
        mq_shut(&s->queue[q]);
    for (unsigned i = 0; i < PROCS_MAX; i++)
        close_fd(&s->bell[i]);
}

/* ---- children ---- */

static int keep_open(int fd)
{
    return fd < 0 ? 0 : fcntl(fd, F_SETFD, 0);
}

static _Noreturn void become(struct supervisor *s, unsigned i, int ready)
{
    char name[32], lifeline[16], ready_text[16], listener[16], questions_text[16], bells[PROCS_MAX * 8], *at = bells;
    int questions = i == PROC_KEEPER ? s->questions[1] : i == PROC_SEARCH ? s->questions[0] : -1;
    bool link = i == PROC_LINK;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    name_of(i, name, sizeof name);
    snprintf(lifeline, sizeof lifeline, "%d", s->lifeline[0]);
    snprintf(ready_text, sizeof ready_text, "%d", ready);
    snprintf(listener, sizeof listener, "%d", link ? s->listener : -1);
    snprintf(questions_text, sizeof questions_text, "%d", questions);
    for (unsigned b = 0; b < PROCS_MAX; b++)
        at += snprintf(at, (size_t)(bells + sizeof bells - at), "%d,", s->bell[b]);
    if (keep_open(s->lifeline[0]) == 0 && keep_open(ready) == 0 && (!link || keep_open(s->listener) == 0) &&
        keep_open(questions) == 0)
        execl("/proc/self/exe", "relay", "-x", name, s->inst->system ? "system" : "user", s->inst->name, lifeline,
              ready_text, bells, s->conf->log, listener, questions_text, (char *)NULL);
    _exit(EXIT_CONFIG);
}

/* let_in -- it waits for this before it attaches: what it is to find there must be there. */
static void let_in(struct supervisor *s, unsigned i)
{
    (void)eventfd_write(s->bell[i], 1);
}

static void start(struct supervisor *s, unsigned i)
{
    struct child *c = &s->child[i];
    int ready[2];
    c->started = now_ms();
    c->start_at = 0;
    if (pipe2(ready, O_CLOEXEC) < 0) {
        c->start_at = c->started + RETRY_MS;
        return;
    }
    c->pid = fork();
    if (c->pid == 0)
        become(s, i, ready[1]);
    close(ready[1]);
    c->ready = ready[0];
    if (c->pid < 0)
        c->start_at = c->started + RETRY_MS;
    if (s->filled)
        let_in(s, i);
}

static int wait_ready(struct supervisor *s, unsigned i)
{
    struct pollfd p = {s->child[i].ready, POLLIN, 0};
    char byte;
    int n;
    do
        n = poll(&p, 1, READY_MS);
    while (n < 0 && errno == EINTR);
    bool ok = n == 1 && read(p.fd, &byte, 1) == 1;
    close_fd(&s->child[i].ready);
    return ok ? 0 : -ETIMEDOUT;
}

static int start_all(struct supervisor *s)
{
    s->filled = false;
    start(s, PROC_KEEPER); /* first: it fills the tables, while the others load */
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i))
            start(s, i);
    if (wait_ready(s, PROC_KEEPER) < 0)
        return -ESRCH;
    s->filled = true;
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i))
            let_in(s, i);
    for (unsigned i = 0; i < PROC_SEARCH; i++)
        if (i != PROC_KEEPER && exists(s, i) && wait_ready(s, i) < 0)
            return -ESRCH;
    start(s, PROC_SEARCH); /* last: nobody waits for it */
    s->gen.ready = true;
    return generation_write(s->inst, &s->gen);
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
    char name[32];
    uint64_t now = now_ms();
    name_of(i, name, sizeof name);
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
        c->start_at = now + RETRY_MS;
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
            wait = RETRY_MS / 4;
    }
    return wait;
}

/* check_names -- do they still lead to our objects? */
static void check_names(void *arg)
{
    struct supervisor *s = arg;
    struct lock l = {s->gen.lock_id};
    bool there = shm_is(s->gen.shm, s->shm_fd) && lock_is_ours(&l);
    for (unsigned q = 0; q < s->gen.n_queues; q++)
        there = there && mq_is(s->gen.queue[q], &s->queue[q]);
    if (!there) {
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
    bool told = s->names.fd >= 0 && watch(s, s->shm_fd);
    for (unsigned q = 0; told && q < s->gen.n_queues; q++)
        told = watch(s, mq_fd(&s->queue[q]));
    if ((!told || loop_add(&s->loop, &s->names, EPOLLIN) < 0) && loop_every(&s->loop, CHECK_MS, check_names) < 0)
        log_warn("nobody will notice when shared memory or a queue vanishes: too few file descriptors?");
    check_names(s);
}

/* ---- the process ---- */

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
    s->gen.number = old.number;
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
    forget_before(s);
    int dir = fifo_rendezvous(s->inst->fifo, s->inst->system);
    if (dir < 0) {
        log_error("cannot make the directory %s: %s", s->inst->fifo, strerror(-dir));
        return -1;
    }
    fifo_sweep(dir, 60);
    close(dir);
    return listen_for_links(s);
}

static int run_generation(struct supervisor *s)
{
    s->reset = false;
    int r = make_generation(s);
    if (r == 0)
        r = start_all(s);
    if (r < 0) {
        stop_all(s, SIGTERM);
        drop_generation(s);
        return r;
    }
    watch_names(s);
    log_info("ready: generation %llu, %u workers", (unsigned long long)s->gen.number, s->conf->workers);
    if (s->notify >= 0 && write_all(s->notify, "r", 1) < 0)
        log_debug("nobody waits for us any more");
    close_fd(&s->notify);
    while (!s->stop && !s->reset)
        loop_wait(&s->loop, due(s));
    not_ready(s, &s->gen); /* who starts a relay now waits until this one is gone */
    stop_all(s, s->reset ? SIGKILL : SIGTERM);
    drop_generation(s);
    return 0;
}

int supervise_main(const struct instance *inst, const struct conf *conf, const char *conf_path, int ready_fd)
{
    struct supervisor s = {.inst = inst, .conf = conf, .lock = -1, .shm_fd = -1, .notify = ready_fd, .listener = -1, .lifeline = {-1, -1},
                           .questions = {-1, -1}, .names = {.fd = -1}};
    sigset_t signals;
    (void)conf_path;
    log_open("supervise", LOG_INFO);
    if (log_level_from(conf->log) >= 0)
        log_open("supervise", (enum log_level)log_level_from(conf->log));
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        s.child[i].ready = s.bell[i] = -1;
        if (i < WORKERS_MAX)
            s.queue[i].q = -1;
    }
    sigemptyset(&signals);
    for (const int *p = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *p; p++)
        sigaddset(&signals, *p);
    if (prepare(&s) < 0 || loop_open(&s.loop, &s) < 0 || loop_signals(&s.loop, &signals, on_signal) < 0)
        return EXIT_FAILURE;
    int r = 0;
    for (unsigned tries = 0; !s.stop && tries < 3; tries = r == 0 ? 0 : tries + 1)
        r = run_generation(&s);
    forget(inst, "generation");
    forget(inst, "address");
    log_info("stopped");
    return r < 0 || s.failed ? EXIT_FAILURE : 0;
}

/* wait_for_tables -- Returns false when the supervisor is gone. */
static bool wait_for_tables(const struct proc_args *a)
{
    struct pollfd p[] = {{a->bell[a->self], POLLIN, 0}, {a->lifeline, POLLIN, 0}};
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents == 0;
}

/* child_main -- argv: relay -x NAME KIND INSTANCE LIFELINE READY BELLS LOG LISTENER QUESTIONS */
int child_main(int argc, char **argv)
{
    struct proc_args a = {.self = 0};
    if (argc != 11)
        return EXIT_CONFIG;
    snprintf(a.name, sizeof a.name, "%s", argv[2]);
    a.listener = (int)strtol(argv[9], NULL, 10);
    a.questions = (int)strtol(argv[10], NULL, 10);
    int r = strcmp(argv[3], "system") == 0 ? instance_system(&a.inst, argv[4]) : instance_user(&a.inst, argv[4]);
    a.lifeline = (int)strtol(argv[5], NULL, 10);
    a.ready = (int)strtol(argv[6], NULL, 10);
    char *at = argv[7];
    for (unsigned i = 0; i < PROCS_MAX; i++, at += *at == ',')
        a.bell[i] = (int)strtol(at, &at, 10);
    int level = log_level_from(argv[8]);
    log_open(a.name, level < 0 ? LOG_INFO : (enum log_level)level);
    for (size_t k = 0; r == 0 && k < ARRAY_LEN(kinds); k++) {
        size_t n = strlen(kinds[k].name);
        if (strncmp(a.name, kinds[k].name, n) == 0) {
            a.self = kinds[k].first + (a.name[n] == '/' ? (unsigned)strtol(a.name + n + 1, NULL, 10) : 0);
            return a.self == PROC_KEEPER || wait_for_tables(&a) ? kinds[k].main(&a) : 0;
        }
    }
    return EXIT_CONFIG;
}
