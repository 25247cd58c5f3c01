/* test_body_session.c -- what passes between a client and its relay: written, read back, and refused where nobody could have written it. */
#include "frame/session.h"
#include "some.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_round_trip_of_an_envelope(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct envelope e = {0xdeadbeef, "secret"}, e2;
    write_envelope(buf, &e);
    assert_int_equal(read_envelope(buf, ENVELOPE_LEN, &e2), 0);
    assert_true(e2.session == e.session);
    assert_memory_equal(e2.secret, e.secret, SECRET_LEN);
    for (size_t len = 0; len < ENVELOPE_LEN; len++)
        assert_int_equal(read_envelope(buf, len, &e2), -EBADMSG);
    for (size_t i = 0; i < 4; i++) {
        write_envelope(buf, &e);
        buf[i] ^= 0x20;
        assert_int_equal(read_envelope(buf, ENVELOPE_LEN, &e2), -EBADMSG);
    }
}

static void test_round_trip_of_a_session(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct hello h;
    assert_true(write_hello(buf, &(struct hello){1, 2, "nonce", SOME_FIFO}, 77) > 0);
    assert_int_equal(read_hello(buf, &h), 0);
    assert_int_equal(h.version_min, 1);
    assert_int_equal(h.version_max, 2);
    assert_memory_equal(h.nonce, "nonce\0\0\0\0\0\0\0\0\0\0\0", NONCE_LEN);
    assert_string_equal(h.fifo, SOME_FIFO);
    assert_int_equal(frame_client(buf), 77);

    struct welcome in = {"n", 0xdeadbeef, "s", 65536, text_of("anna"), text_of("host-1")}, w;
    assert_true(write_welcome(buf, &in, 77, 5, 6, 7) > 0);
    assert_int_equal(read_welcome(buf, &w), 0);
    assert_memory_equal(w.nonce, in.nonce, NONCE_LEN);
    assert_memory_equal(w.secret, in.secret, SECRET_LEN);
    assert_true(w.session == 0xdeadbeef && w.window == 65536);
    assert_true(text_eq(w.user, in.user) && text_eq(w.host, in.host));
    assert_int_equal(frame_client(buf), 77);
    assert_int_equal(frame_client_seq(buf), 5);
    assert_int_equal(frame_origin(buf), 6);
    assert_int_equal(frame_pos(buf), 7);
}

static void test_round_trip_of_what_is_answered(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    assert_int_equal(write_ack(buf, 77, 9, 1000), FRAME_HEAD);
    assert_int_equal(frame_client(buf), 77);
    assert_int_equal(frame_client_seq(buf), 9);
    assert_int_equal(frame_pos(buf), 1000);

    struct reasoned r = {REASON_DISK_FULL, text_of("The disk is full.")}, rr;
    assert_true(write_reasoned(buf, FRAME_REFUSED, &r, 77, 9) > 0);
    assert_int_equal(read_reasoned(buf, &rr), 0);
    assert_int_equal(rr.reason, REASON_DISK_FULL);
    assert_true(text_eq(rr.text, r.text));
    assert_int_equal(frame_client_seq(buf), 9);
}

static void test_round_trip_of_a_query(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct query in = {QUERY_SINCE, 1, 2, 3, 4, 5, 6, {7, 8, 9, 10}, SOME_FIFO, {"", 0}}, q;
    assert_true(write_query(buf, &in, 8, 77, 9) > 0);
    assert_int_equal(read_query(buf, &q), 0);
    assert_true(q.kind == QUERY_SINCE && q.limit == 1 && q.uid == 2 && q.after == 3);
    assert_true(q.before == 4 && q.since == 5 && q.until == 6 && q.key.hlc == 7);
    assert_true(q.key.origin == 8 && q.key.epoch == 9 && q.key.seq == 10);
    assert_string_equal(q.fifo, SOME_FIFO);
    assert_int_equal(frame_room(buf), 8);

    struct end e = {1000, 10, 1, REASON_STORE, text_of("Half of it.")}, ee;
    assert_true(write_end(buf, &e, 77, 9) > 0);
    assert_int_equal(read_end(buf, &ee), 0);
    assert_true(ee.pos == 1000 && ee.count == 10 && ee.more == 1 && ee.reason == REASON_STORE);
    assert_true(text_eq(ee.text, e.text));
}

