/* test_shard.c -- what of the journal comes out of the FIFOs of a worker's clients: of those who read, who stop, and who leave. */
#include "shard/shard.h"

#include "base/hash.h"
#include "small.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WALL = 1000000, PIPE = 4096, PADDING = 700, HEARD_MAX = 1024 };

static struct loop loop;
static struct shard *shard;
static uint32_t build, talk, lost;

/* A client, and what came out of its FIFO. */
static struct listener {
    uint32_t session;
    int fd;
    uint8_t bytes[64 * 1024];
    size_t len;
    struct {
        uint64_t room;
        unsigned number;
    } heard[HEARD_MAX];
    unsigned n;
} alice, bob;

static void on_lost(void *arg, uint32_t session)
{
    (void)arg;
    lost = session;
}

static uint32_t room(const char *name)
{
    small_begin();
    uint32_t slot = roster_room_open(&small.a.edit, room_id(text_of(name)), text_of(name));
    small_end();
    return slot;
}

static void come(struct listener *l, uint64_t client, const char *user)
{
    static const uint8_t secret[SECRET_LEN], hello[FRAME_HEAD];
    int end[2];
    *l = (struct listener){.fd = -1};
    small_begin();
    l->session = roster_attach(&small.a.edit, client, 1000, text_of(user), 0, false);
    small_end();
    assert_int_equal(pipe2(end, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(fcntl(end[1], F_SETPIPE_SZ, PIPE), PIPE);
    assert_int_equal(shard_add(shard, l->session, end[1], secret, hello, 0), 0);
    l->fd = end[0];
}

static void join(const struct listener *l, uint32_t slot)
{
    small_begin();
    assert_true(roster_join(&small.a.edit, l->session, slot) >= 0);
    small_end();
    assert_int_equal(shard_join(shard, l->session, slot), 0);
}

static void leave(const struct listener *l, uint32_t slot)
{
    small_begin();
    roster_leave(&small.a.edit, l->session, slot);
    small_end();
    shard_leave(shard, l->session, slot);
}

/* say -- that number, in a frame of some length; the keeper stores it at once. */
static void say(uint32_t slot, unsigned number)
{
    char text[PADDING + 1];
    uint8_t f[FRAME_MAX];
    snprintf(text, sizeof text, "%-*u", PADDING, number);
    struct say s = {text_of("carol"), text_of(text)};
    assert_true(write_say(f, &s, small.r->room[slot].id, 99, number, 0) > 0);
    small_begin();
    assert_int_equal(state_room_for(&small.a, frame_stride(f)), 0);
    state_stamp(&small.a, state_put(&small.a, f), slot, WALL);
    small_end();
    atomic_store(&small.a.seg->journal.durable, journal_head(&small.a.seg->journal));
}

static void say_all(uint32_t slot, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        say(slot, i);
}

static void deliver(void)
{
    while (shard_deliver(shard))
        ;
}

/* parse -- whole frames out of the bytes. */
static void parse(struct listener *l)
{
    size_t at = 0;
    struct say s;
    int n;
    for (; (n = frame_check(l->bytes + at, l->len - at)) > 0; at += (size_t)n) {
        assert_int_equal(read_say(l->bytes + at, &s), 0);
        l->heard[l->n].room = frame_room(l->bytes + at);
        l->heard[l->n++].number = (unsigned)strtoul(s.text.p, NULL, 10);
        assert_in_range(l->n, 1, HEARD_MAX - 1);
    }
    assert_int_equal(n, 0); /* and what is left is the beginning of one */
    memmove(l->bytes, l->bytes + at, l->len -= at);
}

/* hear -- read until nothing more comes. */
static void hear(struct listener *l)
{
    for (;;) {
        ssize_t n = read(l->fd, l->bytes + l->len, sizeof l->bytes - l->len);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        if (n == 0)
            return; /* its FIFO was closed */
        l->len += (size_t)n;
        parse(l);
        loop_wait(&loop, 0);
    }
}

static void assert_heard(const struct listener *l, unsigned at, uint32_t slot, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++, at++) {
        assert_true(at < l->n);
        assert_int_equal(l->heard[at].room, small.r->room[slot].id);
        assert_int_equal(l->heard[at].number, i);
    }
}

static int setup(void **state)
{
    if (small_setup(state) < 0 || loop_open(&loop, NULL) < 0 || shard_open(&shard, &small.a, &loop, on_lost, NULL) < 0)
        return -1;
    lost = 0;
    build = room("build");
    talk = room("talk");
    come(&alice, 1, "alice");
    come(&bob, 2, "bob");
    join(&alice, build);
    join(&alice, talk);
    join(&bob, talk);
    deliver();
    return 0;
}

static int teardown(void **state)
{
    shard_close(shard);
    loop_close(&loop);
    close(alice.fd);
    close(bob.fd);
    return small_teardown(state);
}

static void test_each_his_rooms_in_order(void **state)
{
    (void)state;
    say(build, 1);
    say(talk, 2);
    say(build, 3);
    deliver();
    hear(&alice);
    hear(&bob);
    assert_int_equal(alice.n, 3);
    assert_heard(&alice, 0, build, 1, 1);
    assert_heard(&alice, 1, talk, 2, 2);
    assert_heard(&alice, 2, build, 3, 3);
    assert_int_equal(bob.n, 1);
    assert_heard(&bob, 0, talk, 2, 2);
}

static void test_who_does_not_read_holds_up_nobody(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 60; i += 3) {
        say_all(talk, i, i + 2);
        deliver();
        hear(&bob);
    }
    assert_int_equal(bob.n, 60);
    assert_heard(&bob, 0, talk, 1, 60);
    hear(&alice);
    assert_int_equal(alice.n, 60);
    assert_heard(&alice, 0, talk, 1, 60);
    assert_int_equal(lost, 0);
}

