/* test_digest.c -- parts of an origin's streams, and the hash of a row. */
#include "link/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_parts(void **state)
{
    (void)state;
    static const uint64_t none[RUNS_APART] = {0}, one[RUNS_APART] = {0, 0, 50}, all[RUNS_APART] = {30, 40, 50};
    assert_int_equal(digest_part(none, 0), RUNS_APART);
    assert_int_equal(digest_part(none, UINT64_MAX), RUNS_APART);
    assert_int_equal(digest_part(one, 49), 2);
    assert_int_equal(digest_part(one, 50), 3);
    assert_int_equal(digest_part(all, 29), 0);
    assert_int_equal(digest_part(all, 30), 1);
    assert_int_equal(digest_part(all, 49), 2);
    assert_int_equal(digest_part(all, 51), 3);
}

/* In whatever order they become known, the newest stay apart. */
static void test_runs(void **state)
{
    (void)state;
    static const uint64_t orders[][5] = {
        {10, 20, 30, 40, 50}, {50, 40, 30, 20, 10}, {30, 50, 10, 40, 20}, {40, 10, 50, 50, 30}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        uint64_t from[RUNS_APART] = {0};
        for (size_t k = 0; k < 5; k++)
            digest_run(from, orders[i][k]);
        assert_int_equal(from[0], 30);
        assert_int_equal(from[1], 40);
        assert_int_equal(from[2], 50);
    }
    uint64_t from[RUNS_APART] = {0};
    digest_run(from, 7);
    digest_run(from, 7);
    assert_int_equal(from[0] + from[1], 0);
    assert_int_equal(from[2], 7);
}

/* As `openssl mac -macopt hexkey:000102..0f -macopt size:8 SIPHASH` says of the bytes 0, 1, 2, ... */
static void test_siphash(void **state)
{
    (void)state;
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    struct have_row row;
    uint8_t bytes[sizeof row];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    memcpy(&row, bytes, sizeof row);
    assert_int_equal(digest_row(key, &row), 0xe612a3cb9ecba951u);
}

/* Every field counts, and the key. */
static void test_fields(void **state)
{
    (void)state;
    static const uint64_t key[2] = {1, 2}, other[2] = {2, 1};
    struct have_row row = {1, 2, 3, 4, {5}};
    uint64_t first = digest_row(key, &row), last = first;
    assert_true(digest_row(other, &row) != first);
    for (size_t i = 0; i < sizeof row; i++) {
        ((uint8_t *)&row)[i] ^= 1;
        assert_true(digest_row(key, &row) != last);
        last = digest_row(key, &row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
