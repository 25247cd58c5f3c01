/* index.c -- SQL, and nothing but: words in, places out. */
#include "store/index.h"

#include "base/hash.h"
#include "base/prng.h"
#include "base/sys.h"
#include "store/code.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    INDEX_VERSION = 1,
    APPLICATION_ID = 0x43484149, /* "CHAI" */
    MARK_LEN = 17,               /* a letter and 16 hex digits */
    BUSY_MS = 2000,
    LOOK_AT_CLOCK = 100, /* steps of SQLite's machine between two looks: few, because FTS5 takes few for much */
    EXPRESSION_MAX = 2 * WANTED_MAX + 32 * (WANTED_TERMS_MAX + WANTED_ROOMS_MAX + 2),
};
#define ID_MAX (UINT64_C(1) << 62)   /* what is stamped beyond that will never be due */
#define ID_SLACK (UINT64_C(1) << 32) /* how far beside its hlc a number may lie: about a minute */

static const char schema[] =
    "BEGIN;"
    "CREATE VIRTUAL TABLE found USING fts5(words, marks, content='', tokenize='unicode61 remove_diacritics 2');"
    "CREATE TABLE place(id INTEGER PRIMARY KEY, pos INTEGER NOT NULL, room INTEGER NOT NULL);"
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), low INTEGER NOT NULL, high INTEGER NOT NULL, "
    "seal_pos INTEGER NOT NULL, seal BLOB NOT NULL);"
    "INSERT INTO meta VALUES(1, 0, 0, 0, x'');"
    "PRAGMA application_id=1128808777; PRAGMA user_version=1;"
    "COMMIT";
_Static_assert(APPLICATION_ID == 1128808777 && INDEX_VERSION == 1, "as in the schema");

enum statement { BEGIN, COMMIT, PLACE, WORDS, SET_RANGE, GET_RANGE, OLDEST, FIND, N_STATEMENTS };
static const char *const sql[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [PLACE] = "INSERT OR IGNORE INTO place VALUES(?,?,?)",
    [WORDS] = "INSERT INTO found(rowid, words, marks) VALUES(?,?,?)",
    [SET_RANGE] = "UPDATE meta SET low=?, high=?, seal_pos=?, seal=?",
    [GET_RANGE] = "SELECT low, high, seal_pos, seal FROM meta",
    [OLDEST] = "SELECT min(pos) FROM (SELECT pos FROM place ORDER BY id LIMIT 100)", /* some may have come late */
    [FIND] = ("SELECT place.pos, place.room FROM found JOIN place ON place.id = found.rowid WHERE found MATCH ? "
              "AND found.rowid BETWEEN ? AND ? ORDER BY found.rowid DESC"),
};

struct index {
    sqlite3 *db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    uint64_t deadline_us; /* of the search that runs */
};

/* code -- also of a search that was given up, and of tables that are not there: then it is not ours. */
static int code(struct index *x, int rc)
{
    int primary = rc & 0xff;
    return primary == SQLITE_INTERRUPT ? -ETIMEDOUT : primary == SQLITE_ERROR ? -EBADMSG : store_code(x->db, rc);
}

static int run(struct index *x, const char *text)
{
    return code(x, sqlite3_exec(x->db, text, NULL, NULL, NULL));
}

static int done(struct index *x, sqlite3_stmt *s, int rc)
{
    int r = code(x, rc);
    sqlite3_reset(s);
    return r;
}

/* step -- change something; on any failure there is no transaction any more. */
static int step(struct index *x, enum statement which)
{
    int r = done(x, x->stmt[which], sqlite3_step(x->stmt[which]));
    if (r < 0 && !sqlite3_get_autocommit(x->db))
        (void)run(x, "ROLLBACK");
    return r;
}

static void bind(struct index *x, enum statement which, int i, uint64_t v)
{
    sqlite3_bind_int64(x->stmt[which], i, (sqlite3_int64)v);
}

/* ---- open ---- */

static int pragma(struct index *x, const char *text, int *v)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(x->db, text, -1, &s, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
        *v = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return code(x, rc);
}

