/* test_mq.c -- queues within the limits of the host, and senders who cannot hold each other
 * back. */
#include "ipc/mq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "skip.h"

enum { DEADLINE_MS = 10000, STRANGER = 65533, RELAY = 65532 };

static char name[64];

static int setup(void **state)
{
    (void)state;
    snprintf(name, sizeof name, "/relay-test-mq-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mq_drop(name);
    return 0;
}

static void create(struct mq *m, long depth, size_t message_max)
{
    assert_int_equal(mq_create(m, name, 0600, depth, message_max), 0);
}

static void attach_writer(struct mq *m)
{
    assert_int_equal(mq_attach_writer(m, name, geteuid()), 0);
}

/* get -- the first byte of the next message. */
static int get(struct mq *m)
{
    char to[8192];
    ssize_t n = mq_get(m, to, sizeof to);
    return n < 0 ? (int)n : to[0];
}

static void put(struct mq *m, char c)
{
    assert_int_equal(mq_put(m, &c, 1, 0), 0);
}

/* in_child -- what `body` returns as an ordinary user, even where the tests run as root. */
static int in_child(int (*body)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(geteuid() == 0 && setuid(STRANGER) < 0 ? 99 : body());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_whole_messages_in_order(void **state)
{
    (void)state;
    struct mq in, out;
    char to[8192];
    create(&in, 4, 4096);
    attach_writer(&out);
    assert_int_equal(out.message_max, 4096);
    assert_int_equal(mq_get(&in, to, sizeof to), -EAGAIN);
    assert_int_equal(mq_put(&out, "one", 3, 0), 0);
    assert_int_equal(mq_put(&out, "three", 5, 1000), 0);
    assert_int_equal(mq_get(&in, to, sizeof to), 3);
    assert_memory_equal(to, "one", 3);
    assert_int_equal(mq_get(&in, to, sizeof to), 5);
    assert_memory_equal(to, "three", 5);
    assert_int_equal(mq_get(&in, to, sizeof to), -EAGAIN);
    assert_int_equal(mq_get(&in, to, 100), -EMSGSIZE);
    mq_shut(&out);
    mq_shut(&in);
    mq_shut(&in);
    assert_int_equal(mq_fd(&in), -1);
}

static void test_mode_and_descriptor(void **state)
{
    (void)state;
    static const mode_t modes[] = {0600, 0620, 0622};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct mq m;
        struct stat st;
        mode_t old = umask(0777);
        int r = mq_create(&m, name, modes[i], 2, 4096);
        umask(old);
        assert_int_equal(r, 0);
        assert_int_equal(fstat(mq_fd(&m), &st), 0);
        assert_int_equal(st.st_mode & 0777, modes[i]);
        assert_true(fcntl(mq_fd(&m), F_GETFD) & FD_CLOEXEC);
        mq_shut(&m);
        mq_drop(name);
    }
}

static void test_full_queue(void **state)
{
    (void)state;
    struct mq in, out;
    create(&in, 2, 4096);
    attach_writer(&out);
    put(&out, '1');
    put(&out, '2');
    uint64_t begun = now_ms();
    assert_int_equal(mq_put(&out, "3", 1, 0), -EAGAIN);
    assert_true(now_ms() - begun < 50);
    assert_int_equal(mq_put(&out, "3", 1, 100), -ETIMEDOUT);
    assert_in_range(now_ms() - begun, 95, DEADLINE_MS);
    static const char large[4097];
    assert_int_equal(mq_put(&out, large, sizeof large, 0), -EMSGSIZE);
    assert_int_equal(get(&in), '1');
    assert_int_equal(get(&in), '2');
    assert_int_equal(get(&in), -EAGAIN);
    mq_shut(&out);
    mq_shut(&in);
}

static void test_names(void **state)
{
    (void)state;
    struct mq m, again, later;
    create(&m, 2, 4096);
    assert_int_equal(mq_create(&again, name, 0600, 2, 4096), -EEXIST);
    assert_true(mq_is(name, &m));
    mq_drop(name);
    mq_drop(name);
    assert_false(mq_is(name, &m));
    assert_int_equal(mq_attach_writer(&again, name, geteuid()), -ENOENT);
    assert_int_equal(mq_attach_reader(&again, name), -ENOENT);
    create(&later, 2, 4096);
    assert_false(mq_is(name, &m));
    assert_true(mq_is(name, &later));
    mq_shut(&later);
    mq_shut(&m);
    assert_int_equal(mq_create(&m, "no-slash", 0600, 2, 4096), -EINVAL);
}

static void test_reader_attaches(void **state)
{
    (void)state;
    struct mq m, in;
    create(&m, 2, 4096);
    put(&m, 'x');
    mq_shut(&m);
    assert_int_equal(mq_attach_reader(&in, name), 0);
    assert_int_equal(in.message_max, 4096);
    assert_int_equal(get(&in), 'x');
    assert_int_equal(get(&in), -EAGAIN);
    mq_shut(&in);
}

/* shape_of -- make a queue, say what it became, and remove it. */
static int shape_of(long depth, size_t message_max, struct mq_attr *a)
{
    struct mq m;
    int r = mq_create(&m, name, 0600, depth, message_max);
    if (r < 0)
        return r;
    r = mq_getattr(m.q, a) == 0 && (size_t)a->mq_msgsize == m.message_max ? 0 : -EIO;
    mq_shut(&m);
    mq_drop(name);
    return r;
}

static long host_limit(const char *file)
{
    char text[32];
    return read_file(AT_FDCWD, file, text, sizeof text) > 0 ? strtol(text, NULL, 10) : 0;
}

static int ask_for_too_much(void)
{
    struct mq_attr a;
    if (shape_of(1000000, 64 << 20, &a) < 0)
        return 1;
    if (a.mq_maxmsg > host_limit("/proc/sys/fs/mqueue/msg_max"))
        return 2;
    if (a.mq_msgsize > host_limit("/proc/sys/fs/mqueue/msgsize_max"))
        return 3;
    return a.mq_maxmsg < 2 || a.mq_msgsize < 4096 ? 4 : 0;
}

static void test_host_limits(void **state)
{
    (void)state;
    assert_int_equal(in_child(ask_for_too_much), 0);
}

static int limit_bytes(rlim_t bytes)
{
    return setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){bytes, bytes});
}

