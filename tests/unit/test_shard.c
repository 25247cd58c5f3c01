/* test_shard.c -- what of the journal comes out of the FIFOs of a worker's clients: of those who read, who stop, and who leave. */
#include "shard/shard_inside.h"

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

enum { WALL = 1000000, PIPE = 4096, PADDING = 700, HEARD_MAX = 1024, CROWD = 12 };

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
} alice, bob, crowd[CROWD];

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

static void come_with(struct listener *l, uint64_t client, const char *user, int pipe)
{
    static const uint8_t secret[SECRET_LEN], hello[FRAME_HEAD];
    int end[2];
    *l = (struct listener){.fd = -1};
    small_begin();
    l->session = roster_attach(&small.a.edit, client, 1000, text_of(user), 0, false);
    small_end();
    assert_int_equal(pipe2(end, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(fcntl(end[1], F_SETPIPE_SZ, pipe), pipe);
    assert_int_equal(shard_add(shard, l->session, end[1], secret, hello, 0), 0);
    l->fd = end[0];
}

static void come(struct listener *l, uint64_t client, const char *user)
{
    come_with(l, client, user, PIPE);
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

/* ---- many who want the same ---- */

static unsigned next[CROWD], said; /* what each hears next; of all that was said */

static void come_all(void)
{
    said = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        next[i] = 1;
        come_with(&crowd[i], 100 + i, "carol", 64 * 1024);
        join(&crowd[i], build);
    }
}

static void go_all(void)
{
    for (unsigned i = 0; i < CROWD; i++)
        close(crowd[i].fd);
}

/* hears_on -- the messages from this one on, in order. Returns the one after them. */
static unsigned hears_on(struct listener *l, unsigned from)
{
    hear(l);
    for (unsigned i = 0; i < l->n; i++, from++)
        assert_int_equal(l->heard[i].number, from);
    l->n = 0;
    return from;
}

/* on_stage -- bytes of the journal. */
static uint64_t on_stage(void)
{
    return shard->stage.to - shard->stage.from;
}

/* talk_on -- so much, twice a FIFO at a time, that the stage is gone over twice; the last of the crowd does not read. */
static void talk_on(void)
{
    enum { ONCE = 170, ALL = 2 * STAGE_SIZE / PADDING };
    for (; said < ALL; said += ONCE) {
        say_all(build, said + 1, said + ONCE);
        deliver();
        for (unsigned i = 0; i < CROWD - 1; i++)
            next[i] = hears_on(&crowd[i], next[i]);
    }
    for (unsigned i = 0; i < CROWD - 1; i++)
        assert_int_equal(next[i], said + 1);
}

/* What lies in a FIFO stays what it is, however long nobody reads it. */
static void test_the_same_pages_for_many(void **state)
{
    (void)state;
    come_all();
    talk_on();
    assert_in_range(on_stage(), STAGE_SIZE - STAGE_CHUNK, STAGE_SIZE);
    assert_in_range(hears_on(&crowd[CROWD - 1], 1), 48 * 1024 / (PADDING + 100), 64 * 1024 / PADDING);
    go_all();
}

/* murmur, shout -- in small turns until so much is said, or in one large turn; all but the last of the crowd hear it at once. */
static void talk_to_all(unsigned n)
{
    say_all(build, said + 1, said + n);
    deliver();
    for (unsigned i = 0; i < CROWD - 1; i++)
        next[i] = hears_on(&crowd[i], next[i]);
    said += n;
    assert_int_equal(next[0], said + 1);
    assert_int_equal(next[CROWD - 2], said + 1);
}

static void murmur(uint64_t until)
{
    while (shard_cursor(shard) < until)
        talk_to_all(8);
}

static void shout(void)
{
    talk_to_all(60);
}

/* What is said in small turns is copied as fast; what is staged after it begins in the midst of a chunk. */
static void test_small_turns_are_not_staged(void **state)
{
    (void)state;
    come_all();
    shout();
    murmur(STAGE_SIZE + 4 * PADDING);
    assert_in_range(on_stage(), 1, 60 * (PADDING + 100));
    uint64_t from = shard_cursor(shard);
    shout();
    assert_int_equal(shard->stage.from, from);
    assert_in_range(hears_on(&crowd[CROWD - 1], 1), 60 + 1, 64 * 1024 / PADDING); /* the first turn as it was, and what else his FIFO took */
    go_all();
}

static void test_a_turn_around_the_end_of_the_stage(void **state)
{
    (void)state;
    come_all();
    murmur(STAGE_SIZE - 20 * PADDING);
    shout();
    assert_in_range(shard->stage.from, STAGE_SIZE - 20 * PADDING, STAGE_SIZE);
    assert_in_range(shard->stage.to, STAGE_SIZE, STAGE_SIZE + 60 * PADDING);
    go_all();
}

static void test_who_lags_behind_the_stage_gets_copies(void **state)
{
    (void)state;
    come_all();
    murmur(shard_cursor(shard) + 3 * STAGE_CHUNK);
    shout();
    assert_int_equal(hears_on(&crowd[CROWD - 1], 1), said + 1);
    go_all();
}

static void test_few_get_copies(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        come_with(&crowd[i], 100 + i, "carol", 64 * 1024);
        join(&crowd[i], room("few"));
    }
    say_all(room("few"), 1, 60);
    deliver();
    assert_int_equal(on_stage(), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(hears_on(&crowd[i], 1), 61);
        close(crowd[i].fd);
    }
}

/* Where the kernel does not let us, everybody gets a copy. */
static void test_no_stage(void **state)
{
    (void)state;
    stage_close(&shard->stage);
    come_all();
    talk_on();
    assert_int_equal(on_stage(), 0);
    go_all();
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
                                       TEST(test_half_a_frame_of_a_room_that_he_leaves), TEST(test_the_same_pages_for_many),
                                       TEST(test_small_turns_are_not_staged),
                                       TEST(test_a_turn_around_the_end_of_the_stage), TEST(test_who_lags_behind_the_stage_gets_copies),
                                       TEST(test_few_get_copies), TEST(test_no_stage), TEST(test_whom_the_ring_overtakes_loses_his_fifo)};
    return cmocka_run_group_tests_name("shard", tests, NULL, NULL);
}
