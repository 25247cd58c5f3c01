/* test_shown.c -- what a host stores and does not show: behind a fork, and ahead of its time; by answers to queries
 * and by what goes through the journal a second time; and that no page leaves anything out. */
#include "base/hash.h"
#include "base/sys.h"
#include "ipc/fifo.h"
#include "keep/answer.h"
#include "keep/parked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "shared.h"
#include "store.h"

enum { RING = SHARED_RING, START = 1 << 20, EPOCH = 3 };

static struct state st;
static struct lock lock;
static struct history *h;
static struct forks *fs;
static struct parked parked;
static struct loop loop;
static struct answers *answers;
static struct scratch rendezvous;
static uint64_t lobby, pos, seq_of[2];

/* ---- the stage ---- */

static void make_state(void)
{
    assert_int_equal(shared_open(&st, &lock, HERE, EPOCH, "here", PROC_LINK), 0);
    journal_init(&st.seg->journal, RING, START);
    assert_int_equal(state_take(&st), 0);
    assert_int_not_equal(roster_room_open(&st.edit, lobby, text_of("lobby")), 0);
    state_give(&st);
}

static int set_up(void **state)
{
    if (store_setup(state) < 0)
        return -1;
    lobby = room_id(text_of("lobby"));
    pos = 100;
    seq_of[0] = seq_of[1] = 0;
    h = store_open();
    make_state();
    scratch_open(&rendezvous);
    assert_int_equal(forks_open(&fs, h), 0);
    assert_int_equal(loop_open(&loop, NULL), 0);
    assert_int_equal(answers_open(&answers, &st, h, NULL, NULL, fs, &loop, rendezvous.dir), 0);
    parked = (struct parked){&st, h, fs};
    return 0;
}

static int tear_down(void **state)
{
    answers_close(answers);
    loop_close(&loop);
    forks_close(fs);
    history_close(h);
    shared_close(&st, &lock);
    scratch_close(&rendezvous);
    return store_teardown(state);
}

/* ahead -- a stamp so many ms ahead of now. */
static uint64_t ahead(int64_t ms)
{
    return (uint64_t)((int64_t)wall_ms() + ms) << 16;
}

struct line {
    const char *text;
    uint64_t hlc;
    uint8_t flags;
};

/* stored_some -- one segment of these frames. */
static void stored_some(uint64_t origin, const struct line *l, size_t n)
{
    uint8_t frames[4 * FRAME_MAX];
    size_t len = 0;
    uint64_t *seq = &seq_of[origin == HERE], first = *seq + 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t *f = frames + len;
        struct say say = {text_of("alice"), text_of(l[i].text)};
        assert_true(write_say(f, &say, lobby, 9, (uint32_t)++*seq, l[i].flags) > 0);
        frame_set_origin(f, origin);
        frame_set_epoch(f, EPOCH);
        frame_set_seq(f, *seq);
        frame_set_hlc(f, l[i].hlc);
        frame_set_pos(f, pos + len);
        len += frame_stride(f);
    }
    struct history_segment s = {.origin = origin, .epoch = EPOCH, .room = lobby, .first_seq = first, .last_seq = *seq,
                                .hlc_min = l[0].hlc, .hlc_max = l[n - 1].hlc, .pos = pos,
                                .prev = store_filled((unsigned)first, HASH_LEN),
                                .hash = store_filled((unsigned)*seq + 1, HASH_LEN),
                                .signature = store_filled(1, SIGNATURE_LEN), .frames = frames, .len = len};
    assert_int_equal(history_begin(h, pos), 0);
    assert_int_equal(history_add(h, &s), 0);
    assert_int_equal(history_room(h, lobby, text_of("lobby"), (uint32_t)n, s.hlc_max), 0);
    pos += len;
    assert_int_equal(history_commit(h, pos, RING), 0);
}

/* stored -- one message, a segment of its own. */
static void stored(uint64_t origin, const char *text, uint64_t hlc)
{
    stored_some(origin, &(struct line){text, hlc, 0}, 1);
}

/* note -- the texts of all messages among these bytes, each with a blank behind it. */
static void note(const uint8_t *p, size_t len, char *texts, size_t size)
{
    struct say say;
    for (size_t at = 0; at < len; at += frame_stride(p + at))
        if (frame_type(p + at) == FRAME_SAY && read_say(p + at, &say) == 0)
            snprintf(texts + strlen(texts), size - strlen(texts), "%.*s ", (int)say.text.len, say.text.p);
}

