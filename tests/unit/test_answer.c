/* test_answer.c -- how many answers may be open at once, and who is told that it is enough. */
#include "keep/answer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "scene.h"
#include "shared.h"
#include "skip.h"
#include "store.h"

enum { RING = SHARED_RING, BETA = 100, CLIENT = 9 };

struct play {
    struct scene *scene; /* NULL: not root */
    struct state st;
    struct lock lock;
    struct loop loop;
    struct history *h;
    struct forks *forks;
    struct feeds *fs;
    struct folds *folds;
    struct answers *a;
    int dir;
};

static void leaf(void *arg)
{
    (void)arg;
}

static int make_state(struct play *p)
{
    int r = shared_open(&p->st, &p->lock, HERE, 5, "alpha", PROC_KEEPER);
    if (r == 0)
        r = state_take(&p->st);
    if (r == 0) {
        (void)roster_room_open(&p->st.edit, ROOM, text_of("lobby"));
        state_give(&p->st);
    }
    return r;
}

/* A peer that has nothing: who waits for it waits. */
static int set_up(void **state)
{
    static struct play p;
    void *scene;
    p = (struct play){0};
    if (store_setup(state) < 0 || make_state(&p) < 0 || loop_open(&p.loop, &p) < 0)
        return -1;
    atomic_store(&p.st.seg->link[0].host, BETA);
    p.h = store_open();
    p.dir = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (forks_open(&p.forks, p.h) < 0 || feeds_open(&p.fs, p.h, p.st.seg, p.forks, &p.loop, feeds_listen(p.dir), leaf, NULL) < 0 ||
        folds_open(&p.folds, &p.st, p.h, p.forks) < 0 || scene_open_shared(&scene) < 0)
        return -1;
    p.scene = scene;
    *state = &p;
    return answers_open(&p.a, &p.st, p.h, p.fs, p.folds, p.forks, &p.loop, p.scene ? p.scene->dir : -1);
}

static int tear_down(void **state)
{
    struct play *p = *state;
    void *scene = p->scene;
    answers_close(p->a);
    int r = scene_close(&scene);
    folds_close(p->folds);
    feeds_close(p->fs);
    forks_close(p->forks);
    history_close(p->h);
    unlinkat(p->dir, "feed", 0);
    close(p->dir);
    loop_close(&p->loop);
    shared_close(&p->st, &p->lock);
    return r | store_teardown(state);
}

/* ask -- returns the end of the FIFO that is read. */
static int ask(struct play *p, uid_t uid, uint8_t kind, uint32_t limit)
{
    struct query q = {
        .kind = kind, .limit = limit, .uid = uid, .key = {.origin = HERE, .seq = 1}};
    uint8_t f[FRAME_MAX];
    int fd = scene_fifo(p->scene, uid, q.fifo);
    assert_true(write_query(f, &q, ROOM, CLIENT, 3) > 0);
    become(RELAY);
    answers_begin(p->a, f);
    return fd;
}

/* ended -- with which reason; -1: it is still open. */
static int ended(int fd)
{
    uint8_t in[1 << 14];
    struct end e;
    ssize_t n = read(fd, in, sizeof in);
    for (ssize_t at = 0; at < n; at += (ssize_t)frame_stride(in + at)) {
        assert_true(frame_check(in + at, (size_t)(n - at)) > 0);
        if (frame_type(in + at) != FRAME_END)
            continue;
        assert_int_equal(read_end(in + at, &e), 0);
        assert_int_equal(frame_client_seq(in + at), 3);
        assert_true((e.reason == REASON_OK) == (e.text.len == 0));
        return e.reason;
    }
    return -1;
}

static void test_a_user_has_enough(void **state)
{
    struct play *p = *state;
    int open_now[ANSWERS_PER_USER], fd;
    if (skip_unless(p->scene != NULL, __func__, "needs root"))
        return;
    for (size_t i = 0; i < ANSWERS_PER_USER; i++) {
        open_now[i] = ask(p, ALICE, QUERY_TRACE, 1);
        assert_int_equal(ended(open_now[i]), -1);
    }
    fd = ask(p, ALICE, QUERY_TRACE, 1);
    assert_int_equal(ended(fd), REASON_BUSY);
    close(fd);
    fd = ask(p, ALICE, QUERY_NEWEST, 10); /* what does not wait is counted for itself */
    assert_int_equal(ended(fd), REASON_OK);
    close(fd);
    fd = ask(p, MALLORY, QUERY_TRACE, 1);
    assert_int_equal(ended(fd), -1);
    close(fd);
    close(open_now[7]); /* she stops waiting for one */
    loop_wait(&p->loop, 0);
    open_now[7] = ask(p, ALICE, QUERY_TRACE, 1);
    assert_int_equal(ended(open_now[7]), -1);
    for (size_t i = 0; i < ANSWERS_PER_USER; i++)
        close(open_now[i]);
}

/* The relay's own user has no limit of his own; nobody goes beyond that of all together. */
static void test_all_have_enough(void **state)
{
    struct play *p = *state;
    static int open_now[WAITS_MAX];
    if (skip_unless(p->scene != NULL, __func__, "needs root"))
        return;
    for (size_t i = 0; i < WAITS_MAX; i++) {
        open_now[i] = ask(p, RELAY, QUERY_TRACE, 1);
        assert_int_equal(ended(open_now[i]), -1);
    }
    int fd = ask(p, ALICE, QUERY_TRACE, 1);
    assert_int_equal(ended(fd), REASON_BUSY);
    close(fd);
    fd = ask(p, ALICE, QUERY_TRACE, 0);
    assert_int_equal(ended(fd), REASON_OK);
    close(fd);
    for (size_t i = 0; i < WAITS_MAX; i++)
        close(open_now[i]);
}

static void test_what_waits_ends(void **state)
{
    struct play *p = *state;
    if (skip_unless(p->scene != NULL, __func__, "needs root"))
        return;
    int one = ask(p, ALICE, QUERY_TRACE, 1), other = ask(p, MALLORY, QUERY_TRACE, 1);
    struct history_segment s = store_segment(HERE, ROOM, RING, 1, 99);
    s.epoch = 0;
    assert_int_equal(ended(one), -1);
    answers_go_on(p->a);
    assert_int_equal(ended(one), -1);
    assert_int_equal(history_begin(p->h, RING), 0);
    assert_int_equal(history_add(p->h, &s), 0);
    assert_int_equal(history_commit(p->h, RING + 10, RING), 0);
    answers_go_on(p->a);
    assert_int_equal(ended(one), -1); /* it is here, and not there */
    atomic_store(&p->st.seg->link[0].host, 0);
    answers_go_on(p->a);
    assert_int_equal(ended(one), REASON_OK);
    assert_int_equal(ended(other), REASON_OK);
    assert_int_equal(read(one, &s, 1), 0); /* closed */
    close(one);
    close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    struct rlimit files; /* both ends of each FIFO are ours */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    const struct CMUnitTest tests[] = {
        TEST(test_a_user_has_enough),
        TEST(test_all_have_enough),
        TEST(test_what_waits_ends),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
