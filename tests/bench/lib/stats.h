/* stats.h -- medians, percentiles, and the table or the JSON they are shown in. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include "bench.h"

enum { COLUMNS_MAX = 16 };

struct spread {
    double median, min, max;
};

/* spread_of -- of n >= 1 values, which are sorted in place. */
struct spread spread_of(double *v, unsigned n);
struct spread spread_one(double v);

/* spread_none -- nobody measured that: "-" in the table, left out of the JSON. */
struct spread spread_none(void);

/* percentile -- of n >= 1 values, which are sorted in place; q from 0 to 1. */
double percentile(uint32_t *v, size_t n, double q);

/* UNIT_FIXED: a plain number, in JSON too, where all else is an object of median, min and max.
 */
enum unit { UNIT_FIXED, UNIT_RATE, UNIT_NS, UNIT_US, UNIT_RATIO, UNIT_BYTES };

struct column {
    const char *key;   /* in JSON */
    const char *title; /* above the table */
    enum unit unit;
};

struct table {
    const char *name;
    const struct column *column;
    unsigned n_columns;
    bool json;
    bool named; /* every row is somebody's */
};

/* table_head -- the titles (nothing in JSON). table_row -- one value per column. table_row_of -- the row is somebody's, which is
 * a column before the others. */
void table_head(const struct table *t, const char *about);
void table_row(const struct table *t, const struct spread *v);
void table_row_of(const struct table *t, const char *who, const struct spread *v);

/* table_show -- the same, of v[column][0..n-1], which are sorted in place. */
void table_show(const struct table *t, const char *who, double (*v)[REPETITIONS_MAX], unsigned n);

#endif