/* check_version -- 1 ours, 0 new. */
static int check_version(struct index *x)
{
    int version = 0, application = 0;
    int r = pragma(x, "PRAGMA user_version", &version);
    r = r < 0 ? r : pragma(x, "PRAGMA application_id", &application);
    if (r < 0 || (version == 0 && application == 0))
        return r;
    return version == INDEX_VERSION && application == APPLICATION_ID ? 1 : -EBADMSG;
}

static int set_up(struct index *x, bool writer)
{
    sqlite3_busy_timeout(x->db, BUSY_MS);
    int ours = check_version(x), r = ours;
    if (r >= 0 && writer)
        r = run(x, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-8192");
    if (r >= 0 && writer && !ours)
        r = run(x, schema);
    for (int i = 0; r >= 0 && i < N_STATEMENTS; i++)
        r = code(x, sqlite3_prepare_v3(x->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &x->stmt[i], NULL));
    return r < 0 ? r : 0;
}

/* make_file -- for us alone: it holds every word that was said. */
static int make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EACCES;
    close(fd);
    return 0;
}

static int open_index(struct index **out, const char *path, bool writer)
{
    struct index *x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    int flags = SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int r = path && writer ? make_file(path) : 0;
    r = r < 0 ? r : code(x, sqlite3_open_v2(path ? path : ":memory:", &x->db, flags, NULL));
    r = r < 0 ? r : set_up(x, writer);
    if (r < 0)
        index_close(x);
    else
        *out = x;
    return r;
}

int index_open(struct index **x, const char *path)
{
    return open_index(x, path, true);
}

int index_open_reader(struct index **x, const char *path)
{
    return open_index(x, path, false);
}

void index_close(struct index *x)
{
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(x->stmt[i]);
    sqlite3_close(x->db);
    free(x);
}

void index_remove(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char name[4096];
        if ((size_t)snprintf(name, sizeof name, "%s%s", path, parts[i]) < sizeof name)
            (void)unlink(name);
    }
}

int index_range(struct index *x, struct index_range *range)
{
    sqlite3_stmt *s = x->stmt[GET_RANGE];
    int rc = sqlite3_step(s);
    *range = (struct index_range){.low = 0};
    if (rc == SQLITE_ROW) {
        range->low = (uint64_t)sqlite3_column_int64(s, 0);
        range->high = (uint64_t)sqlite3_column_int64(s, 1);
        range->seal_pos = (uint64_t)sqlite3_column_int64(s, 2);
        if (sqlite3_column_bytes(s, 3) == HASH_LEN)
            memcpy(range->seal, sqlite3_column_blob(s, 3), HASH_LEN);
        else
            range->seal_pos = 0;
    }
    return done(x, s, rc);
}

int index_oldest(struct index *x, uint64_t *pos)
{
    sqlite3_stmt *s = x->stmt[OLDEST];
    int rc = sqlite3_step(s);
    bool none = rc != SQLITE_ROW || sqlite3_column_type(s, 0) == SQLITE_NULL;
    *pos = none ? UINT64_MAX : (uint64_t)sqlite3_column_int64(s, 0);
    return done(x, s, rc);
}

/* ---- words in ---- */

int index_begin(struct index *x)
{
    return step(x, BEGIN);
}

/* put_mark -- one word that no message can hold in that column: it is ours alone. */
static size_t put_mark(char *to, char kind, uint64_t number)
{
    return (size_t)sprintf(to, "%c%016llx", kind, (unsigned long long)number);
}

static uint64_t number_of_user(struct text user)
{
    return hash_u64(user.p, user.len);
}

/* place -- a number for it: its hlc, or when that is taken one near by, chosen at random ever further away, so that not even
 * many of the same stamp cost more than a few tries.  Returns 1; 0 there is none; -errno. */
static int place(struct index *x, const struct index_entry *e, uint64_t *id)
{
    struct prng chance = {e->pos};
    for (uint64_t away = 1; away <= ID_SLACK; away *= 2) {
        *id = e->hlc + prng_below(&chance, away);
        bind(x, PLACE, 1, *id);
        bind(x, PLACE, 2, e->pos);
        bind(x, PLACE, 3, e->room);
        int r = step(x, PLACE);
        if (r < 0 || sqlite3_changes(x->db) > 0)
            return r < 0 ? r : 1;
    }
    return 0;
}

