/* test_tls.c -- two ends that know each other: they meet, talk, and part in every way there is.
 */
#include "tls_play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

static struct host north, south;
static struct tls_end a, b; /* a dials, b is dialled */

static int make_hosts(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    host_forge(&north, &(struct forgery){0});
    host_forge(&south, &(struct forgery){.leaf_ed25519 = true});
    return 0;
}

static int free_hosts(void **state)
{
    (void)state;
    host_free(&north);
    host_free(&south);
    return 0;
}

static void open_over(const int fd[2])
{
    end_open(&a, &north, fd[0], false, south.pin);
    end_open(&b, &south, fd[1], true, north.pin);
}

static void meet(void)
{
    int fd[2];
    socket_pair(fd);
    open_over(fd);
    play(&a, &b, both_ready);
}

static int part(void **state)
{
    (void)state;
    end_close(&a);
    end_close(&b);
    return 0;
}

static void test_each_knows_who_the_other_is(void **state)
{
    (void)state;
    uint8_t pin[KEY_PIN_LEN];
    meet();
    assert_memory_equal(tls_pin(a.t), south.pin, KEY_PIN_LEN);
    assert_memory_equal(tls_pin(b.t), north.pin, KEY_PIN_LEN);
    key_pin(tls_peer_key(a.t), pin);
    assert_memory_equal(pin, south.pin, KEY_PIN_LEN);
    assert_int_equal(a.asked, 1);
    assert_int_equal(b.asked, 1);
    assert_string_equal(tls_why(a.t), "");
}

static void test_nothing_is_taken_before_the_peer_is_known(void **state)
{
    (void)state;
    int fd[2];
    char byte;
    socket_pair(fd);
    open_over(fd);
    assert_int_equal(tls_send(a.t, "secret", 6), 0);
    assert_int_equal(tls_recv(a.t, &byte, 1), -EAGAIN);
    assert_int_equal(tls_wants(a.t), EPOLLOUT);
    assert_int_equal(tls_wants(b.t), EPOLLIN);
    play(&a, &b, both_ready);
    assert_int_equal(tls_send(a.t, "secret", 6), 6);
}

static void test_idle_stream_waits_to_read_only(void **state)
{
    (void)state;
    meet();
    assert_int_equal(tls_wants(a.t), EPOLLIN);
    assert_int_equal(tls_send(a.t, "x", 1), 1);
    assert_int_equal(tls_wants(a.t), EPOLLIN | EPOLLOUT);
    assert_int_equal(tls_pump(a.t), TLS_NOTHING);
    assert_int_equal(tls_wants(a.t), EPOLLIN);
}

/* Both send at once through buffers far smaller than what is sent. */
static void test_megabytes_both_ways(void **state)
{
    (void)state;
    int fd[2];
    tcp_pair(fd);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)),
                         0);
    open_over(fd);
    a.to_send = 8 << 20;
    b.to_send = (3 << 20) + 1;
    play(&a, &b, all_received);
    assert_false(a.wrong || b.wrong);
    assert_int_equal(tls_wants(a.t), EPOLLIN);
    assert_int_equal(tls_wants(b.t), EPOLLIN);
}

/* What is taken is bounded by what is not read, and none of it is lost. */
static void test_slow_reader(void **state)
{
    (void)state;
    meet();
    a.to_send = 8 << 20;
    for (uint64_t before = 1; before != a.sent;) {
        before = a.sent;
        end_run(&a);
    }
    assert_true(a.sent > 0 && a.sent < 1 << 20);
    assert_true(tls_wants(a.t) & EPOLLOUT);
    play(&a, &b, all_received);
    assert_false(b.wrong);
}

/* move -- at most one byte from here to there; false at the end of it. */
static bool move(int from, int to)
{
    char byte;
    ssize_t n = read(from, &byte, 1);
    if (n == 1)
        assert_int_equal(write(to, &byte, 1), 1);
    return n != 0;
}

static void test_one_byte_at_a_time(void **state)
{
    (void)state;
    int left[2], right[2];
    socket_pair(left);
    socket_pair(right);
    open_over((int[]){left[0], right[1]});
    a.to_send = b.to_send = 500;
    for (unsigned rounds = 0; !all_received(&a, &b); rounds++) {
        assert_true(rounds < 20000);
        assert_true(move(left[1], right[0]) && move(right[0], left[1]));
        end_run(&a);
        end_run(&b);
    }
    assert_false(a.wrong || b.wrong);
    close(left[1]);
    close(right[0]);
}

static bool b_over(const struct tls_end *x, const struct tls_end *y)
{
    (void)x;
    return end_over(y);
}

/* run_alone -- b's turn until it is over; nobody is at the other end. */
static void run_alone(void)
{
    struct tls_end nobody = {.last = TLS_CLOSED};
    play(&nobody, &b, b_over);
}

