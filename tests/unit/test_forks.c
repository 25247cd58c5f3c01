/* test_forks.c -- proofs in a real store: what is learned from heads, what a start finds again, and the ladder. */
#include "keep/forks.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "store.h"

enum { EPOCH = 3 };

static struct history *h;
static struct forks *fs;

static struct sealed head(uint64_t first, uint64_t last, uint8_t prev, uint8_t hash)
{
    struct sealed s = {.first_seq = first, .last_seq = last};
    memset(s.prev, prev, HASH_LEN);
    memset(s.hash, hash, HASH_LEN);
    memset(s.signature, 7, SIGNATURE_LEN);
    return s;
}

/* learn -- of up to two heads.  Returns the point of a new proof, 0: nothing new. */
static uint64_t learn(const struct sealed *s, size_t n)
{
    uint8_t chain[FRAME_MAX], proof[FRAME_MAX];
    struct sealed two[CHAIN_HEADS_MAX];
    assert_true(write_chain(chain, s, n, THERE, EPOCH, ROOM, 0) > 0);
    int r = forks_learn(fs, chain, proof);
    assert_in_range(r, 0, 1);
    if (r == 0)
        return 0;
    assert_true(frame_check(proof, sizeof proof) > 0);
    assert_int_equal(read_chain(proof, two), 2);
    assert_int_equal(frame_origin(proof), THERE);
    assert_int_equal(frame_epoch(proof), EPOCH);
    assert_int_equal(frame_room(proof), ROOM);
    assert_int_equal(min_u64(two[0].first_seq, two[1].first_seq), frame_seq(proof));
    assert_int_equal(forks_point(fs, THERE, EPOCH, ROOM), frame_seq(proof));
    return frame_seq(proof);
}

static uint64_t learn_one(uint64_t first, uint64_t last, uint8_t prev, uint8_t hash)
{
    struct sealed s = head(first, last, prev, hash);
    return learn(&s, 1);
}

/* The store has ten segments of two entries each: 1..2 with hash 1 behind 0, up to 19..20 with hash 10 behind 9. */
static int set_up(void **state)
{
    if (store_setup(state) < 0)
        return -1;
    h = store_open();
    assert_int_equal(history_begin(h, 100), 0);
    for (unsigned i = 0; i < 10; i++) {
        struct history_segment s = store_segment(THERE, ROOM, 100 + i, 2 * i + 1, 1000 + i);
        s.prev = store_filled(i, HASH_LEN);
        s.hash = store_filled(i + 1, HASH_LEN);
        assert_int_equal(history_add(h, &s), 0);
    }
    assert_int_equal(history_commit(h, 200, 4096), 0);
    return forks_open(&fs, h);
}

static int tear_down(void **state)
{
    forks_close(fs);
    history_close(h);
    return store_teardown(state);
}

static void test_what_fits(void **state)
{
    (void)state;
    assert_int_equal(forks_point(fs, THERE, EPOCH, ROOM), UINT64_MAX);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(learn_one(2 * i + 1, 2 * i + 2, (uint8_t)i, (uint8_t)(i + 1)), 0);
    assert_int_equal(learn_one(21, 25, 10, 77), 0); /* the next one */
    assert_int_equal(learn_one(31, 32, 99, 77), 0); /* behind a gap: nobody can know */
    assert_int_equal(forks_point(fs, THERE, EPOCH, ROOM), UINT64_MAX);
}

static void test_against_the_store(void **state)
{
    (void)state;
    assert_int_equal(learn_one(21, 25, 99, 77), 19); /* behind another last one */
    assert_int_equal(learn_one(21, 25, 99, 77), 0);  /* known */
    assert_int_equal(learn_one(15, 16, 7, 55), 15);  /* another one in the middle */
    assert_int_equal(learn_one(13, 14, 55, 7), 11);  /* behind another one */
    assert_int_equal(learn_one(8, 9, 4, 55), 7);     /* cut at another place */
    assert_int_equal(learn_one(17, 18, 8, 55), 0);   /* behind what is known */
    assert_int_equal(learn_one(1, 2, 0, 55), 1);
    assert_int_equal(forks_point(fs, THERE, EPOCH, ROOM), 1);
    assert_int_equal(forks_point(fs, THERE, EPOCH + 1, ROOM), UINT64_MAX);
    assert_int_equal(forks_point(fs, THERE, EPOCH, OTHER), UINT64_MAX);
}

/* Two that contradict each other are a proof wherever they come from, and what is stored may take it further. */
static void test_a_proof_of_others(void **state)
{
    (void)state;
    struct sealed far[2] = {head(41, 42, 3, 4), head(42, 45, 5, 6)};
    assert_int_equal(learn(far, 2), 41);
    struct sealed end[2] = {head(21, 22, 10, 4), head(21, 22, 10, 5)}; /* we have what both of them come from */
    assert_int_equal(learn(end, 2), 21);
    struct sealed earlier[2] = {head(17, 20, 55, 4), head(17, 20, 55, 5)}; /* and here we do not */
    assert_int_equal(learn(earlier, 2), 15);
}

/* A head that came with an older proof is not forgotten: it may contradict a new one. */
static void test_against_the_proof(void **state)
{
    (void)state;
    struct sealed two[2] = {head(41, 42, 3, 4), head(41, 42, 3, 5)};
    assert_int_equal(learn(two, 2), 41);
    assert_int_equal(learn_one(39, 40, 2, 3), 0);
    assert_int_equal(learn_one(39, 40, 2, 77), 39);
}

