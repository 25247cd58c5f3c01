/* test_lock.c -- one holder at a time, and never none for long, whatever becomes of the
 * holders. */
#include "ipc/lock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/prng.h"
#include "base/sys.h"
#include "skip.h"

enum { LONG_MS = 60000, DEADLINE_MS = 10000, WORDS = 256 };

/* What the children of a test share with it. */
struct shared {
    volatile uint64_t word[WORDS]; /* written by the holder of the lock alone */
    _Atomic uint64_t sections;     /* how many were done */
    _Atomic uint32_t overlaps;     /* how often somebody else wrote meanwhile */
    _Atomic uint32_t holding;      /* the child that must die has the lock */
};

static struct shared *sh;
static struct lock lock;

static int setup(void **state)
{
    (void)state;
    sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sh == MAP_FAILED ? -1 : lock_create(&lock);
}

static int teardown(void **state)
{
    (void)state;
    lock_drop(&lock);
    return munmap(sh, sizeof *sh);
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* start -- run `body` in a child, whose exit status is what it returns; it does not outlive us.
 */
static pid_t start(int (*body)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(body());
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_good_end(pid_t pid)
{
    int status = end_of(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A section: all words change together, and nobody else's hand is seen while they do. */
static void change_words(void)
{
    uint64_t mark = sh->word[0] + 1;
    for (size_t i = 0; i < WORDS; i++)
        sh->word[i] = mark;
    for (size_t i = 0; i < WORDS; i++)
        if (sh->word[i] != mark) {
            atomic_fetch_add(&sh->overlaps, 1);
            break;
        }
    atomic_fetch_add(&sh->sections, 1);
}

static int take_hold_for_ever(void)
{
    if (lock_take(&lock, LONG_MS) < 0)
        return 1;
    atomic_store(&sh->holding, 1);
    for (;;)
        pause();
}

static pid_t start_holder(void)
{
    atomic_store(&sh->holding, 0);
    pid_t pid = start(take_hold_for_ever);
    uint64_t begun = now_ms();
    while (!atomic_load(&sh->holding)) {
        assert_true(now_ms() - begun < DEADLINE_MS);
        pause_us(100);
    }
    return pid;
}

static void test_take_and_give(void **state)
{
    (void)state;
    assert_true(lock_is_ours(&lock));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lock_take(&lock, LONG_MS), 0);
        assert_int_equal(semctl(lock.id, 0, GETVAL), 0);
        assert_int_equal(lock_holder(&lock), getpid());
        lock_give(&lock);
        assert_int_equal(semctl(lock.id, 0, GETVAL), 1);
    }
}

static void test_what_is_not_ours(void **state)
{
    (void)state;
    struct lock two = {semget(IPC_PRIVATE, 2, IPC_CREAT | 0600)};
    struct lock open = {semget(IPC_PRIVATE, 1, IPC_CREAT | 0666)};
    struct lock none = {-1};
    assert_true(two.id >= 0 && open.id >= 0);
    assert_false(lock_is_ours(&two));
    assert_false(lock_is_ours(&open));
    assert_false(lock_is_ours(&none));
    lock_drop(&two);
    lock_drop(&open);
    struct lock gone = lock;
    lock_drop(&lock);
    assert_false(lock_is_ours(&gone));
    assert_int_equal(lock_take(&gone, LONG_MS), -EINVAL);
    assert_int_equal(lock_holder(&gone), 0);
    lock_drop(&gone);
}

static int change_often(void)
{
    for (int i = 0; i < 5000; i++) {
        if (lock_take(&lock, LONG_MS) < 0)
            return 1;
        change_words();
        lock_give(&lock);
    }
    return 0;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pid_t pid[4];
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        pid[i] = start(change_often);
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        assert_good_end(pid[i]);
    assert_int_equal(sh->overlaps, 0);
    assert_int_equal(sh->sections, 4 * 5000);
    assert_int_equal(sh->word[WORDS - 1], 4 * 5000);
}

static int wait_for_the_end(void)
{
    return lock_take(&lock, LONG_MS) == -EIDRM ? 0 : 1;
}

static void await_waiters(int n)
{
    uint64_t begun = now_ms();
    while (semctl(lock.id, 0, GETNCNT) != n) {
        assert_true(now_ms() - begun < DEADLINE_MS);
        pause_us(100);
    }
}

static void test_dropping_wakes_who_waits(void **state)
{
    (void)state;
    assert_int_equal(lock_take(&lock, LONG_MS), 0);
    pid_t waiter = start(wait_for_the_end);
    await_waiters(1);
    lock_drop(&lock);
    assert_good_end(waiter);
}

static void test_a_killed_holder_lets_go(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        pid_t holder = start_holder();
        assert_int_equal(lock_holder(&lock), holder);
        kill(holder, SIGKILL);
        uint64_t begun = now_ms();
        assert_int_equal(lock_take(&lock, LONG_MS), 0);
        assert_true(now_ms() - begun < 1000);
        lock_give(&lock);
        end_of(holder);
    }
    assert_int_equal(semctl(lock.id, 0, GETVAL), 1);
}

static void test_a_stopped_holder_is_killed(void **state)
{
    (void)state;
    pid_t holder = start_holder();
    kill(holder, SIGSTOP);
    uint64_t begun = now_ms();
    assert_int_equal(lock_take(&lock, 200), 0);
    uint64_t took = now_ms() - begun;
    assert_in_range(took, 200, 1200);
    lock_give(&lock);
    int status = end_of(holder);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int take_once(void)
{
    if (lock_take(&lock, 200) < 0)
        return 1;
    lock_give(&lock);
    return 0;
}

/* Those who waited behind it run out of patience together; whoever gets the lock first is
 * innocent. */
static void test_only_the_stopped_one_is_killed(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t holder = start_holder(), waiter[4];
        kill(holder, SIGSTOP);
        for (size_t i = 0; i < ARRAY_LEN(waiter); i++)
            waiter[i] = start(take_once);
        for (size_t i = 0; i < ARRAY_LEN(waiter); i++)
            assert_good_end(waiter[i]);
        assert_true(WIFSIGNALED(end_of(holder)));
    }
}

static int take_slowly(void)
{
    for (int i = 0; i < 3; i++) {
        if (lock_take(&lock, 400) < 0)
            return 1;
        pause_us(40 * 1000);
        lock_give(&lock);
    }
    return 0;
}

/* A turn comes only every 480 ms, more than the patience, but every single holder moves. */
static void test_busy_is_not_stopped(void **state)
{
    (void)state;
    pid_t pid[12];
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        pid[i] = start(take_slowly);
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        assert_good_end(pid[i]);
}

static int take_as_stranger(void)
{
    return setuid(65533) < 0 || lock_take(&lock, LONG_MS) != -EACCES;
}

static void test_others_cannot_take_it(void **state)
{
    (void)state;
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    assert_good_end(start(take_as_stranger));
}

/* Both it and who waits are an ordinary user; it is not dumpable, so that /proc shows it as
 * root's. */
static int hide_take_and_stop(void)
{
    if (lock_take(&lock, LONG_MS) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return 1;
    atomic_store(&sh->holding, 1);
    raise(SIGSTOP);
    return 2;
}

static int outlive_a_hidden_holder(void)
{
    if (geteuid() == 0 && setuid(65533) < 0)
        return 1;
    if (lock_create(&lock) < 0)
        return 2;
    pid_t holder = fork();
    if (holder == 0)
        _exit(hide_take_and_stop());
    while (holder > 0 && !atomic_load(&sh->holding))
        pause_us(100);
    int status = 0, r = lock_take(&lock, 50);
    waitpid(holder, &status, 0);
    lock_drop(&lock);
    return r < 0 ? 3 : WIFSIGNALED(status) ? 0 : 4;
}

static void test_a_hidden_holder_is_killed_too(void **state)
{
    (void)state;
    assert_good_end(start(outlive_a_hidden_holder));
}

static int take_between_marks(void)
{
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
        return 1;
    raise(SIGSTOP);
    syscall(SYS_getppid);
    int r = lock_take(&lock, LONG_MS);
    syscall(SYS_getppid);
    lock_give(&lock);
    return r < 0;
}

/* next_call -- let the traced child go on to its next system call; its number, -1 when it
 * ended. */
static long next_call(pid_t pid)
{
    struct __ptrace_syscall_info info;
    do {
        int status;
        ptrace(PTRACE_SYSCALL, pid, 0, 0);
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
            return -1;
        ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info);
    } while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
    return (long)info.entry.nr;
}

static void test_a_free_lock_costs_one_call(void **state)
{
    (void)state;
    int calls = -1;
    pid_t pid = start(take_between_marks);
    assert_true(WIFSTOPPED(end_of(pid)));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
    for (long nr = 0; nr >= 0;) {
        nr = next_call(pid);
        if (nr == SYS_getppid && calls < 0)
            calls = 0;
        else if (nr == SYS_getppid)
            break;
        else if (calls >= 0)
            calls++;
    }
    ptrace(PTRACE_DETACH, pid, 0, 0);
    assert_good_end(pid);
    assert_int_equal(calls, 1);
}

static int change_for_ever(void)
{
    for (;;) {
        if (lock_take(&lock, 200) < 0)
            return 1;
        change_words();
        lock_give(&lock);
    }
}

/* wait_for_progress -- until another section was done; how long that took, in microseconds. */
static uint64_t wait_for_progress(uint64_t seen)
{
    uint64_t begun = now_us();
    while (atomic_load(&sh->sections) == seen && now_us() - begun < DEADLINE_MS * 1000)
        pause_us(20);
    return now_us() - begun;
}

static void test_storm(void **state)
{
    (void)state;
    enum { KILLS = 2000 };
    struct prng p = {os_random_u64()};
    uint64_t longest = 0;
    printf("# storm: seed %llu\n", (unsigned long long)p.s);
    pid_t pid[3];
    for (size_t i = 0; i < ARRAY_LEN(pid); i++)
        pid[i] = start(change_for_ever);
    for (int i = 0; i < KILLS; i++) {
        size_t victim = prng_below(&p, ARRAY_LEN(pid));
        int signo = prng_below(&p, 20) == 0 ? SIGSTOP : SIGKILL;
        pause_us((long)prng_below(&p, 300));
        kill(pid[victim], signo);
        longest = max_u64(longest, wait_for_progress(atomic_load(&sh->sections)));
        kill(pid[victim], SIGKILL);
        assert_true(WIFSIGNALED(end_of(pid[victim])));
        pid[victim] = start(change_for_ever);
    }
    for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
        kill(pid[i], SIGKILL);
        end_of(pid[i]);
    }
    printf("# storm: %d kills, %llu sections, longest gap %llu us\n", KILLS,
           (unsigned long long)sh->sections, (unsigned long long)longest);
    assert_int_equal(sh->overlaps, 0);
    assert_true(longest < 1000 * 1000);
    assert_int_equal(semctl(lock.id, 0, GETVAL), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_take_and_give),
        TEST(test_what_is_not_ours),
        TEST(test_one_at_a_time),
        TEST(test_dropping_wakes_who_waits),
        TEST(test_a_killed_holder_lets_go),
        TEST(test_a_stopped_holder_is_killed),
        TEST(test_a_hidden_holder_is_killed_too),
        TEST(test_only_the_stopped_one_is_killed),
        TEST(test_busy_is_not_stopped),
        TEST(test_others_cannot_take_it),
        TEST(test_a_free_lock_costs_one_call),
        TEST(test_storm),
    };
    log_open("test", LOG_ERROR);
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