/* What he missed lies in pieces, between words of a room that he is not in. */
static void test_who_catches_up_gets_his_room_alone(void **state)
{
    (void)state;
    say_all(talk, 1, 20);
    deliver(); /* his FIFO is full, and what he has not read is in the journal */
    for (unsigned i = 21; i <= 40; i += 4) {
        say_all(talk, i, i + 1);
        say(build, i);
        say(talk, i + 2);
        say_all(build, i + 1, i + 2);
        say(talk, i + 3);
        deliver();
    }
    hear(&bob);
    assert_int_equal(bob.n, 40);
    assert_heard(&bob, 0, talk, 1, 40);
}

static void test_half_a_frame_of_a_room_that_he_leaves(void **state)
{
    (void)state;
    say_all(build, 1, 20); /* his FIFO takes some, and a piece of one */
    deliver();
    leave(&alice, build);
    say_all(build, 21, 25);
    say_all(talk, 1, 3);
    deliver();
    hear(&alice);
    assert_int_equal(alice.len, 0);
    assert_true(alice.n > 3 && alice.n < 20);
    assert_heard(&alice, 0, build, 1, alice.n - 3);
    assert_heard(&alice, alice.n - 3, talk, 1, 3);
}

static void test_whom_the_ring_overtakes_loses_his_fifo(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 900; i++) {
        say(build, i);
        deliver();
    }
    assert_int_equal(lost, 0);
    hear(&alice); /* now that it has room there is nothing left that could be told */
    assert_int_equal(lost, alice.session);
    assert_false(shard_serves(shard, alice.session));
    assert_true(shard_serves(shard, bob.session));
    assert_heard(&alice, 0, build, 1, alice.n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_each_his_rooms_in_order), TEST(test_who_does_not_read_holds_up_nobody),
                                       TEST(test_who_catches_up_gets_his_room_alone),
                                       TEST(test_half_a_frame_of_a_room_that_he_leaves), TEST(test_whom_the_ring_overtakes_loses_his_fifo)};
    return cmocka_run_group_tests_name("shard", tests, NULL, NULL);
}
