/* store.c -- see store.h. */
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

char store_dir[64], store_path[96], store_why[256];

int store_setup(void **state)
{
    (void)state;
    strcpy(store_dir, "/tmp/relay-test-history-XXXXXX");
    if (!mkdtemp(store_dir))
        return -1;
    snprintf(store_path, sizeof store_path, "%s/history.db", store_dir);
    return 0;
}

int store_teardown(void **state)
{
    (void)state;
    static const char *const end[] = {"", "-wal", "-shm", "-journal", "-bulk"};
    for (size_t i = 0; i < ARRAY_LEN(end); i++) {
        char file[128];
        snprintf(file, sizeof file, "%s%s", store_path, end[i]);
        unlink(file);
    }
    return rmdir(store_dir);
}

struct history *store_open(void)
{
    struct history *h = NULL;
    int r = history_open(&h, store_path, store_why, sizeof store_why);
    if (r < 0)
        fail_msg("%d: %s", r, store_why);
    return h;
}

struct history *store_reopen(struct history *h)
{
    history_close(h);
    return store_open();
}

const uint8_t *store_filled(unsigned with, size_t len)
{
    static uint8_t buf[4][SIGNATURE_LEN];
    static unsigned turn;
    uint8_t *p = buf[turn++ % 4];
    memset(p, (int)with, len);
    return p;
}

struct history_segment store_segment(uint64_t origin, uint64_t room, uint64_t pos, uint64_t seq,
                                     uint64_t hlc)
{
    return (struct history_segment){.origin = origin,
                                    .epoch = 3,
                                    .room = room,
                                    .first_seq = seq,
                                    .last_seq = seq + 1,
                                    .hlc_min = hlc - 1,
                                    .hlc_max = hlc,
                                    .pos = pos,
                                    .prev = store_filled((unsigned)seq, HASH_LEN),
                                    .hash = store_filled((unsigned)seq + 2, HASH_LEN),
                                    .signature = store_filled((unsigned)pos, SIGNATURE_LEN),
                                    .frames = (const uint8_t *)"frames\0and more",
                                    .len = 15,
                                    .after = {(uint32_t)(seq % 3), {{origin << 40, ~seq, 7}, {9, 10, UINT64_MAX - 1}}}};
}

void store_add(struct history *h, uint64_t origin, uint64_t room, uint64_t pos, uint64_t seq,
               uint64_t hlc)
{
    struct history_segment s = store_segment(origin, room, pos, seq, hlc);
    assert_int_equal(history_add(h, &s), 0);
}

void store_commit(struct history *h, uint64_t room, uint64_t pos, uint64_t seq, uint64_t hlc)
{
    assert_int_equal(history_begin(h, pos), 0);
    store_add(h, HERE, room, pos, seq, hlc);
    assert_int_equal(history_commit(h, pos + 10, 4096), 0);
}

bool store_see(void *arg, const struct history_row *row)
{
    struct store_seen *w = arg;
    struct history_segment s =
        store_segment(row->s.origin, row->s.room, row->s.pos, row->s.first_seq, row->s.hlc_max);
    bool whole = row->s.epoch == 3 && row->s.last_seq == s.last_seq &&
                 row->s.hlc_min == s.hlc_min && row->s.len == s.len &&
                 memcmp(row->s.frames, s.frames, s.len) == 0 &&
                 row->s.after.n == s.after.n && memcmp(row->s.after.row, s.after.row, s.after.n * sizeof s.after.row[0]) == 0 &&
                 memcmp(row->s.prev, s.prev, HASH_LEN) == 0 &&
                 memcmp(row->s.hash, s.hash, HASH_LEN) == 0 &&
                 memcmp(row->s.signature, s.signature, SIGNATURE_LEN) == 0;
    assert_true(whole);
    assert_in_range(w->n, 0, ARRAY_LEN(w->pos) - 1);
    w->batch[w->n] = row->batch;
    w->pos[w->n++] = row->s.pos;
    return w->n != w->stop_after;
}

void store_assert_seen(struct store_seen *w, size_t n, const uint64_t *pos)
{
    assert_int_equal(w->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(w->pos[i], pos[i]);
    w->n = 0;
}

unsigned store_count(struct history *h)
{
    struct store_seen w = {0};
    assert_int_equal(history_scan(h, 0, 0, 16, store_see, &w), 0);
    return w.n;
}

void store_assert_durable(struct history *h, uint64_t pos, uint64_t ring)
{
    uint64_t p, r;
    history_durable(h, &p, &r);
    assert_int_equal(p, pos);
    assert_int_equal(r, ring);
}
