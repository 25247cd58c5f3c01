/* history.c -- SQL, and nothing but. */
#include "store/history.h"

#include "base/sys.h"
#include "store/bulk.h"
#include "store/code.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 2 /* 2: bulk */, APPLICATION_ID = 0x43484154 /* "CHAT" */, CLIENT_DAYS = 30, BUSY_MS = 2000 };

#define INT  " INTEGER NOT NULL"
#define BLOB " BLOB NOT NULL"

static const char schema[] =
    "CREATE TABLE segment(pos INTEGER PRIMARY KEY, batch" INT ", origin" INT ", epoch" INT
    ", room" INT ", first_seq" INT ", last_seq" INT ", hlc_min" INT ", hlc_max" INT
    ", prev" BLOB ", hash" BLOB ", signature" BLOB ", frames" BLOB ");"
    "CREATE INDEX segment_batch ON segment(room, batch);"
    "CREATE INDEX segment_hlc ON segment(room, hlc_max);"
    "CREATE UNIQUE INDEX segment_stream ON segment(origin, epoch, room, last_seq);"
    "CREATE TABLE stream(origin" INT ", epoch" INT ", room" INT ", last_seq" INT ", head" BLOB
    ", PRIMARY KEY(origin, epoch, room)) WITHOUT ROWID;"
    "CREATE TABLE room(id INTEGER PRIMARY KEY, name TEXT NOT NULL, messages" INT
    ", last_hlc" INT ");"
    "CREATE TABLE client(client INTEGER PRIMARY KEY, uid" INT ", last_seq" INT ", heard" INT
    ");"
    "CREATE TABLE fork(origin" INT ", epoch" INT ", room" INT ", proof" BLOB
    ", PRIMARY KEY(origin, epoch, room)) WITHOUT ROWID;"
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), durable" INT ", ring_size" INT
    ", newest_hlc" INT ");"
    "INSERT INTO meta VALUES(1, 0, 0, 0);";

/* Came later than the version before it: made where it is missing.  The place is frame_order() as bytes. */
static const char additions[] =
    "CREATE TABLE IF NOT EXISTS act(room" INT ", place" BLOB ", frame" BLOB ", PRIMARY KEY(room, place)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS gap(pos INTEGER PRIMARY KEY, origin" INT ", epoch" INT ", room" INT ", first_seq" INT
    ", last_seq" INT ", frame" BLOB ");"
    "CREATE UNIQUE INDEX IF NOT EXISTS gap_stream ON gap(origin, epoch, room, last_seq);"
    "CREATE INDEX IF NOT EXISTS gap_room ON gap(room, pos);"
    "CREATE TABLE IF NOT EXISTS bulk(one INTEGER PRIMARY KEY CHECK(one = 1), until" INT ");"
    "INSERT OR IGNORE INTO bulk VALUES(1, 0);"
    "CREATE TABLE IF NOT EXISTS dropped(one INTEGER PRIMARY KEY CHECK(one = 1), bytes" INT ");"
    "INSERT OR IGNORE INTO dropped VALUES(1, 0);"
    "DROP INDEX IF EXISTS client_heard;"; /* written at each commit, read at each start */
enum { PLACE_LEN = 32 };

/* Where segment.frames is a number, they lie in bulk.h's file: the place, and in the lowest bits how many bytes. */
enum {
    BULK_MIN = 32 * 1024, /* from here on the second sync costs less than writing twice */
    BULK_LEN_BITS = 20,
};
_Static_assert(SEGMENT_BYTES < 1 << BULK_LEN_BITS, "a segment's length must fit beside its place");

#define SEGMENT                                                                                \
    "SELECT pos, batch, origin, epoch, room, first_seq, last_seq, hlc_min, hlc_max, prev, "    \
    "hash, signature, frames FROM segment "
