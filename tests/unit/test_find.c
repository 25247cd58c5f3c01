/* test_find.c -- what is found, by whom, and what is not: index, the part that is not indexed yet, hidden and foreign messages. */
#include "search/build.h"
#include "search/find.h"

#include "base/hash.h"
#include "base/sys.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared.h"
#include "store.h"

enum { RING = SHARED_RING, RUN = 5 };
#define LOBBY   "lobby"
#define BETWEEN "@ann@alpha,bob@alpha"

static struct play {
    char name[64], index[128];
    struct state st;
    struct lock lock;
    struct history *h;
    struct builder *b;
    uint64_t pos, hlc;
    uint64_t seq[2]; /* of lobby and of the two */
} play;

static uint64_t number(const char *room)
{
    return room_id(text_of(room));
}

static int set_up(void **state)
{
    play = (struct play){.pos = 4096, .hlc = (wall_ms() - 3600000) << 16};
    if (store_setup(state) < 0 || shared_open(&play.st, &play.lock, HERE, RUN, "alpha", PROC_SEARCH) < 0 || state_take(&play.st) < 0)
        return -1;
    (void)roster_room_open(&play.st.edit, number(LOBBY), text_of(LOBBY));
    (void)roster_room_open(&play.st.edit, number(BETWEEN), text_of(BETWEEN));
    state_give(&play.st);
    play.h = store_open();
    snprintf(play.index, sizeof play.index, "%s/index.db", store_dir);
    return 0;
}

static int tear_down(void **state)
{
    if (play.b)
        builder_close(play.b);
    index_remove(play.index);
    history_close(play.h);
    shared_close(&play.st, &play.lock);
    return store_teardown(state);
}

/* A message as it will be. */
struct word {
    const char *room, *user, *text;
    uint64_t origin, hlc; /* 0: ours; the next */
    uint8_t flags;
};

/* say -- into the store, as a segment of its own; returns where it lies. */
static uint64_t say(struct word w)
{
    uint8_t f[FRAME_MAX];
    uint64_t *seq = &play.seq[*w.room == '@'], pos = play.pos;
    struct say s = {text_of(w.user), text_of(w.text)};
    int n = write_say(f, &s, number(w.room), 9, 1, w.flags);
    assert_true(n > 0);
    uint64_t hlc = w.hlc ? w.hlc : (play.hlc += 1000 << 16);
    frame_set_origin(f, w.origin ? w.origin : HERE);
    frame_set_epoch(f, RUN);
    frame_set_seq(f, ++*seq);
    frame_set_hlc(f, hlc);
    frame_set_pos(f, pos);
    struct history_segment g = {.origin = frame_origin(f), .epoch = RUN, .room = number(w.room), .first_seq = *seq, .last_seq = *seq,
                                .hlc_min = hlc, .hlc_max = hlc, .pos = pos, .prev = store_filled(1, HASH_LEN),
                                .hash = store_filled((unsigned)*seq, HASH_LEN), .signature = store_filled(3, SIGNATURE_LEN),
                                .frames = f, .len = (size_t)n};
    assert_int_equal(history_begin(play.h, pos), 0);
    assert_int_equal(history_add(play.h, &g), 0);
    play.pos += (size_t)n;
    assert_int_equal(history_commit(play.h, play.pos, RING), 0);
    return pos;
}

#define SAY(in, who, ...) say((struct word){.room = in, .user = who, .text = __VA_ARGS__})

static void index_all(void)
{
    if (!play.b)
        assert_int_equal(builder_open(&play.b, play.index, play.h, play.pos), 0);
    int r;
    while ((r = builder_step(play.b, play.pos)) == 1)
        ;
    assert_int_equal(r, 0);
}

static uint64_t last_of_search; /* what the finding said */

