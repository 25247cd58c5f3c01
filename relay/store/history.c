/* history.c -- SQL, and nothing but. */
#include "store/history.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x43484154 /* "CHAT" */, CLIENT_DAYS = 30 };

static const char schema[] =
    "CREATE TABLE segment(pos INTEGER PRIMARY KEY, batch INTEGER NOT NULL, origin INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " room INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, hlc_min INTEGER NOT NULL,"
    " hlc_max INTEGER NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL, frames BLOB NOT NULL);"
    "CREATE INDEX segment_batch ON segment(room, batch);"
    "CREATE INDEX segment_hlc ON segment(room, hlc_max);"
    "CREATE UNIQUE INDEX segment_stream ON segment(origin, epoch, room, last_seq);"
    "CREATE TABLE stream(origin INTEGER, epoch INTEGER, room INTEGER, last_seq INTEGER NOT NULL, head BLOB NOT NULL,"
    " PRIMARY KEY(origin, epoch, room)) WITHOUT ROWID;"
    "CREATE TABLE room(id INTEGER PRIMARY KEY, name TEXT NOT NULL, messages INTEGER NOT NULL, last_hlc INTEGER NOT NULL);"
    "CREATE TABLE client(client INTEGER PRIMARY KEY, uid INTEGER NOT NULL, last_seq INTEGER NOT NULL, heard INTEGER NOT NULL);"
    "CREATE INDEX client_heard ON client(heard);"
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), durable INTEGER NOT NULL, ring_size INTEGER NOT NULL,"
    " newest_hlc INTEGER NOT NULL);"
    "INSERT INTO meta VALUES(1, 0, 0, 0);";

#define COLUMNS "pos, batch, origin, epoch, room, first_seq, last_seq, hlc_min, hlc_max, prev, hash, signature, frames"

enum statement {
    ADD, STREAM_SET, ROOM_SET, CLIENT_SET, CLIENT_FORGET, META_SET, STREAM_GET, SCAN_ALL, SCAN_ROOM, NEWEST, SINCE, MISSING,
    N_STATEMENTS,
};

static const char *const sql[N_STATEMENTS] = {
    [ADD] = "INSERT INTO segment(" COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STREAM_SET] = "INSERT INTO stream VALUES(?,?,?,?,?) ON CONFLICT DO UPDATE SET last_seq=excluded.last_seq, head=excluded.head",
    [ROOM_SET] = "INSERT INTO room VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET messages=messages+excluded.messages,"
                 " last_hlc=max(last_hlc, excluded.last_hlc), name=CASE excluded.name WHEN '' THEN name ELSE excluded.name END",
    [CLIENT_SET] = "INSERT INTO client VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET last_seq=excluded.last_seq, heard=excluded.heard",
    [CLIENT_FORGET] = "DELETE FROM client WHERE client=?",
    [META_SET] = "UPDATE meta SET durable=?, ring_size=?, newest_hlc=max(newest_hlc, ?)",
    [STREAM_GET] = "SELECT last_seq, head FROM stream WHERE origin=? AND epoch=? AND room=?",
    [SCAN_ALL] = "SELECT " COLUMNS " FROM segment WHERE pos>=? ORDER BY pos LIMIT ?",
    [SCAN_ROOM] = "SELECT " COLUMNS " FROM segment WHERE room=? AND batch>=? ORDER BY batch, pos LIMIT ?",
    [NEWEST] = "SELECT " COLUMNS " FROM segment WHERE room=? ORDER BY hlc_max DESC",
    [SINCE] = "SELECT " COLUMNS " FROM segment WHERE room=? AND hlc_max>=? ORDER BY hlc_max",
    [MISSING] = "SELECT pos FROM segment WHERE origin=? AND epoch=? AND room=? AND last_seq>? ORDER BY last_seq LIMIT 1",
};

struct history {
    sqlite3 *db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    uint64_t batch, newest_hlc;
};