#define SET " ON CONFLICT DO UPDATE SET "
#define MISSING_FROM "origin=?1 AND epoch=?2 AND room=?3 AND last_seq>?4 ORDER BY last_seq LIMIT 1"

/* clang-format off */
enum statement {
    BEGIN, COMMIT, ADD, STREAM_SET, ROOM_SET, CLIENT_SET, CLIENT_FORGET, ACT_ADD, META_SET, BULK_SET, FORK_SET, /* write */
    ROOMS, CLIENTS, STREAMS, STREAM_GET, SCAN_ALL, SCAN_ROOM, SCAN_BACK, AT, HOLDING, NEWEST, SINCE, MISSING, ACTS, ACTED, HEADS, FORKS,
    FORK_GET, /* read */
    DROP, PLACE, DROPPED, GAP_ADD, GAP_DROP, GAP_END, GAP_NEXT, GAPS_ALL, GAPS_ROOM, BEFORE, /* what is gone */
    N_STATEMENTS
};
/* clang-format on */

static const char *const sql[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ADD] = "INSERT INTO segment VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STREAM_SET] = "INSERT INTO stream VALUES(?,?,?,?,?)" SET
                   "last_seq=excluded.last_seq, head=excluded.head",
    [ROOM_SET] =
        "INSERT INTO room(id, messages, last_hlc, name) VALUES(?,?,?,?)" SET
        "messages=messages+excluded.messages, last_hlc=max(last_hlc, excluded.last_hlc), "
        "name=CASE excluded.name WHEN '' THEN name ELSE excluded.name END",
    [CLIENT_SET] = "INSERT INTO client VALUES(?,?,?,?)" SET
                   "last_seq=excluded.last_seq, heard=excluded.heard",
    [CLIENT_FORGET] = "DELETE FROM client WHERE client=?",
    [META_SET] = "UPDATE meta SET durable=?, ring_size=?, newest_hlc=?",
    [BULK_SET] = "UPDATE bulk SET until=?",
    [FORK_SET] = "INSERT INTO fork VALUES(?,?,?,?)" SET "proof=excluded.proof",
    [ROOMS] = "SELECT id, name, messages, last_hlc FROM room ORDER BY name",
    [CLIENTS] = "SELECT client, uid, last_seq FROM client ORDER BY heard DESC LIMIT ?",
    [STREAMS] = "SELECT origin, epoch, room, last_seq, head FROM stream",
    [STREAM_GET] = "SELECT last_seq, head FROM stream WHERE origin=? AND epoch=? AND room=?",
    [SCAN_ALL] = SEGMENT "WHERE pos>=? ORDER BY pos LIMIT ?",
    [SCAN_ROOM] = SEGMENT "WHERE room=? AND batch>=? ORDER BY batch, pos LIMIT ?",
    [SCAN_BACK] = SEGMENT "WHERE pos<? ORDER BY pos DESC",
    [AT] = SEGMENT "WHERE pos<=? ORDER BY pos DESC LIMIT 1",
    [HOLDING] = SEGMENT "WHERE origin=? AND epoch=? AND room=? AND last_seq>=? ORDER BY last_seq LIMIT 1",
    [NEWEST] = SEGMENT "WHERE room=? ORDER BY hlc_max DESC",
    [SINCE] = SEGMENT "WHERE room=? AND hlc_max>=? ORDER BY hlc_max",
    [MISSING] = "SELECT min(pos) FROM (SELECT * FROM (SELECT pos FROM segment WHERE " MISSING_FROM ") "
                "UNION ALL SELECT * FROM (SELECT pos FROM gap WHERE " MISSING_FROM "))",
    [ACT_ADD] = "INSERT OR REPLACE INTO act VALUES(?,?,?)",
    [ACTS] = "SELECT frame FROM act WHERE room=? ORDER BY place",
    [ACTED] = "SELECT DISTINCT room FROM act",
    [HEADS] = ("SELECT first_seq, last_seq, prev, hash, signature FROM segment WHERE origin=? AND "
               "epoch=? AND room=? AND last_seq>=? ORDER BY last_seq LIMIT ?"),
    [FORKS] = "SELECT proof FROM fork",
    [FORK_GET] = "SELECT proof FROM fork WHERE origin=? AND epoch=? AND room=?",
    [DROP] = "DELETE FROM segment WHERE pos=?",
    [PLACE] = "SELECT frames FROM segment WHERE pos=? AND typeof(frames)='integer'",
    [DROPPED] = "UPDATE dropped SET bytes=bytes+?",
    [GAP_ADD] = "INSERT INTO gap VALUES(?,?,?,?,?,?,?)",
    [GAP_DROP] = "DELETE FROM gap WHERE pos=?",
    [GAP_END] = "SELECT frame FROM gap WHERE origin=? AND epoch=? AND room=? AND last_seq=?",
    [GAP_NEXT] = "SELECT frame FROM gap WHERE pos>=? ORDER BY pos LIMIT 1",
    [GAPS_ALL] = "SELECT frame FROM gap WHERE pos>=? ORDER BY pos",
    [GAPS_ROOM] = "SELECT frame FROM gap WHERE room=? AND pos>=? ORDER BY pos",
    [BEFORE] = "SELECT hlc_max FROM segment WHERE origin=? AND epoch=? AND room=? AND last_seq=?",
};

