/* test_view.c -- what people and programs get to see of a frame, also of a hostile one. */
#include "oracle.h"
#include "view.h"
#include "when.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

enum { ALICE = 1, BOB = 2, LOBBY = 7, BUILD = 8, WITH_BOB = 9 };

/* 2025-01-31 14:05:09.042 UTC */
#define MOMENT 1738332309042u

/* All that a view asks of its port. */
struct text port_host(const struct port *p, uint64_t origin)
{
    (void)p;
    return text_of(origin == 0xa ? "alpha" : "");
}

struct text port_room_name(const struct port *p, uint64_t room)
{
    (void)p;
    return text_of(room == LOBBY ? "lobby" : room == WITH_BOB ? "@bob@beta" : "build");
}

void port_call(const struct port *p, struct text name, char *called)
{
    struct direct d;
    (void)p;
    if (direct_read(name, &d))
        direct_inbox(direct_other(&d, (struct person){text_of("alice"), text_of("alpha")}), called);
    else
        snprintf(called, CALLED_MAX + 1, "%.*s", (int)name.len, name.p);
}

uint64_t port_client(const struct port *p)
{
    (void)p;
    return ALICE;
}

static uint8_t frame[FRAME_MAX];

static const uint8_t *said(struct text text, uint64_t client, uint64_t room, unsigned flags)
{
    struct say s = {text_of(client == ALICE ? "alice" : "bob"), text};
    assert_true(write_say(frame, &s, room, client, 1, (uint8_t)flags) > 0);
    frame_set_origin(frame, 0xa);
    frame_set_epoch(frame, 0xe);
    frame_set_seq(frame, 3);
    frame_set_pos(frame, 1000);
    frame_set_hlc(frame, (uint64_t)MOMENT << 16);
    return frame;
}

static const uint8_t *says(const char *text)
{
    return said(text_of(text), ALICE, LOBBY, 0);
}

static struct view *open_view(struct view_options o)
{
    struct view *v;
    assert_int_equal(view_open(&v, NULL, &o), 0);
    return v;
}

static void shows(struct view_options o, const uint8_t *f, const char *expected)
{
    struct view *v = open_view(o);
    assert_string_equal(view_frame(v, f), expected);
    view_close(v);
}

#define PLAIN ((struct view_options){0})
#define JSON  ((struct view_options){.json = true})

static void test_lines(void **state)
{
    (void)state;
    shows(PLAIN, says("hello"), "14:05 alice@alpha: hello\n");
    shows(PLAIN, said(text_of("waves"), ALICE, LOBBY, FRAME_ACTION),
          "14:05 * alice@alpha waves\n");
    shows((struct view_options){.rooms = true}, says("hello"),
          "14:05 #lobby alice@alpha: hello\n");
    shows((struct view_options){.color = true}, says("hello"),
          "14:05 \033[31malice@alpha\033[0m: hello\n");
}

static void test_conversations_of_two(void **state)
{
    (void)state;
    struct view_options direct = {.direct = true};
    shows(direct, said(text_of("psst"), BOB, WITH_BOB, 0), "14:05 @bob@beta bob@alpha: psst\n");
    shows(direct, says("hello"), "14:05 alice@alpha: hello\n");
    shows(PLAIN, said(text_of("psst"), BOB, WITH_BOB, 0), "14:05 bob@alpha: psst\n");
    struct room_row row = {0, 2, text_of("@alice@alpha,bob@beta"), text_of("")};
    assert_true(write_room_row(frame, &row, WITH_BOB, 0) > 0);
    shows(PLAIN, frame, "@bob@beta  2 messages\n");
    shows(JSON, frame, "{\"v\":1,\"type\":\"room\",\"room\":\"@bob@beta\",\"messages\":2}\n");
}

