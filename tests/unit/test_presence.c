/* test_presence.c -- who is where, told from table to table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "people_play.h"

static void who_comes_and_leaves_is_told_once(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    see(ALPHA, "ann");
    assert_true(presence_settle(host[ALPHA]));
    assert_int_equal(tell(ALPHA, BETA, 1), 1);
    assert_int_equal(changed, 1);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 2);
    see(ALPHA, "ann");
    see(ALPHA, "ann");
    assert_false(presence_settle(host[ALPHA]));
    assert_int_equal(tell(ALPHA, BETA, 1), 0);
    assert_true(presence_settle(host[ALPHA])); /* nobody was seen */
    assert_int_equal(tell(ALPHA, BETA, 1), 1);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
}

static void what_was_so_before_is_no_news(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 1);
    assert_int_equal(changed, 1);
    assert_int_equal(news, 0);
    see(ALPHA, "ann");
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 1);
    assert_int_equal(news, 1);
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 1);
    assert_int_equal(news, 1);
}

static void it_goes_on_to_others_but_not_back(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 1);
    assert_int_equal(tell(BETA, ALPHA, 1), 0);
    assert_int_equal(tell(BETA, GAMMA, 1), 1);
    assert_int_equal(sessions(GAMMA, ALPHA, "ann"), 1);
    assert_int_equal(tell(ALPHA, GAMMA, 1), 1); /* the other way round the triangle: nothing new */
    assert_int_equal(changed, 0);
}

static void what_is_older_does_not_count(void **state)
{
    uint8_t old[FRAME_MAX], new[FRAME_MAX];
    (void)state;
    uint8_t by[SIGNATURE_LEN];
    struct presence_row in = {1, false, text_of("ann"), text_of("lobby"), by}, out = {0, false, text_of("ann"), text_of("lobby"), by};
    put_signature(by, ALPHA);
    assert_true(write_presence(old, &in, ALPHA, 100, LOBBY, 1) > 0);
    assert_true(write_presence(new, &out, ALPHA, 100, LOBBY, 2) > 0);
    assert_int_equal(presence_heard(host[BETA], GAMMA, new, 1), -1);
    assert_int_equal(presence_heard(host[BETA], ALPHA, old, 1), -1);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
    frame_set_epoch(old, 101);
    assert_true(presence_heard(host[BETA], ALPHA, old, 1) >= 0);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 1);
}

static void who_falls_silent_is_gone_and_comes_back(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    assert_false(presence_beat(host[ALPHA], PRESENCE_BEAT_MS));
    tell(ALPHA, BETA, 1);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS), 0);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS + 1), ALPHA);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS + 1), GAMMA);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS + 1), 0);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
    memset(told, 0, sizeof told); /* the link is new */
    assert_true(presence_beat(host[ALPHA], 60000));
    tell(ALPHA, BETA, 60000);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 1);
}

static void a_beat_keeps_alive_over_two_links_and_ends_in_a_loop(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    for (uint64_t now = 1; now < 10 * PRESENCE_LEASE_MS; now += PRESENCE_BEAT_MS) {
        presence_beat(host[ALPHA], now);
        tell(ALPHA, BETA, now);
        tell(BETA, GAMMA, now);
        assert_int_equal(tell(GAMMA, ALPHA, now), 0);
        assert_true(now == 1 || beats == 0);
        assert_int_equal(tell(GAMMA, BETA, now), now == 1);
        assert_true(now == 1 || beats == 0);
        for (uint64_t gone; (gone = presence_expire(host[GAMMA], now)) != 0;)
            assert_int_not_equal(gone, ALPHA);
    }
    assert_int_equal(sessions(GAMMA, ALPHA, "ann"), 1);
}

static void two_runs_that_go_on_from_the_same_are_two(void **state)
{
    uint64_t run[2];
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        start(ALPHA, 50 + i);
        memset(told, 0, sizeof told);
        tell(BETA, ALPHA, 2);
        run[i] = host[ALPHA]->epoch;
        assert_true(run[i] > 100);
    }
    assert_int_not_equal(run[0], run[1]);
}

static void a_host_whose_clock_was_set_back_is_heard_far_away(void **state)
{
    (void)state;
    tell(ALPHA, GAMMA, 1);                     /* GAMMA alone knows of the run of ALPHA's that was ... */
    start(BETA, 101);                          /* ... before all others began anew */
    start(ALPHA, 50);
    memset(told, 0, sizeof told);
    assert_int_equal(presence_expire(host[GAMMA], PRESENCE_LEASE_MS + 1), ALPHA);
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    presence_beat(host[ALPHA], PRESENCE_LEASE_MS + 1);
    for (uint64_t now = PRESENCE_LEASE_MS + 1; now < PRESENCE_LEASE_MS + 4 * PRESENCE_BEAT_MS; now += PRESENCE_BEAT_MS) {
        presence_beat(host[ALPHA], now);
        tell(ALPHA, BETA, now); /* ALPHA - BETA - GAMMA */
        tell(BETA, GAMMA, now);
        tell(GAMMA, BETA, now);
        tell(BETA, ALPHA, now);
    }
    assert_int_equal(sessions(BETA, ALPHA, "bob"), 1);
    assert_int_equal(sessions(GAMMA, ALPHA, "bob"), 1);
}

