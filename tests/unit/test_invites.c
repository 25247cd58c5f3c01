/* test_invites.c -- lines that invite, and the file that remembers them. */
#include "trust/invites.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "base/text.h"
#include "scratch.h"

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define NETWORK "00000000000000c0"
#define SECRET "000102030405060708090a0b0c0d0e0f"

enum { NOW = 1700000000, DAY = 86400 };


static struct invite invite(uint8_t with, uint64_t expires_s)
{
    struct invite i = {.expires_s = expires_s};
    memset(i.secret, with, sizeof i.secret);
    return i;
}

static int use(uint8_t secret, uint64_t now_s)
{
    struct invite i = invite(secret, 0);
    bool guest;
    return invites_use(scratch.dir, i.secret, now_s, &guest);
}

static void a_line_comes_back_whole(void **state)
{
    const char *line = "alpha@alpha.example:7325/" KEY "/" NETWORK "/" SECRET "/1700000000";
    char again[INVITE_LINE_MAX], why[128];
    struct invite i;
    (void)state;
    assert_int_equal(invite_from_line(line, &i, why, sizeof why), 0);
    assert_string_equal(i.host.name, "alpha");
    assert_string_equal(i.host.address, "alpha.example:7325");
    assert_int_equal(i.secret[15], 15);
    assert_int_equal(i.expires_s, NOW);
    invite_to_line(&i, again);
    assert_string_equal(again, line);
}

static void what_is_no_line_is_refused(void **state)
{
    static const char *const lines[] = {
        "", "alpha", "alpha@a:1/" KEY, "alpha@a:1/" KEY "/" SECRET, "alpha@a:1/" KEY "/" NETWORK "/" SECRET "/",
        "alpha@a:1/" KEY "/" NETWORK "/" SECRET "/12x", "alpha@a:1/" KEY "/" NETWORK "/00/12", "alpha@a:1/short/" SECRET "/12",
        "Al pha@a:1/" KEY "/" NETWORK "/" SECRET "/12", "alpha@nowhere/" KEY "/" NETWORK "/" SECRET "/12", "alpha@a:1/" KEY "/" NETWORK "/" SECRET "/12 ",
    };
    struct invite i;
    char why[128];
    (void)state;
    for (size_t n = 0; n < sizeof lines / sizeof *lines; n++) {
        why[0] = '\0';
        assert_int_equal(invite_from_line(lines[n], &i, why, sizeof why), -EINVAL);
        assert_true(why[0] != '\0');
    }
}

static void used_as_often_as_it_says(void **state)
{
    (void)state;
    struct invite i = invite(7, wall_ms() / 1000 + DAY);
    uint64_t now = i.expires_s - DAY;
    assert_int_equal(use(7, now), -ENOENT);
    assert_false(invites_open(scratch.dir, now));
    assert_int_equal(invites_add(scratch.dir, &i, 2), 0);
    assert_true(invites_open(scratch.dir, now));
    assert_int_equal(use(8, now), -ENOENT);
    assert_int_equal(use(7, now), 0);
    assert_int_equal(use(7, now), 0);
    assert_int_equal(use(7, now), -ENOENT);
    assert_false(invites_open(scratch.dir, now));
}

static void who_comes_late_is_told_for_a_day(void **state)
{
    (void)state;
    struct invite i = invite(7, wall_ms() / 1000 + DAY);
    assert_int_equal(invites_add(scratch.dir, &i, 1), 0);
    assert_int_equal(use(7, i.expires_s), -ETIMEDOUT);
    assert_true(invites_open(scratch.dir, i.expires_s + DAY - 1));
    assert_false(invites_open(scratch.dir, i.expires_s + DAY));
    assert_int_equal(use(7, i.expires_s - 1), 0);
}

static void the_secret_is_not_kept(void **state)
{
    (void)state;
    char text[1024], hex[2 * INVITE_SECRET_LEN + 1];
    struct invite i = invite(0xab, wall_ms() / 1000 + DAY);
    assert_int_equal(invites_add(scratch.dir, &i, 1), 0);
    long n = scratch_get(&scratch, "invites", text, sizeof text);
    assert_true(n > 0);
    text_hex(i.secret, sizeof i.secret, hex);
    assert_null(strstr(text, hex));
}

static void lines_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    struct invite i = invite(7, wall_ms() / 1000 + DAY);
    scratch_put(&scratch, "invites", "nonsense\n\nffff 1\n");
    assert_false(invites_open(scratch.dir, NOW));
    assert_int_equal(invites_add(scratch.dir, &i, 1), 0);
    assert_int_equal(use(7, i.expires_s - 1), 0);
}

static void no_more_than_fit(void **state)
{
    (void)state;
    struct invite i = invite(7, wall_ms() / 1000 + DAY);
    for (unsigned n = 0; n < INVITES_MAX; n++)
        assert_int_equal(invites_add(scratch.dir, &i, 1), 0);
    assert_int_equal(invites_add(scratch.dir, &i, 1), -ENOSPC);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_comes_back_whole),       TEST(what_is_no_line_is_refused),
        TEST(used_as_often_as_it_says),      TEST(who_comes_late_is_told_for_a_day),
        TEST(the_secret_is_not_kept),        TEST(lines_that_make_no_sense_are_passed_over),
        TEST(no_more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