/* The limits count every queue of the user, so only what is well below the default is tried. */
static int live_within_user_limits(void)
{
    struct mq_attr a;
    if (limit_bytes(40000) < 0 || shape_of(7, 8192, &a) < 0)
        return 1;
    if (a.mq_maxmsg < 2 || a.mq_maxmsg >= 7 || a.mq_msgsize != 8192)
        return 2; /* fewer messages first */
    if (limit_bytes(14000) < 0 || shape_of(7, 8192, &a) < 0)
        return 3;
    if (a.mq_maxmsg != 2 || a.mq_msgsize < 4096 || a.mq_msgsize >= 8192)
        return 4; /* then smaller ones */
    if (limit_bytes(8000) < 0 || shape_of(7, 8192, &a) != -EMFILE)
        return 5;
    return 0;
}

static void test_user_limits(void **state)
{
    (void)state;
    /* Our user may have other queues; root can become one who has none. */
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    assert_int_equal(in_child(live_within_user_limits), 0);
}

static int raise_soft_limit(void)
{
    struct mq_attr a;
    struct rlimit low;
    if (getrlimit(RLIMIT_MSGQUEUE, &low) < 0 || low.rlim_max < 100000)
        return 0;
    low.rlim_cur = 0;
    return setrlimit(RLIMIT_MSGQUEUE, &low) < 0 || shape_of(4, 4096, &a) < 0 ||
           a.mq_maxmsg != 4;
}

static void test_soft_limit_is_raised(void **state)
{
    (void)state;
    assert_int_equal(in_child(raise_soft_limit), 0);
}

static void test_owner_is_checked(void **state)
{
    (void)state;
    struct mq m, w;
    create(&m, 2, 4096);
    assert_int_equal(mq_attach_writer(&w, name, geteuid() + 1), -EPERM);
    assert_int_equal(mq_attach_writer(&w, name, geteuid()), 0);
    mq_shut(&w);
    mq_shut(&m);
}

static void become(uid_t uid)
{
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(seteuid(uid), 0);
}

/* Somebody took our name before us: nobody falls for it. */
static void test_squatter(void **state)
{
    (void)state;
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    struct mq theirs, m;
    become(STRANGER);
    int made = mq_create(&theirs, name, 0622, 2, 4096);
    become(RELAY);
    int create_r = mq_create(&m, name, 0622, 2, 4096);
    int write_r = mq_attach_writer(&m, name, RELAY);
    mq_drop(name);
    become(0);
    assert_int_equal(made, 0);
    assert_int_equal(create_r, -EEXIST);
    assert_int_equal(write_r, -EPERM);
    assert_int_equal(mq_attach_reader(&m, name), -EPERM);
    assert_true(mq_is(name, &theirs)); /* nor could the relay's user remove it */
    mq_shut(&theirs);
}

