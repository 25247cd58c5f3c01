/* test_body.c -- what is written is read back; what nobody could have written is refused. */
#include "base/direct.h"
#include "frame/body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIFO_NAME "0123456789abcdef0123456789abcdef"

static char chars[4096]; /* 'a', as many as one may want */

static struct text as(size_t len)
{
    return (struct text){chars, len};
}

/* room -- a name of one character, or the longest there is: that of two whose names are the longest. */
static struct text room(bool big)
{
    static char name[DIRECT_NAME_MAX + 1];
    struct person who = {as(USER_NAME_MAX), as(HOST_NAME_MAX_LEN)};
    return big ? (struct text){name, direct_name(who, who, name)} : as(1);
}

/* One of each type, with its variable parts as short (big = false) or as long as they may be.
 */
static int make_hello(uint8_t *buf, bool big)
{
    (void)big;
    struct hello h = {1, 2, "nonce", FIFO_NAME};
    return write_hello(buf, &h, 77);
}

static int make_welcome(uint8_t *buf, bool big)
{
    struct welcome w = {"nonce",
                        3,
                        "secret",
                        65536,
                        as(big ? USER_NAME_MAX : 1),
                        as(big ? HOST_NAME_MAX_LEN : 1)};
    return write_welcome(buf, &w, 77, 5, 6, 7);
}

static int make_change(uint8_t *buf, enum frame_type type, bool big)
{
    struct room_change c = {as(big ? USER_NAME_MAX : 1), room(big)};
    return write_room_change(buf, type, &c, 8, 77, 9);
}

static int make_open(uint8_t *buf, bool big)
{
    return make_change(buf, FRAME_OPEN, big);
}

static int make_join(uint8_t *buf, bool big)
{
    return make_change(buf, FRAME_JOIN, big);
}

static int make_leave(uint8_t *buf, bool big)
{
    return make_change(buf, FRAME_LEAVE, big);
}

static int make_create(uint8_t *buf, bool big)
{
    return make_change(buf, FRAME_CREATE, big);
}

static int make_say(uint8_t *buf, bool big)
{
    struct say s = {as(big ? USER_NAME_MAX : 1), as(big ? TEXT_PART_MAX : 1)};
    return write_say(buf, &s, 8, 77, 9, FRAME_MORE);
}

static int make_query(uint8_t *buf, bool big)
{
    struct query q = {
        .kind = big ? QUERY_SEARCH : QUERY_CATCHUP, .limit = 10, .fifo = FIFO_NAME, .wanted = as(big ? WANTED_MAX : 0)};
    return write_query(buf, &q, 8, 77, 9);
}

static int make_ack(uint8_t *buf, bool big)
{
    (void)big;
    return write_ack(buf, 77, 9, 1000);
}

static int make_sentence(uint8_t *buf, enum frame_type type, bool big)
{
    struct reasoned r = {REASON_DENIED, as(big ? SENTENCE_MAX : 0)};
    return write_reasoned(buf, type, &r, 77, 9);
}

static int make_refused(uint8_t *buf, bool big)
{
    return make_sentence(buf, FRAME_REFUSED, big);
}

static int make_notice(uint8_t *buf, bool big)
{
    return make_sentence(buf, FRAME_NOTICE, big);
}

static int make_farewell(uint8_t *buf, bool big)
{
    return make_sentence(buf, FRAME_FAREWELL, big);
}

static int make_host(uint8_t *buf, bool big)
{
    return write_host(buf, 6, as(big ? HOST_NAME_MAX_LEN : 1));
}

static int make_end(uint8_t *buf, bool big)
{
    struct end e = {1000, 10, 1, REASON_STORE, as(big ? SENTENCE_MAX : 0)};
    return write_end(buf, &e, 77, 9);
}

static int make_room(uint8_t *buf, bool big)
{
    struct room_row r = {3, 4, room(big), as(big ? TOPIC_MAX : 0)};
    return write_room_row(buf, &r, 8, 99);
}

static int make_who(uint8_t *buf, bool big)
{
    struct who_row r = {2, as(big ? USER_NAME_MAX : 1), as(big ? HOST_NAME_MAX_LEN : 1)};
    return write_who_row(buf, &r, 8, 6);
}