/* finds -- for that user: the texts in their order, each behind a space. */
static const char *finds_of(const char *user, struct query q)
{
    static char line[8192];
    struct asker who = {.user_len = (uint8_t)strlen(user)};
    struct finder f = {&play.st, play.h, play.index, play.b ? *builder_range(play.b) : (struct index_range){.low = 0}};
    struct finding found;
    size_t n = 0;
    memcpy(who.user, user, strlen(user));
    q.kind = QUERY_SEARCH;
    assert_int_equal(find(&f, &q, &who, &found), 0);
    line[0] = '\0';
    for (size_t at = 0; at < found.frames.end; at += frame_stride(found.frames.p + at)) {
        struct say s;
        if (frame_type(found.frames.p + at) == FRAME_SAY && read_say(found.frames.p + at, &s) == 0)
            n += (size_t)snprintf(line + n, sizeof line - n, " %.*s", (int)s.text.len, s.text.p);
    }
    if (found.reason != REASON_OK)
        snprintf(line, sizeof line, "reason %d", found.reason);
    last_of_search = *found.text != '\0';
    buffer_free(&found.frames);
    return line;
}

static const char *finds(const char *user, const char *words)
{
    return finds_of(user, (struct query){.wanted = text_of(words)});
}

/* Before it is indexed, when some of it is, and after. */
static void the_newest_in_the_order_of_display(void **state)
{
    (void)state;
    SAY(LOBBY, "ann", "disk one", .hlc = play.hlc + 5);
    SAY(LOBBY, "bob", "disk two", .hlc = play.hlc + 7);
    SAY(LOBBY, "ann", "disk three", .hlc = play.hlc + 6); /* came late */
    for (int i = 0; i < 3; i++) {
        assert_string_equal(finds("ann", "disk"), i == 2 ? " disk one disk three disk two disk four" : " disk one disk three disk two");
        assert_string_equal(finds_of("ann", (struct query){.wanted = text_of("disk"), .limit = 1}), i == 2 ? " disk four" : " disk two");
        assert_string_equal(finds("ann", "disk from:bob"), " disk two");
        index_all();
        if (i == 1)
            SAY(LOBBY, "ann", "disk four"); /* not indexed yet */
    }
}

static void the_times_are_exact(void **state)
{
    uint64_t t = play.hlc + (UINT64_C(5000) << 16);
    struct query q = {.wanted = text_of("tick")};
    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "tick %c", (char)('a' + i));
        SAY(LOBBY, "ann", text, .hlc = t + i);
    }
    for (int i = 0; i < 20; i++) /* whose numbers in the index lie behind their stamp */
        SAY(LOBBY, "ann", "tick early", .hlc = t);
    for (int i = 0; i < 2; i++, index_all()) {
        q.since = t + 1;
        q.until = t + 4;
        assert_string_equal(finds_of("ann", q), " tick b tick c tick d");
    }
}

static void many_of_the_same_stamp(void **state)
{
    uint64_t stamp = play.hlc;
    (void)state;
    for (int i = 0; i < 500; i++)
        SAY(LOBBY, "ann", "same", .hlc = stamp);
    index_all();
    struct query q = {.wanted = text_of("same"), .limit = 1000};
    assert_int_equal(strlen(finds_of("ann", q)), 500 * strlen(" same"));
}

static void what_is_between_two_is_found_by_these_two(void **state)
{
    (void)state;
    SAY(BETWEEN, "ann", "secret word");
    SAY(LOBBY, "ann", "open word");
    for (int i = 0; i < 2; i++, index_all()) {
        assert_string_equal(finds("ann", "word"), " secret word open word");
        assert_string_equal(finds("bob", "word in:@ann"), " secret word");
        assert_string_equal(finds("ann", "word in:@bob@alpha"), " secret word");
        assert_string_equal(finds("eve", "word"), " open word");
        assert_string_equal(finds("eve", "secret"), "");
        assert_string_equal(finds("", "secret"), ""); /* who is gone already */
        char room[32], none[32];
        snprintf(room, sizeof room, "%s", finds("eve", "secret in:@ann,bob"));
        snprintf(none, sizeof none, "%s", finds("eve", "secret in:@ann"));
        assert_string_equal(room, none); /* one that is not his, and one that is not there */
        /* the marks beside the words are no words */
        snprintf(room, sizeof room, "r%016llx", (unsigned long long)number(BETWEEN));
        assert_string_equal(finds("ann", room), "");
    }
}