static void beat_of(uint64_t id, uint64_t beat)
{
    struct beat_row b = {id, 0, beat, {0}};
    put_signature(b.signature, id);
    assert_int_equal(presence_heard_beat(host[ALPHA], id, &b, beat), 0);
}

static void each_beat_is_told_once_however_many_hosts_there_are(void **state)
{
    (void)state;
    tell(ALPHA, BETA, 1);
    for (uint64_t beat = 1; beat <= 3; beat++)
        for (uint64_t id = 1000; id < 1000 + PRESENCE_HOSTS_MAX - 3; id++) {
            beat_of(id, beat);
            tell(ALPHA, BETA, beat);
            assert_int_equal(beats, 1);
        }
    tell(ALPHA, GAMMA, 4);
    assert_int_equal(beats, PRESENCE_HOSTS_MAX); /* of each the last */
}

/* Who says beats only now and then says many with one frame; what happened before the link is said at once. */
static void beats_that_came_meanwhile_go_together(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    assert_true(presence_next(host[ALPHA], &told[ALPHA][BETA], BETA, false, f) > 0);
    assert_int_equal(frame_type(f), FRAME_BEAT);
    for (uint64_t id = 1000; id < 1010; id++) {
        beat_of(id, 1);
        assert_int_equal(presence_next(host[ALPHA], &told[ALPHA][BETA], BETA, false, f), 0);
    }
    tell(ALPHA, BETA, 2);
    assert_int_equal(beats, 10);
    assert_int_equal(beat_frames, 1);
    for (uint64_t id = 1000; id < 1000 + BEAT_ROWS_MAX + 1; id++)
        beat_of(id, 2);
    tell(ALPHA, BETA, 3);
    assert_int_equal(beats, BEAT_ROWS_MAX + 1);
    assert_int_equal(beat_frames, 2);
}

static void who_lags_hears_of_each_host_once(void **state)
{
    (void)state;
    tell(ALPHA, BETA, 1);
    for (uint64_t beat = 1; beat <= PRESENCE_HOSTS_MAX; beat++)
        for (uint64_t id = 1000; id < 1003; id++)
            beat_of(id, beat);
    tell(ALPHA, BETA, PRESENCE_HOSTS_MAX);
    assert_int_equal(beats, 6); /* of those three, of ALPHA and GAMMA; and what is known of BETA itself */
    tell(ALPHA, BETA, PRESENCE_HOSTS_MAX);
    assert_int_equal(beats, 0);
}

static void the_dead_do_not_come_back_with_what_others_remember(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 2);
    tell(ALPHA, GAMMA, 20000);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS + 1), ALPHA);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
    assert_true(tell(GAMMA, BETA, PRESENCE_LEASE_MS + 2) > 0);
    assert_int_equal(changed, 0);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
}

static void a_host_whose_clock_was_set_back_is_heard(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 2);
    start(ALPHA, 50);
    memset(told, 0, sizeof told);
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    presence_beat(host[ALPHA], 3);
    tell(ALPHA, BETA, 3);
    tell(BETA, ALPHA, 3);
    assert_true(presence_beat(host[ALPHA], 4));
    tell(ALPHA, BETA, 4);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
    assert_int_equal(sessions(BETA, ALPHA, "bob"), 1);
}

static void who_was_there_before_a_restart_is_gone_after_it(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    presence_beat(host[ALPHA], 1);
    tell(ALPHA, BETA, 1);
    start(ALPHA, 101);
    memset(told, 0, sizeof told);
    see(ALPHA, "bob");
    presence_settle(host[ALPHA]);
    presence_beat(host[ALPHA], 2);
    tell(ALPHA, BETA, 2);
    assert_int_equal(presence_expire(host[BETA], 2), ALPHA);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 0);
    assert_int_equal(sessions(BETA, ALPHA, "bob"), 1);
}

static void a_full_table_takes_no_more_and_does_not_break(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PRESENCE_MAX + 10; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", i);
        see(ALPHA, user);
    }
    presence_settle(host[ALPHA]);
    assert_int_equal(host[ALPHA]->n, PRESENCE_MAX);
    assert_int_equal(tell(ALPHA, BETA, 1), PRESENCE_MAX);
    assert_int_equal(sessions(BETA, ALPHA, "u8191"), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, people_play_open, people_play_close)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_and_leaves_is_told_once),
        TEST(what_was_so_before_is_no_news),
        TEST(it_goes_on_to_others_but_not_back),
        TEST(what_is_older_does_not_count),
        TEST(who_falls_silent_is_gone_and_comes_back),
        TEST(a_beat_keeps_alive_over_two_links_and_ends_in_a_loop),
        TEST(each_beat_is_told_once_however_many_hosts_there_are),
        TEST(beats_that_came_meanwhile_go_together),
        TEST(who_lags_hears_of_each_host_once),
        TEST(the_dead_do_not_come_back_with_what_others_remember),
        TEST(a_host_whose_clock_was_set_back_is_heard),
        TEST(two_runs_that_go_on_from_the_same_are_two),
        TEST(a_host_whose_clock_was_set_back_is_heard_far_away),
        TEST(who_was_there_before_a_restart_is_gone_after_it),
        TEST(a_full_table_takes_no_more_and_does_not_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
