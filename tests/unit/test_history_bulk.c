/* test_history_bulk.c -- large segments, which lie beside the database: what was committed is there, and nothing else. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Around the size from which on they do, and the largest. */
static const size_t sizes[] = {100, (32 << 10) - 1, 32 << 10, (32 << 10) + 1, 100000, SEGMENT_BYTES};

static uint8_t frames[SEGMENT_BYTES];

static char *bulk_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s-bulk", store_path);
    return path;
}

static off_t bulk_size(void)
{
    struct stat s;
    assert_int_equal(stat(bulk_path(), &s), 0);
    return s.st_size;
}

/* content -- what lies in a segment of that position: no two are alike. */
static const uint8_t *content(uint64_t pos, size_t len)
{
    for (size_t i = 0; i < len; i++)
        frames[i] = (uint8_t)(pos * 31 + i + i / 251);
    return frames;
}

static int add(struct history *h, uint64_t pos, size_t len)
{
    struct history_segment s = store_segment(HERE, ROOM, pos, 2 * pos + 1, pos + 1);
    s.frames = content(pos, len);
    s.len = len;
    return history_add(h, &s);
}

/* put -- one commit of one segment. */
static int put(struct history *h, uint64_t pos, size_t len)
{
    int r = history_begin(h, pos);
    r = r < 0 ? r : add(h, pos, len);
    return r < 0 ? r : history_commit(h, pos + 1, 4096);
}

struct seen {
    unsigned n;
    size_t len[16];
};

static bool see(void *arg, const struct history_row *row)
{
    struct seen *w = arg;
    assert_memory_equal(row->s.frames, content(row->s.pos, row->s.len), row->s.len);
    w->len[w->n++] = row->s.len;
    return true;
}

static void assert_holds(struct history *h, unsigned n, const size_t *len)
{
    struct seen w = {0};
    assert_int_equal(history_scan(h, 0, 0, 16, see, &w), 0);
    assert_int_equal(w.n, n);
    assert_memory_equal(w.len, len, n * sizeof *len);
}

static void test_every_size(void **state)
{
    (void)state;
    struct history *h = store_open();
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
        assert_int_equal(put(h, i + 1, sizes[i]), 0);
    assert_holds(h, ARRAY_LEN(sizes), sizes);
    h = store_reopen(h);
    assert_holds(h, ARRAY_LEN(sizes), sizes);
    assert_int_equal(bulk_size(), (32 << 10) + (32 << 10) + 1 + 100000 + SEGMENT_BYTES);
    history_close(h);
}

static void test_several_in_a_commit(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(history_begin(h, 1), 0);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
        assert_int_equal(add(h, i + 1, sizes[i]), 0);
    assert_int_equal(history_commit(h, 100, 4096), 0);
    h = store_reopen(h);
    assert_holds(h, ARRAY_LEN(sizes), sizes);
    history_close(h);
}

static void test_rolled_back(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(put(h, 1, 50000), 0);
    assert_int_equal(history_begin(h, 2), 0);
    assert_int_equal(add(h, 2, 60000), 0);
    history_rollback(h);
    assert_int_equal(put(h, 3, 40000), 0);
    h = store_reopen(h);
    assert_holds(h, 2, (size_t[]){50000, 40000});
    assert_int_equal(bulk_size(), 110000); /* what came to nothing was written over */
    history_close(h);
}

static void test_killed_before_the_commit(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct history *h;
        if (history_open(&h, store_path, store_why, sizeof store_why) == 0 && put(h, 1, 50000) == 0 && history_begin(h, 2) == 0 &&
            add(h, 2, 60000) == 0)
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct history *h = store_open();
    assert_holds(h, 1, (size_t[]){50000});
    assert_int_equal(put(h, 3, 40000), 0);
    assert_holds(h, 2, (size_t[]){50000, 40000});
    history_close(h);
}

static void assert_says(const char *what)
{
    struct history *h = NULL;
    assert_int_equal(history_open(&h, store_path, store_why, sizeof store_why), -EBADMSG);
    assert_null(h);
    assert_non_null(strstr(store_why, bulk_path()));
    assert_non_null(strstr(store_why, what));
}

static void test_shorter_than_the_database_says(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(put(h, 1, 50000), 0);
    history_close(h);
    assert_int_equal(truncate(bulk_path(), 49999), 0);
    assert_says("same backup");
    assert_int_equal(unlink(bulk_path()), 0);
    assert_says("same backup");
}

static void test_cut_off_while_open(void **state)
{
    (void)state;
    struct history *h = store_open();
    struct seen w = {0};
    assert_int_equal(put(h, 1, 100), 0);
    assert_int_equal(put(h, 2, 50000), 0);
    assert_int_equal(truncate(bulk_path(), 10), 0);
    assert_int_equal(history_scan(h, 0, 0, 16, see, &w), -EBADMSG);
    assert_int_equal(w.n, 1);
    history_close(h);
}

static void test_newest_and_since(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(put(h, 1, 50000), 0);
    assert_int_equal(put(h, 2, 60000), 0);
    assert_holds(h, 2, (size_t[]){50000, 60000});
    struct seen w = {0};
    assert_int_equal(history_newest(h, ROOM, see, &w), 0);
    assert_int_equal(history_since(h, ROOM, 0, see, &w), 0);
    assert_int_equal(w.n, 4);
    history_close(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_size),
        TEST(test_several_in_a_commit),
        TEST(test_rolled_back),
        TEST(test_killed_before_the_commit),
        TEST(test_shorter_than_the_database_says),
        TEST(test_cut_off_while_open),
        TEST(test_newest_and_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