/* code -- what SQLite says, in our words. */
static int code(struct history *h, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return -EBADMSG;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return -EACCES;
    case SQLITE_IOERR: {
        int e = sqlite3_system_errno(h->db);
        return e == ENOSPC || e == EDQUOT ? -ENOSPC : -EIO;
    }
    default:
        return -EIO;
    }
}

static int run(struct history *h, const char *text)
{
    return code(h, sqlite3_exec(h->db, text, NULL, NULL, NULL));
}

static sqlite3_stmt *statement(struct history *h, enum statement which)
{
    sqlite3_stmt *s = h->stmt[which];
    sqlite3_reset(s);
    return s;
}

static void bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
    sqlite3_bind_int64(s, i, (sqlite3_int64)v);
}

static int step(struct history *h, sqlite3_stmt *s)
{
    int r = code(h, sqlite3_step(s));
    sqlite3_reset(s);
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

static int check_version(struct history *h, const char *path, char *why, size_t why_size)
{
    int64_t version = 0, tables = 0;
    int r = number(h, "PRAGMA user_version", &version);
    if (r == 0)
        r = number(h, "SELECT count(*) FROM sqlite_master", &tables);
    if (r == 0 && version > SCHEMA_VERSION) {
        snprintf(why, why_size, "%s was written by a newer relay; install that version again, or move the file away", path);
        return -EBADMSG;
    }
    if (r == 0 && version == 0 && tables > 0) {
        snprintf(why, why_size, "%s is a database, but not a relay's; move it away", path);
        return -EBADMSG;
    }
    if (r == 0 && version == 0) {
        char set[96];
        snprintf(set, sizeof set, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, SCHEMA_VERSION);
        r = run(h, "BEGIN");
        r = r < 0 ? r : run(h, schema);
        r = r < 0 ? r : run(h, set);
        r = r < 0 ? r : run(h, "COMMIT");
    }
    return r;
}

static int prepare(struct history *h)
{
    int r = 0;
    for (int i = 0; r == 0 && i < N_STATEMENTS; i++)
        r = code(h, sqlite3_prepare_v3(h->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &h->stmt[i], NULL));
    return r;
}

static int forget_old_clients(struct history *h)
{
    char text[96];
    uint64_t limit = wall_ms() - (uint64_t)CLIENT_DAYS * 24 * 3600 * 1000;
    snprintf(text, sizeof text, "DELETE FROM client WHERE heard < %llu", (unsigned long long)limit);
    int r = run(h, text);
    return r == -ENOSPC ? 0 : r; /* a full disk is no reason not to start */
}

static int open_database(struct history *h, const char *path, char *why, size_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOSPC ? -ENOSPC : -EACCES;
    close(fd);
    int r = code(h, sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (r < 0)
        return r;
    sqlite3_extended_result_codes(h->db, 1);
    sqlite3_busy_timeout(h->db, 2000);
    r = run(h, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16384");
    r = r < 0 ? r : check_version(h, path, why, why_size);
    r = r < 0 ? r : prepare(h);
    return r < 0 ? r : forget_old_clients(h);
}

int history_open(struct history **out, const char *path, char *why, size_t why_size)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    why[0] = '\0';
    int r = open_database(h, path, why, why_size);
    if (r == 0) {
        *out = h;
        return 0;
    }
    if (why[0] == '\0' && r == -EBADMSG)
        snprintf(why, why_size, "%s is damaged or not a database; restore a backup, or move it away to begin anew", path);
    else if (why[0] == '\0' && r == -EACCES)
        snprintf(why, why_size, "%s cannot be opened for writing; check who owns it and its directory", path);
    else if (why[0] == '\0')
        snprintf(why, why_size, "%s cannot be opened: %s", path, r == -ENOSPC ? "the disk is full; free some space" : "input/output error");
    history_close(h);
    return r;
}

void history_close(struct history *h)
{
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(h->stmt[i]);
    sqlite3_close(h->db);
    free(h);
}

void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size)
{
    int64_t v = 0, w = 0;
    *pos = number(h, "SELECT durable FROM meta", &v) == 0 ? (uint64_t)v : 0;
    *ring_size = number(h, "SELECT ring_size FROM meta", &w) == 0 ? (uint64_t)w : 0;
}

uint64_t history_newest_hlc(struct history *h)
{
    int64_t v = 0;
    return number(h, "SELECT newest_hlc FROM meta", &v) == 0 ? (uint64_t)v : 0;
}

/* ---- rebuild ---- */

int history_rooms(struct history *h, void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages, uint64_t last_hlc),
                  void *arg)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(h->db, "SELECT id, name, messages, last_hlc FROM room ORDER BY name", -1, &s, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW)
        if ((rc = sqlite3_step(s)) == SQLITE_ROW)
            each(arg, (uint64_t)sqlite3_column_int64(s, 0), text_of((const char *)sqlite3_column_text(s, 1)),
                 (uint64_t)sqlite3_column_int64(s, 2), (uint64_t)sqlite3_column_int64(s, 3));
    sqlite3_finalize(s);
    return code(h, rc);
}