static void what_is_hidden_is_not_found(void **state)
{
    uint8_t proof[FRAME_MAX];
    struct sealed heads[2] = {{1, 2, {1}, {2}, {3}}, {1, 2, {1}, {4}, {5}}};
    (void)state;
    SAY(LOBBY, "ann", "before fork", .origin = THERE);
    SAY(LOBBY, "ann", "behind fork", .origin = THERE);
    SAY(LOBBY, "ann", "parked", .origin = THERE, .hlc = (wall_ms() + 2 * SKEW_MAX_MS) << 16);
    SAY(LOBBY, "ann", "parked ours", .hlc = (wall_ms() + 2 * SKEW_MAX_MS) << 16);
    SAY(LOBBY, "ann", "parked for ever", .origin = THERE, .hlc = UINT64_MAX);
    for (int i = 0; i < 2; i++, index_all()) {
        assert_string_equal(finds("bob", "parked"), " parked ours");
        assert_string_equal(finds("bob", "fork"), i == 0 ? " before fork behind fork" : " before fork");
        assert_true(write_chain(proof, heads, 2, THERE, RUN, number(LOBBY), 2) > 0);
        assert_int_equal(history_fork(play.h, proof), 0);
    }
}

static void parts_are_one_message(void **state)
{
    (void)state;
    SAY(LOBBY, "ann", "half a wo", .flags = FRAME_MORE);
    SAY(LOBBY, "ann", "rd, ", .flags = FRAME_MORE | FRAME_CONT);
    SAY(LOBBY, "ann", "and more", .flags = FRAME_CONT);
    SAY(LOBBY, "ann", "alone");
    for (int i = 0; i < 2; i++, index_all()) {
        assert_string_equal(finds("ann", "half \"word and more\""), " half a wo rd,  and more");
        assert_string_equal(finds("ann", "wo"), "");
        assert_string_equal(finds("ann", "alone"), " alone");
    }
}

static void signs_mean_nothing(void **state)
{
    static const char *const words[] = {"say\"so", "\"say\" so*", "NEAR(say so)", "say AND so", "words:say", "say^", "say)", "{say}*", "say + so"};
    (void)state;
    SAY(LOBBY, "ann", "say so NEAR and words");
    for (int i = 0; i < 2; i++, index_all())
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            if (strchr(words[k], '(') || strchr(words[k], ':')) /* what was one word is a phrase now */
                assert_string_equal(finds("ann", words[k]), "");
            else
                assert_string_equal(finds("ann", words[k]), " say so NEAR and words");
}

static void rooms_and_hosts_that_are_not_there(void **state)
{
    (void)state;
    SAY(LOBBY, "ann", "x");
    char no_room[16], no_host[16], wanted[16];
    snprintf(no_room, sizeof no_room, "reason %d", REASON_NO_ROOM);
    snprintf(no_host, sizeof no_host, "reason %d", REASON_NO_HOST);
    snprintf(wanted, sizeof wanted, "reason %d", REASON_WANTED);
    assert_string_equal(finds("ann", "x in:nowhere"), no_room);
    assert_string_equal(finds("ann", "x in:@"), no_room);
    assert_string_equal(finds("ann", "x in:@a@b@c"), no_room);
    assert_string_equal(finds("ann", "x in:.members"), no_room);
    char longest[WANTED_MAX + 1] = "x in:@";
    memset(longest + strlen(longest), 'a', sizeof longest - 1 - strlen(longest));
    longest[WANTED_MAX] = '\0';
    assert_string_equal(finds("ann", longest), no_room);
    assert_string_equal(finds("ann", "x from:ann@nowhere"), no_host);
    assert_string_equal(finds("ann", "x from:ann@alpha in:#LOBBY"), " x");
    assert_string_equal(finds("ann", "\"x"), wanted);
}

