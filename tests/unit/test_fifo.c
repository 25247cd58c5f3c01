/* test_fifo.c -- who reads is who owns it; everything that only looks like it is refused. */
#include "ipc/fifo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

/* The people of the play; none of them has an account. */
enum { RELAY = 65531, ALICE = 65532, MALLORY = 65533 };

#define SOME_NAME "0123456789abcdef0123456789abcdef"

struct scene {
    char top[64], path[80];
    int dir; /* the rendezvous directory */
    bool shared;
};

/* become -- see the file system as that user; only root can, and it can always come back. */
static void become(uid_t uid)
{
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(uid), 0);
    assert_int_equal(seteuid(uid), 0);
}

/* The programs run non-dumpable, which changes what /proc shows them of themselves. */
static void make_scene(struct scene *s)
{
    prctl(PR_SET_DUMPABLE, 0);
    snprintf(s->top, sizeof s->top, "/tmp/relay-test-fifo-XXXXXX");
    assert_non_null(mkdtemp(s->top));
    snprintf(s->path, sizeof s->path, "%s/fifo", s->top);
    if (s->shared) {
        assert_int_equal(chmod(s->top, 0755), 0);
        assert_int_equal(chown(s->top, RELAY, RELAY), 0);
        become(RELAY);
    }
    s->dir = fifo_rendezvous(s->path, s->shared);
    assert_true(s->dir >= 0);
}

static int open_private(void **state)
{
    static struct scene s;
    s.shared = false;
    make_scene(&s);
    *state = &s;
    alarm(60); /* nothing here may ever block */
    return 0;
}

static int open_shared(void **state)
{
    static struct scene s;
    *state = NULL;
    if (geteuid() != 0)
        return 0; /* the test says so by skipping */
    s.shared = true;
    make_scene(&s);
    *state = &s;
    alarm(60);
    return 0;
}

static int remove_what_is_in(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return rmdir(path);
}

static int close_scene(void **state)
{
    struct scene *s = *state;
    alarm(0);
    if (!s)
        return 0;
    if (s->shared)
        become(0);
    close_fd(&s->dir);
    return remove_what_is_in(s->path) | remove_what_is_in(s->top);
}

#define NEEDS_ROOT(state)                                                                      \
    do {                                                                                       \
        if (!*(state))                                                                         \
            skip();                                                                            \
    } while (0)

/* refused -- what the relay says to that name; it must open nothing and leave the caller's
 * owner alone. */
static int refused(struct scene *s, const char *name)
{
    uid_t owner = 4711;
    if (s->shared)
        become(RELAY);
    int r = fifo_open(s->dir, name, &owner);
    assert_true(r < 0);
    assert_int_equal(owner, 4711);
    return r;
}

static int make_as(struct scene *s, uid_t uid, char name[33])
{
    if (s->shared)
        become(uid);
    int fd = fifo_make(s->dir, name);
    assert_true(fd >= 0);
    return fd;
}