static struct room_act an_act(bool big)
{
    return (struct room_act){.act = big ? ACT_TOPIC : ACT_OWN, .user = as(big ? USER_NAME_MAX : 1), .topic = as(big ? TOPIC_MAX : 0)};
}

static int make_state(uint8_t *buf, bool big)
{
    struct room_act a = an_act(big);
    return write_room_act(buf, &a, 8, 77, 9);
}

static int make_fact(uint8_t *buf, bool big)
{
    struct fact_row r = {as(big ? FACT_WHY_MAX : 0), an_act(big)};
    return write_fact_row(buf, &r, 8);
}

static int make_segment(uint8_t *buf, bool big)
{
    struct segment_head s = {4, 500, 17, "prev", "hash", "signature", {big ? AFTER_MAX : 0, {{0}}}};
    for (uint32_t i = 0; i < AFTER_MAX; i++)
        s.after.row[i] = (struct after_row){i, 4, i + 1};
    return write_segment(buf, &s, 6, 5, 8, 20, 99);
}

static int make_gap(uint8_t *buf, bool big)
{
    struct gap g = {big ? GAP_AWAY : GAP_OLD, 2, 50, 3, {3, 20, "prev", "hash", "signature"}};
    return write_gap(buf, &g, 6, 5, 8, 99);
}

static int make_gone(uint8_t *buf, bool big)
{
    struct gone g = {big ? GAP_AWAY : GAP_OLD, 412, 50};
    return write_gone(buf, &g, 6, 8, 99);
}

static int make_trace(uint8_t *buf, bool big)
{
    struct trace_row t = {big ? TRACE_NO_LINK : TRACE_HAS, 99, as(big ? HOST_NAME_MAX_LEN : 1)};
    return write_trace_row(buf, &t, 6);
}

static int make_hops(uint8_t *buf, bool big)
{
    (void)big;
    struct hops h = {{1, 2, 3, 4, 5, 6}};
    return write_hops(buf, &h);
}

static int make_knock(uint8_t *buf, bool big)
{
    (void)big;
    return write_knock(buf, 17, 6);
}

static int make_echo(uint8_t *buf, bool big)
{
    (void)big;
    struct echo e = {17, 1000, 1002};
    return write_echo(buf, &e);
}

/* Read as its type says; the text of variable length is held against the rules for text. */
static int read_any(const uint8_t *f)
{
    union {
        struct hello hello;
        struct welcome welcome;
        struct room_change change;
        struct say say;
        struct query query;
        struct reasoned reasoned;
        struct text host;
        struct end end;
        struct room_row room;
        struct who_row who;
        struct segment_head segment;
        struct gap gap;
        struct gone gone;
        struct trace_row trace;
        struct hops hops;
        uint64_t knock;
        struct echo echo;
        struct room_act act;
        struct fact_row fact;
    } u;
    switch (frame_type(f)) {
    case FRAME_HELLO:
        return read_hello(f, &u.hello);
    case FRAME_WELCOME:
        return read_welcome(f, &u.welcome);
    case FRAME_OPEN:
    case FRAME_JOIN:
    case FRAME_LEAVE:
    case FRAME_CREATE:
        return read_room_change(f, &u.change);
    case FRAME_SAY:
        return read_say(f, &u.say);
    case FRAME_QUERY:
        return read_query(f, &u.query);
    case FRAME_REFUSED:
    case FRAME_NOTICE:
    case FRAME_FAREWELL:
        return read_reasoned(f, &u.reasoned);
    case FRAME_HOST:
        return read_host(f, &u.host);
    case FRAME_END:
        return read_end(f, &u.end);
    case FRAME_ROOM:
        return read_room_row(f, &u.room);
    case FRAME_WHO:
        return read_who_row(f, &u.who);
    case FRAME_SEGMENT:
        return read_segment(f, &u.segment);
    case FRAME_GAP:
        return read_gap(f, &u.gap);
    case FRAME_GONE:
        return read_gone(f, &u.gone);
    case FRAME_TRACE:
        return read_trace_row(f, &u.trace);
    case FRAME_HOPS:
        return read_hops(f, &u.hops);
    case FRAME_KNOCK:
        return read_knock(f, &u.knock);
    case FRAME_ECHO:
        return read_echo(f, &u.echo);
    case FRAME_STATE:
        return read_room_act(f, &u.act);
    case FRAME_FACT:
        return read_fact_row(f, &u.fact);
    default:
        return 0;
    }
}

