/* test_history.c -- what was committed is there, whole and in order, and nothing else is. */
#include "store.h"

#include "base/sys.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static void test_new_store_is_empty(void **state)
{
    (void)state;
    struct history *h = store_open();
    for (int again = 0; again < 2; again++, h = store_reopen(h)) {
        struct stat st;
        uint64_t seq = 1, pos = 0;
        uint8_t head[HASH_LEN] = {1};
        store_assert_durable(h, 0, 0);
        assert_int_equal(history_newest_hlc(h), 0);
        assert_int_equal(store_count(h), 0);
        assert_int_equal(history_stream(h, HERE, 3, ROOM, &seq, head), 0);
        assert_int_equal(seq, 0);
        assert_memory_equal(head, store_filled(0, HASH_LEN), HASH_LEN);
        assert_int_equal(history_first_missing(h, HERE, 3, ROOM, 0, &pos), 0);
        assert_int_equal(pos, UINT64_MAX);
        assert_int_equal(stat(store_path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    history_close(h);
}

struct rooms {
    unsigned n;
    uint64_t id[4], messages[4], hlc[4];
    char name[4][16];
};

static void see_room(void *arg, uint64_t id, struct text name, uint64_t messages,
                     uint64_t last_hlc)
{
    struct rooms *w = arg;
    assert_in_range(w->n, 0, 3);
    w->id[w->n] = id;
    w->messages[w->n] = messages;
    w->hlc[w->n] = last_hlc;
    snprintf(w->name[w->n++], 16, "%.*s", (int)name.len, name.p);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(history_begin(h, 100), 0);
    store_add(h, HERE, ROOM, 100, 1, 1000);
    store_add(h, THERE, OTHER, 120, 1, 900);
    assert_int_equal(history_room(h, ROOM, text_of("lobby"), 2, 1000), 0);
    assert_int_equal(history_room(h, OTHER, text_of("attic"), 1, 900), 0);
    assert_int_equal(history_room(h, ROOM, (struct text){NULL, 0}, 3, 950), 0);
    assert_int_equal(history_commit(h, 140, 65536), 0);
    for (int again = 0; again < 2; again++, h = store_reopen(h)) {
        struct store_seen w = {0};
        struct rooms rooms = {0};
        store_assert_durable(h, 140, 65536);
        assert_int_equal(history_newest_hlc(h), 1000);
        assert_int_equal(history_scan(h, 0, 0, 16, store_see, &w), 0);
        SEEN(&w, 100, 120);
        assert_int_equal(w.batch[0], 100);
        assert_int_equal(w.batch[1], 100);
        assert_int_equal(history_rooms(h, see_room, &rooms), 0);
        assert_int_equal(rooms.n, 2);
        assert_string_equal(rooms.name[0], "attic");
        assert_string_equal(rooms.name[1], "lobby");
        assert_true(rooms.id[0] == OTHER && rooms.id[1] == ROOM);
        assert_int_equal(rooms.messages[1], 5);
        assert_int_equal(rooms.hlc[1], 1000);
    }
    history_close(h);
}

static void test_rollback_leaves_nothing(void **state)
{
    (void)state;
    struct history *h = store_open();
    store_commit(h, ROOM, 10, 1, 50);
    assert_int_equal(history_begin(h, 20), 0);
    store_add(h, HERE, ROOM, 20, 3, 60);
    assert_int_equal(history_room(h, ROOM, text_of("lobby"), 1, 60), 0);
    assert_int_equal(history_client(h, 5, 1000, 9, wall_ms()), 0);
    history_rollback(h);
    history_rollback(h); /* without a transaction: nothing */
    for (int again = 0; again < 2; again++, h = store_reopen(h)) {
        struct rooms rooms = {0};
        uint64_t seq;
        uint8_t head[HASH_LEN];
        assert_int_equal(store_count(h), 1);
        store_assert_durable(h, 20, 4096);
        assert_int_equal(history_newest_hlc(h), 50);
        assert_int_equal(history_rooms(h, see_room, &rooms), 0);
        assert_int_equal(rooms.n, 0);
        assert_int_equal(history_stream(h, HERE, 3, ROOM, &seq, head), 0);
        assert_int_equal(seq, 2);
    }
    store_commit(h, ROOM, 20, 3, 55);
    assert_int_equal(history_newest_hlc(h), 55);
    history_close(h);
}

/* The same segment twice is a mistake of ours; nothing of that commit may stay. */
static void test_failure_rolls_back(void **state)
{
    (void)state;
    struct history *h = store_open();
    store_commit(h, ROOM, 10, 1, 50);
    assert_int_equal(history_begin(h, 20), 0);
    store_add(h, HERE, ROOM, 20, 3, 60);
    struct history_segment twice = store_segment(HERE, ROOM, 30, 3, 60);
    assert_int_equal(history_add(h, &twice), -EIO);
    assert_int_equal(store_count(h), 1);
    store_commit(h, ROOM, 20, 3, 60);
    assert_int_equal(store_count(h), 2);
    history_close(h);
}

/* Commits of several rooms; the hlc do not rise with the positions. */
static struct history *with_several(void)
{
    struct history *h = store_open();
    assert_int_equal(history_begin(h, 100), 0);
    store_add(h, HERE, ROOM, 100, 1, 500);
    store_add(h, HERE, OTHER, 110, 1, 510);
    store_add(h, THERE, ROOM, 120, 1, 300);
    assert_int_equal(history_commit(h, 130, 4096), 0);
    store_commit(h, ROOM, 130, 3, 600);
    store_commit(h, ROOM, 140, 5, 400);
    return h;
}

static void test_scan_in_journal_order(void **state)
{
    (void)state;
    struct history *h = with_several();
    struct store_seen w = {0};
    assert_int_equal(history_scan(h, 0, 110, 16, store_see, &w), 0);
    SEEN(&w, 110, 120, 130, 140);
    assert_int_equal(history_scan(h, 0, 110, 2, store_see, &w), 0);
    SEEN(&w, 110, 120);
    assert_int_equal(history_scan(h, ROOM, 100, 16, store_see, &w), 0);
    SEEN(&w, 100, 120, 130, 140);
    assert_int_equal(history_scan(h, ROOM, 101, 16, store_see, &w), 0); /* whole commits only */
    SEEN(&w, 130, 140);
    assert_int_equal(history_scan(h, OTHER, 0, 16, store_see, &w), 0);
    SEEN(&w, 110);
    assert_int_equal(history_scan(h, 0, UINT64_MAX, 16, store_see, &w), 0);
    assert_int_equal(w.n, 0);
    w.stop_after = 3;
    assert_int_equal(history_scan(h, 0, 0, 16, store_see, &w), 0);
    SEEN(&w, 100, 110, 120);
    history_close(h);
}

static void test_newest_and_since(void **state)
{
    (void)state;
    struct history *h = with_several();
    struct store_seen w = {0};
    assert_int_equal(history_newest(h, ROOM, store_see, &w), 0);
    SEEN(&w, 130, 100, 140, 120);
    assert_int_equal(history_since(h, ROOM, 400, store_see, &w), 0);
    SEEN(&w, 140, 100, 130);
    assert_int_equal(history_since(h, ROOM, 601, store_see, &w), 0);
    assert_int_equal(history_since(h, ROOM, UINT64_MAX, store_see, &w), 0);
    assert_int_equal(history_newest(h, 12345, store_see, &w), 0);
    assert_int_equal(w.n, 0);
    w.stop_after = 2;
    assert_int_equal(history_newest(h, ROOM, store_see, &w), 0);
    SEEN(&w, 130, 100);
    assert_int_equal(history_since(h, ROOM, 0, store_see, &w), 0);
    SEEN(&w, 120, 140);
    history_close(h);
}

/* A reading that was left half-way must not keep the log from being folded into the database.
 */
static void test_nothing_stays_open(void **state)
{
    (void)state;
    struct history *h = with_several();
    struct store_seen w = {.stop_after = 1};
    uint64_t v;
    uint8_t head[HASH_LEN];
    assert_int_equal(history_scan(h, 0, 0, 16, store_see, &w), 0);
    w.n = 0;
    assert_int_equal(history_newest(h, ROOM, store_see, &w), 0);
    w.n = 0;
    assert_int_equal(history_since(h, ROOM, 0, store_see, &w), 0);
    assert_int_equal(history_stream(h, HERE, 3, ROOM, &v, head), 0);
    assert_int_equal(history_first_missing(h, HERE, 3, ROOM, 0, &v), 0);
    sqlite3 *db;
    int in_log = -1, folded = -2;
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &in_log, &folded),
        SQLITE_OK);
    assert_int_equal(in_log, 0);
    sqlite3_close(db);
    history_close(h);
}

struct streams {
    unsigned n;
    uint64_t last[4];
};

static void see_stream(void *arg, uint64_t origin, uint64_t epoch, uint64_t room,
                       uint64_t last_seq, const uint8_t head[HASH_LEN])
{
    struct streams *w = arg;
    unsigned which = origin == THERE ? 2 : room == OTHER ? 1 : 0;
    assert_int_equal(epoch, 3);
    assert_memory_equal(head, store_filled((unsigned)last_seq + 1, HASH_LEN), HASH_LEN);
    w->last[which] = last_seq;
    w->n++;
}

static void test_streams(void **state)
{
    (void)state;
    struct history *h = with_several();
    struct streams w = {0};
    uint64_t v;
    uint8_t head[HASH_LEN];
    assert_int_equal(history_streams(h, see_stream, &w), 0);
    assert_int_equal(w.n, 3);
    assert_int_equal(w.last[0], 6);
    assert_int_equal(w.last[1], 2);
    assert_int_equal(w.last[2], 2);
    assert_int_equal(history_stream(h, HERE, 3, ROOM, &v, head), 0);
    assert_int_equal(v, 6);
    assert_memory_equal(head, store_filled(7, HASH_LEN), HASH_LEN);
    static const struct {
        uint64_t seq, pos;
    } missing[] = {{0, 100}, {1, 100},        {2, 130},
                   {4, 140}, {6, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        assert_int_equal(history_first_missing(h, HERE, 3, ROOM, missing[i].seq, &v), 0);
        assert_int_equal(v, missing[i].pos);
    }
    assert_int_equal(history_first_missing(h, HERE, 4, ROOM, 0, &v), 0);
    assert_int_equal(v, UINT64_MAX);
    history_close(h);
}

struct clients {
    unsigned n;
    uint64_t client[4];
    uint32_t seq[4];
};

static void see_client(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq)
{
    struct clients *w = arg;
    assert_int_equal(uid, 1000);
    assert_in_range(w->n, 0, 3);
    w->client[w->n] = client;
    w->seq[w->n++] = last_seq;
}

static void test_clients_last_heard_of_first(void **state)
{
    (void)state;
    struct history *h = store_open();
    uint64_t now = wall_ms();
    assert_int_equal(history_begin(h, 0), 0);
    assert_int_equal(history_client(h, HERE, 1000, 1, now - 50), 0);
    assert_int_equal(history_client(h, 2, 1000, 2, now - 40), 0);
    assert_int_equal(history_client(h, 3, 1000, UINT32_MAX, now - 30), 0);
    assert_int_equal(history_client(h, HERE, 1000, 4, now - 10), 0);
    assert_int_equal(history_client(h, 9, 1000, 4, now), 0);
    assert_int_equal(history_client_forget(h, 9), 0);
    assert_int_equal(history_client_forget(h, 9), 0);
    assert_int_equal(history_commit(h, 10, 4096), 0);
    struct clients w = {0};
    assert_int_equal(history_clients(h, 2, see_client, &w), 0);
    assert_int_equal(w.n, 2);
    assert_true(w.client[0] == HERE && w.client[1] == 3);
    assert_true(w.seq[0] == 4 && w.seq[1] == UINT32_MAX);
    w.n = 0;
    assert_int_equal(history_clients(h, UINT32_MAX, see_client, &w), 0);
    assert_int_equal(w.n, 3);
    history_close(h);
}

static void test_clients_are_forgotten(void **state)
{
    (void)state;
    struct history *h = store_open();
    uint64_t now = wall_ms();
    assert_int_equal(history_begin(h, 0), 0);
    assert_int_equal(history_client(h, 1, 1000, 1, now - 31 * DAY_MS), 0);
    assert_int_equal(history_client(h, 2, 1000, 1, now - 29 * DAY_MS), 0);
    assert_int_equal(history_commit(h, 10, 4096), 0);
    h = store_reopen(h);
    struct clients w = {0};
    assert_int_equal(history_clients(h, 4, see_client, &w), 0);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.client[0], 2);
    history_close(h);
}

struct acts {
    unsigned n;
    uint64_t hlc[8], origin[8];
};

static void see_act(void *arg, const uint8_t *f)
{
    struct acts *w = arg;
    assert_in_range(w->n, 0, 7);
    w->hlc[w->n] = frame_hlc(f);
    w->origin[w->n++] = frame_origin(f);
}

static void see_acted(void *arg, uint64_t room)
{
    uint64_t *sum = arg;
    *sum += room;
}

static void put_act(struct history *h, uint64_t room, uint64_t hlc, uint64_t origin)
{
    uint8_t f[FRAME_MAX];
    struct room_act a = {.act = ACT_TOPIC, .user = text_of("anna"), .topic = text_of("to do")};
    assert_true(write_room_act(f, &a, room, 77, 1) > 0);
    frame_set_hlc(f, hlc);
    frame_set_origin(f, origin);
    assert_int_equal(history_act(h, f), 0);
}

/* In the order of display, in which numbers have no sign. */
static void test_acts(void **state)
{
    (void)state;
    struct history *h = store_open();
    assert_int_equal(history_begin(h, 0), 0);
    put_act(h, ROOM, UINT64_MAX, THERE);
    put_act(h, ROOM, 1000, HERE);
    put_act(h, ROOM, 1000, 5);
    put_act(h, ROOM, 255, THERE);
    put_act(h, ROOM, 256, THERE);
    put_act(h, OTHER, 1, THERE);
    assert_int_equal(history_commit(h, 10, 4096), 0);
    assert_int_equal(history_begin(h, 10), 0);
    put_act(h, ROOM, 3, THERE);
    history_rollback(h);
    for (int again = 0; again < 2; again++, h = store_reopen(h)) {
        struct acts w = {0};
        uint64_t rooms = 0;
        assert_int_equal(history_acts(h, ROOM, see_act, &w), 0);
        assert_int_equal(w.n, 5);
        assert_true(w.hlc[0] == 255 && w.hlc[1] == 256 && w.hlc[2] == 1000 && w.hlc[3] == 1000 && w.hlc[4] == UINT64_MAX);
        assert_true(w.origin[2] == 5 && w.origin[3] == HERE);
        assert_int_equal(history_acted(h, see_acted, &rooms), 0);
        assert_int_equal(rooms, ROOM + OTHER);
    }
    history_close(h);
}

/* A store of before there were acts gets what it lacks. */
static void test_an_older_store(void **state)
{
    sqlite3 *db;
    (void)state;
    struct history *h = store_open();
    store_commit(h, ROOM, 10, 1, 50);
    history_close(h);
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE act", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    h = store_open();
    assert_int_equal(store_count(h), 1);
    assert_int_equal(history_begin(h, 20), 0);
    put_act(h, ROOM, 60, HERE);
    assert_int_equal(history_commit(h, 30, 4096), 0);
    history_close(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_store_is_empty),          TEST(test_round_trip),
        TEST(test_rollback_leaves_nothing),     TEST(test_failure_rolls_back),
        TEST(test_scan_in_journal_order),       TEST(test_newest_and_since),
        TEST(test_nothing_stays_open),          TEST(test_streams),
        TEST(test_clients_last_heard_of_first), TEST(test_clients_are_forgotten),
        TEST(test_acts),                        TEST(test_an_older_store),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
