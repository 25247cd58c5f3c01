/* loop.h -- epoll, timers, signals and bells: what every long-running process of ours waits in. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/base.h"

#include <signal.h>
#include <sys/epoll.h>

/* A source of events; embed it, or keep it as long as it is added. */
struct loop_source {
    int fd;
    void (*ready)(struct loop_source *s, uint32_t events);
    void *arg;
};

struct loop {
    int epfd;
    struct loop_source timer, signals;
    void (*on_timer)(void *arg);
    void (*on_signal)(void *arg, int signo);
    void *arg;
    struct epoll_event events[64];
};

/* loop_open -- `arg` goes to the two callbacks.  SIGPIPE is ignored from here on.
 * Returns  0 or -errno */
int loop_open(struct loop *l, void *arg) MUST_USE;
void loop_close(struct loop *l);

/* loop_add, loop_change, loop_remove -- `events` as for epoll_ctl(2). */
int loop_add(struct loop *l, struct loop_source *s, uint32_t events) MUST_USE;
int loop_change(struct loop *l, struct loop_source *s, uint32_t events) MUST_USE;
void loop_remove(struct loop *l, struct loop_source *s);

/* loop_every -- call on_timer every `ms` from now on; 0 stops it. */
int loop_every(struct loop *l, unsigned ms, void (*on_timer)(void *arg)) MUST_USE;

/* loop_signals -- block these signals and report them through on_signal. */
int loop_signals(struct loop *l, const sigset_t *set, void (*on_signal)(void *arg, int signo)) MUST_USE;

/* loop_wait -- wait up to timeout_ms (-1: for ever, 0: look only) and call what is ready.
 * Returns  how many sources were ready; EINTR counts as none. */
int loop_wait(struct loop *l, int timeout_ms);

#endif
