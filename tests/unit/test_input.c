/* test_input.c -- the standard input as text: lines as they come, and what is no UTF-8. */
#include "input.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct input in;
static int feed; /* what is written here is the standard input */

static int setup(void **state)
{
    (void)state;
    int end[2];
    in = (struct input){0};
    if (pipe(end) < 0 || dup2(end[0], 0) != 0)
        return -1;
    close(end[0]);
    feed = end[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    input_free(&in);
    if (feed >= 0)
        close(feed);
    return 0;
}

/* come -- that much, in one go.  NULL: the end. */
static void come(const char *text)
{
    if (text) {
        assert_int_equal(write(feed, text, strlen(text)), strlen(text));
    } else {
        close(feed);
        feed = -1;
    }
    input_read(&in);
}

static void assert_line(const char *is)
{
    struct text line;
    assert_true(input_line(&in, &line));
    assert_int_equal(line.len, strlen(is));
    assert_memory_equal(line.p, is, line.len);
}

static void assert_none(void)
{
    struct text line;
    assert_false(input_line(&in, &line));
}

static void test_lines_as_they_come(void **state)
{
    (void)state;
    assert_none();
    come("one\ntw");
    assert_line("one");
    assert_none();
    come("o");
    assert_none();
    come("\nthree\nfo");
    assert_line("two");
    assert_line("three");
    assert_none();
    assert_false(in.ended);
    come(NULL);
    assert_true(in.ended);
    assert_line("fo");
    assert_none();
    assert_int_equal(input_told(&in), 0);
}

static void test_empty_lines_are_none(void **state)
{
    (void)state;
    come("\n\r\n\na\r\n\n\r\r\nb \n\n");
    assert_line("a");
    assert_line("b ");
    assert_none();
    come(NULL);
    assert_none();
}

/* A character may come in two reads; what can become none is replaced at once. */
static void test_what_is_no_text(void **state)
{
    (void)state;
    come("x\xe2\x82");
    come("\xac|\xff|\xe2\x82\n");
    assert_line("x€|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd");
    come("\xf0\x9f");
    come("\x98\x80\xc3\n");
    assert_line("😀\xef\xbf\xbd");
    come("y\xe2\x82");
    come(NULL);
    assert_line("y\xef\xbf\xbd\xef\xbf\xbd");
    assert_none();
}

static void test_a_byte_that_is_zero(void **state)
{
    (void)state;
    input_take(&in, (struct text){"a\0b", 3});
    assert_line("a\xef\xbf\xbd" "b");
    assert_none();
}

/* A line that is too long for a message comes in pieces, and none ends within a character. */
static void test_long_lines(void **state)
{
    enum { CHARS = 50000 };
    char *text = malloc(2 * CHARS + 1);
    struct text line;
    size_t got = 0;
    (void)state;
    assert_non_null(text);
    text[0] = '-';
    for (size_t i = 0; i < CHARS; i++)
        memcpy(text + 1 + 2 * i, "ä", 2);
    input_take(&in, (struct text){text, 2 * CHARS + 1});
    while (input_line(&in, &line)) {
        assert_in_range(line.len, 1, TEXT_MESSAGE_MAX);
        assert_memory_equal(line.p, text + got, line.len);
        got += line.len;
        assert_int_equal(got % 2, 1);
    }
    assert_int_equal(got, 2 * CHARS + 1);
    free(text);
}

/* Where reading does not wait, we do. */
static void test_input_that_does_not_block(void **state)
{
    (void)state;
    pid_t child;
    assert_int_equal(fcntl(0, F_SETFL, O_NONBLOCK), 0);
    assert_true((child = fork()) >= 0);
    if (child == 0)
        _exit(poll(NULL, 0, 50) == 0 && write(feed, "late\n", 5) == 5 ? 0 : 1);
    input_read(&in);
    assert_false(in.ended);
    input_read(&in);
    assert_line("late");
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_what_cannot_be_read(void **state)
{
    (void)state;
    come("one\n");
    close(0);
    input_read(&in);
    assert_true(in.ended);
    assert_line("one");
    assert_int_equal(input_told(&in), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_lines_as_they_come), TEST(test_empty_lines_are_none), TEST(test_what_is_no_text),
                                       TEST(test_a_byte_that_is_zero), TEST(test_long_lines),
                                       TEST(test_input_that_does_not_block), TEST(test_what_cannot_be_read)};
    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
