/* test_loop.c -- what becomes ready is called, what was removed is not. */
#include "loop/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

enum { DEADLINE_MS = 5000 };

struct world {
    struct loop loop;
    struct loop_source bell[2];
    int rung, ticks, last_signal, signals;
    uint32_t events;
    bool remove_other;
};

static int open_world(void **state)
{
    static struct world w;
    w = (struct world){.rung = 0};
    *state = &w;
    return loop_open(&w.loop, &w);
}

static int close_world(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++)
        if (w->bell[i].ready)
            close_fd(&w->bell[i].fd);
    loop_close(&w->loop);
    return 0;
}

static void on_bell(struct loop_source *s, uint32_t events)
{
    struct world *w = s->arg;
    eventfd_t n;
    assert_int_equal(eventfd_read(s->fd, &n), 0);
    w->rung++;
    w->events = events;
    if (w->remove_other)
        loop_remove(&w->loop, &w->bell[s == &w->bell[0]]);
}

static void add_bell(struct world *w, int i)
{
    w->bell[i] = (struct loop_source){eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), on_bell, w};
    assert_int_equal(loop_add(&w->loop, &w->bell[i], EPOLLIN), 0);
}

static void ring(struct world *w, int i)
{
    assert_int_equal(eventfd_write(w->bell[i].fd, 1), 0);
}

static void test_ready_source_is_called(void **state)
{
    struct world *w = *state;
    add_bell(w, 0);
    add_bell(w, 1);
    assert_int_equal(loop_wait(&w->loop, 0), 0);
    ring(w, 0);
    assert_int_equal(loop_wait(&w->loop, -1), 1);
    assert_int_equal(w->rung, 1);
    assert_int_equal(w->events, EPOLLIN);
    ring(w, 0);
    ring(w, 1);
    assert_int_equal(loop_wait(&w->loop, -1), 2);
    assert_int_equal(w->rung, 3);
    assert_int_equal(loop_wait(&w->loop, 0), 0);
}

static void test_change_and_remove(void **state)
{
    struct world *w = *state;
    add_bell(w, 0);
    ring(w, 0);
    assert_int_equal(loop_change(&w->loop, &w->bell[0], 0), 0);
    assert_int_equal(loop_wait(&w->loop, 0), 0);
    assert_int_equal(loop_change(&w->loop, &w->bell[0], EPOLLIN), 0);
    assert_int_equal(loop_wait(&w->loop, 0), 1);
    ring(w, 0);
    loop_remove(&w->loop, &w->bell[0]);
    assert_int_equal(loop_wait(&w->loop, 0), 0);
    assert_int_equal(loop_change(&w->loop, &w->bell[0], EPOLLIN), -ENOENT);
    assert_int_equal(w->rung, 1);
}

/* Both are reported in one round, and whoever is called first removes the other. */
static void test_removed_in_the_same_round(void **state)
{
    struct world *w = *state;
    w->remove_other = true;
    add_bell(w, 0);
    add_bell(w, 1);
    ring(w, 0);
    ring(w, 1);
    loop_wait(&w->loop, -1);
    assert_int_equal(w->rung, 1);
}

static void on_tick(void *arg)
{
    struct world *w = arg;
    w->ticks++;
}

static void test_timer(void **state)
{
    struct world *w = *state;
    assert_int_equal(loop_every(&w->loop, 0, NULL), 0);
    assert_int_equal(loop_every(&w->loop, 5, on_tick), 0);
    uint64_t start = now_us();
    while (w->ticks < 4 && now_us() - start < DEADLINE_MS * 1000)
        loop_wait(&w->loop, DEADLINE_MS);
    assert_int_equal(w->ticks, 4);
    assert_true(now_us() - start >= 4 * 5000);
    assert_int_equal(loop_every(&w->loop, 0, NULL), 0);
    assert_int_equal(loop_wait(&w->loop, 20), 0);
    assert_int_equal(w->ticks, 4);
}

static void stop_timer(struct loop_source *s, uint32_t events)
{
    (void)events;
    struct world *w = s->arg;
    eventfd_t n;
    assert_int_equal(eventfd_read(s->fd, &n), 0);
    assert_int_equal(loop_every(&w->loop, 0, NULL), 0);
}

/* The bell was added first, so that epoll reports it first; by then the timer is due as well.
 */
static void test_timer_stopped_in_the_same_round(void **state)
{
    struct world *w = *state;
    add_bell(w, 0);
    w->bell[0].ready = stop_timer;
    ring(w, 0);
    assert_int_equal(loop_every(&w->loop, 1, on_tick), 0);
    struct epoll_event both[3];
    uint64_t start = now_ms();
    while (epoll_wait(w->loop.epfd, both, 3, 10) < 2)
        assert_true(now_ms() - start < DEADLINE_MS);
    assert_int_equal(loop_wait(&w->loop, -1), 2);
    assert_int_equal(loop_wait(&w->loop, 20), 0);
    assert_true(w->ticks <= 1); /* 1 where the timer came first */
}

static void on_signal(void *arg, int signo)
{
    struct world *w = arg;
    w->last_signal = signo;
    w->signals++;
}

static void test_signals(void **state)
{
    struct world *w = *state;
    sigset_t set, two, before;
    sigprocmask(SIG_BLOCK, NULL, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    two = set;
    sigaddset(&two, SIGUSR2);
    assert_int_equal(loop_signals(&w->loop, &set, on_signal), 0);
    raise(SIGUSR1);
    assert_int_equal(loop_wait(&w->loop, DEADLINE_MS), 1);
    assert_int_equal(w->last_signal, SIGUSR1);
    assert_int_equal(loop_signals(&w->loop, &two, on_signal), 0);
    raise(SIGUSR2);
    assert_int_equal(loop_wait(&w->loop, DEADLINE_MS), 1);
    assert_int_equal(w->last_signal, SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(loop_wait(&w->loop, DEADLINE_MS), 1);
    assert_int_equal(w->signals, 4);
    assert_int_equal(loop_wait(&w->loop, 0), 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void nothing(int signo)
{
    (void)signo;
}

static void test_an_interrupted_wait_is_no_event(void **state)
{
    struct world *w = *state;
    struct sigaction sa = {.sa_handler = nothing}, old;
    sigaction(SIGALRM, &sa, &old);
    struct itimerval soon = {.it_value = {.tv_usec = 5000}, .it_interval = {.tv_usec = 5000}};
    struct itimerval off = {.it_value = {.tv_sec = 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(loop_wait(&w->loop, -1), 0);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
}

static void test_a_broken_pipe_is_an_error_not_a_death(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_ready_source_is_called),
        TEST(test_change_and_remove),
        TEST(test_removed_in_the_same_round),
        TEST(test_timer),
        TEST(test_timer_stopped_in_the_same_round),
        TEST(test_signals),
        TEST(test_an_interrupted_wait_is_no_event),
        TEST(test_a_broken_pipe_is_an_error_not_a_death),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
