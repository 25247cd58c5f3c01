/* history_read.c -- what is in the store. */
#include "store/history_inside.h"

#include <errno.h>
#include <stdlib.h>

void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size)
{
    *pos = h->durable;
    *ring_size = h->ring_size;
}

uint64_t history_newest_hlc(struct history *h)
{
    return h->newest_hlc;
}

int history_rooms(struct history *h,
                  void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages, uint64_t last_hlc), void *arg)
{
    sqlite3_stmt *s = h->stmt[ROOMS];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0), text_of((const char *)sqlite3_column_text(s, 1)), column(s, 2), column(s, 3));
    return history_done(h, s, rc);
}

int history_clients(struct history *h, uint32_t max,
                    void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq),
                    void *arg)
{
    sqlite3_stmt *s = BIND(h, CLIENTS, max);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0), (uint32_t)column(s, 1), (uint32_t)column(s, 2));
    return history_done(h, s, rc);
}

int history_streams(struct history *h,
                    void (*each)(void *arg, uint64_t origin, uint64_t epoch, uint64_t room,
                                 uint64_t last_seq, const uint8_t head[HASH_LEN]),
                    void *arg)
{
    sqlite3_stmt *s = h->stmt[STREAMS];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_column_bytes(s, 4) != HASH_LEN) {
            rc = SQLITE_CORRUPT;
            break;
        }
        each(arg, column(s, 0), column(s, 1), column(s, 2), column(s, 3), sqlite3_column_blob(s, 4));
    }
    return history_done(h, s, rc);
}

/* ---- segments ---- */

/* A row that is being read. */
struct reading {
    struct history_row row;
    uint8_t *bulk; /* its frames, if they lie there */
};

/* read_frames -- returns 0; -EBADMSG when they are not what the row says; -EIO; -ENOMEM. */
static int read_frames(struct history *h, sqlite3_stmt *s, int i, struct reading *r)
{
    struct history_segment *g = &r->row.s;
    if (sqlite3_column_type(s, i) != SQLITE_INTEGER) {
        g->frames = sqlite3_column_blob(s, i);
        g->len = (size_t)sqlite3_column_bytes(s, i);
        return 0;
    }
    uint64_t place = column(s, i);
    g->len = bulk_place_len(place);
    if (g->len > SEGMENT_BYTES)
        return -EBADMSG;
    if (!r->bulk && !(r->bulk = malloc(SEGMENT_BYTES)))
        return -ENOMEM;
    g->frames = r->bulk;
    return bulk_read(&h->bulk, bulk_place_at(place), r->bulk, g->len);
}

/* read_row -- returns as read_frames(), -EBADMSG also when a blob has not the length it must have. */
static int read_row(struct history *h, sqlite3_stmt *s, struct reading *r)
{
    r->row.batch = column(s, 1);
    r->row.s = (struct history_segment){
        .pos = column(s, 0),
        .origin = column(s, 2),
        .epoch = column(s, 3),
        .room = column(s, 4),
        .first_seq = column(s, 5),
        .last_seq = column(s, 6),
        .hlc_min = column(s, 7),
        .hlc_max = column(s, 8),
        .prev = sqlite3_column_blob(s, 9),
        .hash = sqlite3_column_blob(s, 10),
        .signature = sqlite3_column_blob(s, 11),
    };
    if (sqlite3_column_bytes(s, 9) != HASH_LEN || sqlite3_column_bytes(s, 10) != HASH_LEN ||
        sqlite3_column_bytes(s, 11) != SIGNATURE_LEN)
        return -EBADMSG;
    const void *after = sqlite3_column_blob(s, 13);
    struct rd rows = rd_from(after ? after : "", (size_t)sqlite3_column_bytes(s, 13));
    read_after(&rows, &r->row.s.after);
    return rows.bad ? -EBADMSG : read_frames(h, s, 12, r);
}

static int rows(struct history *h, sqlite3_stmt *s,
                bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    struct reading reading = {0};
    int rc, r = 0;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        r = read_row(h, s, &reading);
        if (r < 0 || !each(arg, &reading.row))
            break;
    }
    free(reading.bulk);
    int end = history_done(h, s, rc);
    return r < 0 ? r : end;
}

int history_scan(struct history *h, uint64_t room, uint64_t from, unsigned max,
                 bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    from = limit(from);
    sqlite3_stmt *s = room ? BIND(h, SCAN_ROOM, room, from, max) : BIND(h, SCAN_ALL, from, max);
    return rows(h, s, each, arg);
}

int history_newest(struct history *h, uint64_t room,
                   bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    return rows(h, BIND(h, NEWEST, room), each, arg);
}

