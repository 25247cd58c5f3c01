/* test_history_harm.c -- the store outlives kills, full disks, and files that are not its own.
 */
#include "store.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "skip.h"

enum { NOBODY = 65534 };

/* in_child -- run `f` in a process of its own; how it ended, as waitpid says. */
static int in_child(void (*f)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        f();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define CHECK(x)                                                                               \
    do {                                                                                       \
        if (!(x)) {                                                                            \
            fprintf(stderr, "# line %d: %s\n", __LINE__, #x);                                  \
            _exit(1);                                                                          \
        }                                                                                      \
    } while (0)

static void die_in_transaction(void)
{
    struct history *h;
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    store_commit(h, ROOM, 10, 1, 50);
    store_commit(h, ROOM, 20, 3, 60);
    CHECK(history_begin(h, 30) == 0);
    for (uint64_t i = 0; i < 1000; i++) { /* more than the page cache: some of it is in the log */
        static uint8_t big[24 << 10];
        struct history_segment s = store_segment(HERE, ROOM, 30 + i, 5 + 2 * i, 70);
        s.frames = big;
        s.len = sizeof big;
        CHECK(history_add(h, &s) == 0);
    }
    raise(SIGKILL);
}

static void test_killed_in_a_transaction(void **state)
{
    (void)state;
    int status = in_child(die_in_transaction);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    char wal[128];
    struct stat st;
    snprintf(wal, sizeof wal, "%s-wal", store_path);
    assert_int_equal(stat(wal, &st), 0);
    assert_in_range(st.st_size, 1 << 20, 1 << 30);
    struct history *h = store_open();
    struct store_seen w = {0};
    assert_int_equal(history_scan(h, 0, 0, 16, store_see, &w), 0);
    SEEN(&w, 10, 20);
    store_assert_durable(h, 30, 4096);
    store_commit(h, ROOM, 30, 5, 70);
    h = store_reopen(h);
    assert_int_equal(store_count(h), 3);
    history_close(h);
}

/* ---- files that are not ours ---- */

/* assert_refused -- and the file is as it was, to the byte, with nothing new beside it. */
/* ---- power is lost while a commit is written ---- */

static void commit_first(void)
{
    struct history *h;
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    store_commit(h, ROOM, 10, 1, 50);
}

static void commit_second(void)
{
    struct history *h;
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    store_commit(h, ROOM, 20, 3, 60);
}

struct image {
    uint8_t bytes[1 << 20];
    size_t len;
};

static void read_image(const char *end, struct image *to)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", store_path, end);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    to->len = fread(to->bytes, 1, sizeof to->bytes, f);
    assert_true(to->len > 0 && to->len < sizeof to->bytes);
    fclose(f);
}

static void write_image(const char *end, const struct image *from)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", store_path, end);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(from->bytes, 1, from->len, f), from->len);
    assert_int_equal(fclose(f), 0);
}

/* tear -- the log as it may lie there when its bytes from `at` on were on the way to the disk. */
static void tear(struct image *log, size_t at, unsigned how)
{
    if (how == 0) /* the file did not grow */
        log->len = at;
    else if (how == 1) /* it grew, and nothing is in it */
        memset(log->bytes + at, 0, log->len - at);
    for (size_t i = at; how == 2 && i < log->len && i < at + 512; i++) /* one sector is neither old nor new */
        log->bytes[i] ^= 0x5a;
}

static void test_torn_write(void **state)
{
    static struct image database, before, whole, torn;
    char shm[128];
    (void)state;
    snprintf(shm, sizeof shm, "%s-shm", store_path);
    assert_int_equal(in_child(commit_first), 0);
    read_image("-wal", &before);
    assert_int_equal(in_child(commit_second), 0);
    read_image("", &database);
    read_image("-wal", &whole);
    assert_true(whole.len > before.len);
    for (size_t at = before.len; at <= whole.len; at += at + 509 > whole.len && at < whole.len ? whole.len - at : 509)
        for (unsigned how = 0; how < 3; how++) {
            torn = whole;
            tear(&torn, at, how);
            write_image("", &database);
            write_image("-wal", &torn);
            unlink(shm);
            struct history *h = store_open();
            bool there = at == whole.len;
            store_assert_durable(h, there ? 30 : 20, 4096);
            assert_int_equal(store_count(h), there ? 2 : 1);
            if (!there)
                store_commit(h, ROOM, 20, 3, 60); /* it goes on */
            assert_int_equal(store_count(h), 2);
            history_close(h);
        }
}