struct history {
    sqlite3 *db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    struct bulk bulk;
    uint64_t batch;                          /* where the open transaction begins */
    uint64_t durable, ring_size, newest_hlc; /* as in meta */
    uint64_t new_hlc;                        /* the largest of the open transaction */
};

static int code(struct history *h, int rc)
{
    return store_code(h->db, rc);
}

static int run(struct history *h, const char *text)
{
    return code(h, sqlite3_exec(h->db, text, NULL, NULL, NULL));
}

/* bind -- numbers to the first `n` places of a statement. */
static sqlite3_stmt *bind(struct history *h, enum statement which, size_t n, const uint64_t *v)
{
    sqlite3_stmt *s = h->stmt[which];
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(s, (int)i + 1, (sqlite3_int64)v[i]);
    return s;
}
#define BIND(h, which, ...)                                                                    \
    bind(h, which, ARRAY_LEN(((uint64_t[]){__VA_ARGS__})), (uint64_t[]){__VA_ARGS__})

/* limit -- a number to compare with, which somebody else may have chosen: what is larger than
 * anything stored must not turn negative. */
static uint64_t limit(uint64_t v)
{
    return min_u64(v, INT64_MAX);
}

static uint64_t column(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

/* done -- with a statement, whose last word was `rc`; it does not stay open. */
static int done(struct history *h, sqlite3_stmt *s, int rc)
{
    int r = code(h, rc);
    sqlite3_reset(s);
    return r;
}

/* step -- change something.  SQLite ends the transaction itself on some errors and not on
 * others; after this there is none on any. */
static int step(struct history *h, sqlite3_stmt *s)
{
    int r = done(h, s, sqlite3_step(s));
    if (r < 0)
        history_rollback(h);
    return r;
}

/* number -- the one number a query gives. */
static int number(struct history *h, const char *text, int64_t *v)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(h->db, text, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *v = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return code(h, rc);
}

/* ---- open ---- */

/* check_version -- 0 a new file, 1 ours.  Only reads, so that what is not ours stays as it is.
 */
static int check_version(struct history *h, const char *path, char *why, size_t why_size)
{
    int64_t version = 0, application = 0, tables = 0;
    int r = number(h, "PRAGMA user_version", &version);
    r = r < 0 ? r : number(h, "PRAGMA application_id", &application);
    r = r < 0 ? r : number(h, "SELECT count(*) FROM sqlite_master", &tables);
    if (r < 0)
        return r;
    if (version == 0 && application == 0 && tables == 0)
        return 0;
    if (application != APPLICATION_ID)
        snprintf(why, why_size, "%s is a database, but not a relay's; move it away", path);
    else if (version < 1 || version > SCHEMA_VERSION)
        snprintf(why, why_size,
                 "%s was written by a newer relay; install that version again, or move the "
                 "file away",
                 path);
    else
        return 1;
    return -EBADMSG;
}

static int create(struct history *h)
{
    char set[96];
    snprintf(set, sizeof set, "PRAGMA application_id=%d; PRAGMA user_version=1", APPLICATION_ID);
    int r = run(h, "BEGIN");
    r = r < 0 ? r : run(h, schema);
    r = r < 0 ? r : run(h, set);
    return r < 0 ? r : run(h, "COMMIT");
}

/* upgrade -- what a store of any version before ours lacks. */
static int upgrade(struct history *h)
{
    char set[64];
    int64_t version = 0;
    int r = run(h, additions);
    r = r < 0 ? r : number(h, "PRAGMA user_version", &version);
    if (r < 0 || version == SCHEMA_VERSION)
        return r;
    snprintf(set, sizeof set, "PRAGMA user_version=%d", SCHEMA_VERSION);
    return run(h, set);
}

static int load_meta(struct history *h)
{
    int64_t durable = 0, ring_size = 0, newest_hlc = 0;
    int r = number(h, "SELECT durable FROM meta", &durable);
    r = r < 0 ? r : number(h, "SELECT ring_size FROM meta", &ring_size);
    r = r < 0 ? r : number(h, "SELECT newest_hlc FROM meta", &newest_hlc);
    h->durable = (uint64_t)durable;
    h->ring_size = (uint64_t)ring_size;
    h->newest_hlc = (uint64_t)newest_hlc;
    return r;
}

static int prepare(struct history *h)
{
    int r = 0;
    for (int i = 0; r == 0 && i < N_STATEMENTS; i++)
        r = code(h, sqlite3_prepare_v3(h->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                       &h->stmt[i], NULL));
    return r;
}

static int forget_old_clients(struct history *h)
{
    char text[96];
    uint64_t since = wall_ms() - (uint64_t)CLIENT_DAYS * 24 * 3600 * 1000;
    snprintf(text, sizeof text, "DELETE FROM client WHERE heard < %llu",
             (unsigned long long)since);
    int r = run(h, text);
    return r == -ENOSPC ? 0 : r; /* a full disk is no reason not to start */
}

static int open_bulk(struct history *h, const char *database, char *why, size_t why_size)
{
    char path[4096];
    int64_t end = 0;
    int r = number(h, "SELECT until FROM bulk", &end);
    if (r < 0 || (size_t)snprintf(path, sizeof path, "%s-bulk", database) >= sizeof path)
        return r < 0 ? r : -EACCES;
    r = bulk_open(&h->bulk, path, (uint64_t)end);
    if (r == -EBADMSG)
        snprintf(why, why_size,
                 "%s is missing or shorter than the database says; restore both from the same backup, or move both away to "
                 "begin anew",
                 path);
    return r;
}

static int open_database(struct history *h, const char *path, char *why, size_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EACCES;
    close(fd);
    int r = code(
        h, sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (r < 0)
        return r;
    sqlite3_extended_result_codes(h->db, 1);
    sqlite3_busy_timeout(h->db, BUSY_MS);
    int ours = check_version(h, path, why, why_size);
    if (ours < 0)
        return ours;
    r = run(h, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
               "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16384;"
               "PRAGMA wal_autocheckpoint=8000"); /* seldom: whoever speaks then waits for it */
    if (r == 0 && !ours)
        r = create(h);
    r = r < 0 ? r : upgrade(h);
    r = r < 0 ? r : load_meta(h);
    r = r < 0 ? r : open_bulk(h, path, why, why_size);
    r = r < 0 ? r : prepare(h);
    return r < 0 ? r : forget_old_clients(h);
}

int history_open(struct history **out, const char *path, char *why, size_t why_size)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->bulk.fd = -1;
    why[0] = '\0';
    int r = open_database(h, path, why, why_size);
    if (r == 0) {
        *out = h;
        return 0;
    }
    if (why[0] == '\0' && r == -EBADMSG)
        snprintf(
            why, why_size,
            "%s is damaged or not a database; restore a backup, or move it away to begin anew",
            path);
    else if (why[0] == '\0' && r == -EACCES)
        snprintf(why, why_size,
                 "%s cannot be opened for writing; check who owns it and its directory", path);
    else if (why[0] == '\0')
        snprintf(why, why_size, "%s cannot be opened: %s", path,
                 r == -ENOSPC ? "the disk is full; free some space" : "input/output error");
    history_close(h);
    return r;
}

int history_open_reader(struct history **out, const char *path)
{
    struct history *h = calloc(1, sizeof *h);
    char why[256];
    if (!h)
        return -ENOMEM;
    h->bulk.fd = -1;
    int r = code(h, sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL));
    if (r == 0)
        sqlite3_busy_timeout(h->db, BUSY_MS);
    r = r < 0 ? r : open_bulk(h, path, why, sizeof why);
    r = r < 0 ? r : prepare(h);
    h->bulk.end = UINT64_MAX; /* it grows while we read; what a row says is there, is */
    if (r < 0)
        history_close(h);
    else
        *out = h;
    return r;
}

