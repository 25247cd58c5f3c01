/* test_link_plan.c -- what all hosts of a network hear of, and how often: who is linked with whom, and what the keeper is told
 * follows from that; who is alive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "link_play.h"

/* linked -- A gets another link, with a host that has nothing.  Returns its number. */
static unsigned linked(char host)
{
    uint8_t f[FRAME_MAX], all[8];
    put_u64(all, (uint64_t)host);
    struct greeting g = {.version_min = LINK_VERSION, .version_max = LINK_VERSION, .nonce = 1, .name = text_of("other"),
                         .host = all, .n_hosts = 1};
    assert_int_equal(link_know(&a->core, (uint64_t)host), 0);
    int peer = link_up(&a->core, (uint64_t)host, 2, now);
    assert_true(peer >= 0);
    assert_true(write_greeting(f, &g, (uint64_t)host, 7) > 0);
    link_heard(&a->core, (unsigned)peer, f, now, &up);
    struct wr w = frame_begin(f, FRAME_HAVE);
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, (unsigned)peer, f, now, &up);
    assert_int_equal(a->core.peer[peer].phase, LINK_OPEN);
    return (unsigned)peer;
}

/* says -- B passes on with whom a host is linked. */
static void says(char host, uint64_t version, const char *with)
{
    uint8_t f[FRAME_MAX];
    uint64_t link[8];
    size_t n = 0;
    for (; with[n]; n++)
        link[n] = (uint64_t)with[n];
    assert_true(write_links(f, (uint64_t)host, 100, version, link, n) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK);
}

/* assert_planned -- all that A orders now: "B:C " others bring B what C says. */
static void assert_planned(const char *all)
{
    char orders[64] = "";
    uint8_t f[FRAME_MAX];
    struct feed_order o;
    size_t n = 0;
    while (link_plan(&a->core, now, f) > 0) {
        assert_int_equal(read_feed_order(f, &o), 0);
        assert_int_equal(o.op, FEED_OTHERS);
        for (unsigned i = 0; i < LINK_PEERS_MAX; i++)
            if (a->core.peer[i].phase == LINK_OPEN && a->core.peer[i].feed == frame_client(f))
                orders[n++] = (char)a->core.peer[i].host;
        orders[n++] = ':';
        for (size_t i = 0; i < o.n_hosts; i++)
            orders[n++] = (char)get_u64(o.host + 8 * i);
        orders[n++] = ' ';
    }
    assert_string_equal(orders, all);
}

/* A peer that does not say yet with whom it is linked is waited for, but not for long. */
static void test_waits_for_the_peer(void **state)
{
    (void)state;
    (void)linked('C');
    assert_planned("");
    now += LINK_PLAN_MS - 1;
    assert_planned("");
    now++;
    assert_planned("C: ");
    assert_planned("");
}

/* c_by_others -- A is linked with B; B says that it is with C, too, and C that it is with B. */
static void c_by_others(void)
{
    assert_int_equal(link_know(&a->core, 'C'), 0);
    meet_in_silence();
    assert_planned("B: ");
    now += 100;
    says('B', 100, "AC");
    says('C', 1, "B");
    assert_planned("B:C ");
}

static void test_at_once(void **state)
{
    (void)state;
    c_by_others();
}

/* Changes that come one after the other are one: the next plan is made when A has rested for as many milliseconds as it knows hosts. */
static void test_rests(void **state)
{
    (void)state;
    c_by_others();
    now += 2 * LINK_REST_MS;
    says('C', 2, "");
    assert_planned("");
    says('C', 3, "B");
    says('C', 4, "");
    assert_planned("");
    now += LINK_REST_MS; /* three hosts: A, B, C */
    assert_planned("B: ");
}

