/* hand.c -- helper processes. */
#include "hand.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"

enum { READY_S = 60, LOOK_MS = 100 };

void hand_launch(struct hand *h, const char *name, void (*body)(struct hand *self, void *arg), void *arg)
{
    *h = (struct hand){.name = name, .done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (h->done < 0 || pipe2(h->orders, O_CLOEXEC) < 0)
        bench_fail("cannot start the %s: %s", name, strerror(errno));
    pid_t parent = getpid();
    h->pid = fork();
    if (h->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_fd(&h->orders[1]);
        if (getppid() == parent)
            body(h, arg);
        exit(0);
    }
    close_fd(&h->orders[0]);
    if (h->pid < 0)
        bench_fail("cannot start the %s: %s", name, strerror(errno));
}

void hand_start(struct hand *h, const char *name, void (*body)(struct hand *self, void *arg),
                void *arg)
{
    hand_launch(h, name, body, arg);
    hand_await(h, READY_S);
}

void hand_end(struct hand *h)
{
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close_fd(&h->orders[1]);
    close_fd(&h->done);
}

void hand_order(struct hand *h, struct order o)
{
    if (write_all(h->orders[1], &o, sizeof o) < 0)
        bench_fail("the %s takes no orders", h->name);
}

void hand_await(struct hand *h, unsigned seconds)
{
    eventfd_t n;
    struct pollfd p = {h->done, POLLIN, 0};
    for (uint64_t deadline = now_ms() + seconds * 1000u; eventfd_read(h->done, &n) < 0;) {
        pid_t gone = waitpid(-1, NULL, WNOHANG); /* whoever it is, nothing will come of this */
        if (gone > 0)
            bench_fail("%s died while the %s was at work",
                       gone == h->pid ? "it" : "another helper", h->name);
        if (now_ms() > deadline)
            bench_fail("the %s is not done after %u seconds", h->name, seconds);
        poll(&p, 1, LOOK_MS);
    }
}

bool hand_try(struct hand *h, unsigned seconds)
{
    eventfd_t n;
    struct pollfd p = {h->done, POLLIN, 0};
    for (uint64_t deadline = now_ms() + seconds * 1000u; eventfd_read(h->done, &n) < 0; poll(&p, 1, LOOK_MS))
        if (waitpid(h->pid, NULL, WNOHANG) != 0 || now_ms() > deadline)
            return false;
    return true;
}

struct order hand_next(struct hand *self)
{
    struct order o;
    if (read_all(self->orders[0], &o, sizeof o) != (ssize_t)sizeof o)
        exit(0);
    return o;
}

void hand_done(struct hand *self)
{
    (void)eventfd_write(self->done, 1);
}