void history_close(struct history *h)
{
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(h->stmt[i]);
    sqlite3_close(h->db);
    bulk_close(&h->bulk);
    free(h);
}

void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size)
{
    *pos = h->durable;
    *ring_size = h->ring_size;
}

uint64_t history_newest_hlc(struct history *h)
{
    return h->newest_hlc;
}

/* ---- rebuild ---- */

int history_rooms(struct history *h,
                  void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages,
                               uint64_t last_hlc),
                  void *arg)
{
    sqlite3_stmt *s = h->stmt[ROOMS];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0), text_of((const char *)sqlite3_column_text(s, 1)), column(s, 2),
             column(s, 3));
    return done(h, s, rc);
}

int history_clients(struct history *h, uint32_t max,
                    void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq),
                    void *arg)
{
    sqlite3_stmt *s = BIND(h, CLIENTS, max);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0), (uint32_t)column(s, 1), (uint32_t)column(s, 2));
    return done(h, s, rc);
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
        each(arg, column(s, 0), column(s, 1), column(s, 2), column(s, 3),
             sqlite3_column_blob(s, 4));
    }
    return done(h, s, rc);
}

/* ---- commit ---- */

int history_begin(struct history *h, uint64_t batch)
{
    h->batch = batch;
    h->new_hlc = h->newest_hlc;
    return step(h, h->stmt[BEGIN]);
}