static void test_day_changes(void **state)
{
    (void)state;
    struct view *v = open_view((struct view_options){.days = true});
    assert_string_equal(view_frame(v, says("a")),
                        "-- Friday, 2025-01-31\n14:05 alice@alpha: a\n");
    assert_string_equal(view_frame(v, says("b")), "14:05 alice@alpha: b\n");
    says("c");
    frame_set_hlc(frame, ((uint64_t)MOMENT + 86400000) << 16);
    assert_string_equal(view_frame(v, frame),
                        "-- Saturday, 2025-02-01\n14:05 alice@alpha: c\n");
    view_close(v);
}

static void test_no_line_passes_for_another_message(void **state)
{
    (void)state;
    shows(PLAIN, says("one\n14:05 root@alpha: two\n\n"),
          "14:05 alice@alpha: one\n      14:05 root@alpha: two\n");
    shows(PLAIN, says("a\rb"), "14:05 alice@alpha: a<U+000D>b\n");
}

static void test_hostile_text(void **state)
{
    (void)state;
    static const char *const bad[] = {"\033[2J", "\302\23331m", "\033]0;x\a", "\u202eabc",
                                      "a\tb\bc", "<U+001B>",    "\u2028",     "\U000e0041"};
    struct view *v = open_view(PLAIN);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *line = view_frame(v, says(bad[i]));
        const char *why = oracle_objects(line, strlen(line), true, true);
        if (why)
            fail_msg("%s: in \"%s\"", why, line);
    }
    view_close(v);
}

static void test_json(void **state)
{
    (void)state;
    struct view *v = open_view(JSON);
    const char *line =
        view_frame(v, said(text_of("a\n\"b\"\001\u20ac"), ALICE, LOBBY, FRAME_ACTION));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    json_t *o = json_loads(line, 0, NULL);
    assert_non_null(o);
    const char *id, *room, *user, *host, *when, *type, *text;
    int version, action;
    json_int_t cursor;
    assert_int_equal(json_unpack(o, "{s:i s:s s:s s:s s:s s:s s:s s:s s:b s:I !}", "v",
                                 &version, "type", &type, "id", &id, "room", &room, "user",
                                 &user, "host", &host, "time", &when, "text", &text, "action",
                                 &action, "cursor", &cursor),
                     0);
    assert_int_equal(version, 1);
    assert_string_equal(type, "message");
    assert_string_equal(id, "000000000000000a-e-0000000000000007-3");
    assert_string_equal(room, "lobby");
    assert_string_equal(user, "alice");
    assert_string_equal(host, "alpha");
    assert_string_equal(when, "2025-01-31T14:05:09.042Z");
    assert_string_equal(text, "a\n\"b\"\001\u20ac");
    assert_true(action);
    assert_int_equal(cursor, 1000 + frame_stride(frame));
    json_decref(o);
    view_close(v);
}

static void fill(char *to, char c)
{
    memset(to, c, TEXT_PART_MAX);
}

static void test_parts_become_one_message(void **state)
{
    (void)state;
    static char part[TEXT_PART_MAX];
    struct view *v = open_view(PLAIN);
    for (unsigned i = 0; i < 20; i++) {
        fill(part, (char)('a' + i));
        unsigned flags = (i > 0 ? FRAME_CONT : 0) | FRAME_MORE;
        assert_string_equal(
            view_frame(v, said((struct text){part, sizeof part}, ALICE, LOBBY, flags)), "");
    }
    const char *line = view_frame(v, said(text_of("."), ALICE, LOBBY, FRAME_CONT));
    size_t head = strlen("14:05 alice@alpha: ");
    assert_int_equal(strlen(line), head + 20 * sizeof part + 2);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(line[head + i * sizeof part], 'a' + (int)i);
    assert_int_equal(view_messages(v), 1);
    view_close(v);
}

static void test_parts_of_several_do_not_mix(void **state)
{
    (void)state;
    struct view *v = open_view((struct view_options){.rooms = true});
    view_frame(v, said(text_of("A"), ALICE, LOBBY, FRAME_MORE));
    view_frame(v, said(text_of("B"), BOB, LOBBY, FRAME_MORE));
    view_frame(v, said(text_of("C"), ALICE, BUILD, FRAME_MORE));
    assert_string_equal(view_frame(v, said(text_of("b"), BOB, LOBBY, FRAME_CONT)),
                        "14:05 #lobby bob@alpha: Bb\n");
    assert_string_equal(view_frame(v, said(text_of("a"), ALICE, LOBBY, FRAME_CONT)),
                        "14:05 #lobby alice@alpha: Aa\n");
    assert_string_equal(view_frame(v, said(text_of("c"), ALICE, BUILD, FRAME_CONT)),
                        "14:05 #build alice@alpha: Cc\n");
    view_close(v);
}