/* A link that comes and goes, again and again, is told at once, and then at most once in that time. */
static void test_links_are_told_rarely(void **state)
{
    (void)state;
    unsigned told = 0, peer = 0;
    meet_in_silence();
    now += 100;
    peer = linked('C');
    talk();
    assert_noted("A LINKS BC\n");
    for (unsigned i = 0; i < 30; i++, now += LINK_REST_MS) {
        if (i % 3 == 0)
            link_down(&a->core, peer, &up);
        else if (i % 3 == 1)
            peer = linked('C');
        talk();
    }
    for (const char *at = transcript; (at = strstr(at, "A LINKS")); at++)
        told++;
    assert_in_range(told, 2, 10); /* of twenty changes; A knows two hosts, B and itself, so it rests for twice that time */
}

/* beat -- C passes on that D is alive. */
static void beat(unsigned peer, uint64_t count)
{
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BEAT);
    write_beat_row(&w, &(struct beat_row){'X', 1, count, {0}}); /* whom nobody knows */
    write_beat_row(&w, &(struct beat_row){'D', 1, count, {0}});
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK);
}

static void test_beats_are_told_rarely(void **state)
{
    (void)state;
    unsigned told = 0;
    meet_in_silence();
    unsigned peer = linked('C');
    assert_int_equal(link_know(&a->core, 'D') | link_know(&b->core, 'D'), 0);
    now += 100;
    talk();
    transcript[0] = '\0';
    for (uint64_t i = 1; i <= 30; i++, now += LINK_REST_MS) {
        beat(peer, i);
        talk();
    }
    for (const char *at = transcript; (at = strstr(at, "A BEAT")); at++)
        told++;
    assert_int_equal(told, 15); /* A knows two hosts */
    now += LINK_REST_MS;
    talk();
    assert_int_equal(b->core.presence.host[1].host, 'D');
    assert_int_equal(b->core.presence.host[1].beat, 30);
    assert_int_equal(b->core.presence.n_hosts, 2); /* not of X */
}

static void test_bad_beats(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BEAT);
    write_beat_row(&w, &(struct beat_row){'B', 1, 1, {0}});
    wr_u8(&w, 7); /* and the beginning of another */
    assert_true(frame_end(f, &w) > 0);
    meet_in_silence();
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_MALFORMED);
    w = frame_begin(f, FRAME_BEAT);
    write_beat_row(&w, &(struct beat_row){'B', 1, 1, {0}});
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK);
    int early = link_up(&a->core, 'C', 3, now); /* it has not greeted */
    assert_true(early >= 0);
    link_heard(&a->core, (unsigned)early, f, now, &up);
    assert_int_equal(up.reason, REASON_MALFORMED);
}

static bool unsigned_row(void *arg, const uint8_t *f)
{
    (void)arg, (void)f;
    return false;
}

static bool unsigned_beat(void *arg, const struct beat_row *row)
{
    (void)arg, (void)row;
    return false;
}

static void test_what_its_host_did_not_sign_ends_the_link(void **state)
{
    (void)state;
    uint8_t f[FRAME_MAX];
    struct presence_row row = {1, false, text_of("ann"), text_of("lobby"), NULL};
    meet_in_silence();
    a->core.presence.row_signed = unsigned_row;
    a->core.presence.beat_signed = unsigned_beat;
    assert_true(write_presence(f, &row, 'C', 1, ROOM, 1) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_OK); /* of a host that nobody knows nothing is heard at all */
    assert_true(write_presence(f, &row, 'B', 1, ROOM, 1) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_DENIED);
    struct wr w = frame_begin(f, FRAME_BEAT);
    write_beat_row(&w, &(struct beat_row){'B', 1, 1, {0}});
    assert_true(frame_end(f, &w) > 0);
    link_heard(&a->core, a->peer, f, now, &up);
    assert_int_equal(up.reason, REASON_DENIED);
    assert_int_equal(a->core.presence.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, link_play_open, link_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waits_for_the_peer),
        TEST(test_at_once),
        TEST(test_rests),
        TEST(test_links_are_told_rarely),
        TEST(test_beats_are_told_rarely),
        TEST(test_bad_beats),
        TEST(test_what_its_host_did_not_sign_ends_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