static void bind_blob(sqlite3_stmt *s, int i, const uint8_t *p, size_t len)
{
    sqlite3_bind_blob64(s, i, p, len, SQLITE_STATIC);
}

/* bind_frames -- themselves, or where they lie. */
static int bind_frames(struct history *h, sqlite3_stmt *s, int i, const struct history_segment *g)
{
    uint64_t at = 0;
    if (g->len < BULK_MIN) {
        bind_blob(s, i, g->frames, g->len);
        return 0;
    }
    int r = bulk_add(&h->bulk, g->frames, g->len, &at);
    if (r < 0)
        history_rollback(h);
    else
        sqlite3_bind_int64(s, i, (sqlite3_int64)(at << BULK_LEN_BITS | g->len));
    return r;
}

int history_add(struct history *h, const struct history_segment *g)
{
    sqlite3_stmt *s = BIND(h, ADD, g->pos, h->batch, g->origin, g->epoch, g->room, g->first_seq,
                           g->last_seq, g->hlc_min, g->hlc_max);
    bind_blob(s, 10, g->prev, HASH_LEN);
    bind_blob(s, 11, g->hash, HASH_LEN);
    bind_blob(s, 12, g->signature, SIGNATURE_LEN);
    int r = bind_frames(h, s, 13, g);
    r = r < 0 ? r : step(h, s);
    if (r < 0)
        return r;
    if (!g->apart)
        h->new_hlc = max_u64(h->new_hlc, g->hlc_max);
    s = BIND(h, STREAM_SET, g->origin, g->epoch, g->room, g->last_seq);
    bind_blob(s, 5, g->hash, HASH_LEN);
    return step(h, s);
}