static void test_end_without_beginning_is_shown(void **state)
{
    (void)state;
    shows(PLAIN, said(text_of("end"), ALICE, LOBBY, FRAME_CONT), "14:05 alice@alpha: end\n");
}

static void test_other_frames(void **state)
{
    (void)state;
    struct room_change c = {text_of("alice"), text_of("lobby")};
    assert_true(write_room_change(frame, FRAME_JOIN, &c, LOBBY, ALICE, 1) > 0);
    frame_set_origin(frame, 0xa);
    shows(PLAIN, frame, "-- alice@alpha joined #lobby\n");
    shows(JSON, frame, "");
    struct reasoned r = {REASON_DENIED, text_of("no \033[2J")};
    assert_true(write_reasoned(frame, FRAME_NOTICE, &r, ALICE, 1) > 0);
    shows(PLAIN, frame, "-- no <U+001B>[2J\n");
    struct who_row w = {2, text_of("alice"), text_of("alpha")};
    assert_true(write_who_row(frame, &w, LOBBY, 0xa) > 0);
    shows(PLAIN, frame, "alice@alpha\n");
    shows(JSON, frame,
          "{\"v\":1,\"type\":\"who\",\"user\":\"alice\",\"host\":\"alpha\",\"sessions\":2}\n");
    struct room_row row = {3, 1, text_of("lobby"), text_of("")};
    assert_true(write_room_row(frame, &row, LOBBY, 0) > 0);
    shows(PLAIN, frame, "lobby  3 here, 1 message\n");
    assert_true(write_ack(frame, ALICE, 1, 0) > 0);
    shows(PLAIN, frame, "");
}

static const uint8_t *acted(struct room_act a)
{
    a.user = text_of("alice");
    assert_true(write_room_act(frame, &a, LOBBY, ALICE, 1) > 0);
    frame_set_origin(frame, 0xa);
    frame_set_epoch(frame, 0xe);
    frame_set_seq(frame, 3);
    frame_set_pos(frame, 1000);
    frame_set_hlc(frame, (uint64_t)MOMENT << 16);
    return frame;
}

static const uint8_t *fact(struct room_act a, const char *why)
{
    struct fact_row r = {text_of(why), a};
    r.act.user = text_of("alice");
    assert_true(write_fact_row(frame, &r, LOBBY) > 0);
    frame_set_origin(frame, 0xa);
    frame_set_epoch(frame, 0xe);
    frame_set_seq(frame, 3);
    frame_set_hlc(frame, (uint64_t)MOMENT << 16);
    return frame;
}

static void test_acts(void **state)
{
    (void)state;
    struct room_act topic = {.act = ACT_TOPIC, .topic = text_of("a\033[2J\n-- b")}, bare = {.act = ACT_TOPIC};
    struct room_act ban = {.act = ACT_BAN, .host = 0xa, .target = text_of("*")}, own = {.act = ACT_OWN};
    struct room_act kick = {.act = ACT_KICK, .host = 0xb, .target = text_of("bob")};
    struct room_act set = {.act = ACT_SET, .mode = MODE_TOPIC_BY_OPERATORS};
    shows(PLAIN, acted(own), "14:05 -- alice@alpha created the room\n");
    shows(PLAIN, acted(topic), "14:05 -- alice@alpha set the topic: a<U+001B>[2J<U+000A>-- b\n");
    shows(PLAIN, acted(bare), "14:05 -- alice@alpha took the topic away\n");
    shows(PLAIN, acted(ban), "14:05 -- *@alpha was banned by alice@alpha\n");
    shows(PLAIN, acted(kick), "14:05 -- bob@000000000000000b was kicked by alice@alpha\n"); /* a host without a name here */
    shows(PLAIN, acted(set), "14:05 -- alice@alpha turned on topic-by-operators\n");
    shows(JSON, acted(kick), "{\"v\":1,\"type\":\"state\",\"id\":\"000000000000000a-e-0000000000000007-3\",\"room\":\"lobby\",\"user\":\"alice\","
                             "\"host\":\"alpha\",\"time\":\"2025-01-31T14:05:09.042Z\",\"act\":\"kick\",\"target_user\":\"bob\","
                             "\"target_host\":\"000000000000000b\",\"cursor\":1088}\n");
    shows((struct view_options){.days = true, .ids = true}, acted(own),
          "-- Friday, 2025-01-31\n000000000000000a-e-0000000000000007-3 14:05 -- alice@alpha created the room\n");
}