/* assert_answer -- this query is answered with these messages. */
static void assert_answer(struct query q, const char *expected)
{
    static uint8_t answer[64 * 1024];
    uint8_t f[FRAME_MAX];
    char texts[1024] = "";
    int fd = fifo_make(rendezvous.dir, q.fifo);
    assert_true(fd >= 0);
    q.uid = geteuid();
    assert_true(write_query(f, &q, lobby, 1, 1) > 0);
    answers_begin(answers, f);
    ssize_t n = read(fd, answer, sizeof answer);
    assert_true(n > 0);
    note(answer, (size_t)n, texts, sizeof texts);
    assert_string_equal(texts, expected);
    close(fd);
}

static void assert_shown(const char *expected)
{
    assert_answer((struct query){.kind = QUERY_NEWEST, .limit = 100}, expected);
    assert_answer((struct query){.kind = QUERY_SINCE, .limit = 100}, expected);
    assert_answer((struct query){.kind = QUERY_CATCHUP, .before = UINT64_MAX}, expected);
}

/* assert_live -- what lies in the journal from `from` on: this, behind DUE frames.  Returns its head. */
static uint64_t assert_live(uint64_t from, const char *expected)
{
    uint64_t head = journal_head(&st.seg->journal);
    char texts[1024] = "";
    uint32_t bytes;
    for (uint64_t p = from; p < head;) {
        const uint8_t *f = state_at(&st, p);
        assert_int_equal(frame_type(f), FRAME_DUE);
        assert_int_equal(frame_room(f), lobby);
        assert_int_equal(read_due(f, &bytes), 0);
        p += frame_stride(f);
        assert_int_equal(frame_pos(state_at(&st, p)), p);
        note(state_at(&st, p), bytes, texts, sizeof texts);
        p += bytes;
    }
    assert_string_equal(texts, expected);
    return head;
}

/* ---- forks ---- */

static void test_behind_a_fork(void **state)
{
    (void)state;
    uint8_t chain[FRAME_MAX], proof[FRAME_MAX];
    struct sealed two[2] = {{.first_seq = 3, .last_seq = 3, .hash = {1}}, {.first_seq = 3, .last_seq = 3, .hash = {2}}};
    stored(THERE, "one", ahead(-5000));
    stored(HERE, "ours", ahead(-4500));
    stored(THERE, "two", ahead(-4000));
    stored(THERE, "three", ahead(-3000));
    stored(THERE, "four", ahead(-2000));
    assert_shown("one ours two three four ");
    memcpy(two[0].prev, store_filled(3, HASH_LEN), HASH_LEN);
    memcpy(two[1].prev, store_filled(3, HASH_LEN), HASH_LEN);
    assert_true(write_chain(chain, two, 2, THERE, EPOCH, lobby, 0) > 0);
    assert_int_equal(forks_learn(fs, chain, proof), 1);
    assert_shown("one ours two ");
}

/* ---- ahead of its time ---- */

static void test_hidden_until_then(void **state)
{
    (void)state;
    stored(THERE, "now", ahead(0));
    stored(THERE, "soon", ahead(SKEW_MAX_MS - 2000));
    stored(THERE, "later", ahead(SKEW_MAX_MS + 60000));
    stored(HERE, "ours", ahead(SKEW_MAX_MS + 70000)); /* our clock was set back: we said it all the same */
    assert_shown("now soon ours ");
}

static void test_a_start_finds_them(void **state)
{
    (void)state;
    stored(THERE, "now", ahead(0));
    assert_int_equal(parked_restore(&parked), 0);
    assert_false(parked_waits(&parked));
    stored(THERE, "later", ahead(SKEW_MAX_MS + 60000));
    assert_int_equal(parked_restore(&parked), 0);
    assert_true(parked_waits(&parked));
}

/* wait_from -- as if that stamp had just been parked when the clock stood so many ms back. */
static void wait_from(int64_t ms, uint64_t hlc)
{
    assert_int_equal(state_take(&st), 0);
    struct room *room = roster_room_edit(&st.edit, roster_room(&st.seg->roster, lobby));
    room->parked = hlc;
    room->due = ahead((int64_t)SKEW_MAX_MS - ms);
    atomic_store(&st.seg->waiting, 1);
    state_give(&st);
}