/* The last words arrive, then the end is seen, and it stays the end. */
static void test_proper_end(void **state)
{
    (void)state;
    char byte;
    meet();
    a.to_send = 50000;
    while (a.sent < a.to_send)
        end_run(&a);
    end_close(&a);
    run_alone();
    assert_int_equal(b.received, 50000);
    assert_int_equal(b.last, TLS_CLOSED);
    assert_string_equal(tls_why(b.t), "the peer closed the stream");
    assert_int_equal(tls_pump(b.t), TLS_CLOSED);
    assert_int_equal(tls_recv(b.t, &byte, 1), -EPIPE);
    assert_int_equal(tls_send(b.t, &byte, 1), -EPIPE);
}

static void test_cut_without_close_notify(void **state)
{
    (void)state;
    meet();
    a.to_send = 100;
    while (a.sent < a.to_send)
        end_run(&a);
    assert_int_equal(tls_pump(a.t), TLS_NOTHING);
    shutdown(tls_fd(a.t), SHUT_RDWR);
    run_alone();
    assert_int_equal(b.received, 100);
    assert_int_equal(b.last, TLS_FAILED);
    assert_string_equal(tls_why(b.t), "the connection was cut without a word");
    assert_int_equal(tls_send(b.t, "x", 1), -EPIPE);
}

static void test_cut_in_the_handshake(void **state)
{
    (void)state;
    int fd[2];
    socket_pair(fd);
    open_over(fd);
    assert_int_equal(tls_pump(a.t), TLS_NOTHING);
    assert_int_equal(tls_pump(b.t), TLS_NOTHING);
    shutdown(tls_fd(a.t), SHUT_RDWR);
    run_alone();
    assert_int_equal(b.last, TLS_FAILED);
    assert_string_equal(tls_why(b.t), "the connection was cut without a word");
}

/* That we can send no more does not keep us from reading what had come before. */
static void test_last_words_outlive_a_failed_send(void **state)
{
    (void)state;
    meet();
    a.to_send = 3000;
    while (a.sent < a.to_send)
        end_run(&a);
    end_close(&a);
    assert_int_equal(tls_send(b.t, "too late", 8), 8);
    assert_int_equal(tls_pump(b.t), TLS_NOTHING); /* EPIPE */
    assert_int_equal(tls_send(b.t, "too late", 8), -EPIPE);
    run_alone();
    assert_int_equal(b.received, 3000);
    assert_false(b.wrong);
    assert_int_equal(b.last, TLS_CLOSED);
}

static void test_reset(void **state)
{
    (void)state;
    int fd[2];
    tcp_pair(fd);
    open_over(fd);
    play(&a, &b, both_ready);
    /* To disconnect a TCP socket is to reset the connection. */
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    assert_int_equal(connect(fd[0], &nowhere, sizeof nowhere), 0);
    run_alone();
    assert_int_equal(b.last, TLS_FAILED);
    assert_non_null(strstr(tls_why(b.t), "reset"));
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, never listening */
    assert_int_equal(bind(taken, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), -1);
    end_open(&b, &north, fd, false, south.pin);
    run_alone();
    assert_int_equal(b.last, TLS_FAILED);
    assert_string_equal(tls_why(b.t), "the connection broke: Connection refused");
    close(taken);
}

/* Bytes between two good ends that neither of them sent. */
static void test_forged_record(void **state)
{
    (void)state;
    static const uint8_t record[] = {23, 3,  3,  0,  32, 1,  2,  3,  4,  5,  6,  7,  8,
                                     9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                     22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    meet();
    assert_int_equal(write(tls_fd(a.t), record, sizeof record), sizeof record);
    play(&a, &b, both_over);
    assert_int_equal(b.received, 0);
    assert_int_equal(b.last, TLS_FAILED);
    assert_non_null(strstr(tls_why(b.t), "bad record mac"));
    assert_int_equal(a.last, TLS_FAILED);
}

#define TEST(f) cmocka_unit_test_teardown(f, part)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_knows_who_the_other_is),
        TEST(test_nothing_is_taken_before_the_peer_is_known),
        TEST(test_idle_stream_waits_to_read_only),
        TEST(test_megabytes_both_ways),
        TEST(test_slow_reader),
        TEST(test_one_byte_at_a_time),
        TEST(test_proper_end),
        TEST(test_cut_without_close_notify),
        TEST(test_cut_in_the_handshake),
        TEST(test_last_words_outlive_a_failed_send),
        TEST(test_reset),
        TEST(test_nobody_listens),
        TEST(test_forged_record),
    };
    return cmocka_run_group_tests(tests, make_hosts, free_hosts);
}
