/* test_start.c -- whether `relay start` starts one: not beside one that runs, but after one that stops or is dying. */
#include "admin/admin.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    HEAVY = 256 << 20, /* bytes: it takes a moment to die with so many */
    STOPS_MS = 100,
};

static char place[64];
static struct instance inst;
static struct conf conf;

/* serve -- a relay that does nothing but to have started. */
static int serve(const struct instance *i, const struct conf *c, int ready)
{
    (void)c;
    char started[INSTANCE_PATH_MAX + 16];
    int lock = instance_lock(i);
    snprintf(started, sizeof started, "%s/started", i->runtime);
    int fd = lock < 0 ? -1 : open(started, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(ready, "r", 1) != 1;
}

static bool started(void)
{
    char path[INSTANCE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/started", inst.runtime);
    return unlink(path) == 0;
}

static int set_up(void **state)
{
    char why[512];
    (void)state;
    snprintf(place, sizeof place, "/tmp/relay-test-start.%d", (int)getpid());
    setenv("RELAY_RUNTIME_DIR", place, 1);
    setenv("RELAY_STATE_DIR", place, 1);
    return instance_user(&inst, "start") < 0 || instance_make(&inst, why, sizeof why) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command);
}

/* last -- as long as a relay does that is told to stop while it has something else to do. */
static void last(void)
{
    sigset_t pending;
    do
        poll(NULL, 0, 5);
    while (sigpending(&pending) < 0 || !sigismember(&pending, SIGTERM));
    poll(NULL, 0, STOPS_MS);
}

/* heavy_relay -- a process that holds the instance, with a record that says so; one that is not ready stops soon. */
static pid_t heavy_relay(bool is_ready)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct generation g = {.number = 1, .pid = getpid(), .shm = "/relay-test-none", .lock_id = -1, .ready = is_ready};
        void *p = mmap(NULL, HEAVY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        bool ok = p != MAP_FAILED && sigprocmask(SIG_BLOCK, &term, NULL) == 0 && instance_lock(&inst) >= 0 && generation_write(&inst, &g) == 0;
        if (!ok || write(ready[1], "r", 1) != 1)
            _exit(1);
        if (is_ready)
            last();
        else
            poll(NULL, 0, STOPS_MS);
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* await_dying -- the signal is on its way to another core. */
static void await_dying(pid_t pid)
{
    char path[32], byte;
    ssize_t n = 1;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    for (uint64_t deadline = now_ms() + 5000; n > 0 && now_ms() < deadline;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        n = read(fd, &byte, 1);
        close(fd);
    }
    assert_int_equal(n, 0);
}

static void test_one_that_runs(void **state)
{
    (void)state;
    pid_t pid = heavy_relay(true);
    assert_int_equal(admin_start(&inst, &conf, serve), 0);
    assert_false(started());
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_one_that_is_dying(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        pid_t pid = heavy_relay(true);
        kill(pid, SIGKILL);
        await_dying(pid);
        assert_int_equal(admin_start(&inst, &conf, serve), 0);
        assert_true(started());
        waitpid(pid, NULL, 0);
    }
}

static void test_one_that_stops(void **state)
{
    (void)state;
    pid_t pid = heavy_relay(false);
    assert_int_equal(admin_start(&inst, &conf, serve), 0);
    assert_true(started());
    waitpid(pid, NULL, 0);
}

static void test_one_that_was_told_to_stop(void **state)
{
    (void)state;
    pid_t pid = heavy_relay(true);
    kill(pid, SIGTERM);
    assert_int_equal(admin_start(&inst, &conf, serve), 0);
    assert_true(started());
    waitpid(pid, NULL, 0);
}

static void test_one_that_is_gone(void **state)
{
    (void)state;
    pid_t pid = heavy_relay(true);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(admin_start(&inst, &conf, serve), 0);
    assert_true(started());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_one_that_runs), TEST(test_one_that_stops), TEST(test_one_that_was_told_to_stop),
                                       TEST(test_one_that_is_dying), TEST(test_one_that_is_gone)};
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