static const struct {
    int (*make)(uint8_t *buf, bool big);
    bool open_ended; /* its last part is the rest of the body */
} kinds[] = {
    // clang-format off
    {make_hello, false},  {make_welcome, false}, {make_open, false},     {make_join, false},
    {make_leave, false},  {make_create, false},  {make_say, true},       {make_query, true},
    {make_ack, false},    {make_refused, true},  {make_notice, true},    {make_farewell, true},
    {make_host, false},   {make_end, true},      {make_room, true},      {make_who, false},
    {make_segment, true}, {make_trace, false}, {make_hops, false},      {make_knock, false},
    {make_echo, false},   {make_state, true},    {make_fact, true},      {make_gap, false},
    {make_gone, false},
    // clang-format on
};

/* read_exact -- as read_any(), from memory that ends where the frame ends. */
static int read_exact(const uint8_t *f)
{
    uint8_t *copy = malloc(frame_len(f));
    assert_non_null(copy);
    memcpy(copy, f, frame_len(f));
    int err = read_any(copy);
    free(copy);
    return err;
}

static void test_bounds_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        uint8_t buf[FRAME_MAX];
        for (int big = 0; big < 2; big++) {
            int n = kinds[i].make(buf, big);
            const struct frame_row *row = frame_row(frame_type(buf));
            assert_true(n > 0);
            assert_int_equal(frame_check(buf, sizeof buf), n);
            assert_int_equal(frame_body_len(buf), big ? row->body_max : row->body_min);
            assert_int_equal(read_exact(buf), 0);
        }
    }
}

/* Any other length in the header: a part is missing, or bytes are left over. */
static void test_every_other_length_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds) * 2; i++) {
        uint8_t buf[FRAME_MAX] = {0};
        assert_true(kinds[i / 2].make(buf, i % 2) > 0);
        uint16_t len = frame_len(buf);
        const struct frame_row *row = frame_row(frame_type(buf));
        for (uint16_t other = FRAME_HEAD; other <= FRAME_MAX; other++) {
            put_u16(buf, other);
            if (other == len || (row->body_max == 0 && other > FRAME_HEAD))
                continue;
            int err = read_exact(buf);
            assert_true(err == 0 || err == -EBADMSG);
            assert_true(err < 0 || (kinds[i / 2].open_ended && other < len));
        }
    }
}

static void test_no_corrupted_byte_does_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds) * 2; i++) {
        uint8_t good[FRAME_MAX], buf[FRAME_MAX];
        int n = kinds[i / 2].make(good, i % 2);
        for (int at = 0; at < n && at < 512; at++) {
            memcpy(buf, good, (size_t)n);
            for (unsigned bit = 1; bit < 256; bit++) {
                buf[at] = (uint8_t)(good[at] ^ bit);
                if (frame_check(buf, (size_t)n) <= 0)
                    continue;
                int err = read_exact(buf);
                assert_true(err == 0 || err == -EBADMSG);
            }
        }
    }
}