int history_since(struct history *h, uint64_t room, uint64_t hlc,
                  bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    return rows(h, BIND(h, SINCE, room, limit(hlc)), each, arg);
}

int history_back(struct history *h, uint64_t pos, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    return rows(h, BIND(h, SCAN_BACK, limit(pos)), each, arg);
}

int history_at(struct history *h, uint64_t pos, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    return rows(h, BIND(h, AT, limit(pos)), each, arg);
}

int history_holding(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
                    bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    return rows(h, BIND(h, HOLDING, origin, epoch, room, limit(seq)), each, arg);
}

/* ---- streams ---- */

int history_stream(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t *last_seq, uint8_t head[HASH_LEN])
{
    sqlite3_stmt *s = BIND(h, STREAM_GET, origin, epoch, room);
    *last_seq = 0;
    memset(head, 0, HASH_LEN);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 1) != HASH_LEN)
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_ROW) {
        *last_seq = column(s, 0);
        memcpy(head, sqlite3_column_blob(s, 1), HASH_LEN);
    }
    return history_done(h, s, rc);
}

int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                          uint64_t seq, uint64_t *pos)
{
    sqlite3_stmt *s = BIND(h, MISSING, origin, epoch, room, limit(seq));
    int rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL ? column(s, 0) : UINT64_MAX;
    return history_done(h, s, rc);
}

/* read_blob -- false when it has not the length it must have. */
static bool read_blob(sqlite3_stmt *s, int i, uint8_t *to, int len)
{
    const void *p = sqlite3_column_blob(s, i);
    if (!p || sqlite3_column_bytes(s, i) != len)
        return false;
    memcpy(to, p, (size_t)len);
    return true;
}

int history_heads(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                  uint64_t seq, unsigned max, bool (*each)(void *arg, const struct sealed *s),
                  void *arg)
{
    sqlite3_stmt *s = BIND(h, HEADS, origin, epoch, room, limit(seq), max);
    struct sealed head;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        head.first_seq = column(s, 0);
        head.last_seq = column(s, 1);
        if (!read_blob(s, 2, head.prev, HASH_LEN) || !read_blob(s, 3, head.hash, HASH_LEN) ||
            !read_blob(s, 4, head.signature, SIGNATURE_LEN))
            rc = SQLITE_CORRUPT;
        if (rc == SQLITE_CORRUPT || !each(arg, &head))
            break;
    }
    return history_done(h, s, rc);
}

/* ---- frames on their own ---- */

/* whole -- NULL when the first column is not one whole frame of this type. */
static const uint8_t *whole(sqlite3_stmt *s, enum frame_type type)
{
    const uint8_t *f = sqlite3_column_blob(s, 0);
    int len = sqlite3_column_bytes(s, 0);
    struct gap g;
    if (!f || frame_check(f, (size_t)len) != len || frame_type(f) != type)
        return NULL;
    return type == FRAME_GAP && read_gap(f, &g) < 0 ? NULL : f;
}

int history_frame(struct history *h, sqlite3_stmt *s, enum frame_type type, uint8_t *to)
{
    int rc = sqlite3_step(s), there = rc == SQLITE_ROW;
    const uint8_t *f = there ? whole(s, type) : NULL;
    if (f)
        memcpy(to, f, frame_stride(f));
    else if (there)
        rc = SQLITE_CORRUPT;
    int r = history_done(h, s, rc);
    return r < 0 ? r : there;
}

int history_each_frame(struct history *h, sqlite3_stmt *s, enum frame_type type, void (*each)(void *arg, const uint8_t *frame),
                       void *arg)
{
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const uint8_t *f = whole(s, type);
        if (!f) {
            rc = SQLITE_CORRUPT;
            break;
        }
        each(arg, f);
    }
    return history_done(h, s, rc);
}

int history_acts(struct history *h, uint64_t room, void (*each)(void *arg, const uint8_t *frame), void *arg)
{
    return history_each_frame(h, BIND(h, ACTS, room), FRAME_STATE, each, arg);
}

int history_acted(struct history *h, void (*each)(void *arg, uint64_t room), void *arg)
{
    sqlite3_stmt *s = h->stmt[ACTED];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0));
    return history_done(h, s, rc);
}

int history_fork_of(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *proof)
{
    return history_frame(h, BIND(h, FORK_GET, origin, epoch, room), FRAME_CHAIN, proof);
}

int history_forks(struct history *h, void (*each)(void *arg, const uint8_t *proof), void *arg)
{
    return history_each_frame(h, h->stmt[FORKS], FRAME_CHAIN, each, arg);
}