static void test_a_start_finds_them(void **state)
{
    (void)state;
    assert_int_equal(learn_one(21, 25, 99, 77), 19);
    assert_int_equal(learn_one(8, 9, 4, 55), 7);
    forks_close(fs);
    h = store_reopen(h);
    assert_int_equal(forks_open(&fs, h), 0);
    assert_int_equal(forks_point(fs, THERE, EPOCH, ROOM), 7);
    assert_int_equal(learn_one(21, 25, 99, 77), 0);
    assert_int_equal(learn_one(5, 6, 2, 55), 5);
}

static void assert_ladder(const uint64_t *last, size_t n)
{
    uint8_t frame[FRAME_MAX];
    struct sealed s[CHAIN_HEADS_MAX];
    int r = forks_ladder(fs, THERE, EPOCH, ROOM, frame);
    assert_int_equal(r > 0, n > 0);
    if (r > 0)
        assert_int_equal(read_chain(frame, s), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s[i].last_seq, last[i]);
        assert_int_equal(s[i].hash[5], last[i] / 2);
    }
}
#define LADDER(...) assert_ladder((uint64_t[]){__VA_ARGS__}, ARRAY_LEN(((uint64_t[]){__VA_ARGS__})))

static bool drop(void *arg, const struct history_row *row)
{
    (void)arg;
    return history_drop(h, &row->s, 2, row->s.pos) == 0;
}

/* What is deleted leaves the head of the last segment: what contradicts that is proven as before, and so it is told. */
static void test_what_is_gone(void **state)
{
    (void)state;
    assert_int_equal(history_begin(h, 300), 0);
    assert_int_equal(history_scan(h, 0, 0, 10, drop, NULL), 0);
    assert_int_equal(history_commit(h, 300, 4096), 0);
    LADDER(20);
    assert_int_equal(learn_one(21, 25, 10, 77), 0);
    assert_int_equal(learn_one(15, 16, 7, 55), 0);   /* nobody knows any more */
    assert_int_equal(learn_one(21, 25, 99, 77), 19);
    assert_int_equal(learn_one(17, 20, 8, 55), 17);  /* cut at another place */
}

/* smallest -- of the points of all proofs. */
static void smallest(void *arg, const uint8_t *proof)
{
    uint64_t *point = arg;
    *point = *point < frame_seq(proof) ? *point : frame_seq(proof);
}

/* A disk without room: the proof counts at once, is told to who comes, and waits to be stored, whatever else is. */
static void test_no_room(void **state)
{
    (void)state;
    struct rlimit was, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    none = (struct rlimit){0, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    uint64_t first = learn_one(21, 25, 99, 77), second = learn_one(8, 9, 4, 55);
    forks_retry(fs);
    bool waits = forks_wait(fs);
    uint64_t told = UINT64_MAX;
    int r = forks_each(fs, smallest, &told);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0); /* before anything is written about it */
    assert_true(first == 19 && second == 7 && waits);
    assert_true(r == 0 && told == 7);
    uint8_t proof[FRAME_MAX];
    assert_int_equal(history_fork_of(h, THERE, EPOCH, ROOM, proof), 0);
    forks_retry(fs);
    assert_false(forks_wait(fs));
    assert_int_equal(history_fork_of(h, THERE, EPOCH, ROOM, proof), 1);
    assert_int_equal(frame_seq(proof), 7); /* the older one is not needed any more */
}

/* Many streams: the table grows. */
static void test_many(void **state)
{
    (void)state;
    uint8_t chain[FRAME_MAX], proof[FRAME_MAX];
    struct sealed two[2] = {head(5, 6, 3, 4), head(5, 6, 3, 5)};
    for (uint64_t room = 1; room <= 200; room++) {
        assert_true(write_chain(chain, two, 2, THERE, EPOCH, room, 0) > 0);
        assert_int_equal(forks_learn(fs, chain, proof), 1);
    }
    for (uint64_t room = 1; room <= 200; room++)
        assert_int_equal(forks_point(fs, THERE, EPOCH, room), 5);
}

static void test_ladder(void **state)
{
    (void)state;
    LADDER(20, 18, 16, 12, 4);
    assert_int_equal(learn_one(21, 25, 99, 77), 19);
    LADDER(18, 16, 14, 10, 2); /* before the point */
    assert_int_equal(learn_one(3, 4, 1, 55), 3);
    LADDER(2);
    assert_int_equal(learn_one(1, 2, 0, 55), 1);
    assert_ladder(NULL, 0);
}

/* Two hosts with different second halves come to the same point by what they tell each other, in few steps. */
static void test_search(void **state)
{
    (void)state;
    unsigned steps = 0;
    uint64_t point = learn_one(2001, 2001, 99, 77);
    assert_int_equal(point, 0); /* too far away to say */
    for (uint8_t shift = 100; steps < 9; steps++) {
        /* theirs: from 7 on another hash in every segment; they send their ladder before our point */
        struct sealed s[6];
        size_t n = 0;
        uint64_t end = point ? point - 1 : 20;
        for (uint64_t d = 0; d < end; d = d ? d * 2 : 1) {
            uint8_t i = (uint8_t)((end - d + 1) / 2);
            s[n++] = head(2u * i - 1, 2u * i, (uint8_t)(i - 1 + (i > 4) * shift), (uint8_t)(i + (i > 3) * shift));
        }
        uint64_t next = learn(s, n);
        if (next == 0)
            break;
        point = next;
    }
    assert_int_equal(point, 7);
    assert_in_range(steps, 1, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_fits),          TEST(test_against_the_store), TEST(test_a_proof_of_others),
        TEST(test_against_the_proof),  TEST(test_a_start_finds_them), TEST(test_many),
        TEST(test_ladder),             TEST(test_search),           TEST(test_no_room),
        TEST(test_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