int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq,
                   uint64_t wall)
{
    return step(h, BIND(h, CLIENT_SET, client, uid, last_seq, wall));
}

int history_client_forget(struct history *h, uint64_t client)
{
    return step(h, BIND(h, CLIENT_FORGET, client));
}

int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages,
                 uint64_t last_hlc)
{
    sqlite3_stmt *s = BIND(h, ROOM_SET, id, new_messages, last_hlc);
    sqlite3_bind_text(s, 4, name.len ? name.p : "", (int)name.len, SQLITE_STATIC);
    return step(h, s);
}

int history_act(struct history *h, const uint8_t *f)
{
    const uint64_t order[] = {frame_hlc(f), frame_origin(f), frame_epoch(f), frame_seq(f)};
    uint8_t place[PLACE_LEN];
    for (size_t i = 0; i < PLACE_LEN; i++) /* the largest byte first: bytes compare as the numbers do */
        place[i] = (uint8_t)(order[i / 8] >> (56 - i % 8 * 8));
    sqlite3_stmt *s = BIND(h, ACT_ADD, frame_room(f));
    bind_blob(s, 2, place, PLACE_LEN);
    bind_blob(s, 3, f, frame_stride(f));
    return step(h, s);
}

int history_commit(struct history *h, uint64_t end, uint64_t ring_size)
{
    bool bulky = h->bulk.next != h->bulk.end;
    int r = step(h, BIND(h, META_SET, end, ring_size, h->new_hlc));
    if (r == 0 && bulky)
        r = step(h, BIND(h, BULK_SET, h->bulk.next));
    if (r == 0 && (r = bulk_sync(&h->bulk)) < 0) /* before the database says that it is there */
        history_rollback(h);
    if (r == 0)
        r = step(h, h->stmt[COMMIT]);
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
        (void)run(h, "ROLLBACK");
    bulk_undo(&h->bulk);
}

/* ---- read ---- */

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
    return done(h, s, rc);
}

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
    g->len = place & ((1u << BULK_LEN_BITS) - 1);
    if (g->len > SEGMENT_BYTES)
        return -EBADMSG;
    if (!r->bulk && !(r->bulk = malloc(SEGMENT_BYTES)))
        return -ENOMEM;
    g->frames = r->bulk;
    return bulk_read(&h->bulk, place >> BULK_LEN_BITS, r->bulk, g->len);
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
    return read_frames(h, s, 12, r);
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
    int end = done(h, s, rc);
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

int history_acts(struct history *h, uint64_t room, void (*each)(void *arg, const uint8_t *frame), void *arg)
{
    sqlite3_stmt *s = BIND(h, ACTS, room);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const uint8_t *f = sqlite3_column_blob(s, 0);
        size_t len = (size_t)sqlite3_column_bytes(s, 0);
        if (!f || frame_check(f, len) != (int)len) {
            rc = SQLITE_CORRUPT;
            break;
        }
        each(arg, f);
    }
    return done(h, s, rc);
}

int history_acted(struct history *h, void (*each)(void *arg, uint64_t room), void *arg)
{
    sqlite3_stmt *s = h->stmt[ACTED];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(arg, column(s, 0));
    return done(h, s, rc);
}

