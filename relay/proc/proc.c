/* proc.c -- the common beginning of worker, keeper and link. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

static void on_lifeline(struct loop_source *s, uint32_t events)
{
    struct proc *p = s->arg;
    (void)events; /* nothing is ever written: any event is its end */
    p->stop = true;
}

static void on_bell(struct loop_source *s, uint32_t events)
{
    eventfd_t n;
    (void)events;
    (void)eventfd_read(s->fd, &n);
}

static void on_tick(void *arg)
{
    struct proc *p = arg;
    p->on_tick(p->arg);
}

static void on_signal(void *arg, int signo)
{
    struct proc *p = arg;
    if (signo == SIGHUP)
        p->reload = true;
    else
        p->stop = true;
}

static _Noreturn void give_up(const char *why)
{
    log_error("%s", why);
    exit(EXIT_RESET);
}

/* wait_to_be_let_in -- until the supervisor rings; who has none leaves. */
static void wait_to_be_let_in(const struct proc_args *a)
{
    struct pollfd p[] = {{a->bell[a->self], POLLIN, 0}, {a->lifeline, POLLIN, 0}};
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    if (p[1].revents != 0)
        exit(0);
}

void proc_start(struct proc *p, const struct proc_args *args, void (*tick)(void *arg), void *arg)
{
    char why[256] = "cannot start", name[sizeof "relay " + sizeof args->name];
    sigset_t signals;
    p->args = *args;
    p->on_tick = tick;
    p->arg = arg;
    prctl(PR_SET_DUMPABLE, 0); /* secrets of sessions, the identity key */
    snprintf(name, sizeof name, "relay %s", args->name);
    prctl(PR_SET_NAME, name); /* else ps and top say "exe" */
    wait_to_be_let_in(args);
    if (generation_read(&args->inst, &p->gen) < 0)
        give_up("cannot read the generation record");
    if (state_attach(&p->st, p->gen.shm, p->gen.lock_id, args->self, true, why, sizeof why) < 0)
        give_up(why);
    for (unsigned i = 0; i < PROCS_MAX; i++)
        p->st.bell[i] = args->bell[i];
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    p->lifeline = (struct loop_source){args->lifeline, on_lifeline, p};
    p->bell = (struct loop_source){args->bell[args->self], on_bell, p};
    if (loop_open(&p->loop, p) < 0 || loop_add(&p->loop, &p->lifeline, EPOLLIN) < 0 ||
        loop_add(&p->loop, &p->bell, EPOLLIN) < 0 || loop_signals(&p->loop, &signals, on_signal) < 0)
        give_up("cannot wait for events: too few file descriptors?");
    state_wake(&p->st);
}

void proc_tick(struct proc *p, unsigned ms)
{
    if (p->tick_ms != ms && loop_every(&p->loop, ms, on_tick) < 0)
        log_warn("no timer");
    p->tick_ms = ms;
}

void proc_ready(struct proc *p)
{
    if (write_all(p->args.ready, "r", 1) < 0)
        p->stop = true;
    close_fd(&p->args.ready);
    state_ring_all(&p->st); /* a predecessor may have been killed between publishing and ringing */
}

void proc_take(struct proc *p)
{
    if (state_take(&p->st) < 0)
        give_up("the shared memory was left in a state that makes no sense");
}

void proc_rest(struct proc *p, bool (*idle)(void *arg))
{
    state_sleep(&p->st);
    loop_wait(&p->loop, idle(p->arg) ? -1 : 0);
    state_wake(&p->st);
}
