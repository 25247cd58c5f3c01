/* test_topology.c -- who is linked with whom, told from table to table, and the ways through it. */
#include "link/topology.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALPHA = 1, BETA, GAMMA, DELTA, HOSTS = DELTA };

static struct topology *host[HOSTS + 1];
static uint64_t told[HOSTS + 1][HOSTS + 1]; /* told[x][y]: what x told y */
static bool linked[HOSTS + 1][HOSTS + 1];

static int set_up(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= HOSTS; i++) {
        host[i] = calloc(1, sizeof *host[i]);
        assert_non_null(host[i]);
        topology_init(host[i], (uint64_t)i);
    }
    memset(told, 0, sizeof told);
    memset(linked, 0, sizeof linked);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= HOSTS; i++)
        free(host[i]);
    return 0;
}

static void set(int at)
{
    uint64_t link[HOSTS];
    size_t n = 0;
    for (int i = ALPHA; i <= HOSTS; i++)
        if (linked[at][i])
            link[n++] = (uint64_t)i;
    topology_set(host[at], 100, link, n);
}

static void link_is(int a, int b, bool up)
{
    linked[a][b] = linked[b][a] = up;
    told[a][b] = told[b][a] = 0;
    set(a);
    set(b);
}

/* talk -- all over all links, until nobody has anything to say.  Returns the number of frames. */
static unsigned talk(void)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (bool more = true; more;) {
        more = false;
        for (int a = ALPHA; a <= HOSTS; a++)
            for (int b = ALPHA; b <= HOSTS; b++)
                for (int len; linked[a][b] && (len = topology_next(host[a], &told[a][b], (uint64_t)b, f)) != 0; n++) {
                    assert_int_equal(frame_check(f, FRAME_MAX), len);
                    assert_int_equal(topology_heard(host[b], (uint64_t)a, f), 0);
                    more = true;
                }
    }
    return n;
}

static void chain(void)
{
    link_is(ALPHA, BETA, true);
    link_is(BETA, GAMMA, true);
    link_is(GAMMA, DELTA, true);
    talk();
}

static void test_a_chain(void **state)
{
    (void)state;
    chain();
    assert_int_equal(topology_toward(host[ALPHA], BETA), BETA);
    assert_int_equal(topology_toward(host[ALPHA], GAMMA), BETA);
    assert_int_equal(topology_toward(host[ALPHA], DELTA), BETA);
    assert_int_equal(topology_toward(host[DELTA], ALPHA), GAMMA);
    assert_int_equal(topology_toward(host[GAMMA], ALPHA), BETA);
    assert_int_equal(topology_toward(host[ALPHA], 99), 0);
    assert_int_equal(talk(), 0);
}

static void test_a_cut_and_a_way_round(void **state)
{
    (void)state;
    chain();
    link_is(BETA, GAMMA, false);
    talk();
    assert_int_equal(topology_toward(host[ALPHA], GAMMA), 0); /* beta said so, whatever gamma's last row says */
    assert_int_equal(topology_toward(host[DELTA], ALPHA), 0);
    link_is(DELTA, ALPHA, true);
    talk();
    assert_int_equal(topology_toward(host[BETA], GAMMA), ALPHA);
    assert_int_equal(topology_toward(host[ALPHA], GAMMA), DELTA);
}

static void test_one_word_is_not_enough(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    uint64_t both[] = {ALPHA, GAMMA}, none[] = {BETA};
    link_is(ALPHA, BETA, true);
    talk();
    topology_set(host[BETA], 100, both, 2); /* it says so; gamma does not */
    topology_set(host[GAMMA], 100, none, 0);
    talk();
    assert_true(write_links(f, GAMMA, 100, 1, none, 0) > 0);
    assert_int_equal(topology_heard(host[ALPHA], BETA, f), 0);
    assert_int_equal(topology_toward(host[ALPHA], GAMMA), 0);
}

static void test_old_news_is_none(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    uint64_t link[] = {ALPHA};
    chain();
    link_is(GAMMA, DELTA, false);
    talk();
    assert_true(write_links(f, DELTA, 100, 1, link, 1) > 0);
    assert_int_equal(topology_heard(host[BETA], GAMMA, f), 0);
    assert_int_equal(topology_toward(host[ALPHA], DELTA), 0);
    assert_true(write_links(f, DELTA, 99, 1000, link, 1) > 0); /* of a run before */
    assert_int_equal(topology_heard(host[ALPHA], BETA, f), 0);
    assert_int_equal(topology_toward(host[ALPHA], DELTA), 0);
}