int index_add(struct index *x, const struct index_entry *e)
{
    char marks[4 * MARK_LEN];
    uint64_t id = 0;
    size_t n = 0;
    int r = e->hlc < ID_MAX ? place(x, e, &id) : 0;
    if (r <= 0)
        return r;
    n += put_mark(marks + n, 'r', e->room);
    marks[n++] = ' ';
    n += put_mark(marks + n, 'u', number_of_user(e->user));
    marks[n++] = ' ';
    n += put_mark(marks + n, 'h', e->origin);
    bind(x, WORDS, 1, id);
    sqlite3_bind_text(x->stmt[WORDS], 2, e->words.p, (int)e->words.len, SQLITE_STATIC);
    sqlite3_bind_text(x->stmt[WORDS], 3, marks, (int)n, SQLITE_STATIC);
    return step(x, WORDS);
}

int index_commit(struct index *x, const struct index_range *range)
{
    bind(x, SET_RANGE, 1, range->low);
    bind(x, SET_RANGE, 2, range->high);
    bind(x, SET_RANGE, 3, range->seal_pos);
    sqlite3_bind_blob(x->stmt[SET_RANGE], 4, range->seal, HASH_LEN, SQLITE_STATIC);
    int r = step(x, SET_RANGE);
    return r < 0 ? r : step(x, COMMIT);
}

/* ---- places out ---- */

/* An expression that grows; its size is such that it never gets full. */
struct expression {
    char text[EXPRESSION_MAX];
    size_t len;
};

static void put(struct expression *e, const char *s)
{
    size_t n = strlen(s);
    ASSERT(n < sizeof e->text - e->len);
    memcpy(e->text + e->len, s, n + 1);
    e->len += n;
}

/* put_term -- in quotes, so that nothing in it means anything to FTS5. */
static void put_term(struct expression *e, const struct wanted_term *t)
{
    put(e, e->len > 0 ? " AND words : \"" : "words : \"");
    for (size_t i = 0; i < t->text.len; i++)
        put(e, t->text.p[i] == '"' ? "\"\"" : (char[]){t->text.p[i], '\0'});
    put(e, t->begins ? "\" *" : "\"");
}

static void put_marks(struct expression *e, char kind, const uint64_t *number, unsigned n)
{
    char mark[MARK_LEN + 1];
    if (n == 0)
        return;
    put(e, e->len > 0 ? " AND (" : "(");
    for (unsigned i = 0; i < n; i++) {
        put_mark(mark, kind, number[i]);
        put(e, i > 0 ? " OR marks : " : "marks : ");
        put(e, mark);
    }
    put(e, ")");
}

static void express(struct expression *e, const struct index_search *s)
{
    uint64_t user = s->user.len > 0 ? number_of_user(s->user) : 0;
    e->len = 0;
    for (unsigned i = 0; i < s->wanted->n_terms; i++)
        put_term(e, &s->wanted->term[i]);
    put_marks(e, 'r', s->room, s->n_rooms);
    put_marks(e, 'u', &user, user != 0);
    put_marks(e, 'h', &s->origin, s->origin != 0);
}

static int too_late(void *arg)
{
    const struct index *x = arg;
    return now_us() > x->deadline_us;
}

int index_find(struct index *x, const struct index_search *s, bool (*each)(void *arg, uint64_t pos, uint64_t room), void *arg)
{
    struct expression e;
    sqlite3_stmt *find = x->stmt[FIND];
    int rc;
    express(&e, s);
    x->deadline_us = s->deadline_us;
    sqlite3_progress_handler(x->db, LOOK_AT_CLOCK, too_late, x);
    sqlite3_bind_text(find, 1, e.text, (int)e.len, SQLITE_STATIC);
    bind(x, FIND, 2, min_u64(s->since, ID_MAX));
    bind(x, FIND, 3, s->until != 0 && s->until < ID_MAX ? s->until + ID_SLACK : ID_MAX + ID_SLACK);
    while ((rc = sqlite3_step(find)) == SQLITE_ROW)
        if (!each(arg, (uint64_t)sqlite3_column_int64(find, 0), (uint64_t)sqlite3_column_int64(find, 1)))
            break;
    sqlite3_progress_handler(x->db, 0, NULL, NULL);
    return done(x, find, rc);
}
