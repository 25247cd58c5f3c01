/* test_text.c -- which bytes are text, and which text is a name. */
#include "base/text.h"
#include "oracle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdfff;
}

static void test_every_character_decodes_to_itself(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        char bytes[4];
        uint32_t got;
        struct text t = {bytes, oracle_encode(code, bytes)};
        bool good = code < 0x110000 && !is_surrogate(code);
        assert_int_equal(text_char(t, &got), good ? t.len : 0);
        assert_true(!good || got == code);
        assert_int_equal(text_utf8_ok(t), good && code != 0);
        for (size_t len = 0; good && len < t.len; len++)
            assert_int_equal(text_char((struct text){bytes, len}, &got), 0);
    }
}

/* accepts -- if these bytes begin with a character of `len` bytes, they are the one way to
 * write it. */
static bool accepts(const uint8_t *p, size_t len)
{
    char again[4];
    uint32_t code;
    size_t n = text_char((struct text){(const char *)p, len}, &code);
    if (n == 0)
        return false;
    assert_true(n <= len && oracle_encode(code, again) == n && memcmp(p, again, n) == 0);
    return n == len;
}

static void test_every_other_sequence_is_refused(void **state)
{
    (void)state;
    unsigned n1 = 0, n2 = 0, n3 = 0, n4 = 0;
    for (uint32_t v = 0; v < 0x1000000; v++) {
        uint8_t p[4] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0xbf};
        n1 += (v & 0xffff) == 0 && accepts(p, 1);
        n2 += (v & 0xff) == 0 && accepts(p, 2);
        n3 += accepts(p, 3);
        n4 += p[0] >= 0xf0 && accepts(p, 4);
    }
    assert_int_equal(n1, 0x80);
    assert_int_equal(n2, 0x800 - 0x80);
    assert_int_equal(n3, 0x10000 - 0x800 - 0x800);
    assert_int_equal(n4, (0x110000 - 0x10000) / 64); /* those that end in BF */
}

static void test_one_bad_byte_anywhere_is_found(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0x00, 0x80, 0xbf, 0xc1, 0xed, 0xff};
    char buf[64];
    for (size_t start = 0; start < 8; start++) {
        for (size_t len = 0; len <= 40; len++) {
            char *p = buf + start;
            memset(buf, 0x7f, sizeof buf);
            memset(p, 0x01, len);
            assert_true(text_utf8_ok((struct text){p, len}));
            for (size_t i = 0; i < len * ARRAY_LEN(bad); i++) {
                p[i / ARRAY_LEN(bad)] = (char)bad[i % ARRAY_LEN(bad)];
                assert_false(text_utf8_ok((struct text){p, len}));
                p[i / ARRAY_LEN(bad)] = 0x7f;
            }
        }
    }
}

static void test_characters_across_the_blocks_of_eight(void **state)
{
    (void)state;
    static const char *const chars[] = {"é", "日", "👩"};
    for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
        for (size_t at = 0; at < 24; at++) {
            char buf[32];
            size_t n = strlen(chars[i]);
            memset(buf, 'a', sizeof buf);
            memcpy(buf + at, chars[i], n);
            assert_true(text_utf8_ok((struct text){buf, sizeof buf}));
            for (size_t cut = 1; cut < n; cut++)
                assert_false(text_utf8_ok((struct text){buf, at + cut}));
        }
    }
}

static void test_cut_ends_between_characters(void **state)
{
    (void)state;
    struct text t = text_of("aé日👩é日b👩");
    for (size_t max = 0; max <= t.len + 4; max++) {
        size_t n = text_utf8_cut(t, max);
        assert_true(n <= max && n <= t.len && text_utf8_ok((struct text){t.p, n}));
        uint32_t code;
        size_t next = text_char((struct text){t.p + n, t.len - n}, &code);
        assert_true(n == t.len || n + next > max);
    }
    /* Bytes that are no text are cut, too: who asks again and again must get on. */
    assert_int_equal(text_utf8_cut(text_of("\x80\x80\x80\x80\x80\x80"), 5), 2);
}

