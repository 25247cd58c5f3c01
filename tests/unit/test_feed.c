/* test_feed.c -- what a feed reads of the store, and sends. */
#include "base/hash.h"
#include "keep/fold.h"

#include "feed_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LONG = 200 };

/* long_stream -- of that host in that run, a segment for each word.  begins -- the feed does, and is through in a turn or two: it passes
 * over nothing that is not for it. */
static void long_stream(struct feed_play *p, uint64_t origin, uint64_t epoch)
{
    for (unsigned seq = 1; seq <= LONG; seq++)
        stored(p, origin, epoch, seq);
}

static void begins(struct feed_play *p)
{
    p->turns = 0;
    order(p, FEED_GO, BETA);
    assert_in_range(p->turns, 1, 2);
}

/* However much the peer said in its present run, a new link does not read it again. */
static void test_its_own_words_are_not_sought(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    long_stream(p, BETA, RUN);
    stored(p, HERE, EPOCH, 1);
    dial(p);
    order(p, FEED_OPEN, BETA);
    begins(p);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(frame_origin(f), HERE);
}

/* But of a run that is over it may have lost something. */
static void test_its_words_of_before_are(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    stored(p, BETA, RUN - 1, 1);
    dial(p);
    linked(p, BETA);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(frame_origin(f), BETA);
    assert_int_equal(frame_epoch(f), RUN - 1);
}

/* Nor words of a host that it takes nothing of. */
static void test_others_are_not_sought(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    long_stream(p, GAMMA, EPOCH);
    dial(p);
    order(p, FEED_OPEN, BETA);
    begins(p);
    assert_false(fed(p, FRAME_SEGMENT, f));
}

/* What it says it has is passed by at once; what it lacks comes first of all. */
static void test_what_it_has_is_not_read(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    long_stream(p, THERE, EPOCH);
    dial(p);
    order(p, FEED_OPEN, BETA);
    have(p, BETA, THERE, EPOCH, LONG - 1);
    begins(p);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(frame_seq(f), LONG);
}

/* ---- a private room ---- */

#define DEN "alice@alpha/den"

static uint64_t den(void)
{
    return room_id(text_of(DEN));
}

static void acted(struct feed_play *p, uint8_t act, const char *user, uint64_t host, uint64_t seq)
{
    uint8_t f[FRAME_MAX];
    struct room_act a = {.act = act, .host = host, .user = text_of("alice"), .target = text_of(user), .topic = text_of("")};
    assert_true(write_room_act(f, &a, den(), 77, 1) > 0);
    stored_frame(p, f, HERE, EPOCH, seq, seq);
}

/* asked_out -- bob@beta was in the den until its owner's third word; she went on talking. */
static struct folds *asked_out(struct feed_play *p)
{
    uint8_t f[FRAME_MAX];
    struct folds *folds = NULL;
    struct say s = {text_of("alice"), text_of("among ourselves")};
    know(p, 0, BETA, "beta");
    assert_int_equal(state_take(&p->st), 0);
    assert_true(roster_host_open(&p->st.edit, HERE, text_of("alpha")) > 0);
    assert_true(roster_room_open(&p->st.edit, den(), text_of(DEN)) > 0);
    state_give(&p->st);
    acted(p, ACT_OWN, "", 0, 1);
    acted(p, ACT_INVITE, "bob", BETA, 2);
    acted(p, ACT_UNINVITE, "bob", BETA, 3);
    for (unsigned seq = 4; seq <= LONG; seq++) {
        assert_true(write_say(f, &s, den(), 9, seq, 0) > 0);
        stored_frame(p, f, HERE, EPOCH, seq, seq);
    }
    assert_int_equal(folds_open(&folds, &p->st, p->h, p->forks), 0);
    assert_int_equal(folds_restore(folds), 0);
    feeds_ask_rooms(p->fs, folds);
    return folds;
}

/* Who was taken out of a room hears so; what is said in it after that is not looked at for him. */
static void test_who_is_out_hears_it_once(void **state)
{
    struct feed_play *p = *state;
    uint8_t f[FRAME_MAX];
    struct folds *folds = asked_out(p);
    dial(p);
    order(p, FEED_OPEN, BETA);
    have_of(p, BETA, HERE, EPOCH, den(), 2);
    order(p, FEED_GO, BETA);
    assert_true(fed(p, FRAME_SEGMENT, f));
    assert_int_equal(frame_seq(f), 3);
    order(p, FEED_CLOSE, BETA);
    order(p, FEED_OPEN, BETA);
    have_of(p, BETA, HERE, EPOCH, den(), 3);
    begins(p);
    assert_false(fed(p, FRAME_SEGMENT, f));
    folds_close(folds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, feed_play_open, feed_play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_its_own_words_are_not_sought),
        TEST(test_its_words_of_before_are),
        TEST(test_others_are_not_sought),
        TEST(test_what_it_has_is_not_read),
        TEST(test_who_is_out_hears_it_once),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
