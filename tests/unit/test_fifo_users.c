/* test_fifo_users.c -- a directory for all users: each is who the kernel says, and nobody is
 * another. */
#include "ipc/fifo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "scene.h"
#include "skip.h"

static void test_owner_is_proven(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    static const uid_t people[] = {ALICE, MALLORY};
    struct stat st;
    assert_int_equal(fstat(s->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 03733);
    assert_int_equal(st.st_gid, RELAY);
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        char name[33];
        uid_t owner = 4711;
        mode_t old = umask(077);
        int reader = scene_fifo(s, people[i], name);
        umask(old);
        assert_int_equal(fstat(reader, &st), 0);
        assert_int_equal(st.st_mode, S_IFIFO | 0620);
        assert_int_equal(st.st_gid, RELAY);
        become(RELAY);
        int writer = fifo_open(s->dir, name, &owner);
        assert_true(writer >= 0);
        assert_int_equal(owner, people[i]);
        assert_false(scene_has(s, name));
        scene_assert_works(reader, writer);
    }
}

/* The worst case: Mallory knows the name of Alice's FIFO. */
static void test_others_cannot_touch_it(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char name[33], path[128];
    int reader = scene_fifo(s, ALICE, name);
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
    snprintf(other, sizeof other, "%s/" SOME_FIFO, s->path);
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
    scene_assert_works(reader, writer);
}

/* Where the kernel does not protect hard links Mallory can make one, and gains nothing. */
static void test_hard_link_of_another(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char name[33];
    int reader = scene_fifo(s, ALICE, name);
    become(MALLORY);
    int linked = linkat(s->dir, name, s->dir, SOME_FIFO, 0);
    assert_int_equal(scene_refuses(s, SOME_FIFO), linked == 0 ? -EPERM : -ENOENT);
    close(reader);
}

static void test_symlink_to_another(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char name[33];
    int reader = scene_fifo(s, ALICE, name);
    become(MALLORY);
    assert_int_equal(symlinkat(name, s->dir, SOME_FIFO), 0);
    assert_int_equal(scene_refuses(s, SOME_FIFO), -EPERM);
    assert_true(scene_has(s, name));
    close(reader);
}

static void test_group_must_be_the_relays(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char name[33];
    int reader = scene_fifo(s, MALLORY, name);
    assert_int_equal(fchown(reader, (uid_t)-1, MALLORY), 0);
    assert_int_equal(fchmod(reader, 0620), 0);
    assert_int_equal(scene_refuses(s, name), -EPERM);
    become(MALLORY);
    assert_int_equal(fchmod(reader, 0600), 0);
    assert_int_equal(scene_refuses(s, name), -EACCES); /* then we cannot write to it */
    close(reader);
}

static void test_overflow_uid(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char text[16], name[33];
    assert_true(read_file(AT_FDCWD, "/proc/sys/kernel/overflowuid", text, sizeof text) > 0);
    int reader = scene_fifo(s, ALICE, name);
    become(0);
    assert_int_equal(fchown(reader, (uid_t)strtoul(text, NULL, 10), (gid_t)-1), 0);
    assert_int_equal(fchmod(reader, 0620), 0);
    assert_int_equal(scene_refuses(s, name), -EPERM);
    close(reader);
}

static void test_rendezvous_of_another(void **state)
{
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
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
    struct scene *s = *state;
    if (skip_unless(s != NULL, __func__, "needs root"))
        return;
    char name[33];
    int reader = scene_fifo(s, ALICE, name);
    become(0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_mounted(s, name));
    int status = -1;
    waitpid(pid, &status, 0);
    close(reader);
    bool can = !WIFEXITED(status) || WEXITSTATUS(status) != 77;
    if (skip_unless(can, __func__, "cannot mount here"))
        return;
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_open_shared, scene_close)
    const struct CMUnitTest tests[] = {
        TEST(test_owner_is_proven),          TEST(test_others_cannot_touch_it),
        TEST(test_hard_link_of_another),     TEST(test_symlink_to_another),
        TEST(test_group_must_be_the_relays), TEST(test_overflow_uid),
        TEST(test_rendezvous_of_another),    TEST(test_mounted_file),
    };
    return cmocka_run_group_tests_name("fifo_users", tests, NULL, NULL);
}