int history_clients(struct history *h, uint32_t max, void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq),
                    void *arg)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(h->db, "SELECT client, uid, last_seq FROM client ORDER BY heard DESC LIMIT ?", -1, &s, NULL);
    if (rc == SQLITE_OK)
        sqlite3_bind_int64(s, 1, max);
    while (rc == SQLITE_OK || rc == SQLITE_ROW)
        if ((rc = sqlite3_step(s)) == SQLITE_ROW)
            each(arg, (uint64_t)sqlite3_column_int64(s, 0), (uint32_t)sqlite3_column_int64(s, 1),
                 (uint32_t)sqlite3_column_int64(s, 2));
    sqlite3_finalize(s);
    return code(h, rc);
}

/* ---- commit ---- */

int history_begin(struct history *h, uint64_t batch)
{
    h->batch = batch;
    h->newest_hlc = 0;
    return run(h, "BEGIN IMMEDIATE");
}

int history_add(struct history *h, const struct history_segment *g)
{
    const uint64_t n[] = {g->pos, h->batch, g->origin, g->epoch, g->room, g->first_seq, g->last_seq, g->hlc_min, g->hlc_max};
    sqlite3_stmt *s = statement(h, ADD);
    for (int i = 0; i < (int)ARRAY_LEN(n); i++)
        bind_u64(s, i + 1, n[i]);
    sqlite3_bind_blob(s, 10, g->prev, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 11, g->hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 12, g->signature, SIGNATURE_LEN, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 13, g->frames, g->len, SQLITE_STATIC);
    int r = step(h, s);
    if (r < 0)
        return r;
    h->newest_hlc = max_u64(h->newest_hlc, g->hlc_max);
    s = statement(h, STREAM_SET);
    bind_u64(s, 1, g->origin);
    bind_u64(s, 2, g->epoch);
    bind_u64(s, 3, g->room);
    bind_u64(s, 4, g->last_seq);
    sqlite3_bind_blob(s, 5, g->hash, HASH_LEN, SQLITE_STATIC);
    return step(h, s);
}

int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq, uint64_t wall)
{
    sqlite3_stmt *s = statement(h, CLIENT_SET);
    bind_u64(s, 1, client);
    bind_u64(s, 2, uid);
    bind_u64(s, 3, last_seq);
    bind_u64(s, 4, wall);
    return step(h, s);
}

int history_client_forget(struct history *h, uint64_t client)
{
    sqlite3_stmt *s = statement(h, CLIENT_FORGET);
    bind_u64(s, 1, client);
    return step(h, s);
}

int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages, uint64_t last_hlc)
{
    sqlite3_stmt *s = statement(h, ROOM_SET);
    bind_u64(s, 1, id);
    sqlite3_bind_text(s, 2, name.p, (int)name.len, SQLITE_STATIC);
    bind_u64(s, 3, new_messages);
    bind_u64(s, 4, last_hlc);
    return step(h, s);
}

int history_commit(struct history *h, uint64_t end, uint64_t ring_size)
{
    sqlite3_stmt *s = statement(h, META_SET);
    bind_u64(s, 1, end);
    bind_u64(s, 2, ring_size);
    bind_u64(s, 3, h->newest_hlc);
    int r = step(h, s);
    return r < 0 ? r : run(h, "COMMIT");
}