static void test_begun_characters(void **state)
{
    static const struct {
        const char *bytes;
        size_t good;
        bool begun;
    } cases[] = {
        {"", 0, false},
        {"abcdefghij", 10, false},
        {"ab\xc3", 2, true},
        {"\xe2", 0, true},
        {"x\xe2\x82", 1, true},
        {"\xf0\x9f\x98", 0, true},
        {"12345678\xf0\x9f\x98\x80\xf0", 12, true},
        {"x\xe2\x28", 1, false},
        {"\xe0\x9f", 0, false},
        {"\xed\xa0", 0, false},
        {"\xf0\x9f\x28", 0, false},
        {"\xf4\x90", 0, false},
        {"ok\xc3q", 2, false},
        {"\x80", 0, false},
        {"\xff", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool begun;
        assert_int_equal(text_utf8_run(text_of(cases[i].bytes), &begun), cases[i].good);
        assert_int_equal(begun, cases[i].begun);
    }
    bool begun;
    assert_int_equal(text_utf8_run((struct text){"a\0b", 3}, &begun), 1);
    assert_false(begun);
}

static void test_user_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a",
                                       "anna",
                                       "Anna.B_c-9",
                                       "_apt",
                                       "0",
                                       "systemd-network",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",
                                      "-a",
                                      ".a",
                                      "a b",
                                      "a@b",
                                      "a/b",
                                      "a\n",
                                      "é",
                                      "a$",
                                      "a:b",
                                      "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(text_user_ok(text_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_user_ok(text_of(bad[i])));
    assert_false(text_user_ok((struct text){"a\0b", 3}));
}

static void test_host_names(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'a', sizeof long_name);
    static const char *const good[] = {"a", "1", "build-7.example.org", "a..b"};
    static const char *const bad[] = {"",     "-a",  "a-",  ".a", "a.", "A",
                                      "ab_c", "a b", "a/b", "ü",  "a\n"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(text_host_ok(text_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_host_ok(text_of(bad[i])));
    assert_true(text_host_ok((struct text){long_name, HOST_NAME_MAX_LEN}));
    assert_false(text_host_ok((struct text){long_name, HOST_NAME_MAX_LEN + 1}));
    assert_false(text_host_ok((struct text){"a\0b", 3}));
}

static void test_room_names(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'a', sizeof long_name);
    static const char *const good[] = {"a", "build", "build/kernel", "9-5", "a.b_c-d/e"};
    static const char *const bad[] = {"",   "/a", "a/", "a//b", "#a", "A",
                                      "-a", ".a", "_a", "a b",  "ä",  "a\n"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(text_room_ok(text_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_room_ok(text_of(bad[i])));
    assert_true(text_room_ok((struct text){long_name, ROOM_NAME_MAX}));
    assert_false(text_room_ok((struct text){long_name, ROOM_NAME_MAX + 1}));
    assert_false(text_room_ok((struct text){"a\0b", 3}));
}

static void test_room_as_typed(void **state)
{
    (void)state;
    char room[ROOM_NAME_MAX + 1], typed[ROOM_NAME_MAX + 3];
    assert_int_equal(text_room_from_user("#Build/Kernel", room), 0);
    assert_string_equal(room, "build/kernel");
    assert_int_equal(text_room_from_user("build", room), 0);
    assert_string_equal(room, "build");
    static const char *const bad[] = {"", "#", "##a", "a b", "Ä", "#a/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(text_room_from_user(bad[i], room), -EINVAL);

    memset(typed, 'X', sizeof typed);
    typed[0] = '#';
    typed[ROOM_NAME_MAX + 1] = '\0';
    assert_int_equal(text_room_from_user(typed, room), 0);
    assert_int_equal(strlen(room), ROOM_NAME_MAX);
    typed[ROOM_NAME_MAX + 1] = 'X';
    typed[ROOM_NAME_MAX + 2] = '\0';
    assert_int_equal(text_room_from_user(typed, room), -EINVAL);
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t all[256], back[256];
    char hex[2 * sizeof all + 1];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    text_hex(all, sizeof all, hex);
    assert_int_equal(strlen(hex), 2 * sizeof all);
    assert_memory_equal(hex, "000102", 6);
    assert_true(text_unhex(text_of(hex), back, sizeof back));
    assert_memory_equal(back, all, sizeof all);
    assert_true(text_unhex(text_of("aBCd"), back, 2));
    assert_memory_equal(back, "\xab\xcd", 2);
    assert_false(text_unhex(text_of("abc"), back, 2));
    assert_false(text_unhex(text_of("abcde"), back, 2));
    assert_false(text_unhex(text_of("abcg"), back, 2));
    assert_false(text_unhex(text_of(" bcd"), back, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_decodes_to_itself),
        cmocka_unit_test(test_every_other_sequence_is_refused),
        cmocka_unit_test(test_one_bad_byte_anywhere_is_found),
        cmocka_unit_test(test_characters_across_the_blocks_of_eight),
        cmocka_unit_test(test_cut_ends_between_characters),
        cmocka_unit_test(test_begun_characters),
        cmocka_unit_test(test_user_names),
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(test_room_names),
        cmocka_unit_test(test_room_as_typed),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