#define WHY ((struct view_options){.why = true})

static void test_facts(void **state)
{
    (void)state;
    struct room_act topic = {.act = ACT_TOPIC, .topic = text_of("to do")}, own = {.act = ACT_OWN};
    struct room_act op = {.act = ACT_OP, .host = 0xa, .target = text_of("bob")};
    struct room_act set = {.act = ACT_SET, .mode = MODE_TOPIC_BY_OPERATORS}, deop = op;
    deop.act = ACT_DEOP;
    shows(PLAIN, fact(own, ""), "owner     alice@alpha\n");
    shows(PLAIN, fact(topic, ""), "topic     to do\n");
    shows(PLAIN, fact(op, ""), "operator  bob@alpha\n");
    shows(PLAIN, fact(set, ""), "mode      topic-by-operators\n");
    shows(WHY, fact(topic, ""), "topic     to do  (alice@alpha, 2025-01-31 14:05:09.042Z, 000000000000000a-e-0000000000000007-3)\n");
    shows(WHY, fact(deop, "No."),
          "no effect bob@alpha was made an operator no more by alice@alpha -- No.  (alice@alpha, 2025-01-31 14:05:09.042Z, "
          "000000000000000a-e-0000000000000007-3)\n");
}

static void test_out_of_a_room(void **state)
{
    (void)state;
    struct room_change c = {text_of("bob"), text_of("lobby")};
    assert_true(write_room_change(frame, FRAME_LEAVE, &c, LOBBY, BOB, 0) > 0);
    frame_set_origin(frame, 0xa);
    shows(PLAIN, frame, "-- bob@alpha left #lobby\n");
    frame_set_flags(frame, FRAME_FORCED);
    shows(PLAIN, frame, ""); /* the act that did it was shown */
    frame_set_client(frame, ALICE);
    shows(PLAIN, frame, "-- you are out of #lobby\n");
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        uint64_t ms;
    } good[] = {
        {"-90s", MOMENT - 90000},
        {"-30m", MOMENT - 1800000},
        {"-1h", MOMENT - 3600000},
        {"-2d", MOMENT - 172800000},
        {"14:00", 1738332000000},
        {"14:00:01", 1738332001000},
        {"2025-01-02", 1735776000000},
        {"2025-01-31T14:05", 1738332300000},
        {"2025-01-31 14:05:09", 1738332309000},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "-1",
                                      "-1w",
                                      "-1hh",
                                      "h",
                                      "25:00",
                                      "14:00x",
                                      "2025-13-01",
                                      "yesterday",
                                      "-99999999999999999999h"};
    uint64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(when_from_text(good[i].typed, MOMENT, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (when_from_text(bad[i], MOMENT, &ms) == 0)
            fail_msg("taken for a time: \"%s\"", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_conversations_of_two),
        cmocka_unit_test(test_day_changes),
        cmocka_unit_test(test_no_line_passes_for_another_message),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_parts_become_one_message),
        cmocka_unit_test(test_parts_of_several_do_not_mix),
        cmocka_unit_test(test_end_without_beginning_is_shown),
        cmocka_unit_test(test_other_frames),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_out_of_a_room),
        cmocka_unit_test(test_times),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