int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                          uint64_t seq, uint64_t *pos)
{
    sqlite3_stmt *s = BIND(h, MISSING, origin, epoch, room, limit(seq));
    int rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL ? column(s, 0) : UINT64_MAX;
    return done(h, s, rc);
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
    return done(h, s, rc);
}

int history_fork(struct history *h, const uint8_t *proof)
{
    sqlite3_stmt *s =
        BIND(h, FORK_SET, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    bind_blob(s, 4, proof, frame_stride(proof));
    return step(h, s);
}

/* proof_of -- NULL when it is not one whole CHAIN frame. */
static const uint8_t *proof_of(sqlite3_stmt *s)
{
    const uint8_t *p = sqlite3_column_blob(s, 0);
    int len = sqlite3_column_bytes(s, 0);
    bool whole = p && frame_check(p, (size_t)len) == len && frame_type(p) == FRAME_CHAIN;
    return whole ? p : NULL;
}

int history_fork_of(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                    uint8_t *proof)
{
    sqlite3_stmt *s = BIND(h, FORK_GET, origin, epoch, room);
    int rc = sqlite3_step(s), there = rc == SQLITE_ROW;
    if (there) {
        const uint8_t *p = proof_of(s);
        if (p)
            memcpy(proof, p, frame_stride(p));
        else
            rc = SQLITE_CORRUPT;
    }
    int r = done(h, s, rc);
    return r < 0 ? r : there;
}

int history_forks(struct history *h, void (*each)(void *arg, const uint8_t *proof), void *arg)
{
    sqlite3_stmt *s = h->stmt[FORKS];
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const uint8_t *p = proof_of(s);
        if (!p) {
            rc = SQLITE_CORRUPT;
            break;
        }
        each(arg, p);
    }
    return done(h, s, rc);
}

/* ---- what is not kept any more ---- */

/* gap_of -- NULL when it is not one whole GAP frame. */
static const uint8_t *gap_of(sqlite3_stmt *s)
{
    const uint8_t *f = sqlite3_column_blob(s, 0);
    int len = sqlite3_column_bytes(s, 0);
    struct gap g;
    bool whole = f && frame_check(f, (size_t)len) == len && frame_type(f) == FRAME_GAP && read_gap(f, &g) == 0;
    return whole ? f : NULL;
}

/* gap_get -- what this query finds, into FRAME_MAX bytes.  Returns 1; 0; -errno */
static int gap_get(struct history *h, sqlite3_stmt *s, uint8_t *gap)
{
    int rc = sqlite3_step(s), there = rc == SQLITE_ROW;
    const uint8_t *f = there ? gap_of(s) : NULL;
    if (f)
        memcpy(gap, f, frame_stride(f));
    else if (there)
        rc = SQLITE_CORRUPT;
    int r = done(h, s, rc);
    return r < 0 ? r : there;
}

static int gap_add(struct history *h, const uint8_t *f, uint64_t first_seq)
{
    sqlite3_stmt *s = BIND(h, GAP_ADD, frame_pos(f), frame_origin(f), frame_epoch(f), frame_room(f), first_seq, frame_seq(f));
    bind_blob(s, 7, f, frame_stride(f));
    return step(h, s);
}

/* join -- to the gap that this one continues, if it is of the same kind.  Returns 0 or -errno */
static int join(struct history *h, struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint8_t before[FRAME_MAX];
    struct gap b;
    int r = gap_get(h, BIND(h, GAP_END, origin, epoch, room, g->first_seq - 1), before);
    if (r <= 0 || read_gap(before, &b) < 0 || b.why != g->why)
        return r < 0 ? r : 0;
    g->first_seq = b.first_seq;
    g->messages += b.messages;
    g->hlc_min = min_u64(g->hlc_min, b.hlc_min);
    return step(h, BIND(h, GAP_DROP, frame_pos(before)));
}

