/* stats.c -- medians, percentiles, tables, JSON. */
#include "stats.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { CELL = 18, NAME_CELL = 14 };

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct spread spread_of(double *v, unsigned n)
{
    qsort(v, n, sizeof *v, by_value);
    return (struct spread){(v[n / 2] + v[(n - 1) / 2]) / 2, v[0], v[n - 1]};
}

struct spread spread_one(double v)
{
    return (struct spread){v, v, v};
}

struct spread spread_none(void)
{
    return spread_one(NAN);
}

double percentile(uint32_t *v, size_t n, double q)
{
    qsort(v, n, sizeof *v, by_number);
    size_t i = (size_t)(q * (double)n);
    return v[i < n ? i : n - 1];
}

/* ---- the table ---- */

static void print_number(char *to, size_t size, enum unit unit, double v)
{
    if (unit == UNIT_RATE && v >= 1e6)
        snprintf(to, size, "%.2f M", v / 1e6);
    else if (unit == UNIT_RATE && v >= 1e3)
        snprintf(to, size, "%.1f k", v / 1e3);
    else if (unit == UNIT_BYTES && v >= 1 << 14)
        snprintf(to, size, "%.0f KiB", v / 1024);
    else if (unit == UNIT_RATIO)
        snprintf(to, size, "%.2f", v);
    else
        snprintf(to, size, "%.0f", v);
}

static void print_cell(enum unit unit, const struct spread *v)
{
    char number[32], cell[64];
    print_number(number, sizeof number, unit, v->median);
    double half = v->median > 0 ? (v->max - v->min) / 2 / v->median * 100 : 0;
    if (isnan(v->median))
        snprintf(cell, sizeof cell, "-");
    else if (v->max > v->min)
        snprintf(cell, sizeof cell, "%s +-%.0f%%", number, half);
    else
        snprintf(cell, sizeof cell, "%s", number);
    printf(" %*s", CELL, cell);
}

void table_head(const struct table *t, const char *about)
{
    if (t->json)
        return;
    printf("\n%s: %s\n", t->name, about);
    if (t->named)
        printf("%-*s", NAME_CELL, "");
    for (unsigned i = 0; i < t->n_columns; i++)
        printf(" %*s", CELL, t->column[i].title);
    printf("\n");
}

static json_t *json_of(enum unit unit, const struct spread *v)
{
    if (unit == UNIT_FIXED)
        return json_integer((json_int_t)v->median);
    return json_pack("{s:f, s:f, s:f}", "median", v->median, "min", v->min, "max", v->max);
}

void table_row_of(const struct table *t, const char *who, const struct spread *v)
{
    json_t *o = json_object();
    json_object_set_new(o, "bench", json_string(t->name));
    if (t->named)
        json_object_set_new(o, "who", json_string(who));
    if (t->named && !t->json)
        printf("%-*s", NAME_CELL, who);
    for (unsigned i = 0; i < t->n_columns; i++) {
        if (!isnan(v[i].median))
            json_object_set_new(o, t->column[i].key, json_of(t->column[i].unit, &v[i]));
        if (!t->json)
            print_cell(t->column[i].unit, &v[i]);
    }
    if (t->json)
        json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(o);
}

void table_row(const struct table *t, const struct spread *v)
{
    table_row_of(t, "", v);
}

void table_show(const struct table *t, const char *who, double (*v)[REPETITIONS_MAX], unsigned n)
{
    struct spread row[COLUMNS_MAX];
    ASSERT(t->n_columns <= COLUMNS_MAX);
    for (unsigned i = 0; i < t->n_columns; i++)
        row[i] = spread_of(v[i], n);
    table_row_of(t, who, row);
}