static void assert_refused(const char *says)
{
    static char before[1 << 18], after[1 << 18];
    struct history *h = NULL;
    ssize_t n = read_file(AT_FDCWD, store_path, before, sizeof before);
    assert_true(n >= 0);
    assert_int_equal(history_open(&h, store_path, store_why, sizeof store_why), -EBADMSG);
    assert_null(h);
    assert_non_null(strstr(store_why, store_path));
    assert_non_null(strstr(store_why, says));
    assert_int_equal(read_file(AT_FDCWD, store_path, after, sizeof after), n);
    assert_memory_equal(before, after, (size_t)n);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", store_path);
    assert_int_equal(access(wal, F_OK), -1);
}

static void sql_run(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_not_a_database(void **state)
{
    (void)state;
    static const size_t size[] = {2, 99, 100, 511, 512, 5000};
    static char letters[5000];
    memset(letters, 'x', sizeof letters);
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        int fd = open(store_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write_all(fd, letters, size[i]), 0);
        close(fd);
        assert_refused("restore a backup");
    }
}

static void test_database_of_others(void **state)
{
    (void)state;
    sql_run("CREATE TABLE cats(name)");
    assert_refused("not a relay's");
    sql_run("PRAGMA user_version=1");
    assert_refused("not a relay's");
}

static void test_newer_version(void **state)
{
    (void)state;
    history_close(store_open());
    sql_run("PRAGMA user_version=4");
    assert_refused("newer relay");
    sql_run("PRAGMA user_version=3");
    history_close(store_open());
}

/* A store of a version whose segments answered nothing. */
static void test_older_version(void **state)
{
    (void)state;
    struct history *h = store_open();
    store_commit(h, ROOM, 10, 3, 60);
    history_close(h);
    sql_run("ALTER TABLE segment DROP COLUMN after; PRAGMA user_version=2");
    h = store_open();
    assert_int_equal(store_count(h), 1);
    store_commit(h, ROOM, 20, 5, 70);
    assert_int_equal(store_count(h), 2);
    history_close(h);
}

static void test_damaged(void **state)
{
    (void)state;
    static const char junk[64] = "junk";
    struct history *h = store_open();
    store_commit(h, ROOM, 10, 1, 50);
    history_close(h);
    int fd = open(store_path, O_WRONLY);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 0), sizeof junk);
    close(fd);
    assert_refused("restore a backup");
}

static void open_as_nobody(void)
{
    struct history *h;
    if (getuid() == 0)
        CHECK(setuid(NOBODY) == 0);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == -EACCES);
    CHECK(strstr(store_why, store_path) && strstr(store_why, "who owns it"));
}

static void test_directory_not_writable(void **state)
{
    (void)state;
    assert_int_equal(chmod(store_dir, 0555), 0);
    int none = in_child(open_as_nobody);
    assert_int_equal(access(store_path, F_OK), -1);
    chmod(store_dir, 0755);
    history_close(store_open());
    chmod(store_path, 0666);
    chmod(store_dir, 0555);
    int there = in_child(open_as_nobody); /* the file may be written, its log cannot be made */
    chmod(store_dir, 0700);
    assert_int_equal(none, 0);
    assert_int_equal(there, 0);
}

/* ---- no room ---- */

/* fill -- commits of 16 KiB until one fails; how many were good. */
static unsigned fill(struct history *h, uint64_t from, int *r)
{
    static uint8_t big[16384];
    unsigned n = 0;
    for (*r = 0; n < 1000; n++) {
        uint64_t pos = from + n;
        struct history_segment s = store_segment(HERE, ROOM, pos, 2 * pos, pos);
        s.frames = big;
        s.len = sizeof big;
        *r = history_begin(h, pos);
        *r = *r < 0 ? *r : history_add(h, &s);
        *r = *r < 0 ? *r : history_commit(h, pos + 1, 4096);
        if (*r < 0)
            return n;
    }
    return n;
}

/* check_stored -- exactly the commits before `end`. */
static void check_stored(struct history *h, uint64_t end)
{
    uint64_t pos, ring, seq;
    uint8_t head[HASH_LEN];
    history_durable(h, &pos, &ring);
    CHECK(pos == end);
    CHECK(history_stream(h, HERE, 3, ROOM, &seq, head) == 0);
    CHECK(seq == 2 * (end - 1) + 1);
}

