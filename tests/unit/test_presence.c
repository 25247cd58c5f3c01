/* test_presence.c -- who is where, told from table to table. */
#include "link/presence.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALPHA = 1, BETA, GAMMA, LOBBY = 77 };

/* Three hosts; told[x][y]: what x told y. */
static struct presence *host[4];
static struct presence_cursor told[4][4];
static int changed, news; /* entries that changed in the last tell(); of them, told as news */
static unsigned beats, beat_frames;
static unsigned looked; /* at signatures */

/* A signature is the number of the host whose it is, as often as it fits. */
static void put_signature(uint8_t *to, uint64_t by)
{
    memset(to, (int)by, SIGNATURE_LEN);
}

static bool is_of(const uint8_t *signature, uint64_t host_)
{
    uint8_t good[SIGNATURE_LEN];
    looked++;
    put_signature(good, host_);
    return memcmp(signature, good, sizeof good) == 0;
}

static bool row_signed(void *arg, const uint8_t *f)
{
    (void)arg;
    return is_of(frame_body(f), frame_origin(f));
}

static bool beat_signed(void *arg, const struct beat_row *b)
{
    (void)arg;
    return is_of(b->signature, b->host);
}

static void start(int at, uint64_t epoch)
{
    presence_init(host[at], (uint64_t)at, epoch);
    host[at]->row_signed = row_signed;
    host[at]->beat_signed = beat_signed;
}

/* sign -- all that it asks for.  Returns how many frames that were. */
static unsigned sign(int at)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (int len; (len = presence_unsigned(host[at], f)) != 0; n++) {
        assert_int_equal(frame_check(f, FRAME_MAX), len);
        put_signature(f + FRAME_HEAD + (frame_type(f) == FRAME_BEAT ? 24 : 0), (uint64_t)at);
        presence_signed(host[at], f);
    }
    return n;
}

static void hear_beats(int at, uint64_t from, const uint8_t *f, uint64_t now)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    for (struct beat_row b; rd_left(&r) > 0; beats++) {
        read_beat_row(&r, &b);
        assert_int_equal(presence_heard_beat(host[at], from, &b, now), 0);
    }
    beat_frames++;
}

/* tell -- everything `from` has to say to `to`.  Returns the number of rows; `beats`: of beats. */
static unsigned tell(int from, int to, uint64_t now)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    changed = news = 0;
    beats = beat_frames = 0;
    sign(from);
    for (int len; (len = presence_next(host[from], &told[from][to], (uint64_t)to, true, f)) != 0;) {
        assert_int_equal(frame_check(f, FRAME_MAX), len);
        if (frame_type(f) == FRAME_BEAT) {
            hear_beats(to, (uint64_t)from, f, now);
            continue;
        }
        int r = presence_heard(host[to], (uint64_t)from, f, now);
        assert_true(r >= -1);
        changed += r >= 0;
        news += r >= 0 && !(frame_flags(f) & FRAME_CONT);
        n++;
    }
    return n;
}

/* set_up -- everybody has heard everybody's beat. */
static int set_up(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= GAMMA; i++) {
        host[i] = calloc(1, sizeof *host[i]);
        assert_non_null(host[i]);
        start(i, 100);
        assert_true(presence_beat(host[i], 1));
    }
    for (int i = ALPHA; i <= GAMMA; i++)
        for (int k = ALPHA; k <= GAMMA; k++)
            if (i != k)
                tell(i, k, 1);
    for (int i = ALPHA; i <= GAMMA; i++)
        while (presence_expire(host[i], 1) != 0)
            ;
    memset(told, 0, sizeof told);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= GAMMA; i++)
        free(host[i]);
    return 0;
}

static void see(int at, const char *user)
{
    presence_see(host[at], text_of(user), LOBBY, text_of("lobby"), false);
}

/* sessions -- of that user there, as `at` knows it. */
static unsigned sessions(int at, int of, const char *user)
{
    for (uint32_t i = 0; i < host[at]->n; i++) {
        const struct presence_entry *e = &host[at]->entry[i];
        if (e->host == (uint64_t)of && text_eq(text_of(user), (struct text){e->user, e->user_len}))
            return presence_sessions(host[at], e);
    }
    return 0;
}

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
    assert_int_equal(frame_type(ask), FRAME_BEAT);
    presence_signed(host[ALPHA], ask);
    assert_int_equal(said(ALPHA), 1);
    assert_true(presence_unsigned(host[ALPHA], ask) > 0);
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_and_leaves_is_told_once),
        TEST(what_was_so_before_is_no_news),
        TEST(it_goes_on_to_others_but_not_back),
        TEST(what_is_older_does_not_count),
        TEST(nobody_speaks_for_us),
        TEST(a_row_counts_only_with_the_signature_of_its_host),
        TEST(a_beat_counts_only_with_the_signature_of_its_host),
        TEST(nothing_is_said_before_it_is_signed),
        TEST(a_row_goes_on_as_it_was_signed),
        TEST(who_becomes_quiet_is_told_anew),
        TEST(only_so_many_rows_wait_for_their_signatures),
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