static void test_round_trip_of_rows(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct text name;
    assert_true(write_host(buf, 6, text_of("host-1")) > 0);
    assert_int_equal(read_host(buf, &name), 0);
    assert_true(text_eq(name, text_of("host-1")) && frame_origin(buf) == 6);

    struct room_row room = {3, 4, text_of("build"), text_of("to do")}, room2;
    assert_true(write_room_row(buf, &room, 8, 99) > 0);
    assert_int_equal(read_room_row(buf, &room2), 0);
    assert_true(room2.members == 3 && room2.messages == 4 && text_eq(room2.name, room.name));
    assert_true(text_eq(room2.topic, room.topic));
    assert_true(frame_room(buf) == 8 && frame_hlc(buf) == 99);

    struct who_row who = {2, text_of("anna"), text_of("host-1")}, who2;
    assert_true(write_who_row(buf, &who, 8, 6) > 0);
    assert_int_equal(read_who_row(buf, &who2), 0);
    assert_true(who2.sessions == 2 && text_eq(who2.user, who.user));
    assert_true(text_eq(who2.host, who.host) && frame_room(buf) == 8 && frame_origin(buf) == 6);
}

static void test_round_trip_of_a_fact(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct room_act a = {.act = ACT_UNSET, .mode = MODE_TOPIC_BY_OPERATORS, .user = text_of("anna")};
    struct fact_row row = {text_of("too late"), a}, got;
    assert_true(write_fact_row(buf, &row, 8) > 0);
    assert_int_equal(read_fact_row(buf, &got), 0);
    assert_true(frame_room(buf) == 8 && text_eq(got.why, row.why) && got.act.act == ACT_UNSET && got.act.mode == a.mode);
}

static void test_round_trip_of_what_is_gone(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct gone g = {GAP_AWAY, 412, 50};
    assert_true(write_gone(buf, &g, 6, 8, 99) > 0);
    memset(&g, 0, sizeof g);
    assert_int_equal(read_gone(buf, &g), 0);
    assert_true(g.why == GAP_AWAY && g.messages == 412 && g.hlc_min == 50);
    assert_true(frame_origin(buf) == 6 && frame_room(buf) == 8 && frame_hlc(buf) == 99);
    g = (struct gone){GAP_OLD, 1, 50};
    assert_true(write_gone(buf, &g, 0, 8, 49) > 0); /* begins after it ends */
    assert_int_equal(read_gone(buf, &g), -EBADMSG);
    g = (struct gone){0, 1, 50};
    assert_true(write_gone(buf, &g, 0, 8, 99) > 0);
    assert_int_equal(read_gone(buf, &g), -EBADMSG);
}

static void test_round_trip_of_a_trace(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct trace_row t = {TRACE_NO_LINK, 1234, text_of("beta")}, got;
    struct hops h = {{1, 2, 3, 0, 0, UINT64_MAX}}, got_h;
    assert_true(write_trace_row(buf, &t, 6) > 0);
    assert_int_equal(read_trace_row(buf, &got), 0);
    assert_int_equal(frame_origin(buf), 6);
    assert_int_equal(got.state, TRACE_NO_LINK);
    assert_int_equal(got.since_ms, 1234);
    assert_true(text_eq(got.host, t.host));
    for (unsigned s = 0; s < 256; s++) {
        t.state = (uint8_t)s;
        assert_true(write_trace_row(buf, &t, 6) > 0);
        assert_int_equal(read_trace_row(buf, &got), s >= TRACE_HAS && s <= TRACE_UNSURE ? 0 : -EBADMSG);
    }
    assert_true(write_hops(buf, &h) > 0);
    assert_int_equal(read_hops(buf, &got_h), 0);
    assert_memory_equal(&h, &got_h, sizeof h);
}

