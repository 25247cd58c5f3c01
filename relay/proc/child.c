/* child.c -- starts one process of a relay, and is where that process begins. */
#include "proc/child.h"

#include "base/log.h"
#include "base/sys.h"
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void child_name(unsigned i, char name[CHILD_NAME_MAX])
{
    if (i < WORKERS_MAX)
        snprintf(name, CHILD_NAME_MAX, "worker/%u", i);
    else
        snprintf(name, CHILD_NAME_MAX, "%s", i == PROC_KEEPER ? "keeper" : i == PROC_LINK ? "link" : "search");
}

/* ---- in the supervisor ---- */

static bool keep_open(int fd)
{
    return fd < 0 || fcntl(fd, F_SETFD, 0) == 0;
}

/* become -- in the new process: child_main() reads these arguments. */
static _Noreturn void become(unsigned i, const struct family *f, int ready)
{
    char name[CHILD_NAME_MAX], lifeline[16], ready_text[16], listener[16], questions[16], bells[PROCS_MAX * 8], *at = bells;
    const struct objects *o = f->objects;
    int asks = i == PROC_KEEPER ? o->questions[1] : i == PROC_SEARCH ? o->questions[0] : -1;
    int listens = i == PROC_LINK ? f->listener : i == PROC_KEEPER ? f->feed : -1;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    child_name(i, name);
    snprintf(lifeline, sizeof lifeline, "%d", o->lifeline[0]);
    snprintf(ready_text, sizeof ready_text, "%d", ready);
    snprintf(listener, sizeof listener, "%d", listens);
    snprintf(questions, sizeof questions, "%d", asks);
    for (unsigned b = 0; b < PROCS_MAX; b++)
        at += snprintf(at, (size_t)(bells + sizeof bells - at), "%d,", o->bell[b]);
    bool locked = i != PROC_KEEPER || keep_open(f->store);
    if (locked && keep_open(o->lifeline[0]) && keep_open(ready) && keep_open(listens) && keep_open(asks))
        execl("/proc/self/exe", "relay", "-x", name, f->inst->system ? "system" : "user", f->inst->name, lifeline, ready_text,
              bells, f->conf->log, listener, questions, (char *)NULL);
    _exit(EXIT_CONFIG);
}

void child_start(struct child *c, unsigned i, const struct family *f)
{
    int ready[2];
    close_fd(&c->ready);
    c->started = now_ms();
    c->start_at = c->started + CHILD_RETRY_MS;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return;
    c->pid = fork();
    if (c->pid == 0)
        become(i, f, ready[1]);
    close(ready[1]);
    c->ready = ready[0];
    if (c->pid > 0)
        c->start_at = 0;
}

void child_let_in(unsigned i, const struct objects *o)
{
    (void)eventfd_write(o->bell[i], 1);
}

int child_wait(struct child *c, int patience_ms)
{
    struct pollfd p = {c->ready, POLLIN, 0};
    char byte;
    int n;
    do
        n = poll(&p, 1, patience_ms);
    while (n < 0 && errno == EINTR);
    bool ok = n == 1 && read(p.fd, &byte, 1) == 1;
    close_fd(&c->ready);
    return ok ? 0 : -ETIMEDOUT;
}

/* ---- in the child ---- */

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* index_of -- in the segment, of the process of this name.  PROCS_MAX: there is none. */
static unsigned index_of(const char *name)
{
    char other[CHILD_NAME_MAX];
    unsigned i = 0;
    for (; i < PROCS_MAX; i++) {
        child_name(i, other);
        if (strcmp(name, other) == 0)
            break;
    }
    return i;
}

static int run(const struct proc_args *a)
{
    switch (a->self) {
    case PROC_KEEPER:
        return keeper_main(a);
    case PROC_LINK:
        return link_main(a);
    case PROC_SEARCH:
        return search_main(a);
    default:
        return worker_main(a);
    }
}

/* child_main -- argv: relay -x NAME KIND INSTANCE LIFELINE READY BELLS LOG LISTENER QUESTIONS, as become() writes it. */
int child_main(int argc, char **argv)
{
    struct proc_args a = {.self = 0};
    if (argc != 11)
        return EXIT_CONFIG;
    snprintf(a.name, sizeof a.name, "%s", argv[2]);
    int r = strcmp(argv[3], "system") == 0 ? instance_system(&a.inst, argv[4]) : instance_user(&a.inst, argv[4]);
    a.lifeline = number(argv[5]);
    a.ready = number(argv[6]);
    char *at = argv[7];
    for (unsigned i = 0; i < PROCS_MAX; i++, at += *at == ',')
        a.bell[i] = (int)strtol(at, &at, 10);
    int level = log_level_from(argv[8]);
    a.listener = number(argv[9]);
    a.questions = number(argv[10]);
    log_open(a.name, level < 0 ? LOG_INFO : (enum log_level)level);
    a.self = index_of(a.name);
    if (r < 0 || a.self == PROCS_MAX)
        return EXIT_CONFIG;
    return run(&a);
}
