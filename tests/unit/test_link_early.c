/* test_link_early.c -- a segment names what it answers: what of that counts as missing, and when it is said of whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

/* answer -- entry `seq` of B's run 19, which answers `after` of that run of that host. */
static const uint8_t *answer(uint64_t seq, uint64_t origin, uint64_t epoch, uint64_t after)
{
    static uint8_t f[FRAME_MAX];
    struct segment_head s = {.count = 1, .bytes = FRAME_HEAD, .first_seq = seq, .after = {1, {{origin, epoch, after}}}};
    assert_true(write_segment(f, &s, 'B', 19, ROOM, seq, 1) > 0);
    return f;
}

static bool early(const uint8_t *f)
{
    return link_early(&a->core, a->peer, f, now);
}

/* together -- A and B, linked; A knows C, and has of its run 30 what lies before 6. */
static void together(void)
{
    assert_int_equal(link_know(&a->core, 'C'), 0);
    meet_in_silence();
    link_took(&a->core, segment('C', 30, 1, 5, 0, 1), 200);
}

static void test_what_is_here(void **state)
{
    (void)state;
    together();
    assert_false(early(segment('B', 19, 3, 3, 1, 2))); /* it names nothing */
    assert_false(early(answer(3, 'C', 30, 5)));
    assert_false(early(answer(3, 'C', 30, 1)));
    now += LINK_EARLY_MS;
    assert_null(link_kept_back(&a->core, now));
}

static void test_what_cannot_come(void **state)
{
    (void)state;
    together();
    assert_false(early(answer(3, 'D', 40, 5)));           /* whoever D is */
    assert_false(early(answer(3, 'A', a->core.epoch, 5))); /* of our own, of now */
    link_freeze(&a->core, segment('C', 30, 6, 6, 7, 2));
    assert_false(early(answer(3, 'C', 30, 9))); /* the keeper looks where it forks */
    assert_true(early(answer(3, 'A', 9, 5)));   /* what we lost may come back */
}

static void test_what_comes_late(void **state)
{
    (void)state;
    together();
    assert_true(early(answer(3, 'C', 30, 6)));
    now += LINK_EARLY_MS - 1;
    assert_null(link_kept_back(&a->core, now));
    link_early_anew(&a->core, now);
    now += LINK_EARLY_MS - 1;
    assert_null(link_kept_back(&a->core, now));
    link_took(&a->core, segment('C', 30, 6, 6, 1, 2), 300);
    now++;
    assert_null(link_kept_back(&a->core, now));
    assert_true(early(answer(4, 'C', 30, 7))); /* and the next is noted at once */
    now += LINK_EARLY_MS;
    assert_non_null(link_kept_back(&a->core, now));
}

static void test_what_is_kept_back(void **state)
{
    (void)state;
    together();
    assert_true(early(answer(3, 'C', 30, 8)));
    now += LINK_EARLY_MS - 1;
    assert_null(link_kept_back(&a->core, now));
    now++;
    const struct link_early *e = link_kept_back(&a->core, now);
    assert_true(e && e->by == 'B' && e->author == 'B' && e->missing.origin == 'C' && e->missing.seq == 8);
    assert_null(link_kept_back(&a->core, now));
    assert_true(early(answer(4, 'C', 30, 9)));
    now += LINK_EARLY_REST_MS - LINK_EARLY_MS - 1;
    assert_null(link_kept_back(&a->core, now)); /* not again so soon */
    now++;
    assert_null(link_kept_back(&a->core, now));
    assert_true(early(answer(5, 'C', 30, 9)));
    now += LINK_EARLY_MS;
    assert_non_null(link_kept_back(&a->core, now));
}

/* A link that breaks hides nothing for ever; but whose link broke may bring it when he is back. */
static void test_who_goes_away(void **state)
{
    (void)state;
    together();
    assert_true(early(answer(3, 'C', 30, 8)));
    now += LINK_EARLY_MS - 1;
    link_down(&a->core, a->peer, &up);
    now += LINK_EARLY_MS;
    assert_null(link_kept_back(&a->core, now));
    a->peer = (unsigned)link_up(&a->core, 'B', 7, now);
    a->core.peer[a->peer].phase = LINK_OPEN;
    now += LINK_EARLY_MS - 1;
    assert_null(link_kept_back(&a->core, now));
    now++;
    assert_non_null(link_kept_back(&a->core, now));
    now += LINK_EARLY_REST_MS;
    assert_null(link_kept_back(&a->core, now));
    assert_true(early(answer(4, 'C', 30, 9)));
    link_down(&a->core, a->peer, &up);
    now += LINK_EARLY_AWAY_MS - 1;
    assert_null(link_kept_back(&a->core, now));
    now++;
    assert_non_null(link_kept_back(&a->core, now));
}

/* Of each peer something is noted, however many there are. */
static void test_peers_that_come_and_go(void **state)
{
    (void)state;
    together();
    for (uint64_t host = 1000; host < 1000 + 2 * LINK_PEERS_MAX; host++) {
        link_down(&a->core, a->peer, &up);
        a->peer = (unsigned)link_up(&a->core, host, 7, now);
        assert_true(early(answer(3, 'C', 30, 8)));
    }
    now += LINK_EARLY_AWAY_MS;
    for (unsigned i = 0; i < LINK_PEERS_MAX; i++)
        assert_non_null(link_kept_back(&a->core, now));
    assert_null(link_kept_back(&a->core, now));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_here),
        TEST(test_what_cannot_come),
        TEST(test_what_comes_late),
        TEST(test_what_is_kept_back),
        TEST(test_who_goes_away),
        TEST(test_peers_that_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
