/* test_shm.c -- shared memory: reserved pages, the ring that wraps in the address space, and
 * names. */
#include "ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "skip.h"

static char name[64];
static size_t page;

static int setup(void **state)
{
    (void)state;
    snprintf(name, sizeof name, "/relay-test-shm-%d", (int)getpid());
    page = (size_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shm_drop(name);
    return 0;
}

static int create(size_t size)
{
    int fd = shm_create(name, size);
    assert_true(fd >= 0);
    return fd;
}

static void test_ring_wraps_in_memory(void **state)
{
    (void)state;
    int fd = create(3 * page);
    void *base;
    assert_int_equal(shm_map(fd, 3 * page, page, 2 * page, true, &base), 0);
    char *head = base, *ring = head + page;
    memcpy(ring + 2 * page - 4, "wrapped", 8);
    assert_memory_equal(ring, "ped", 4);
    ring[page] = 'x';
    assert_int_equal(ring[3 * page], 'x');
    ring[2 * page + 5] = 'y';
    assert_int_equal(ring[5], 'y');
    assert_int_equal(head[5], 0);
    shm_unmap(base, 3 * page, 2 * page);
    close(fd);
}

static void test_mappings_share_one_object(void **state)
{
    (void)state;
    int fd = create(page);
    size_t size = 0;
    int other = shm_attach(name, &size);
    assert_true(other >= 0);
    assert_int_equal(size, page);
    void *a, *b;
    assert_int_equal(shm_map(fd, page, 0, 0, true, &a), 0);
    assert_int_equal(shm_map(other, page, 0, 0, false, &b), 0);
    close(fd);
    close(other);
    shm_drop(name);
    memcpy(a, "still there", 12);
    assert_string_equal((const char *)b, "still there");
    shm_unmap(a, page, 0);
    shm_unmap(b, page, 0);
}

static void test_ring_must_be_the_tail(void **state)
{
    (void)state;
    int fd = create(3 * page);
    void *base;
    assert_int_equal(shm_map(fd, 3 * page, page, page, true, &base), -EINVAL);
    assert_int_equal(shm_map(fd, 3 * page, 3 * page, page, true, &base), -EINVAL);
    assert_int_equal(shm_map(fd, 3 * page, page / 2, 3 * page - page / 2, true, &base),
                     -EINVAL);
    assert_int_equal(shm_map(fd, 3 * page, 4 * page, (size_t)0 - page, true, &base), -EINVAL);
    close(fd);
}

static void test_pages_are_reserved(void **state)
{
    (void)state;
    mode_t old = umask(0777);
    int fd = create(64 * page);
    umask(old);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 64 * page);
    assert_true((size_t)st.st_blocks * 512 >= 64 * page);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void test_no_room_is_said_at_once(void **state)
{
    (void)state;
    struct statvfs fs;
    bool limited = statvfs("/dev/shm", &fs) == 0 && fs.f_blocks > 0;
    if (skip_unless(limited, __func__, "/dev/shm has no limit"))
        return;
    size_t size;
    size_t all = (size_t)fs.f_blocks * fs.f_frsize;
    assert_int_equal(shm_create(name, all + 16 * page), -ENOSPC);
    assert_int_equal(shm_attach(name, &size), -ENOENT);
}

static void test_name_must_be_new(void **state)
{
    (void)state;
    int fd = create(page);
    assert_int_equal(shm_create(name, page), -EEXIST);
    assert_true(shm_is(name, fd));
    close(fd);
}

static void test_attach_refuses_what_others_can_reach(void **state)
{
    (void)state;
    static const mode_t open_to_others[] = {0644, 0604, 0640, 0660, 0602, 0610};
    int fd = create(page);
    size_t size;
    for (size_t i = 0; i < ARRAY_LEN(open_to_others); i++) {
        assert_int_equal(fchmod(fd, open_to_others[i]), 0);
        assert_int_equal(shm_attach(name, &size), -EPERM);
    }
    close(fd);
}

static void test_root_may_look(void **state)
{
    (void)state;
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    int fd = create(page);
    size_t size;
    assert_int_equal(fchown(fd, 65533, 65533), 0);
    int root = shm_attach(name, &size);
    assert_true(root >= 0);
    close(root);
    assert_int_equal(seteuid(65532), 0);
    int other = shm_attach(name, &size);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(other, -EACCES);
    close(fd);
}

static void test_a_lost_name_is_noticed(void **state)
{
    (void)state;
    int fd = create(page);
    assert_true(shm_is(name, fd));
    shm_drop(name);
    assert_false(shm_is(name, fd));
    shm_drop(name);
    int impostor = create(page);
    assert_false(shm_is(name, fd));
    assert_true(shm_is(name, impostor));
    close(impostor);
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ring_wraps_in_memory),
        TEST(test_mappings_share_one_object),
        TEST(test_ring_must_be_the_tail),
        TEST(test_pages_are_reserved),
        TEST(test_no_room_is_said_at_once),
        TEST(test_name_must_be_new),
        TEST(test_attach_refuses_what_others_can_reach),
        TEST(test_root_may_look),
        TEST(test_a_lost_name_is_noticed),
    };
    return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