static int reach_for_it(void)
{
    struct mq m;
    if (mq_open(name, O_RDONLY) != (mqd_t)-1 || errno != EACCES)
        return 1;
    if (mq_attach_reader(&m, name) != -EACCES)
        return 2;
    if (mq_unlink(name) == 0 || errno != EACCES)
        return 3;
    if (mq_attach_writer(&m, name, 0) < 0 || mq_put(&m, "hello", 5, 0) < 0)
        return 4;
    if (!mq_is(name, &m))
        return 5;
    return fchmod(mq_fd(&m), 0666) == 0 ? 6 : 0;
}

static void test_strangers_can_only_send(void **state)
{
    (void)state;
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    struct mq m;
    assert_int_equal(mq_create(&m, name, 0622, 2, 4096), 0);
    assert_int_equal(in_child(reach_for_it), 0);
    assert_int_equal(get(&m), 'h');
    mq_shut(&m);
}

/* No priority that anybody can choose comes before ours, and at the same one order is kept. */
static void test_nobody_jumps_the_queue(void **state)
{
    (void)state;
    struct mq m;
    create(&m, 5, 4096);
    assert_int_equal(mq_send(m.q, "a", 1, 0), 0);
    assert_int_equal(mq_send(m.q, "b", 1, MQ_PRIO_MAX - 1), 0);
    put(&m, 'c');
    assert_int_equal(mq_send(m.q, "d", 1, MQ_PRIO_MAX - 1), 0);
    assert_int_equal(mq_send(m.q, "e", 1, MQ_PRIO_MAX), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(get(&m), 'b');
    assert_int_equal(get(&m), 'c');
    assert_int_equal(get(&m), 'd');
    assert_int_equal(get(&m), 'a');
    mq_shut(&m);
}

/* flood -- a hostile sender, for ever: blocking, or trying again and again. */
static pid_t flood(int flags)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    mqd_t q = mq_open(name, O_WRONLY | flags);
    for (;;)
        if (q < 0 || (mq_send(q, "!", 1, MQ_PRIO_MAX - 1) < 0 && errno != EAGAIN))
            _exit(1);
}

enum { OURS = 100 };

static pid_t send_ours(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    struct mq m;
    if (mq_attach_writer(&m, name, geteuid()) < 0)
        _exit(1);
    for (int i = 0; i < OURS; i++)
        if (mq_put(&m, "v", 1, DEADLINE_MS) < 0)
            _exit(2);
    _exit(0);
}

/* Waiting senders are served in turn: among `floods` others ours is about every (floods +
 * 1)-th, and a message takes its turn even while others never stop trying. */
static void survive_flood(int flags)
{
    enum { FLOODS = 8 };
    struct mq m;
    pid_t pid[FLOODS];
    int ours = 0, all = 0;
    create(&m, 10, 4096);
    for (int i = 0; i < FLOODS; i++)
        pid[i] = flood(flags);
    pid_t victim = send_ours();
    uint64_t begun = now_ms();
    while (ours < OURS && now_ms() - begun < DEADLINE_MS) {
        int c = get(&m);
        if (c == -EAGAIN)
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
        ours += c == 'v';
        all += c > 0;
    }
    for (int i = 0; i < FLOODS; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    int status = -1;
    waitpid(victim, &status, 0);
    mq_shut(&m);
    printf("# flood: %d of %d messages were ours, %llu ms\n", ours, all,
           (unsigned long long)(now_ms() - begun));
    assert_int_equal(ours, OURS);
    assert_int_equal(status, 0);
}

static void test_flood_of_waiting_senders(void **state)
{
    (void)state;
    survive_flood(0);
}

static void test_flood_of_spinning_senders(void **state)
{
    (void)state;
    survive_flood(O_NONBLOCK);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_messages_in_order),
        TEST(test_mode_and_descriptor),
        TEST(test_full_queue),
        TEST(test_names),
        TEST(test_reader_attaches),
        TEST(test_host_limits),
        TEST(test_user_limits),
        TEST(test_soft_limit_is_raised),
        TEST(test_owner_is_checked),
        TEST(test_squatter),
        TEST(test_strangers_can_only_send),
        TEST(test_nobody_jumps_the_queue),
        TEST(test_flood_of_waiting_senders),
        TEST(test_flood_of_spinning_senders),
    };
    return cmocka_run_group_tests_name("mq", tests, NULL, NULL);
}
