/* test_wanted.c -- what people type to search for, taken apart. */
#include "base/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* shown -- what was understood, in one line. */
static const char *shown(const char *typed)
{
    static char line[4096];
    struct wanted w;
    const char *why = wanted_read(text_of(typed), &w);
    size_t n = 0;
    if (why)
        return "?";
    line[0] = '\0';
    for (unsigned i = 0; i < w.n_terms; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "[%.*s]%s", (int)w.term[i].text.len, w.term[i].text.p,
                              w.term[i].begins ? "*" : "");
    for (unsigned i = 0; i < w.n_rooms; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " in %.*s", (int)w.room[i].len, w.room[i].p);
    if (w.user.len > 0)
        n += (size_t)snprintf(line + n, sizeof line - n, " by %.*s@%.*s", (int)w.user.len, w.user.p, (int)w.host.len, w.host.p);
    if (w.since.len > 0)
        n += (size_t)snprintf(line + n, sizeof line - n, " since %.*s", (int)w.since.len, w.since.p);
    if (w.until.len > 0)
        n += (size_t)snprintf(line + n, sizeof line - n, " until %.*s", (int)w.until.len, w.until.p);
    return line;
}

static void words_phrases_and_conditions(void **state)
{
    static const char *const cases[][2] = {
        {"disk", "[disk]"},
        {"  disk \t full\n", "[disk][full]"},
        {"\"disk is full\"", "[disk is full]"},
        {"a\"b", "[a\"b]"}, /* a quote within a word opens nothing */
        {"\"a\"b", "[a][b]"},
        {"segf* \"out of me\"*", "[segf]*[out of me]*"},
        {"disk - full *", "[disk][full]"}, /* what holds no word separates */
        {"\"\" disk \"--\"", "[disk]"},
        {"from:bob", " by bob@"},
        {"x from:bob@beta", "[x] by bob@beta"},
        {"x in:build in:@bob", "[x] in build in @bob"},
        {"x since:-1h until:14:05", "[x] since -1h until 14:05"},
        {"\"from:bob\"", "[from:bob]"},
        {"From:bob fromage", "[From:bob][fromage]"},
        {"Gr\xc3\xb6\xc3\x9f""e \xe2\x86\x92 \xf0\x9f\x98\x80", "[Gr\xc3\xb6\xc3\x9f""e]"},
        {"\xd0\xb4\xd0\xb0", "[\xd0\xb4\xd0\xb0]"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(shown(cases[i][0]), cases[i][1]);
}

static void what_is_none_is_one_sentence(void **state)
{
    static const char *const bad[] = {
        "", "  ", "-", "\"\"", "\"open", "\"", "x \"", "from:", "from:-x", "from:a@", "from:a@b@c", "from:a@B_", "x in:", "x since:",
        "x until:", "in:build", "since:-1h", "*", "\xff", "a \xc3",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct wanted w;
        const char *why = wanted_read(text_of(bad[i]), &w);
        if (!why)
            print_message("# understood: %s\n", bad[i]);
        assert_non_null(why);
        assert_true(strlen(why) > 10 && strlen(why) < 255 && !strchr(why, '\n'));
    }
}

static void there_are_limits(void **state)
{
    char typed[2 * WANTED_MAX] = "", at[16];
    struct wanted w;
    (void)state;
    for (unsigned i = 0; i <= WANTED_TERMS_MAX; i++) {
        assert_int_equal(wanted_read(text_of(typed), &w) == NULL, i > 0);
        snprintf(at, sizeof at, "w%u ", i);
        strcat(typed, at);
    }
    assert_non_null(wanted_read(text_of(typed), &w));
    strcpy(typed, "x");
    for (unsigned i = 0; i <= WANTED_ROOMS_MAX; i++) {
        assert_null(wanted_read(text_of(typed), &w));
        strcat(typed, " in:r");
    }
    assert_non_null(wanted_read(text_of(typed), &w));
    memset(typed, 'a', sizeof typed);
    assert_null(wanted_read((struct text){typed, WANTED_MAX}, &w));
    assert_non_null(wanted_read((struct text){typed, WANTED_MAX + 1}, &w));
    assert_non_null(wanted_read((struct text){"a\0b", 3}, &w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_phrases_and_conditions),
        cmocka_unit_test(what_is_none_is_one_sentence),
        cmocka_unit_test(there_are_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
