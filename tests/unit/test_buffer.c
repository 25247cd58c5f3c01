/* test_buffer.c -- what is put in at the end comes out at the front, whatever is moved in
 * between. */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LARGE = 3 << 20 };

static void test_empty(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_int_equal(buffer_len(&b), 0);
    buffer_take(&b, 0);
    buffer_free(&b);
    assert_null(b.p);
}

/* put -- `n` bytes that go on counting from *next. */
static void put(struct buffer *b, size_t n, uint8_t *next)
{
    uint8_t *to = buffer_room(b, n);
    assert_non_null(to);
    for (size_t i = 0; i < n; i++)
        to[i] = (*next)++;
    buffer_put(b, n);
}

static void take(struct buffer *b, size_t n, uint8_t *next)
{
    const uint8_t *p = buffer_data(b);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], (*next)++);
    buffer_take(b, n);
}

static void test_order(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint8_t in = 0, out = 0;
    size_t waiting = 0;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)rand() % 3000;
        if (rand() % 2) {
            put(&b, n, &in);
            waiting += n;
        } else {
            n = n < waiting ? n : waiting;
            take(&b, n, &out);
            waiting -= n;
        }
        assert_int_equal(buffer_len(&b), waiting);
    }
    take(&b, waiting, &out);
    buffer_free(&b);
}

/* Room that was asked for and not used is not counted. */
static void test_room_is_no_promise(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_non_null(buffer_room(&b, 100));
    assert_int_equal(buffer_len(&b), 0);
    assert_int_equal(buffer_add(&b, "abc", 3), 0);
    assert_int_equal(buffer_len(&b), 3);
    assert_memory_equal(buffer_data(&b), "abc", 3);
    buffer_free(&b);
}

/* What was freed at the front is used again before more is allocated. */
static void test_no_growth(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint8_t in = 0, out = 0;
    put(&b, 100, &in);
    size_t size = b.size;
    for (int i = 0; i < 1000; i++) {
        put(&b, 10, &in);
        take(&b, 10, &out);
    }
    assert_int_equal(b.size, size);
    buffer_free(&b);
}

static void test_large_is_given_back(void **state)
{
    (void)state;
    struct buffer b = {0};
    uint8_t in = 0, out = 0;
    put(&b, 1000, &in);
    take(&b, 1000, &out);
    assert_non_null(b.p); /* small: kept for the next time */
    put(&b, LARGE, &in);
    take(&b, LARGE - 1, &out);
    assert_non_null(b.p);
    take(&b, 1, &out);
    assert_null(b.p);
    assert_int_equal(b.size, 0);
    put(&b, 10, &in);
    take(&b, 10, &out);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_room_is_no_promise),
        cmocka_unit_test(test_no_growth),
        cmocka_unit_test(test_large_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
