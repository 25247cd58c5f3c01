/* history_inside.h -- what the parts of the store share: history_open.c, history.c a commit, history_read.c, history_gone.c. */
#ifndef STORE_HISTORY_INSIDE_H
#define STORE_HISTORY_INSIDE_H

#include "store/bulk.h"
#include "store/history.h"

#include <sqlite3.h>

enum statement {
#define STATEMENT(name, sql) name,
#include "store/statements.def"
    N_STATEMENTS
};

struct history {
    sqlite3 *db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    struct bulk bulk;
    uint64_t batch;                          /* where the open transaction begins */
    uint64_t durable, ring_size, newest_hlc; /* as in meta */
    uint64_t new_hlc;                        /* the largest of the open transaction */
};

/* Where segment.frames is a number, they lie in bulk.h's file: the place, and in the lowest bits how many bytes. */
enum { BULK_LEN_BITS = 20 };
_Static_assert(SEGMENT_BYTES < 1 << BULK_LEN_BITS, "a segment's length must fit beside its place");

static inline uint64_t bulk_place(uint64_t at, size_t len)
{
    return at << BULK_LEN_BITS | len;
}

static inline uint64_t bulk_place_at(uint64_t place)
{
    return place >> BULK_LEN_BITS;
}

static inline size_t bulk_place_len(uint64_t place)
{
    return place & ((1u << BULK_LEN_BITS) - 1);
}

/* history_bind -- numbers to the first n places of a statement; BIND() -- these; history_blob -- bytes, which stay the caller's
 * and as they are until it is stepped, to its i-th place. */
sqlite3_stmt *history_bind(struct history *h, enum statement which, size_t n, const uint64_t *v);
#define BIND(h, which, ...) history_bind(h, which, ARRAY_LEN(((uint64_t[]){__VA_ARGS__})), (uint64_t[]){__VA_ARGS__})

static inline void history_blob(sqlite3_stmt *s, int i, const uint8_t *p, size_t len)
{
    sqlite3_bind_blob64(s, i, p, len, SQLITE_STATIC);
}

/* limit -- a number to compare with, which somebody else may have chosen: what is larger than anything stored must not turn
 * negative. */
static inline uint64_t limit(uint64_t v)
{
    return min_u64(v, INT64_MAX);
}

static inline uint64_t column(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

/* history_code -- what SQLite said of this database, as history.h has it. */
int history_code(struct history *h, int rc);

/* history_done -- with a statement, whose last word was `rc`; it does not stay open.  Returns 0 or -errno. */
int history_done(struct history *h, sqlite3_stmt *s, int rc);

/* history_step -- change something.  SQLite ends the transaction itself on some errors and not on others; after this there is none
 * on any.  Returns 0 or -errno. */
int history_step(struct history *h, sqlite3_stmt *s) MUST_USE;

/* history_run -- SQL without a result; history_number -- SQL with one number, into *v.  Returns 0 or -errno. */
int history_run(struct history *h, const char *sql);
int history_number(struct history *h, const char *sql, int64_t *v) MUST_USE;

/* history_frame -- of a query whose first column is a frame of this type, its one row into FRAME_MAX bytes.
 * Returns 1; 0: none; -errno, -EBADMSG when it is not one whole frame.
 * history_each_frame -- call `each` for all rows.  Returns 0 or -errno. */
int history_frame(struct history *h, sqlite3_stmt *s, enum frame_type type, uint8_t *to) MUST_USE;
int history_each_frame(struct history *h, sqlite3_stmt *s, enum frame_type type, void (*each)(void *arg, const uint8_t *frame),
                       void *arg) MUST_USE;

#endif
