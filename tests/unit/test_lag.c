/* test_lag.c -- how many entries a peer lacks, and since when. */
#include "keep/lag.h"

#include "base/sys.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PEER = 7, OTHER = 8, STRANGER = 9, APART_MS = 15 };

struct play {
    struct segment *seg;
    struct lag *lag;
};

static struct play *start(void **state, uint64_t own)
{
    static struct play p;
    p.seg = calloc(1, sizeof *p.seg);
    assert_non_null(p.seg);
    atomic_store(&p.seg->link[0].host, PEER);
    atomic_store(&p.seg->link[3].host, OTHER);
    assert_int_equal(lag_open(&p.lag, p.seg, own), 0);
    *state = &p;
    return &p;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    lag_close(p->lag);
    free(p->seg);
    return 0;
}

/* Between when and when something happened. */
struct span {
    uint64_t from, to;
};
static const struct span never;

/* stored -- so many are on disk, a while after what was before. */
static struct span stored(struct play *p, uint64_t own)
{
    struct span at;
    poll(NULL, 0, APART_MS);
    at.from = wall_ms();
    lag_stored(p->lag, own);
    at.to = wall_ms();
    return at;
}

static void assert_behind(const struct play *p, unsigned row, uint32_t unacked, struct span since)
{
    assert_int_equal(atomic_load(&p->seg->link[row].unacked), unacked);
    assert_in_range(atomic_load(&p->seg->link[row].behind_since_ms), since.from, since.to);
}

/* Each number leads to the time at which the first of those that are missing was stored. */
static void test_as_it_is_said(void **state)
{
    struct play *p = start(state, 100);
    lag_said(p->lag, PEER, 100);
    assert_behind(p, 0, 0, never);
    struct span first = stored(p, 110), second = stored(p, 111), third = stored(p, 200);
    assert_behind(p, 0, 100, first);
    lag_said(p->lag, PEER, 109);
    assert_behind(p, 0, 91, first);
    lag_said(p->lag, PEER, 110);
    assert_behind(p, 0, 90, second);
    lag_said(p->lag, PEER, 111);
    assert_behind(p, 0, 89, third);
    lag_said(p->lag, PEER, 200);
    assert_behind(p, 0, 0, never);
    struct span fourth = stored(p, 201);
    assert_behind(p, 0, 1, fourth);
}

static void test_each_peer_for_itself(void **state)
{
    struct play *p = start(state, 0);
    lag_said(p->lag, OTHER, 0);
    struct span at = stored(p, 5);
    lag_said(p->lag, PEER, 5);
    lag_said(p->lag, STRANGER, 1);
    assert_behind(p, 0, 0, never);
    assert_behind(p, 3, 5, at);
}

/* Another peer's row now: what was known of the one before is not said of it. */
static void test_a_row_changes_hands(void **state)
{
    struct play *p = start(state, 0);
    lag_said(p->lag, PEER, 0);
    atomic_store(&p->seg->link[0].host, STRANGER);
    (void)stored(p, 5);
    assert_behind(p, 0, 0, never);
    lag_said(p->lag, STRANGER, 5);
    assert_behind(p, 0, 0, never);
}

/* The keeper is started again while a peer is away. */
static void test_started_again(void **state)
{
    struct play *p = start(state, 50);
    atomic_store(&p->seg->link[0].since_ms, 1);
    lag_said(p->lag, PEER, 50);
    struct span at = stored(p, 60);
    lag_close(p->lag);
    assert_int_equal(lag_open(&p->lag, p->seg, 60), 0);
    (void)stored(p, 61);
    assert_behind(p, 0, 11, at);
}

/* Many commits in a moment do not push out when it began. */
static void test_a_flood(void **state)
{
    struct play *p = start(state, 0);
    lag_said(p->lag, PEER, 0);
    struct span at = stored(p, 1);
    for (uint64_t own = 2; own < 100000; own++)
        lag_stored(p->lag, own);
    assert_behind(p, 0, 99999, at);
    lag_said(p->lag, PEER, 99999);
    assert_behind(p, 0, 0, never);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_as_it_is_said),      TEST(test_each_peer_for_itself),
        TEST(test_a_row_changes_hands), TEST(test_started_again),
        TEST(test_a_flood),
    };
    return cmocka_run_group_tests_name("lag", tests, NULL, NULL);
}
