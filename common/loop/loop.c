/* loop.c -- epoll with a timer and signals. */
#include "loop/loop.h"

#include "base/sys.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int loop_open(struct loop *l, void *arg)
{
    *l = (struct loop){.timer.fd = -1, .signals.fd = -1, .arg = arg};
    (void)signal(SIGPIPE, SIG_IGN);
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    return l->epfd < 0 ? -errno : 0;
}

void loop_close(struct loop *l)
{
    close_fd(&l->timer.fd);
    close_fd(&l->signals.fd);
    close_fd(&l->epfd);
}

static int control(struct loop *l, int op, struct loop_source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    return epoll_ctl(l->epfd, op, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_ADD, s, events);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, s, events);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
    (void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
    /* Events already fetched for it must not reach it. */
    for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
        if (l->events[i].data.ptr == s)
            l->events[i].data.ptr = NULL;
}

static void timer_ready(struct loop_source *s, uint32_t events)
{
    struct loop *l = s->arg;
    uint64_t times;
    (void)events;
    if (read(s->fd, &times, sizeof times) == (ssize_t)sizeof times && l->on_timer)
        l->on_timer(l->arg);
}

int loop_every(struct loop *l, unsigned ms, void (*on_timer)(void *arg))
{
    struct itimerspec t = {.it_interval = {ms / 1000, (long)(ms % 1000) * 1000000}};
    t.it_value = t.it_interval;
    l->on_timer = on_timer;
    if (l->timer.fd < 0) {
        l->timer = (struct loop_source){timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), timer_ready, l};
        if (l->timer.fd < 0)
            return -errno;
        int r = loop_add(l, &l->timer, EPOLLIN);
        if (r < 0)
            return r;
    }
    return timerfd_settime(l->timer.fd, 0, &t, NULL) < 0 ? -errno : 0;
}

static void signals_ready(struct loop_source *s, uint32_t events)
{
    struct loop *l = s->arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info)
        l->on_signal(l->arg, (int)info.ssi_signo);
}

int loop_signals(struct loop *l, const sigset_t *set, void (*on_signal)(void *arg, int signo))
{
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    l->on_signal = on_signal;
    l->signals = (struct loop_source){signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC), signals_ready, l};
    return l->signals.fd < 0 ? -errno : loop_add(l, &l->signals, EPOLLIN);
}

int loop_wait(struct loop *l, int timeout_ms)
{
    int n = epoll_wait(l->epfd, l->events, (int)ARRAY_LEN(l->events), timeout_ms);
    for (int i = 0; i < n; i++) {
        struct loop_source *s = l->events[i].data.ptr;
        if (s)
            s->ready(s, l->events[i].events);
    }
    for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
        l->events[i].data.ptr = NULL;
    return n < 0 ? 0 : n;
}
