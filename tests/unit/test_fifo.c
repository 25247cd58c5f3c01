/* test_fifo.c -- who reads is who owns it; everything that only looks like it is refused. */
#include "ipc/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "scene.h"
#include "skip.h"

static void test_private_directory(void **state)
{
    struct scene *s = *state;
    struct stat st;
    char name[33];
    assert_int_equal(fstat(s->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    int reader = scene_fifo(s, 0, name);
    assert_int_equal(strspn(name, "0123456789abcdef"), 32);
    assert_int_equal(strlen(name), 32);
    assert_int_equal(fstat(reader, &st), 0);
    assert_int_equal(st.st_mode, S_IFIFO | 0600);
    uid_t owner = 4711;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    assert_int_equal(owner, geteuid());
    assert_false(scene_has(s, name));
    scene_assert_works(reader, writer);
}

static void test_names_are_unguessable(void **state)
{
    struct scene *s = *state;
    char a[33], b[33];
    close(scene_fifo(s, 0, a));
    close(scene_fifo(s, 0, b));
    assert_string_not_equal(a, b);
    assert_true(scene_has(s, a));
    fifo_abandon(s->dir, a);
    assert_false(scene_has(s, a));
    fifo_abandon(s->dir, a);
}

static void test_client_needs_only_the_path(void **state)
{
    struct scene *s = *state;
    char name[33];
    int path = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int reader = fifo_make(path, name);
    assert_true(reader >= 0);
    fifo_abandon(path, name);
    close(reader);
    close(path);
    assert_int_equal(fifo_make(-1, name), -EBADF);
}

static void test_malformed_names(void **state)
{
    struct scene *s = *state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "0123456789abcdef0123456789abcde",
        SOME_FIFO "0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdeF",
        "0123456789abcdef0123456789abcdeg",
        "../0123456789abcdef0123456789abc",
        "0123456789abcde/0123456789abcdef",
        "/123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcde\n",
        SOME_FIFO "/",
        "./" SOME_FIFO,
        "../fifo/" SOME_FIFO,
        "/proc/self/fd/0",
    };
    assert_int_equal(mkfifoat(s->dir, SOME_FIFO, 0600), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(scene_refuses(s, bad[i]), -EINVAL);
}

static void test_missing_name(void **state)
{
    struct scene *s = *state;
    char name[33];
    assert_int_equal(scene_refuses(s, SOME_FIFO), -ENOENT);
    int reader = scene_fifo(s, 0, name);
    fifo_abandon(s->dir, name);
    assert_int_equal(scene_refuses(s, name), -ENOENT);
    close(reader);
}

static void test_nobody_reads(void **state)
{
    struct scene *s = *state;
    char name[33];
    uint64_t begun = now_ms();
    close(scene_fifo(s, 0, name));
    assert_int_equal(scene_refuses(s, name), -ENXIO);
    assert_true(now_ms() - begun < 1000);
}

static void test_symlinks(void **state)
{
    struct scene *s = *state;
    static const char *const targets[] = {"/dev/null", "/proc/self/fd/0", "nowhere", "..",
                                          NULL};
    char name[33];
    int reader = scene_fifo(s, 0, name);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        assert_int_equal(symlinkat(targets[i] ? targets[i] : name, s->dir, SOME_FIFO), 0);
        assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
        assert_true(scene_has(s, name));
        fifo_abandon(s->dir, SOME_FIFO);
    }
    close(reader);
}

static void test_other_kinds_of_file(void **state)
{
    struct scene *s = *state;
    int fd = openat(s->dir, SOME_FIFO, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    fifo_abandon(s->dir, SOME_FIFO);
    assert_int_equal(mkdirat(s->dir, SOME_FIFO, 0700), 0);
    assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
    assert_int_equal(unlinkat(s->dir, SOME_FIFO, AT_REMOVEDIR), 0);
    assert_int_equal(mknodat(s->dir, SOME_FIFO, S_IFSOCK | 0600, 0), 0);
    assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
}

static void test_hard_link(void **state)
{
    struct scene *s = *state;
    char name[33];
    int reader = scene_fifo(s, 0, name);
    assert_int_equal(linkat(s->dir, name, s->dir, SOME_FIFO, 0), 0);
    assert_int_equal(scene_refuses(s, name), -EPERM);
    assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
    fifo_abandon(s->dir, SOME_FIFO);
    uid_t owner;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    scene_assert_works(reader, writer);
}

static void test_modes(void **state)
{
    struct scene *s = *state;
    static const mode_t bad[] = {0604, 0602, 0606, 0640, 0660, 0666, 0644, 0622};
    char name[33];
    int reader = scene_fifo(s, 0, name);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(fchmod(reader, bad[i]), 0);
        assert_int_equal(scene_refuses(s, name), -EPERM);
    }
    assert_int_equal(fchmod(reader, 0600), 0);
    uid_t owner;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    scene_assert_works(reader, writer);
}

static void make_both(struct scene *s)
{
    assert_int_equal(mkfifoat(s->dir, SOME_FIFO, 0600), 0);
    int fd = openat(s->dir, "kept", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void test_sweep(void **state)
{
    struct scene *s = *state;
    make_both(s);
    assert_int_equal(fifo_sweep(s->dir, 60), 0);
    assert_true(scene_has(s, SOME_FIFO));
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(s->dir, SOME_FIFO, old, 0), 0);
    assert_int_equal(fifo_sweep(s->dir, 60), 0); /* anybody can say that it is old */
    assert_int_equal(fifo_sweep(s->dir, 0), 1);
    assert_false(scene_has(s, SOME_FIFO));
    assert_true(scene_has(s, "kept"));
    assert_int_equal(fifo_sweep(s->dir, 0), 0);
    assert_int_equal(fifo_sweep(-1, 0), 0);
}

static void test_rendezvous_is_mended(void **state)
{
    struct scene *s = *state;
    struct stat st;
    assert_int_equal(chmod(s->path, 0777), 0);
    int again = fifo_rendezvous(s->path, false);
    assert_true(again >= 0);
    assert_int_equal(fstat(again, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    close(again);
    mode_t old = umask(077);
    assert_int_equal(rmdir(s->path), 0);
    again = fifo_rendezvous(s->path, true);
    umask(old);
    assert_true(again >= 0);
    assert_int_equal(fstat(again, &st), 0);
    assert_int_equal(st.st_mode & 07777, 03733);
    close(again);
}

static void test_rendezvous_is_a_directory(void **state)
{
    struct scene *s = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/link", s->top);
    assert_int_equal(symlink(s->path, path), 0);
    assert_int_equal(fifo_rendezvous(path, false), -ENOTDIR);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(fifo_rendezvous(path, false), -ENOTDIR);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/no/where", s->top);
    assert_int_equal(fifo_rendezvous(path, false), -ENOENT);
}

/* ---- a kernel or a sandbox without openat2 ---- */

static bool forbid_openat2(unsigned err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {ARRAY_LEN(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static int go_without(struct scene *s, unsigned err)
{
    char name[33];
    uid_t owner = 4711;
    int reader = fifo_make(s->dir, name);
    if (reader < 0 || !forbid_openat2(err))
        return 77;
    if (symlinkat(name, s->dir, SOME_FIFO) < 0 ||
        fifo_open(s->dir, SOME_FIFO, &owner) != -EPERM)
        return 1;
    int writer = fifo_open(s->dir, name, &owner);
    return writer < 0 || owner != geteuid() || write(writer, "x", 1) != 1 ? 2 : 0;
}

static void test_without_openat2(void **state)
{
    struct scene *s = *state;
    static const unsigned errors[] = {ENOSYS, EPERM};
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(go_without(s, errors[i]));
        int status = -1;
        waitpid(pid, &status, 0);
        bool can = !WIFEXITED(status) || WEXITSTATUS(status) != 77;
        if (skip_unless(can, __func__, "no seccomp filters here"))
            return;
        assert_int_equal(status, 0);
        fifo_abandon(s->dir, SOME_FIFO);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_open_private, scene_close)
    const struct CMUnitTest tests[] = {
        TEST(test_private_directory),
        TEST(test_names_are_unguessable),
        TEST(test_client_needs_only_the_path),
        TEST(test_malformed_names),
        TEST(test_missing_name),
        TEST(test_nobody_reads),
        TEST(test_symlinks),
        TEST(test_other_kinds_of_file),
        TEST(test_hard_link),
        TEST(test_modes),
        TEST(test_sweep),
        TEST(test_rendezvous_is_mended),
        TEST(test_rendezvous_is_a_directory),
        TEST(test_without_openat2),
    };
    return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