static void fill_small_disk(void)
{
    struct history *h;
    int r;
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", store_dir, "tmpfs", 0, "size=1m") == 0);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    unsigned n = fill(h, 1, &r);
    CHECK(r == -ENOSPC && n > 5 && n < 64);
    check_stored(h, n + 1);
    CHECK(fill(h, n + 1, &r) == 0 && r == -ENOSPC);
    CHECK(mount("none", store_dir, "tmpfs", MS_REMOUNT, "size=4m") == 0);
    unsigned more = fill(h, n + 1, &r); /* no restart needed */
    CHECK(more > 5 && r == -ENOSPC);
    n += more;
    check_stored(h, n + 1);
    history_close(h);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) ==
          0); /* full, yet it opens */
    check_stored(h, n + 1);
    history_close(h);
}

static bool sees_second(void *arg, const struct history_row *row)
{
    (void)arg;
    CHECK(row->s.pos == 2);
    return true;
}

/* drop_first -- the segment of the first commit.  Returns 0 or -errno */
static int drop_first(struct history *h)
{
    struct history_segment s = store_segment(HERE, ROOM, 1, 2, 1);
    uint64_t durable, ring;
    history_durable(h, &durable, &ring);
    int r = history_begin(h, durable);
    r = r < 0 ? r : history_drop(h, &s, 2, 1);
    r = r < 0 ? r : history_commit(h, durable, ring);
    if (r < 0)
        history_rollback(h);
    return r;
}

/* To delete takes room, too: what fails leaves all as it was, and works when there is some. */
static void delete_on_full_disk(void)
{
    struct history *h;
    uint8_t gap[FRAME_MAX];
    uint64_t first;
    int r;
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", store_dir, "tmpfs", 0, "size=1m") == 0);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    unsigned n = fill(h, 1, &r);
    CHECK(r == -ENOSPC);
    CHECK(drop_first(h) == -ENOSPC);
    CHECK(history_gap_at(h, 0, gap) == 0);
    CHECK(history_first_missing(h, HERE, 3, ROOM, 0, &first) == 0 && first == 1);
    check_stored(h, n + 1);
    CHECK(mount("none", store_dir, "tmpfs", MS_REMOUNT, "size=2m") == 0);
    CHECK(drop_first(h) == 0);
    CHECK(history_gap_at(h, 0, gap) == 1 && frame_seq(gap) == 3);
    CHECK(history_scan(h, 0, 0, 1, sees_second, NULL) == 0);
    check_stored(h, n + 1);
    history_close(h);
}

static void open_on_full_disk(void)
{
    struct history *h;
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", store_dir, "tmpfs", 0, "size=16k") == 0);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == -ENOSPC);
    CHECK(strstr(store_why, "disk is full"));
    CHECK(mount("none", store_dir, "tmpfs", MS_REMOUNT, "size=1m") == 0);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    history_close(h);
}

static void test_disk_full(void **state)
{
    (void)state;
    if (skip_unless(getuid() == 0, "test_disk_full", "only root can mount"))
        return;
    assert_int_equal(in_child(fill_small_disk), 0);
    assert_int_equal(in_child(delete_on_full_disk), 0);
    assert_int_equal(in_child(open_on_full_disk), 0);
}

static void fill_allowance(void)
{
    struct history *h;
    int r;
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(history_open(&h, store_path, store_why, sizeof store_why) == 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    unsigned n = fill(h, 1, &r);
    CHECK(r == -ENOSPC && n > 5 && n < 64);
    check_stored(h, n + 1);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(fill(h, n + 1, &r) == 1000);
    check_stored(h, n + 1001);
    history_close(h);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    assert_int_equal(in_child(fill_allowance), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_killed_in_a_transaction),
        TEST(test_torn_write),
        TEST(test_not_a_database),
        TEST(test_database_of_others),
        TEST(test_newer_version),
        TEST(test_older_version),
        TEST(test_damaged),
        TEST(test_directory_not_writable),
        TEST(test_disk_full),
        TEST(test_file_size_limit),
    };
    return cmocka_run_group_tests_name("history_harm", tests, NULL, NULL);
}
