/* history_open.c -- the database and the file beside it: made, brought up to date, opened. */
#include "store/history_inside.h"

#include "base/sys.h"
#include "store/code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 3 /* 2: bulk; 3: segment.after */, APPLICATION_ID = 0x43484154 /* "CHAT" */, CLIENT_DAYS = 30, BUSY_MS = 2000 };

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

static const char *const statements[N_STATEMENTS] = {
#define STATEMENT(name, sql) [name] = sql,
#include "store/statements.def"
};

/* ---- SQL ---- */

int history_code(struct history *h, int rc)
{
    return store_code(h->db, rc);
}

int history_run(struct history *h, const char *sql)
{
    return history_code(h, sqlite3_exec(h->db, sql, NULL, NULL, NULL));
}

int history_number(struct history *h, const char *sql, int64_t *v)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(h->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *v = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return history_code(h, rc);
}

/* ---- open ---- */

/* check_version -- 0 a new file, 1 ours.  Only reads, so that what is not ours stays as it is. */
static int check_version(struct history *h, const char *path, char *why, size_t why_size)
{
    int64_t version = 0, application = 0, tables = 0;
    int r = history_number(h, "PRAGMA user_version", &version);
    r = r < 0 ? r : history_number(h, "PRAGMA application_id", &application);
    r = r < 0 ? r : history_number(h, "SELECT count(*) FROM sqlite_master", &tables);
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
    int r = history_run(h, "BEGIN");
    r = r < 0 ? r : history_run(h, schema);
    r = r < 0 ? r : history_run(h, set);
    return r < 0 ? r : history_run(h, "COMMIT");
}

/* upgrade -- what a store of any version before ours lacks. */
static int upgrade(struct history *h)
{
    char set[64];
    int64_t version = 0, after = 0;
    int r = history_run(h, additions);
    r = r < 0 ? r : history_number(h, "PRAGMA user_version", &version);
    if (r < 0 || version == SCHEMA_VERSION)
        return r;
    r = history_number(h, "SELECT count(*) FROM pragma_table_info('segment') WHERE name='after'", &after);
    if (r == 0 && after == 0)
        r = history_run(h, "ALTER TABLE segment ADD COLUMN after BLOB");
    if (r < 0)
        return r;
    snprintf(set, sizeof set, "PRAGMA user_version=%d", SCHEMA_VERSION);
    return history_run(h, set);
}

static int load_meta(struct history *h)
{
    int64_t durable = 0, ring_size = 0, newest_hlc = 0;
    int r = history_number(h, "SELECT durable FROM meta", &durable);
    r = r < 0 ? r : history_number(h, "SELECT ring_size FROM meta", &ring_size);
    r = r < 0 ? r : history_number(h, "SELECT newest_hlc FROM meta", &newest_hlc);
    h->durable = (uint64_t)durable;
    h->ring_size = (uint64_t)ring_size;
    h->newest_hlc = (uint64_t)newest_hlc;
    return r;
}

static int prepare(struct history *h)
{
    int r = 0;
    for (int i = 0; r == 0 && i < N_STATEMENTS; i++)
        r = history_code(h, sqlite3_prepare_v3(h->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                       &h->stmt[i], NULL));
    return r;
}

static int forget_old_clients(struct history *h)
{
    char text[96];
    uint64_t since = wall_ms() - (uint64_t)CLIENT_DAYS * 24 * 3600 * 1000;
    snprintf(text, sizeof text, "DELETE FROM client WHERE heard < %llu",
             (unsigned long long)since);
    int r = history_run(h, text);
    return r == -ENOSPC ? 0 : r; /* a full disk is no reason not to start */
}

void history_begin_log(struct history *h)
{
    (void)history_run(h, "UPDATE meta SET durable=durable");
}

static int open_bulk(struct history *h, const char *database, char *why, size_t why_size)
{
    char path[4096];
    int64_t end = 0;
    int r = history_number(h, "SELECT until FROM bulk", &end);
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
    int r = history_code(h, sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (r < 0)
        return r;
    sqlite3_extended_result_codes(h->db, 1);
    sqlite3_busy_timeout(h->db, BUSY_MS);
    int ours = check_version(h, path, why, why_size);
    if (ours < 0)
        return ours;
    r = history_run(h, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
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
    int r = history_code(h, sqlite3_open_v2(path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL));
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
