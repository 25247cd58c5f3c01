/* test_body.c -- of every type of frame: the shortest and the longest are read back; another length or byte does no harm. */
#include "base/direct.h"
#include "frame/body.h"
#include "some.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* room -- a name of one character, or the longest there is: that of two whose names are the longest. */
static struct text room(bool big)
{
    static char name[DIRECT_NAME_MAX + 1];
    struct person who = {some_text(USER_NAME_MAX), some_text(HOST_NAME_MAX_LEN)};
    return big ? (struct text){name, direct_name(who, who, name)} : some_text(1);
}

/* One of each type, with its variable parts as short (big = false) or as long as they may be. */
static int make_hello(uint8_t *buf, bool big)
{
    (void)big;
    struct hello h = {1, 2, "nonce", SOME_FIFO};
    return write_hello(buf, &h, 77);
}

static int make_welcome(uint8_t *buf, bool big)
{
    struct welcome w = {"nonce", 3, "secret", 65536, some_text(big ? USER_NAME_MAX : 1), some_text(big ? HOST_NAME_MAX_LEN : 1)};
    return write_welcome(buf, &w, 77, 5, 6, 7);
}

static int make_change(uint8_t *buf, enum frame_type type, bool big)
{
    struct room_change c = {some_text(big ? USER_NAME_MAX : 1), room(big)};
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
    struct say s = {some_text(big ? USER_NAME_MAX : 1), some_text(big ? TEXT_PART_MAX : 1)};
    return write_say(buf, &s, 8, 77, 9, FRAME_MORE);
}

static int make_query(uint8_t *buf, bool big)
{
    struct query q = {
        .kind = big ? QUERY_SEARCH : QUERY_CATCHUP, .limit = 10, .fifo = SOME_FIFO, .wanted = some_text(big ? WANTED_MAX : 0)};
    return write_query(buf, &q, 8, 77, 9);
}

static int make_ack(uint8_t *buf, bool big)
{
    (void)big;
    return write_ack(buf, 77, 9, 1000);
}

static int make_sentence(uint8_t *buf, enum frame_type type, bool big)
{
    struct reasoned r = {REASON_DENIED, some_text(big ? SENTENCE_MAX : 0)};
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
    return write_host(buf, 6, some_text(big ? HOST_NAME_MAX_LEN : 1));
}

static int make_end(uint8_t *buf, bool big)
{
    struct end e = {1000, 10, 1, REASON_STORE, some_text(big ? SENTENCE_MAX : 0)};
    return write_end(buf, &e, 77, 9);
}

static int make_room(uint8_t *buf, bool big)
{
    struct room_row r = {3, 4, room(big), some_text(big ? TOPIC_MAX : 0)};
    return write_room_row(buf, &r, 8, 99);
}

static int make_who(uint8_t *buf, bool big)
{
    struct who_row r = {2, some_text(big ? USER_NAME_MAX : 1), some_text(big ? HOST_NAME_MAX_LEN : 1)};
    return write_who_row(buf, &r, 8, 6);
}

static struct room_act an_act(bool big)
{
    return (struct room_act){
        .act = big ? ACT_TOPIC : ACT_OWN, .user = some_text(big ? USER_NAME_MAX : 1), .topic = some_text(big ? TOPIC_MAX : 0)};
}

static int make_state(uint8_t *buf, bool big)
{
    struct room_act a = an_act(big);
    return write_room_act(buf, &a, 8, 77, 9);
}

static int make_fact(uint8_t *buf, bool big)
{
    struct fact_row r = {some_text(big ? FACT_WHY_MAX : 0), an_act(big)};
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
    struct trace_row t = {big ? TRACE_NO_LINK : TRACE_HAS, 99, some_text(big ? HOST_NAME_MAX_LEN : 1)};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_are_exact),
        cmocka_unit_test(test_every_other_length_is_refused),
        cmocka_unit_test(test_no_corrupted_byte_does_harm),
    };
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
