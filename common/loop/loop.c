/* loop.c -- epoll, timers, signals and bells: what every long-running process of ours waits in.
 */
#include "loop/loop.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/sys.h"

static int control(struct loop *l, int op, struct loop_source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    return epoll_ctl(l->epfd, op, s->fd, &e) < 0 ? -errno : 0;
}

/* Reading a timer that was set anew or stopped gives -EAGAIN: then it is not due. */
static void timer_ready(struct loop_source *s, uint32_t events)
{
    (void)events;
    const struct loop *l = s->arg;
    uint64_t times;
    if (read(s->fd, &times, sizeof times) == (ssize_t)sizeof times)
        l->on_timer(l->arg);
}

static void signals_ready(struct loop_source *s, uint32_t events)
{
    (void)events;
    const struct loop *l = s->arg;
    struct signalfd_siginfo info;
    while (read(s->fd, &info, sizeof info) == (ssize_t)sizeof info)
        l->on_signal(l->arg, (int)info.ssi_signo);
}

int loop_open(struct loop *l, void *arg)
{
    *l = (struct loop){.arg = arg,
                       .timer = {.fd = -1, .ready = timer_ready, .arg = l},
                       .signals = {.fd = -1, .ready = signals_ready, .arg = l}};
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    return l->epfd < 0 ? -errno : 0;
}

void loop_close(struct loop *l)
{
    close_fd(&l->timer.fd);
    close_fd(&l->signals.fd);
    close_fd(&l->epfd);
}

int loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_ADD, s, events);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, s, events);
}

/* What epoll has reported of it in this round must not be called any more: its memory may be
 * gone. Before loop_wait has returned, `events` may hold any of them. */
void loop_remove(struct loop *l, struct loop_source *s)
{
    epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
    for (size_t i = 0; i < ARRAY_LEN(l->events); i++)
        if (l->events[i].data.ptr == s)
            l->events[i].data.ptr = NULL;
}

static int add_timer(struct loop *l)
{
    l->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->timer.fd < 0)
        return -errno;
    int r = loop_add(l, &l->timer, EPOLLIN);
    if (r < 0)
        close_fd(&l->timer.fd);
    return r;
}

int loop_every(struct loop *l, unsigned ms, void (*on_timer)(void *arg))
{
    int r = l->timer.fd < 0 ? add_timer(l) : 0;
    if (r < 0)
        return r;
    l->on_timer = on_timer;
    struct timespec period = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    struct itimerspec its = {.it_interval = period, .it_value = period};
    return timerfd_settime(l->timer.fd, 0, &its, NULL) < 0 ? -errno : 0;
}

int loop_signals(struct loop *l, const sigset_t *set, void (*on_signal)(void *arg, int signo))
{
    l->on_signal = on_signal;
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    bool first = l->signals.fd < 0;
    int fd = signalfd(l->signals.fd, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    l->signals.fd = fd;
    int r = first ? loop_add(l, &l->signals, EPOLLIN) : 0;
    if (r < 0)
        close_fd(&l->signals.fd);
    return r;
}

int loop_wait(struct loop *l, int timeout_ms)
{
    int n = epoll_wait(l->epfd, l->events, (int)ARRAY_LEN(l->events), timeout_ms);
    if (n < 0) {
        ASSERT(errno == EINTR);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        struct loop_source *s = l->events[i].data.ptr;
        if (s)
            s->ready(s, l->events[i].events);
    }
    return n;
}