void history_rollback(struct history *h)
{
    if (!sqlite3_get_autocommit(h->db))
        (void)run(h, "ROLLBACK");
}

/* ---- read ---- */

int history_stream(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t *last_seq, uint8_t head[HASH_LEN])
{
    sqlite3_stmt *s = statement(h, STREAM_GET);
    bind_u64(s, 1, origin);
    bind_u64(s, 2, epoch);
    bind_u64(s, 3, room);
    *last_seq = 0;
    memset(head, 0, HASH_LEN);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 1) == HASH_LEN) {
        *last_seq = (uint64_t)sqlite3_column_int64(s, 0);
        memcpy(head, sqlite3_column_blob(s, 1), HASH_LEN);
    }
    sqlite3_reset(s);
    return code(h, rc);
}

int history_streams(struct history *h,
                    void (*each)(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                                 const uint8_t head[HASH_LEN]),
                    void *arg)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(h->db, "SELECT origin, epoch, room, last_seq, head FROM stream", -1, &s, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW)
        if ((rc = sqlite3_step(s)) == SQLITE_ROW && sqlite3_column_bytes(s, 4) == HASH_LEN)
            each(arg, (uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                 (uint64_t)sqlite3_column_int64(s, 2), (uint64_t)sqlite3_column_int64(s, 3), sqlite3_column_blob(s, 4));
    sqlite3_finalize(s);
    return code(h, rc);
}

/* read_row -- false when a blob has not the length it must have. */
static bool read_row(sqlite3_stmt *s, struct history_row *r)
{
    uint64_t n[9];
    for (int i = 0; i < 9; i++)
        n[i] = (uint64_t)sqlite3_column_int64(s, i);
    r->batch = n[1];
    r->s = (struct history_segment){.origin = n[2], .epoch = n[3], .room = n[4], .first_seq = n[5], .last_seq = n[6],
                                    .hlc_min = n[7], .hlc_max = n[8], .pos = n[0],
                                    .prev = sqlite3_column_blob(s, 9), .hash = sqlite3_column_blob(s, 10),
                                    .signature = sqlite3_column_blob(s, 11), .frames = sqlite3_column_blob(s, 12),
                                    .len = (size_t)sqlite3_column_bytes(s, 12)};
    return sqlite3_column_bytes(s, 9) == HASH_LEN && sqlite3_column_bytes(s, 10) == HASH_LEN &&
           sqlite3_column_bytes(s, 11) == SIGNATURE_LEN;
}

static int rows(struct history *h, sqlite3_stmt *s, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    struct history_row row;
    int rc;
    bool good = true;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && (good = read_row(s, &row)) && each(arg, &row))
        ;
    sqlite3_reset(s);
    return good ? code(h, rc) : -EBADMSG;
}

int history_scan(struct history *h, uint64_t room, uint64_t from, unsigned max,
                 bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    sqlite3_stmt *s = statement(h, room ? SCAN_ROOM : SCAN_ALL);
    int i = 1;
    if (room)
        bind_u64(s, i++, room);
    bind_u64(s, i++, from);
    bind_u64(s, i, max);
    return rows(h, s, each, arg);
}

int history_newest(struct history *h, uint64_t room, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    sqlite3_stmt *s = statement(h, NEWEST);
    bind_u64(s, 1, room);
    return rows(h, s, each, arg);
}

int history_since(struct history *h, uint64_t room, uint64_t hlc, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    sqlite3_stmt *s = statement(h, SINCE);
    bind_u64(s, 1, room);
    bind_u64(s, 2, hlc);
    return rows(h, s, each, arg);
}

int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t *pos)
{
    sqlite3_stmt *s = statement(h, MISSING);
    bind_u64(s, 1, origin);
    bind_u64(s, 2, epoch);
    bind_u64(s, 3, room);
    bind_u64(s, 4, seq);
    int rc = sqlite3_step(s);
    *pos = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : UINT64_MAX;
    sqlite3_reset(s);
    return code(h, rc);
}