static void test_round_trip_of_a_session(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct hello h;
    make_hello(buf, false);
    assert_int_equal(read_hello(buf, &h), 0);
    assert_int_equal(h.version_min, 1);
    assert_int_equal(h.version_max, 2);
    assert_memory_equal(h.nonce, "nonce\0\0\0\0\0\0\0\0\0\0\0", NONCE_LEN);
    assert_string_equal(h.fifo, FIFO_NAME);
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

static void test_round_trip_of_what_is_said(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct say in = {text_of("anna"), text_of("Grüße\n\033[31m")}, s;
    assert_true(write_say(buf, &in, 8, 77, 9, FRAME_MORE | FRAME_ACTION) > 0);
    assert_int_equal(read_say(buf, &s), 0);
    assert_true(text_eq(s.user, in.user) && text_eq(s.text, in.text));
    assert_int_equal(frame_room(buf), 8);
    assert_int_equal(frame_client(buf), 77);
    assert_int_equal(frame_client_seq(buf), 9);
    assert_int_equal(frame_flags(buf), FRAME_MORE | FRAME_ACTION);

    struct room_change c = {text_of("anna"), text_of("build/kernel")}, got;
    assert_true(write_room_change(buf, FRAME_JOIN, &c, 8, 77, 9) > 0);
    assert_int_equal(frame_type(buf), FRAME_JOIN);
    assert_int_equal(read_room_change(buf, &got), 0);
    assert_true(text_eq(got.user, c.user) && text_eq(got.room, c.room));
    assert_int_equal(frame_room(buf), 8);
    assert_true(write_room_change(buf, FRAME_CREATE, &c, 8, 0, 0) > 0);
    assert_int_equal(read_room_change(buf, &got), 0);
    assert_int_equal(got.user.len, 0);

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
    struct query in = {QUERY_SINCE, 1, 2, 3, 4, 5, 6, {7, 8, 9, 10}, FIFO_NAME, {"", 0}}, q;
    assert_true(write_query(buf, &in, 8, 77, 9) > 0);
    assert_int_equal(read_query(buf, &q), 0);
    assert_true(q.kind == QUERY_SINCE && q.limit == 1 && q.uid == 2 && q.after == 3);
    assert_true(q.before == 4 && q.since == 5 && q.until == 6 && q.key.hlc == 7);
    assert_true(q.key.origin == 8 && q.key.epoch == 9 && q.key.seq == 10);
    assert_string_equal(q.fifo, FIFO_NAME);
    assert_int_equal(frame_room(buf), 8);

    struct end e = {1000, 10, 1, REASON_STORE, text_of("Half of it.")}, ee;
    assert_true(write_end(buf, &e, 77, 9) > 0);
    assert_int_equal(read_end(buf, &ee), 0);
    assert_true(ee.pos == 1000 && ee.count == 10 && ee.more == 1 && ee.reason == REASON_STORE);
    assert_true(text_eq(ee.text, e.text));

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

static void test_round_trip_of_gaps(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct gap g;
    struct gone gone;
    assert_true(make_gap(buf, true) > 0);
    assert_int_equal(read_gap(buf, &g), 0);
    assert_int_equal(frame_origin(buf), 6);
    assert_int_equal(frame_epoch(buf), 5);
    assert_int_equal(frame_room(buf), 8);
    assert_int_equal(frame_seq(buf), 20);
    assert_int_equal(frame_hlc(buf), 99);
    assert_true(g.why == GAP_AWAY && g.first_seq == 2 && g.hlc_min == 50 && g.messages == 3);
    assert_true(g.last.first_seq == 3 && g.last.last_seq == 20);
    assert_string_equal((const char *)g.last.prev, "prev");
    assert_string_equal((const char *)g.last.hash, "hash");
    assert_string_equal((const char *)g.last.signature, "signature");
    assert_true(make_gone(buf, true) > 0);
    assert_int_equal(read_gone(buf, &gone), 0);
    assert_true(gone.why == GAP_AWAY && gone.messages == 412 && gone.hlc_min == 50);
    assert_true(frame_origin(buf) == 6 && frame_room(buf) == 8 && frame_hlc(buf) == 99);
}

/* refused -- this gap, changed in one thing, cannot be read. */
static void refused(struct gap g, uint64_t hlc)
{
    uint8_t buf[FRAME_MAX];
    assert_true(write_gap(buf, &g, 6, 5, 8, hlc) > 0);
    assert_int_equal(read_gap(buf, &g), -EBADMSG);
}

static void test_gaps_that_make_no_sense(void **state)
{
    (void)state;
    const struct gap good = {GAP_OLD, 2, 50, 19, {3, 20, "", "", ""}};
    uint8_t buf[FRAME_MAX];
    struct gap g = good;
    assert_true(write_gap(buf, &g, 6, 5, 8, 50) > 0);
    assert_int_equal(read_gap(buf, &g), 0);
    frame_set_seq(buf, 21); /* another end than its head says */
    assert_int_equal(read_gap(buf, &g), -EBADMSG);
    g = good, g.why = 0, refused(g, 99);
    g = good, g.why = GAP_AWAY + 1, refused(g, 99);
    g = good, g.first_seq = 0, refused(g, 99);
    g = good, g.first_seq = 4, refused(g, 99); /* begins within its last segment */
    g = good, g.first_seq = 21, refused(g, 99);
    g = good, g.messages = 20, refused(g, 99); /* more than there are entries */
    refused(good, 49);                         /* begins after it ends */
    g = good, g.last.first_seq = 21, refused(g, 99);
    g = good, g.last.last_seq = UINT64_MAX, refused(g, 99);
    g = good, g.last.last_seq = (uint64_t)INT64_MAX + 1, refused(g, 99); /* no store has such a number */
    struct gone gone = {GAP_OLD, 1, 50};
    assert_true(write_gone(buf, &gone, 0, 8, 49) > 0);
    assert_int_equal(read_gone(buf, &gone), -EBADMSG);
    gone = (struct gone){0, 1, 50};
    assert_true(write_gone(buf, &gone, 0, 8, 99) > 0);
    assert_int_equal(read_gone(buf, &gone), -EBADMSG);
}

static void test_round_trip_of_segment_and_envelope(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct segment_head in = {4, 500, 17, "prev", "hash", "signature", {2, {{3, 4, 5}, {6, 7, 8}}}}, s;
    assert_true(write_segment(buf, &in, 6, 5, 8, 20, 99) > 0);
    assert_int_equal(read_segment(buf, &s), 0);
    assert_true(s.count == 4 && s.bytes == 500 && s.first_seq == 17);
    assert_memory_equal(s.prev, in.prev, HASH_LEN);
    assert_memory_equal(s.hash, in.hash, HASH_LEN);
    assert_memory_equal(s.signature, in.signature, SIGNATURE_LEN);
    assert_true(frame_origin(buf) == 6 && frame_epoch(buf) == 5 && frame_room(buf) == 8);
    assert_true(frame_seq(buf) == 20 && frame_hlc(buf) == 99);
    assert_int_equal(s.after.n, 2);
    assert_true(s.after.row[1].origin == 6 && s.after.row[1].epoch == 7 && s.after.row[1].seq == 8);
    put_u64(buf + frame_len(buf) - 8, 0); /* an entry that there is not */
    assert_int_equal(read_segment(buf, &s), -EBADMSG);
    put_u64(buf + frame_len(buf) - 8, UINT64_MAX);
    assert_int_equal(read_segment(buf, &s), -EBADMSG);

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

static void test_round_trip_of_members_and_links(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX], key[KEY_LEN] = "a key of 32 bytes, more or less";
    struct member_entry in = {MEMBER_GUEST, 7, key, text_of("host-1"), text_of("[::1]:7325")}, e;
    assert_true(write_member(buf, &in) > 0);
    assert_int_equal(read_member(buf, &e), 0);
    assert_true(e.op == MEMBER_GUEST && e.host == 7 && frame_room(buf) == MEMBERS_ROOM);
    assert_memory_equal(e.key, key, KEY_LEN);
    assert_true(text_eq(e.name, in.name) && text_eq(e.address, in.address));
    frame_set_room(buf, 8);
    assert_int_equal(read_member(buf, &e), -EBADMSG);

    uint64_t link[] = {3, 4, 5};
    struct links_row row;
    assert_true(write_links(buf, 1, 2, 9, link, 3) > 0);
    assert_int_equal(read_links(buf, &row), 0);
    assert_true(row.n == 3 && get_u64(row.link + 16) == 5);
    assert_true(frame_origin(buf) == 1 && frame_epoch(buf) == 2 && frame_seq(buf) == 9);

    struct tunnel_part part = {6, 77, TUNNEL_BYTES, 3, (const uint8_t *)"some", 4}, p;
    assert_true(write_tunnel(buf, &part, 5) > 0);
    assert_int_equal(read_tunnel(buf, &p), 0);
    assert_true(p.to == 6 && p.id == 77 && p.op == TUNNEL_BYTES && p.hops == 3 && p.len == 4 && frame_origin(buf) == 5);
    assert_memory_equal(p.bytes, "some", 4);
}

static int member(uint8_t op, uint64_t host, struct text name, struct text address)
{
    uint8_t buf[FRAME_MAX], key[KEY_LEN] = "";
    struct member_entry e = {op, host, key, name, address};
    int n = write_member(buf, &e);
    return n < 0 ? n : read_member(buf, &e);
}

static int tunnel(uint8_t op, size_t len)
{
    static const uint8_t bytes[TUNNEL_BYTES_MAX + 1];
    uint8_t buf[FRAME_MAX];
    struct tunnel_part p = {1, 2, op, 3, bytes, len};
    int n = write_tunnel(buf, &p, 4);
    return n < 0 ? n : read_tunnel(buf, &p);
}

static void test_bad_members_and_tunnels_are_refused(void **state)
{
    (void)state;
    struct text name = text_of("host-1"), none = text_of("-");
    assert_int_equal(member(MEMBER_REVOKE, 7, name, none), 0);
    assert_int_equal(member(0, 7, name, none), -EBADMSG);
    assert_int_equal(member(MEMBER_REVOKE + 1, 7, name, none), -EBADMSG);
    assert_int_equal(member(MEMBER_FULL, 0, name, none), -EBADMSG);
    assert_int_equal(member(MEMBER_FULL, 7, text_of("Host 1"), none), -EBADMSG);
    assert_int_equal(member(MEMBER_FULL, 7, text_of(""), none), -EMSGSIZE);
    assert_int_equal(member(MEMBER_FULL, 7, name, text_of("")), -EMSGSIZE);
    assert_int_equal(member(MEMBER_FULL, 7, name, text_of("a b:1")), -EBADMSG);
    assert_int_equal(member(MEMBER_FULL, 7, name, text_of("\033[c")), -EBADMSG);
    assert_int_equal(member(MEMBER_FULL, 7, name, as(MEMBER_ADDRESS_MAX + 1)), -EMSGSIZE);

    assert_int_equal(tunnel(TUNNEL_OPEN, 0), 0);
    assert_int_equal(tunnel(TUNNEL_OPEN, 1), -EBADMSG);
    assert_int_equal(tunnel(TUNNEL_BYTES, TUNNEL_BYTES_MAX), 0);
    assert_int_equal(tunnel(TUNNEL_BYTES, TUNNEL_BYTES_MAX + 1), -EMSGSIZE);
    assert_int_equal(tunnel(TUNNEL_CREDIT, 4), 0);
    assert_int_equal(tunnel(TUNNEL_CREDIT, 3), -EBADMSG);
    assert_int_equal(tunnel(TUNNEL_CLOSE, 0), 0);
    assert_int_equal(tunnel(TUNNEL_CLOSE + 1, 0), -EBADMSG);
    assert_int_equal(tunnel(0, 0), -EBADMSG);
}

static int said(struct text user, struct text text)
{
    uint8_t buf[FRAME_MAX];
    struct say s = {user, text};
    int n = write_say(buf, &s, 8, 77, 9, 0);
    return n < 0 ? n : read_say(buf, &s);
}

static void test_round_trip_of_a_trace(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct trace_row t = {TRACE_NO_LINK, 1234, text_of("beta")}, got;
    struct hops h = {{1, 2, 3, 0, 0, UINT64_MAX}}, got_h;
    struct echo e = {17, 1000, 1002}, got_e;
    uint64_t number;
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
    assert_true(write_knock(buf, 17, 6) > 0);
    assert_int_equal(read_knock(buf, &number), 0);
    assert_int_equal(number, 17);
    assert_int_equal(frame_origin(buf), 6);
    assert_true(write_echo(buf, &e) > 0);
    assert_int_equal(read_echo(buf, &got_e), 0);
    assert_memory_equal(&e, &got_e, sizeof e);
}

static void test_bad_text_is_refused(void **state)
{
    (void)state;
    struct text anna = text_of("anna"), hi = text_of("hi");
    assert_int_equal(said(anna, hi), 0);
    assert_int_equal(said(anna, text_of("")), -EMSGSIZE);
    assert_int_equal(said(anna, as(TEXT_PART_MAX + 1)), -EMSGSIZE);
    assert_int_equal(said(as(1), as(TEXT_PART_MAX + 1)), -EMSGSIZE);
    assert_int_equal(said(as(USER_NAME_MAX + 1), hi), -EMSGSIZE);
    assert_int_equal(said(text_of(""), hi), -EMSGSIZE);
    assert_int_equal(said(anna, (struct text){"a\0b", 3}), -EBADMSG);
    assert_int_equal(said(anna, text_of("\xc0\xaf")), -EBADMSG);
    assert_int_equal(said(anna, text_of("\xed\xa0\x80")), -EBADMSG);
    assert_int_equal(said(text_of("-rf"), hi), -EBADMSG);
    assert_int_equal(said(text_of("\033[c"), hi), -EBADMSG);

    uint8_t buf[FRAME_MAX];
    struct reasoned r = {REASON_OK, text_of("\xff")};
    assert_true(write_reasoned(buf, FRAME_NOTICE, &r, 77, 9) > 0);
    assert_int_equal(read_reasoned(buf, &r), -EBADMSG);
    r.text = as(SENTENCE_MAX + 1);
    assert_int_equal(write_reasoned(buf, FRAME_NOTICE, &r, 77, 9), -EMSGSIZE);
    struct end e = {.more = 2};
    assert_true(write_end(buf, &e, 77, 9) > 0);
    assert_int_equal(read_end(buf, &e), -EBADMSG);
}

static int changed(enum frame_type type, const char *user, const char *room)
{
    uint8_t buf[FRAME_MAX];
    struct room_change c;
    struct wr w = frame_begin(buf, type);
    wr_text(&w, text_of(user));
    wr_text(&w, text_of(room));
    int n = frame_end(buf, &w);
    return n < 0 ? n : read_room_change(buf, &c);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    assert_int_equal(changed(FRAME_JOIN, "anna", "build"), 0);
    assert_int_equal(changed(FRAME_JOIN, "", "build"), -EBADMSG);
    assert_int_equal(changed(FRAME_CREATE, "", "build"), 0);
    assert_int_equal(changed(FRAME_CREATE, "anna", "build"), -EBADMSG);
    assert_int_equal(changed(FRAME_JOIN, "anna", "Build"), -EBADMSG);
    assert_int_equal(changed(FRAME_JOIN, "anna", "../x"), -EBADMSG);
    assert_int_equal(changed(FRAME_JOIN, "an na", "build"), -EBADMSG);

    uint8_t buf[FRAME_MAX];
    struct text name;
    assert_int_equal(write_host(buf, 6, as(HOST_NAME_MAX_LEN + 1)), -EMSGSIZE);
    assert_true(write_host(buf, 6, text_of("Host")) > 0);
    assert_int_equal(read_host(buf, &name), -EBADMSG);
}

/* acted -- what reading says of an act; writing does not judge it, but for lengths. */
static int acted(struct room_act a)
{
    uint8_t buf[FRAME_MAX];
    a.user = text_of("anna");
    int n = write_room_act(buf, &a, 8, 77, 9);
    return n < 0 ? n : read_room_act(buf, &a);
}

static void test_an_act_has_what_it_needs_and_no_more(void **state)
{
    (void)state;
    for (unsigned act = 0; act < 256; act++) {
        struct room_act bare = {.act = (uint8_t)act}, aimed = bare, topic = bare, mode = bare, both = bare;
        aimed.host = 5;
        aimed.target = text_of("bob");
        topic.topic = text_of("to do");
        mode.mode = MODE_TOPIC_BY_OPERATORS;
        both = aimed;
        both.topic = topic.topic;
        bool known = act >= ACT_OWN && act < ACTS_END, aims = known && act_aims((uint8_t)act);
        bool of_mode = known && act_of_mode((uint8_t)act);
        assert_int_equal(acted(bare), known && !aims && !of_mode ? 0 : -EBADMSG);
        assert_int_equal(acted(aimed), aims ? 0 : -EBADMSG);
        assert_int_equal(acted(topic), act == ACT_TOPIC ? 0 : -EBADMSG);
        assert_int_equal(acted(mode), of_mode ? 0 : -EBADMSG);
        assert_int_equal(acted(both), -EBADMSG);
        aimed.host = 0;
        assert_int_equal(acted(aimed), -EBADMSG);
        aimed = (struct room_act){.act = (uint8_t)act, .host = 5, .target = text_of("*")};
        assert_int_equal(acted(aimed), act == ACT_BAN || act == ACT_UNBAN ? 0 : -EBADMSG);
        mode.mode = MODES_END;
        assert_int_equal(acted(mode), -EBADMSG);
    }
    struct room_act bad = {.act = ACT_TOPIC, .topic = text_of("\xff")};
    assert_int_equal(acted(bad), -EBADMSG);
    bad.topic = as(TOPIC_MAX + 1);
    assert_int_equal(acted(bad), -EMSGSIZE);
    bad = (struct room_act){.act = ACT_OP, .host = 5, .target = text_of("-rf")};
    assert_int_equal(acted(bad), -EBADMSG);
}

static void test_round_trip_of_an_act(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct room_act a = {.act = ACT_BAN, .host = 6, .user = text_of("anna"), .target = text_of("bob")}, got;
    assert_true(write_room_act(buf, &a, 8, 77, 9) > 0);
    assert_true(frame_room(buf) == 8 && frame_client(buf) == 77 && frame_client_seq(buf) == 9);
    assert_int_equal(read_room_act(buf, &got), 0);
    assert_true(got.act == ACT_BAN && got.host == 6 && text_eq(got.user, a.user) && text_eq(got.target, a.target));
    a = (struct room_act){.act = ACT_UNSET, .mode = MODE_TOPIC_BY_OPERATORS, .user = text_of("anna")};
    struct fact_row row = {text_of("too late"), a}, row2;
    assert_true(write_fact_row(buf, &row, 8) > 0);
    assert_int_equal(read_fact_row(buf, &row2), 0);
    assert_true(frame_room(buf) == 8 && text_eq(row2.why, row.why) && row2.act.act == ACT_UNSET && row2.act.mode == a.mode);
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
    for (unsigned kind = 0; kind < 256; kind++) {
        struct query q = {.kind = (uint8_t)kind, .fifo = FIFO_NAME, .wanted = text_of(kind == QUERY_SEARCH ? "x" : "")};
        assert_true(write_query(buf, &q, 8, 77, 9) > 0);
        bool good = kind == QUERY_SEARCH || (kind >= QUERY_CATCHUP && kind <= QUERY_ROOMS) || kind == QUERY_STATE ||
                    (kind >= QUERY_TRACE && kind <= QUERY_PROBE);
        assert_int_equal(read_query(buf, &q), good ? 0 : -EBADMSG);
        q.kind = (uint8_t)kind;
        q.wanted = text_of(kind == QUERY_SEARCH ? "" : "x"); /* words are for a search, which has some */
        assert_true(write_query(buf, &q, 8, 77, 9) > 0);
        assert_int_equal(read_query(buf, &q), -EBADMSG);
    }
    struct query q = {.kind = QUERY_SEARCH, .fifo = FIFO_NAME, .wanted = text_of("\xff")};
    assert_true(write_query(buf, &q, 8, 77, 9) > 0);
    assert_int_equal(read_query(buf, &q), -EBADMSG);
}

int main(void)
{
    memset(chars, 'a', sizeof chars);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_exact),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_no_corrupted_byte_does_harm),
        cmocka_unit_test(test_round_trip_of_a_session),
        cmocka_unit_test(test_round_trip_of_what_is_said),
        cmocka_unit_test(test_round_trip_of_a_query),
        cmocka_unit_test(test_round_trip_of_gaps),
        cmocka_unit_test(test_gaps_that_make_no_sense),
        cmocka_unit_test(test_round_trip_of_segment_and_envelope),
        cmocka_unit_test(test_round_trip_of_members_and_links),
        cmocka_unit_test(test_bad_members_and_tunnels_are_refused),
        cmocka_unit_test(test_round_trip_of_a_trace),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_an_act_has_what_it_needs_and_no_more),
        cmocka_unit_test(test_round_trip_of_an_act),
        cmocka_unit_test(test_only_random_names_of_fifos),
    };
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