static void test_bad_frames(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    uint64_t link[LINKS_ROW_MAX + 1] = {0};
    assert_true(write_links(f, BETA, 1, 1, link, LINKS_ROW_MAX) > 0);
    assert_int_equal(topology_heard(host[ALPHA], BETA, f), 0);
    assert_int_equal(write_links(f, BETA, 1, 1, link, LINKS_ROW_MAX + 1), -EMSGSIZE);
    assert_true(write_links(f, BETA, 1, 2, link, 1) > 0);
    put_u16(f, FRAME_HEAD + 7); /* not a whole number of hosts */
    assert_int_equal(topology_heard(host[ALPHA], BETA, f), -EBADMSG);
}

static void test_a_full_table_goes_on(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    uint64_t link[] = {ALPHA};
    for (uint64_t h = 1000; h < 1000 + 2 * TOPOLOGY_HOSTS_MAX; h++) {
        assert_true(write_links(f, h, 1, 1, link, h % 2) > 0);
        assert_int_equal(topology_heard(host[ALPHA], BETA, f), 0);
    }
    assert_int_equal(host[ALPHA]->n, TOPOLOGY_HOSTS_MAX);
}

/* However often rows changed, and whoever hears of it how late: he hears each row once, as it is now. */
static void test_who_lags_hears_the_newest(void **state)
{
    (void)state;
    enum { ROWS = 100, CHANGES = 7 * TOPOLOGY_HOSTS_MAX };
    uint8_t f[FRAME_MAX];
    uint64_t link[] = {ALPHA}, early = 0, late = 0;
    unsigned heard = 0;
    for (uint64_t i = 0; i < CHANGES; i++) {
        assert_true(write_links(f, 1000 + i % ROWS, 1, 1 + i / ROWS, link, 1) > 0);
        assert_int_equal(topology_heard(host[ALPHA], BETA, f), 0);
        if (i % 50 == 0) /* one each time, so that it stands in the middle when the old news are forgotten */
            assert_true(topology_next(host[ALPHA], &early, GAMMA, f) > 0);
    }
    for (; topology_next(host[ALPHA], &late, GAMMA, f) > 0; heard++) {
        uint64_t last = (CHANGES - 1 - (frame_origin(f) - 1000)) / ROWS; /* of these its last change was this */
        assert_int_equal(frame_seq(f), 1 + last);
    }
    assert_int_equal(heard, ROWS);
    assert_true(topology_next(host[ALPHA], &early, GAMMA, f) > 0);
    while (topology_next(host[ALPHA], &early, GAMMA, f) > 0)
        ;
    assert_int_equal(early, late);
}

/* brought -- by how many are each host's words brought to each other one?  By exactly one, and over shortest ways. */
static void brought_once(void)
{
    uint64_t all[HOSTS], others[HOSTS][HOSTS][TOPOLOGY_WORDS];
    for (unsigned i = 0; i < HOSTS; i++)
        all[i] = i + 1;
    for (unsigned a = 0; a < HOSTS; a++)
        topology_others(host[a + 1], all, HOSTS, all, HOSTS, others[a]);
    for (unsigned origin = 0; origin < HOSTS; origin++)
        for (unsigned to = 0; to < HOSTS; to++) {
            unsigned by = 0, neighbours = 0;
            for (unsigned a = 0; a < HOSTS; a++) {
                bool us = linked[a + 1][to + 1] && !(others[a][to][0] >> origin & 1);
                neighbours += linked[a + 1][to + 1];
                by += us;
                if (us && linked[origin + 1][to + 1])
                    assert_int_equal(a, origin); /* who says it brings it himself */
            }
            if (origin != to && neighbours > 0)
                assert_int_equal(by, 1);
        }
}

static void test_everything_is_brought_once(void **state)
{
    (void)state;
    for (unsigned links = 0; links < 64; links++) {
        unsigned k = 0;
        for (int a = ALPHA; a <= HOSTS; a++)
            for (int b = a + 1; b <= HOSTS; b++, k++)
                link_is(a, b, links >> k & 1);
        talk();
        /* Parts of the net that hear nothing of each other may take old rows for true; within a part all is known. */
        brought_once();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_and_a_way_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_word_is_not_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_news_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_everything_is_brought_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_table_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_lags_hears_the_newest, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
