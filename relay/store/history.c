/* history.c -- a transaction: what a commit puts into the store, all of it or nothing. */
#include "store/history_inside.h"

#include <errno.h>

enum {
    PLACE_LEN = 32,       /* frame_order() as bytes */
    BULK_MIN = 32 * 1024, /* from here on the second sync costs less than writing twice */
};

sqlite3_stmt *history_bind(struct history *h, enum statement which, size_t n, const uint64_t *v)
{
    sqlite3_stmt *s = h->stmt[which];
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(s, (int)i + 1, (sqlite3_int64)v[i]);
    return s;
}

int history_done(struct history *h, sqlite3_stmt *s, int rc)
{
    int r = history_code(h, rc);
    sqlite3_reset(s);
    return r;
}

int history_step(struct history *h, sqlite3_stmt *s)
{
    int r = history_done(h, s, sqlite3_step(s));
    if (r < 0)
        history_rollback(h);
    return r;
}

int history_begin(struct history *h, uint64_t batch)
{
    h->batch = batch;
    h->new_hlc = h->newest_hlc;
    return history_step(h, h->stmt[BEGIN]);
}

/* bind_frames -- themselves, or where they lie. */
static int bind_frames(struct history *h, sqlite3_stmt *s, int i, const struct history_segment *g)
{
    uint64_t at = 0;
    if (g->len < BULK_MIN) {
        history_blob(s, i, g->frames, g->len);
        return 0;
    }
    int r = bulk_add(&h->bulk, g->frames, g->len, &at);
    if (r < 0)
        history_rollback(h);
    else
        sqlite3_bind_int64(s, i, (sqlite3_int64)bulk_place(at, g->len));
    return r;
}

int history_add(struct history *h, const struct history_segment *g)
{
    sqlite3_stmt *s = BIND(h, ADD, g->pos, h->batch, g->origin, g->epoch, g->room, g->first_seq,
                           g->last_seq, g->hlc_min, g->hlc_max);
    history_blob(s, 10, g->prev, HASH_LEN);
    history_blob(s, 11, g->hash, HASH_LEN);
    history_blob(s, 12, g->signature, SIGNATURE_LEN);
    uint8_t rows[AFTER_MAX * AFTER_ROW_LEN];
    struct wr w = wr_to(rows, g->after.n * AFTER_ROW_LEN);
    write_after(&w, &g->after);
    history_blob(s, 14, g->after.n ? rows : NULL, g->after.n * AFTER_ROW_LEN);
    int r = bind_frames(h, s, 13, g);
    r = r < 0 ? r : history_step(h, s);
    if (r < 0)
        return r;
    if (!g->apart)
        h->new_hlc = max_u64(h->new_hlc, g->hlc_max);
    s = BIND(h, STREAM_SET, g->origin, g->epoch, g->room, g->last_seq);
    history_blob(s, 5, g->hash, HASH_LEN);
    return history_step(h, s);
}

int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq,
                   uint64_t wall)
{
    return history_step(h, BIND(h, CLIENT_SET, client, uid, last_seq, wall));
}

int history_client_forget(struct history *h, uint64_t client)
{
    return history_step(h, BIND(h, CLIENT_FORGET, client));
}

int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages,
                 uint64_t last_hlc)
{
    sqlite3_stmt *s = BIND(h, ROOM_SET, id, new_messages, last_hlc);
    sqlite3_bind_text(s, 4, name.len ? name.p : "", (int)name.len, SQLITE_STATIC);
    return history_step(h, s);
}

int history_act(struct history *h, const uint8_t *f)
{
    const uint64_t order[] = {frame_hlc(f), frame_origin(f), frame_epoch(f), frame_seq(f)};
    uint8_t place[PLACE_LEN];
    for (size_t i = 0; i < PLACE_LEN; i++) /* the largest byte first: bytes compare as the numbers do */
        place[i] = (uint8_t)(order[i / 8] >> (56 - i % 8 * 8));
    sqlite3_stmt *s = BIND(h, ACT_ADD, frame_room(f));
    history_blob(s, 2, place, PLACE_LEN);
    history_blob(s, 3, f, frame_stride(f));
    return history_step(h, s);
}

int history_commit(struct history *h, uint64_t end, uint64_t ring_size)
{
    bool bulky = h->bulk.next != h->bulk.end;
    int r = history_step(h, BIND(h, META_SET, end, ring_size, h->new_hlc));
    if (r == 0 && bulky)
        r = history_step(h, BIND(h, BULK_SET, h->bulk.next));
    if (r == 0 && (r = bulk_sync(&h->bulk)) < 0) /* before the database says that it is there */
        history_rollback(h);
    if (r == 0)
        r = history_step(h, h->stmt[COMMIT]);
    if (r < 0)
        return r;
    bulk_keep(&h->bulk);
    h->durable = end;
    h->ring_size = ring_size;
    h->newest_hlc = h->new_hlc;
    return 0;
}

void history_rollback(struct history *h)
{
    if (!sqlite3_get_autocommit(h->db))
        (void)history_run(h, "ROLLBACK");
    bulk_undo(&h->bulk);
}

int history_fork(struct history *h, const uint8_t *proof)
{
    sqlite3_stmt *s =
        BIND(h, FORK_SET, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    history_blob(s, 4, proof, frame_stride(proof));
    return history_step(h, s);
}
