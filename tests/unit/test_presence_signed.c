/* test_presence_signed.c -- who is where, as its host signed it: what is taken, what is said and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "people_play.h"

static void nobody_speaks_for_us(void **state)
{
    uint8_t f[FRAME_MAX];
    (void)state;
    struct presence_row row = {1, false, text_of("ann"), text_of("lobby"), NULL};
    assert_true(write_presence(f, &row, ALPHA, 999, LOBBY, 9) > 0);
    assert_int_equal(presence_heard(host[ALPHA], BETA, f, 1), -EACCES);
    assert_int_equal(host[ALPHA]->epoch, 100);
    put_signature(f + FRAME_HEAD, ALPHA); /* of another run of ours */
    assert_int_equal(presence_heard(host[ALPHA], BETA, f, 1), -1);
    assert_true(host[ALPHA]->epoch > 999);
    assert_int_equal(host[ALPHA]->n, 0);
}

/* Whoever brings it, that host itself, too; and what was refused leaves nothing behind. */
static void a_row_counts_only_with_the_signature_of_its_host(void **state)
{
    uint8_t f[FRAME_MAX], by[SIGNATURE_LEN];
    (void)state;
    struct presence_row row = {1, false, text_of("ann"), text_of("lobby"), by};
    put_signature(by, GAMMA);
    assert_true(write_presence(f, &row, ALPHA, 100, LOBBY, 1) > 0);
    assert_int_equal(presence_heard(host[BETA], GAMMA, f, 1), -EACCES);
    assert_int_equal(presence_heard(host[BETA], ALPHA, f, 1), -EACCES);
    assert_int_equal(host[BETA]->n, 0);
    put_signature(f + FRAME_HEAD, ALPHA);
    assert_true(presence_heard(host[BETA], GAMMA, f, 1) >= 0);
    looked = 0;
    put_signature(f + FRAME_HEAD, GAMMA);
    assert_int_equal(presence_heard(host[BETA], GAMMA, f, 1), -1);
    assert_int_equal(looked, 0); /* what is no news costs nothing */
    frame_set_seq(f, 2);
    assert_int_equal(presence_heard(host[BETA], GAMMA, f, 1), -EACCES);
    assert_int_equal(sessions(BETA, ALPHA, "ann"), 1);
}

static void a_beat_counts_only_with_the_signature_of_its_host(void **state)
{
    (void)state;
    struct beat_row b = {ALPHA, 100, 2, {0}};
    put_signature(b.signature, GAMMA);
    assert_int_equal(presence_heard_beat(host[BETA], GAMMA, &b, PRESENCE_LEASE_MS), -EACCES);
    assert_int_equal(presence_heard_beat(host[BETA], ALPHA, &b, PRESENCE_LEASE_MS), -EACCES);
    assert_int_equal(presence_expire(host[BETA], PRESENCE_LEASE_MS + 1), ALPHA);
    looked = 0;
    b.beat = 1;
    assert_int_equal(presence_heard_beat(host[BETA], GAMMA, &b, PRESENCE_LEASE_MS), 0);
    assert_int_equal(looked, 0);
    b.host = BETA;
    b.epoch = 999;
    assert_int_equal(presence_heard_beat(host[BETA], GAMMA, &b, PRESENCE_LEASE_MS), -EACCES);
    assert_int_equal(host[BETA]->epoch, 100);
}

/* said -- of what is signed already, to nobody who listens.  Returns the number of rows and beats. */
static unsigned said(int from)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    while (presence_next(host[from], &told[from][BETA], BETA, true, f) != 0)
        n++;
    return n;
}

static void nothing_is_said_before_it_is_signed(void **state)
{
    uint8_t ask[FRAME_MAX], again[FRAME_MAX];
    (void)state;
    (void)said(ALPHA);
    see(ALPHA, "ann");
    assert_true(presence_settle(host[ALPHA]));
    assert_true(presence_beat(host[ALPHA], 1 + PRESENCE_BEAT_MS));
    assert_int_equal(said(ALPHA), 0);
    memset(&told[ALPHA][BETA], 0, sizeof told[ALPHA][BETA]);
    assert_int_equal(said(ALPHA), 1); /* a new link: the beats of before */
    assert_true(presence_unsigned(host[ALPHA], ask) > 0);
    assert_int_equal(frame_type(ask), FRAME_PRESENCE);
    assert_true(presence_unsigned(host[ALPHA], again) > 0);
    assert_int_equal(frame_type(again), FRAME_BEAT);
    presence_signed(host[ALPHA], again);
    assert_int_equal(said(ALPHA), 1);
    assert_int_equal(presence_unsigned(host[ALPHA], again), 0);
    presence_settle(host[ALPHA]); /* she left meanwhile */
    assert_true(presence_unsigned(host[ALPHA], again) > 0);
    presence_signed(host[ALPHA], ask);
    assert_int_equal(said(ALPHA), 0);
    presence_signed(host[ALPHA], again);
    assert_int_equal(said(ALPHA), 1);
}

/* What goes on is what was signed, also when a host calls a room now this, now that. */
static void a_row_goes_on_as_it_was_signed(void **state)
{
    uint8_t f[FRAME_MAX], by[SIGNATURE_LEN];
    (void)state;
    struct presence_row row = {1, false, text_of("ann"), text_of("lobby"), by};
    put_signature(by, ALPHA);
    assert_true(write_presence(f, &row, ALPHA, 100, LOBBY, 1) > 0);
    assert_true(presence_heard(host[BETA], ALPHA, f, 1) >= 0);
    row = (struct presence_row){2, true, text_of("ann"), text_of("lobby-2"), by};
    int len = write_presence(f, &row, ALPHA, 100, LOBBY, 2);
    assert_true(presence_heard(host[BETA], ALPHA, f, 1) >= 0);
    for (uint8_t g[FRAME_MAX]; presence_next(host[BETA], &told[BETA][GAMMA], GAMMA, true, g) != 0;)
        if (frame_type(g) == FRAME_PRESENCE)
            assert_memory_equal(frame_body(g), frame_body(f), (size_t)len - FRAME_HEAD);
}

static void who_becomes_quiet_is_told_anew(void **state)
{
    (void)state;
    see(ALPHA, "ann");
    presence_settle(host[ALPHA]);
    tell(ALPHA, BETA, 1);
    presence_see(host[ALPHA], text_of("ann"), LOBBY, text_of("lobby"), true);
    assert_true(presence_settle(host[ALPHA]));
    assert_int_equal(tell(ALPHA, BETA, 1), 1);
    assert_true(host[BETA]->entry[0].quiet);
}

static void only_so_many_rows_wait_for_their_signatures(void **state)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    (void)state;
    sign(ALPHA);
    for (unsigned i = 0; i < 3 * PRESENCE_SIGNING_MAX; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", i);
        see(ALPHA, user);
    }
    presence_settle(host[ALPHA]);
    for (; presence_unsigned(host[ALPHA], f) > 0; n++)
        ;
    assert_int_equal(n, PRESENCE_SIGNING_MAX);
    presence_signed(host[ALPHA], f);
    assert_true(sign(ALPHA) > 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, people_play_open, people_play_close)
    const struct CMUnitTest tests[] = {
        TEST(nobody_speaks_for_us),
        TEST(a_row_counts_only_with_the_signature_of_its_host),
        TEST(a_beat_counts_only_with_the_signature_of_its_host),
        TEST(nothing_is_said_before_it_is_signed),
        TEST(a_row_goes_on_as_it_was_signed),
        TEST(who_becomes_quiet_is_told_anew),
        TEST(only_so_many_rows_wait_for_their_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
