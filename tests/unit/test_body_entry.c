/* test_body_entry.c -- what is said and done in rooms and stored: written, read back, and refused where nobody could have written it. */
#include "frame/entry.h"
#include "some.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
}

static int said(struct text user, struct text text)
{
    uint8_t buf[FRAME_MAX];
    struct say s = {user, text};
    int n = write_say(buf, &s, 8, 77, 9, 0);
    return n < 0 ? n : read_say(buf, &s);
}

static void test_bad_text_is_refused(void **state)
{
    (void)state;
    struct text anna = text_of("anna"), hi = text_of("hi");
    assert_int_equal(said(anna, hi), 0);
    assert_int_equal(said(anna, text_of("")), -EMSGSIZE);
    assert_int_equal(said(anna, some_text(TEXT_PART_MAX + 1)), -EMSGSIZE);
    assert_int_equal(said(some_text(1), some_text(TEXT_PART_MAX + 1)), -EMSGSIZE);
    assert_int_equal(said(some_text(USER_NAME_MAX + 1), hi), -EMSGSIZE);
    assert_int_equal(said(text_of(""), hi), -EMSGSIZE);
    assert_int_equal(said(anna, (struct text){"a\0b", 3}), -EBADMSG);
    assert_int_equal(said(anna, text_of("\xc0\xaf")), -EBADMSG);
    assert_int_equal(said(anna, text_of("\xed\xa0\x80")), -EBADMSG);
    assert_int_equal(said(text_of("-rf"), hi), -EBADMSG);
    assert_int_equal(said(text_of("\033[c"), hi), -EBADMSG);
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
    bad.topic = some_text(TOPIC_MAX + 1);
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
}

static void test_round_trip_of_a_member(void **state)
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
}

static int member(uint8_t op, uint64_t host, struct text name, struct text address)
{
    uint8_t buf[FRAME_MAX], key[KEY_LEN] = "";
    struct member_entry e = {op, host, key, name, address};
    int n = write_member(buf, &e);
    return n < 0 ? n : read_member(buf, &e);
}

static void test_bad_members_are_refused(void **state)
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
    assert_int_equal(member(MEMBER_FULL, 7, name, some_text(MEMBER_ADDRESS_MAX + 1)), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_what_is_said),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_an_act_has_what_it_needs_and_no_more),
        cmocka_unit_test(test_round_trip_of_an_act),
        cmocka_unit_test(test_round_trip_of_a_member),
        cmocka_unit_test(test_bad_members_are_refused),
    };
    return cmocka_run_group_tests_name("body_entry", tests, NULL, NULL);
}