static void assert_works(int reader, int writer)
{
    char text[8];
    int flags = fcntl(writer, F_GETFL);
    assert_int_equal(flags & O_ACCMODE, O_WRONLY);
    assert_true(flags & O_NONBLOCK);
    assert_true(fcntl(writer, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(writer, "secret", 6), 6);
    assert_int_equal(read(reader, text, sizeof text), 6);
    assert_memory_equal(text, "secret", 6);
    assert_int_equal(read(reader, text, sizeof text), -1);
    assert_int_equal(errno, EAGAIN);
    close(writer);
    assert_int_equal(read(reader, text, sizeof text), 0);
    close(reader);
}

static bool exists(struct scene *s, const char *name)
{
    struct stat st;
    return fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- one user ---- */

static void test_private_directory(void **state)
{
    struct scene *s = *state;
    struct stat st;
    char name[33];
    assert_int_equal(fstat(s->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    int reader = make_as(s, 0, name);
    assert_int_equal(strspn(name, "0123456789abcdef"), 32);
    assert_int_equal(strlen(name), 32);
    assert_int_equal(fstat(reader, &st), 0);
    assert_int_equal(st.st_mode, S_IFIFO | 0600);
    uid_t owner = 4711;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    assert_int_equal(owner, geteuid());
    assert_false(exists(s, name));
    assert_works(reader, writer);
}

static void test_names_are_unguessable(void **state)
{
    struct scene *s = *state;
    char a[33], b[33];
    close(make_as(s, 0, a));
    close(make_as(s, 0, b));
    assert_string_not_equal(a, b);
    assert_true(exists(s, a));
    fifo_abandon(s->dir, a);
    assert_false(exists(s, a));
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
        SOME_NAME "0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdeF",
        "0123456789abcdef0123456789abcdeg",
        "../0123456789abcdef0123456789abc",
        "0123456789abcde/0123456789abcdef",
        "/123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcde\n",
        SOME_NAME "/",
        "./" SOME_NAME,
        "../fifo/" SOME_NAME,
        "/proc/self/fd/0",
    };
    assert_int_equal(mkfifoat(s->dir, SOME_NAME, 0600), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(refused(s, bad[i]), -EINVAL);
}

static void test_missing_name(void **state)
{
    struct scene *s = *state;
    char name[33];
    assert_int_equal(refused(s, SOME_NAME), -ENOENT);
    int reader = make_as(s, 0, name);
    fifo_abandon(s->dir, name);
    assert_int_equal(refused(s, name), -ENOENT);
    close(reader);
}

static void test_nobody_reads(void **state)
{
    struct scene *s = *state;
    char name[33];
    uint64_t begun = now_ms();
    close(make_as(s, 0, name));
    assert_int_equal(refused(s, name), -ENXIO);
    assert_true(now_ms() - begun < 1000);
}

static void test_symlinks(void **state)
{
    struct scene *s = *state;
    static const char *const targets[] = {"/dev/null", "/proc/self/fd/0", "nowhere", "..",
                                          NULL};
    char name[33];
    int reader = make_as(s, 0, name);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        assert_int_equal(symlinkat(targets[i] ? targets[i] : name, s->dir, SOME_NAME), 0);
        assert_int_equal(refused(s, SOME_NAME), -EPERM);
        assert_true(exists(s, name));
        fifo_abandon(s->dir, SOME_NAME);
    }
    close(reader);
}

static void test_other_kinds_of_file(void **state)
{
    struct scene *s = *state;
    int fd = openat(s->dir, SOME_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(refused(s, SOME_NAME), -EPERM);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    fifo_abandon(s->dir, SOME_NAME);
    assert_int_equal(mkdirat(s->dir, SOME_NAME, 0700), 0);
    assert_int_equal(refused(s, SOME_NAME), -EPERM);
    assert_int_equal(unlinkat(s->dir, SOME_NAME, AT_REMOVEDIR), 0);
    assert_int_equal(mknodat(s->dir, SOME_NAME, S_IFSOCK | 0600, 0), 0);
    assert_int_equal(refused(s, SOME_NAME), -EPERM);
}

static void test_hard_link(void **state)
{
    struct scene *s = *state;
    char name[33];
    int reader = make_as(s, 0, name);
    assert_int_equal(linkat(s->dir, name, s->dir, SOME_NAME, 0), 0);
    assert_int_equal(refused(s, name), -EPERM);
    assert_int_equal(refused(s, SOME_NAME), -EPERM);
    fifo_abandon(s->dir, SOME_NAME);
    uid_t owner;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    assert_works(reader, writer);
}

static void test_modes(void **state)
{
    struct scene *s = *state;
    static const mode_t bad[] = {0604, 0602, 0606, 0640, 0660, 0666, 0644, 0622};
    char name[33];
    int reader = make_as(s, 0, name);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(fchmod(reader, bad[i]), 0);
        assert_int_equal(refused(s, name), -EPERM);
    }
    assert_int_equal(fchmod(reader, 0600), 0);
    uid_t owner;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    assert_works(reader, writer);
}

static void make_both(struct scene *s)
{
    assert_int_equal(mkfifoat(s->dir, SOME_NAME, 0600), 0);
    int fd = openat(s->dir, "kept", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void test_sweep(void **state)
{
    struct scene *s = *state;
    make_both(s);
    assert_int_equal(fifo_sweep(s->dir, 60), 0);
    assert_true(exists(s, SOME_NAME));
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(s->dir, SOME_NAME, old, 0), 0);
    assert_int_equal(fifo_sweep(s->dir, 60), 0); /* anybody can say that it is old */
    assert_int_equal(fifo_sweep(s->dir, 0), 1);
    assert_false(exists(s, SOME_NAME));
    assert_true(exists(s, "kept"));
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
    mode_t old = umask(0777);
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
    if (symlinkat(name, s->dir, SOME_NAME) < 0 ||
        fifo_open(s->dir, SOME_NAME, &owner) != -EPERM)
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
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        assert_int_equal(status, 0);
        fifo_abandon(s->dir, SOME_NAME);
    }
}

/* ---- several users ---- */

static void test_owner_is_proven(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    static const uid_t people[] = {ALICE, MALLORY};
    struct stat st;
    assert_int_equal(fstat(s->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 03733);
    assert_int_equal(st.st_gid, RELAY);
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        char name[33];
        uid_t owner = 4711;
        mode_t old = umask(077);
        int reader = make_as(s, people[i], name);
        umask(old);
        assert_int_equal(fstat(reader, &st), 0);
        assert_int_equal(st.st_mode, S_IFIFO | 0620);
        assert_int_equal(st.st_gid, RELAY);
        become(RELAY);
        int writer = fifo_open(s->dir, name, &owner);
        assert_true(writer >= 0);
        assert_int_equal(owner, people[i]);
        assert_false(exists(s, name));
        assert_works(reader, writer);
    }
}

/* The worst case: Mallory knows the name of Alice's FIFO. */
static void test_others_cannot_touch_it(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char name[33], path[128];
    int reader = make_as(s, ALICE, name);
    snprintf(path, sizeof path, "%s/%s", s->path, name);
    become(MALLORY);
    assert_null(opendir(s->path));
    assert_int_equal(errno, EACCES);
    static const int ways[] = {O_RDONLY, O_WRONLY, O_RDWR};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        assert_int_equal(open(path, ways[i] | O_NONBLOCK), -1);
        assert_int_equal(errno, EACCES);
    }
    assert_int_equal(unlink(path), -1);
    assert_int_equal(errno, EPERM);
    char other[160];
    snprintf(other, sizeof other, "%s/" SOME_NAME, s->path);
    assert_int_equal(rename(path, other), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(mkfifo(other, 0622), 0);
    assert_int_equal(rename(other, path), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(chmod(path, 0666), -1);
    assert_int_equal(chown(path, MALLORY, (gid_t)-1), -1);
    assert_int_equal(chmod(s->path, 0777), -1);
    assert_int_equal(rmdir(s->path), -1);
    become(RELAY);
    uid_t owner = 4711;
    int writer = fifo_open(s->dir, name, &owner);
    assert_true(writer >= 0);
    assert_int_equal(owner, ALICE);
    assert_works(reader, writer);
}

/* Where the kernel does not protect hard links Mallory can make one, and gains nothing. */
static void test_hard_link_of_another(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char name[33];
    int reader = make_as(s, ALICE, name);
    become(MALLORY);
    int linked = linkat(s->dir, name, s->dir, SOME_NAME, 0);
    assert_int_equal(refused(s, SOME_NAME), linked == 0 ? -EPERM : -ENOENT);
    close(reader);
}

static void test_symlink_to_another(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char name[33];
    int reader = make_as(s, ALICE, name);
    become(MALLORY);
    assert_int_equal(symlinkat(name, s->dir, SOME_NAME), 0);
    assert_int_equal(refused(s, SOME_NAME), -EPERM);
    assert_true(exists(s, name));
    close(reader);
}

static void test_group_must_be_the_relays(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char name[33];
    int reader = make_as(s, MALLORY, name);
    assert_int_equal(fchown(reader, (uid_t)-1, MALLORY), 0);
    assert_int_equal(fchmod(reader, 0620), 0);
    assert_int_equal(refused(s, name), -EPERM);
    become(MALLORY);
    assert_int_equal(fchmod(reader, 0600), 0);
    assert_int_equal(refused(s, name), -EACCES); /* then we cannot write to it */
    close(reader);
}

static void test_overflow_uid(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char text[16], name[33];
    assert_true(read_file(AT_FDCWD, "/proc/sys/kernel/overflowuid", text, sizeof text) > 0);
    int reader = make_as(s, ALICE, name);
    become(0);
    assert_int_equal(fchown(reader, (uid_t)strtoul(text, NULL, 10), (gid_t)-1), 0);
    assert_int_equal(fchmod(reader, 0620), 0);
    assert_int_equal(refused(s, name), -EPERM);
    close(reader);
}

static void test_rendezvous_of_another(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    become(ALICE);
    assert_int_equal(fifo_rendezvous(s->path, true), -EACCES);
    become(0);
    assert_int_equal(fifo_rendezvous(s->path, true), -EPERM);
}

static int open_mounted(struct scene *s, const char *name)
{
    char path[128];
    uid_t owner;
    snprintf(path, sizeof path, "%s/%s", s->path, name);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(path, path, NULL, MS_BIND, NULL) < 0)
        return 77;
    int dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return reader < 0 || fifo_open(dir, name, &owner) != -EPERM;
}

/* Another file system may say of its files what it likes, so nothing mounted there is believed.
 */
static void test_mounted_file(void **state)
{
    NEEDS_ROOT(state);
    struct scene *s = *state;
    char name[33];
    int reader = make_as(s, ALICE, name);
    become(0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_mounted(s, name));
    int status = -1;
    waitpid(pid, &status, 0);
    close(reader);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
#define ONE(f)     cmocka_unit_test_setup_teardown(f, open_private, close_scene)
#define SEVERAL(f) cmocka_unit_test_setup_teardown(f, open_shared, close_scene)
    const struct CMUnitTest tests[] = {
        ONE(test_private_directory),
        ONE(test_names_are_unguessable),
        ONE(test_client_needs_only_the_path),
        ONE(test_malformed_names),
        ONE(test_missing_name),
        ONE(test_nobody_reads),
        ONE(test_symlinks),
        ONE(test_other_kinds_of_file),
        ONE(test_hard_link),
        ONE(test_modes),
        ONE(test_sweep),
        ONE(test_rendezvous_is_mended),
        ONE(test_rendezvous_is_a_directory),
        ONE(test_without_openat2),
        SEVERAL(test_owner_is_proven),
        SEVERAL(test_others_cannot_touch_it),
        SEVERAL(test_hard_link_of_another),
        SEVERAL(test_symlink_to_another),
        SEVERAL(test_group_must_be_the_relays),
        SEVERAL(test_overflow_uid),
        SEVERAL(test_rendezvous_of_another),
        SEVERAL(test_mounted_file),
    };
    return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