/* An index that is far behind: the newest are found, and it is said that others may be there. */
static void who_is_behind_says_so(void **state)
{
    (void)state;
    SAY(LOBBY, "ann", "first");
    index_all();
    for (int i = 0; i < 2100; i++)
        SAY(LOBBY, "ann", "fill");
    SAY(LOBBY, "ann", "last");
    assert_string_equal(finds("ann", "last"), " last");
    assert_true(last_of_search);
    index_all();
    assert_string_equal(finds("ann", "first"), " first");
    assert_false(last_of_search);
}

/* There were messages before there was an index: the newest are in it first. */
static void it_begins_at_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 3200; i++)
        SAY(LOBBY, "ann", i == 0 ? "first" : i == 1500 ? "middle" : i == 3199 ? "last" : "fill");
    assert_int_equal(builder_open(&play.b, play.index, play.h, play.pos), 0);
    assert_string_equal(finds("ann", "middle"), " middle"); /* not a word is indexed */
    assert_string_equal(finds("ann", "first"), "");
    assert_true(last_of_search);
    assert_int_equal(builder_step(play.b, play.pos), 1);
    assert_string_equal(finds("ann", "last"), " last");
    assert_string_equal(finds("ann", "middle"), " middle"); /* further back than the index reaches */
    assert_string_equal(finds("ann", "first"), "");
    assert_true(last_of_search);
    index_all();
    assert_string_equal(finds("ann", "first"), " first");
    assert_int_equal(builder_range(play.b)->low, 0);
}

/* An index knows its store by the last segment in it. */
static void the_index_of_another_store_is_made_anew(void **state)
{
    (void)state;
    uint64_t end = play.pos;
    SAY(LOBBY, "ann", "here");
    index_all();
    builder_close(play.b);
    play.b = NULL;
    assert_int_equal(builder_open(&play.b, play.index, play.h, play.pos), 0);
    assert_int_equal(builder_range(play.b)->low, 0); /* the same store: all is there */
    builder_close(play.b);
    play.b = NULL;
    history_close(play.h);
    unlink(store_path);
    play.h = store_open();
    play.pos = end;
    play.seq[0] = 7;
    SAY(LOBBY, "ann", "there");
    index_all();
    assert_string_equal(finds("ann", "here"), "");
    assert_string_equal(finds("ann", "there"), " there");
}

/* Half of what was said is gone from the store; what of it is in the index is no hit, and then the index is not worth its place. */
static void what_is_not_kept_any_more(void **state)
{
    char sql[128];
    sqlite3 *db;
    (void)state;
    for (int i = 0; i < 10; i++)
        SAY(LOBBY, "ann", i < 6 ? "word old" : "word new");
    index_all();
    assert_false(builder_outlived(play.b));
    uint64_t kept = SAY(LOBBY, "ann", "word last");
    index_all();
    assert_false(builder_outlived(play.b));
    snprintf(sql, sizeof sql, "DELETE FROM segment WHERE pos < %llu", (unsigned long long)kept);
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_string_equal(finds("ann", "word"), " word last");
    assert_true(builder_outlived(play.b));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_in_the_order_of_display),
        TEST(the_times_are_exact),
        TEST(many_of_the_same_stamp),
        TEST(what_is_between_two_is_found_by_these_two),
        TEST(what_is_hidden_is_not_found),
        TEST(parts_are_one_message),
        TEST(signs_mean_nothing),
        TEST(rooms_and_hosts_that_are_not_there),
        TEST(who_is_behind_says_so),
        TEST(it_begins_at_the_end),
        TEST(what_is_not_kept_any_more),
        TEST(the_index_of_another_store_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