/* Shown live once, in the order of stamps, and only what was waited for. */
static void test_due(void **state)
{
    (void)state;
    stored(THERE, "old", ahead(0));
    stored(THERE, "second", ahead(SKEW_MAX_MS - 100));
    stored(THERE, "first", ahead(SKEW_MAX_MS - 200));
    stored(HERE, "ours", ahead(SKEW_MAX_MS - 150)); /* was shown when it was said */
    uint64_t far = ahead(SKEW_MAX_MS + 60000);
    stored(THERE, "later", far);
    wait_from(1000, far);
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    uint64_t head = assert_live(START, "first second ");
    assert_true(parked_waits(&parked));
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    assert_int_equal(assert_live(head, ""), head);
    wait_from(1000, ahead(SKEW_MAX_MS - 100)); /* the same when nothing else is to come */
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    (void)assert_live(head, "first second ");
    assert_false(parked_waits(&parked));
}

static void test_due_behind_a_fork(void **state)
{
    (void)state;
    uint8_t chain[FRAME_MAX], proof[FRAME_MAX];
    struct sealed two[2] = {{.first_seq = 2, .last_seq = 2, .hash = {1}}, {.first_seq = 2, .last_seq = 2, .hash = {2}}};
    memcpy(two[0].prev, store_filled(2, HASH_LEN), HASH_LEN);
    memcpy(two[1].prev, store_filled(2, HASH_LEN), HASH_LEN);
    stored(THERE, "first", ahead(SKEW_MAX_MS - 200));
    stored(THERE, "second", ahead(SKEW_MAX_MS - 100));
    assert_true(write_chain(chain, two, 2, THERE, EPOCH, lobby, 0) > 0);
    assert_int_equal(forks_learn(fs, chain, proof), 1);
    wait_from(1000, ahead(SKEW_MAX_MS - 100));
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    (void)assert_live(START, "first ");
}

/* fill_journal -- nothing in it is durable, so nothing of it may be overwritten. */
static void fill_journal(void)
{
    uint8_t f[FRAME_MAX];
    struct say say = {text_of("alice"), text_of("full")};
    uint64_t before;
    assert_true(write_say(f, &say, lobby, 9, 1, 0) > 0);
    do {
        before = journal_head(&st.seg->journal);
        assert_int_equal(state_take(&st), 0);
        while (state_room_for(&st, frame_stride(f)) == 0)
            state_put(&st, f);
        state_publish(&st);
        state_give(&st);
    } while (journal_head(&st.seg->journal) != before);
}

static void test_no_room(void **state)
{
    (void)state;
    stored(THERE, "due", ahead(SKEW_MAX_MS - 200));
    wait_from(1000, ahead(SKEW_MAX_MS - 200));
    fill_journal();
    uint64_t head = journal_head(&st.seg->journal);
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    assert_int_equal(journal_head(&st.seg->journal), head);
    assert_true(parked_waits(&parked));
    assert_shown("due ");
    atomic_store(&st.seg->journal.durable, head);
    assert_int_equal(parked_release(&parked, parked_horizon()), 0);
    (void)assert_live(head, "due ");
    assert_false(parked_waits(&parked));
}

/* ---- pages ---- */

/* A page of messages in many parts ends where its messages end, and whatever was said before that is in it. */
static void test_page_of_parts(void **state)
{
    (void)state;
    struct line parts[] = {{"a1", ahead(-20000), FRAME_MORE}, {"a2", ahead(-20000) + 1, FRAME_MORE | FRAME_CONT},
                           {"a3", ahead(-20000) + 2, FRAME_CONT}};
    struct line both[] = {{"early", ahead(-10200), 0}, {"late", ahead(-9300), 0}};
    stored_some(HERE, parts, ARRAY_LEN(parts));
    stored(HERE, "b", ahead(-10000));
    stored(HERE, "c", ahead(-9900));
    stored_some(THERE, both, ARRAY_LEN(both));
    assert_answer((struct query){.kind = QUERY_SINCE, .limit = 2}, "a1 a2 a3 early ");
    assert_answer((struct query){.kind = QUERY_SINCE, .limit = 3}, "a1 a2 a3 early b ");
    assert_answer((struct query){.kind = QUERY_NEWEST, .limit = 4}, "early b c late ");
    assert_answer((struct query){.kind = QUERY_NEWEST, .limit = 5}, "a1 a2 a3 early b c late ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_behind_a_fork), TEST(test_hidden_until_then),  TEST(test_a_start_finds_them),
        TEST(test_due),           TEST(test_due_behind_a_fork), TEST(test_no_room),
        TEST(test_page_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
