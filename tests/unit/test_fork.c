/* test_fork.c -- what two signed heads prove. */
#include "link/fork.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct sealed head(uint64_t first, uint64_t last, uint8_t prev, uint8_t hash)
{
    struct sealed s = {.first_seq = first, .last_seq = last};
    memset(s.prev, prev, HASH_LEN);
    memset(s.hash, hash, HASH_LEN);
    return s;
}

static bool proven(struct sealed a, struct sealed b)
{
    assert_int_equal(fork_proven(&a, &b), fork_proven(&b, &a));
    return fork_proven(&a, &b);
}

static void test_what_an_honest_host_seals(void **state)
{
    (void)state;
    assert_false(proven(head(1, 3, 0, 1), head(1, 3, 0, 1)));
    assert_false(proven(head(1, 3, 0, 1), head(4, 4, 1, 2)));
    assert_false(proven(head(1, 3, 0, 1), head(5, 6, 9, 2))); /* who knows what lies between */
}

static void test_contradictions(void **state)
{
    (void)state;
    assert_true(proven(head(1, 3, 0, 1), head(1, 3, 0, 2)));
    assert_true(proven(head(1, 3, 0, 1), head(1, 3, 7, 1)));
    assert_true(proven(head(1, 3, 0, 1), head(1, 4, 0, 1)));
    assert_true(proven(head(1, 3, 0, 1), head(3, 3, 0, 1)));
    assert_true(proven(head(1, 9, 0, 1), head(3, 5, 0, 1)));
    assert_true(proven(head(1, 3, 0, 1), head(4, 4, 2, 2)));
}

static void test_the_smallest_point(void **state)
{
    (void)state;
    size_t a = 9, b = 9;
    struct sealed s[] = {head(8, 9, 4, 5), head(4, 5, 2, 3), head(6, 7, 7, 8), head(4, 5, 2, 3), head(10, 10, 6, 7)};
    assert_int_equal(fork_point(s, ARRAY_LEN(s), UINT64_MAX, &a, &b), 4); /* what follows 5 is 3, or is 7 */
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_int_equal(fork_point(s, ARRAY_LEN(s), 4, &a, &b), 4); /* nothing smaller */
    assert_int_equal(fork_point(s, 2, UINT64_MAX, &a, &b), UINT64_MAX);
    assert_int_equal(fork_point(s, 0, 3, &a, &b), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_honest_host_seals),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_the_smallest_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