static void test_bad_text_is_refused(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct reasoned r = {REASON_OK, text_of("\xff")};
    assert_true(write_reasoned(buf, FRAME_NOTICE, &r, 77, 9) > 0);
    assert_int_equal(read_reasoned(buf, &r), -EBADMSG);
    r.text = some_text(SENTENCE_MAX + 1);
    assert_int_equal(write_reasoned(buf, FRAME_NOTICE, &r, 77, 9), -EMSGSIZE);
    struct end e = {.more = 2};
    assert_true(write_end(buf, &e, 77, 9) > 0);
    assert_int_equal(read_end(buf, &e), -EBADMSG);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct text name;
    assert_int_equal(write_host(buf, 6, some_text(HOST_NAME_MAX_LEN + 1)), -EMSGSIZE);
    assert_true(write_host(buf, 6, text_of("Host")) > 0);
    assert_int_equal(read_host(buf, &name), -EBADMSG);
}

static void test_only_random_names_of_fifos(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0123456789ABCDEF0123456789abcdef", "../../../../../../../etc/passwd0",
        "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdeg"};
    uint8_t buf[FRAME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct hello h = {1, 1, "nonce", ""};
        struct query q = {.kind = QUERY_WHO};
        memcpy(h.fifo, bad[i], strlen(bad[i]));
        memcpy(q.fifo, bad[i], strlen(bad[i]));
        assert_true(write_hello(buf, &h, 77) > 0);
        assert_int_equal(read_hello(buf, &h), -EBADMSG);
        assert_true(write_query(buf, &q, 8, 77, 9) > 0);
        assert_int_equal(read_query(buf, &q), -EBADMSG);
    }
}

static void test_a_query_is_of_a_known_kind_and_only_a_search_has_words(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    for (unsigned kind = 0; kind < 256; kind++) {
        struct query q = {.kind = (uint8_t)kind, .fifo = SOME_FIFO, .wanted = text_of(kind == QUERY_SEARCH ? "x" : "")};
        assert_true(write_query(buf, &q, 8, 77, 9) > 0);
        bool good = kind == QUERY_SEARCH || (kind >= QUERY_CATCHUP && kind <= QUERY_ROOMS) || kind == QUERY_STATE ||
                    (kind >= QUERY_TRACE && kind <= QUERY_PROBE);
        assert_int_equal(read_query(buf, &q), good ? 0 : -EBADMSG);
        q.wanted = text_of(kind == QUERY_SEARCH ? "" : "x");
        assert_true(write_query(buf, &q, 8, 77, 9) > 0);
        assert_int_equal(read_query(buf, &q), -EBADMSG);
    }
    struct query q = {.kind = QUERY_SEARCH, .fifo = SOME_FIFO, .wanted = text_of("\xff")};
    assert_true(write_query(buf, &q, 8, 77, 9) > 0);
    assert_int_equal(read_query(buf, &q), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_an_envelope),
        cmocka_unit_test(test_round_trip_of_a_session),
        cmocka_unit_test(test_round_trip_of_what_is_answered),
        cmocka_unit_test(test_round_trip_of_a_query),
        cmocka_unit_test(test_round_trip_of_rows),
        cmocka_unit_test(test_round_trip_of_a_fact),
        cmocka_unit_test(test_round_trip_of_what_is_gone),
        cmocka_unit_test(test_round_trip_of_a_trace),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_only_random_names_of_fifos),
        cmocka_unit_test(test_a_query_is_of_a_known_kind_and_only_a_search_has_words),
    };
    return cmocka_run_group_tests_name("body_session", tests, NULL, NULL);
}