/* drop_bulk -- the frames of this segment, if they lie there.  Returns 0 or -errno */
static int drop_bulk(struct history *h, uint64_t pos)
{
    sqlite3_stmt *s = BIND(h, PLACE, pos);
    int rc = sqlite3_step(s);
    uint64_t place = rc == SQLITE_ROW ? column(s, 0) : 0;
    size_t len = place & ((1u << BULK_LEN_BITS) - 1);
    int r = done(h, s, rc);
    if (r < 0 || len == 0)
        return r;
    bulk_drop(&h->bulk, place >> BULK_LEN_BITS, len);
    return step(h, BIND(h, DROPPED, len));
}

int history_drop(struct history *h, const struct history_segment *s, uint32_t messages, uint64_t last_pos)
{
    uint8_t gap[FRAME_MAX];
    struct gap g = {.why = GAP_OLD, .first_seq = s->first_seq, .hlc_min = s->hlc_min, .messages = messages,
                    .last = {.first_seq = s->first_seq, .last_seq = s->last_seq}};
    memcpy(g.last.prev, s->prev, HASH_LEN);
    memcpy(g.last.hash, s->hash, HASH_LEN);
    memcpy(g.last.signature, s->signature, SIGNATURE_LEN);
    int r = join(h, &g, s->origin, s->epoch, s->room);
    if (r < 0)
        return r;
    int n = write_gap(gap, &g, s->origin, s->epoch, s->room, s->hlc_max);
    ASSERT(n > 0);
    frame_set_pos(gap, last_pos);
    r = gap_add(h, gap, g.first_seq);
    r = r < 0 ? r : drop_bulk(h, s->pos);
    return r < 0 ? r : step(h, BIND(h, DROP, s->pos));
}

int history_gap(struct history *h, uint8_t *f)
{
    struct gap g;
    int r = read_gap(f, &g);
    if (r < 0)
        return r;
    sqlite3_stmt *s = BIND(h, BEFORE, frame_origin(f), frame_epoch(f), frame_room(f), g.first_seq - 1);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        g.hlc_min = min_u64(max_u64(g.hlc_min, column(s, 0)), frame_hlc(f));
    r = done(h, s, rc);
    if (r < 0)
        return r;
    uint64_t pos = frame_pos(f);
    int n = write_gap(f, &g, frame_origin(f), frame_epoch(f), frame_room(f), frame_hlc(f));
    ASSERT(n > 0);
    frame_set_pos(f, pos);
    r = gap_add(h, f, g.first_seq);
    if (r < 0)
        return r;
    s = BIND(h, STREAM_SET, frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f));
    bind_blob(s, 5, g.last.hash, HASH_LEN);
    return step(h, s);
}

int history_gap_at(struct history *h, uint64_t from, uint8_t *gap)
{
    return gap_get(h, BIND(h, GAP_NEXT, limit(from)), gap);
}

int history_gaps(struct history *h, uint64_t room, uint64_t from, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    from = limit(from);
    sqlite3_stmt *s = room ? BIND(h, GAPS_ROOM, room, from) : BIND(h, GAPS_ALL, from);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const uint8_t *f = gap_of(s);
        if (!f) {
            rc = SQLITE_CORRUPT;
            break;
        }
        each(arg, f);
    }
    return done(h, s, rc);
}

int history_bytes(struct history *h, uint64_t *bytes)
{
    int64_t pages = 0, unused = 0, size = 0, dropped = 0;
    int r = number(h, "PRAGMA page_count", &pages);
    r = r < 0 ? r : number(h, "PRAGMA freelist_count", &unused);
    r = r < 0 ? r : number(h, "PRAGMA page_size", &size);
    r = r < 0 ? r : number(h, "SELECT bytes FROM dropped", &dropped);
    *bytes = (uint64_t)((pages - unused) * size) + h->bulk.end - (uint64_t)dropped;
    return r;
}
