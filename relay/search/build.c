/* build.c -- from the store into the index, some segments at a time. */
#include "search/build.h"

#include "base/log.h"
#include "search/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_MESSAGES = 512, /* when a step has so many, it takes no other segment: about 8 ms */
    STEP_ROWS = 4096,    /* nor when it has seen so many, whatever was in them */
};

struct builder {
    struct history *h;
    struct index *x;
    struct index_range range;
    struct gather gather;
};

/* ---- open ---- */

struct seal {
    const struct index_range *range;
    bool same;
};

static bool compare_seal(void *arg, const struct history_row *row)
{
    struct seal *s = arg;
    s->same = row->s.pos == s->range->seal_pos && memcmp(row->s.hash, s->range->seal, HASH_LEN) == 0;
    return false;
}

/* is_of -- was it made from this store?  Not after a restore from a backup. */
static bool is_of(const struct index_range *range, struct history *h, uint64_t durable)
{
    struct seal s = {range, range->seal_pos == 0};
    if (range->high > durable)
        return false;
    return (s.same || history_at(h, range->seal_pos, compare_seal, &s) == 0) && s.same;
}

static int open_index(struct builder *b, const char *path, uint64_t durable)
{
    int r = index_open(&b->x, path);
    if (r < 0)
        return r;
    r = index_range(b->x, &b->range);
    if (r == 0 && is_of(&b->range, b->h, durable))
        return 0;
    index_close(b->x);
    return r < 0 ? r : -EBADMSG;
}

static bool note_pos(void *arg, const struct history_row *row)
{
    *(uint64_t *)arg = row->s.pos;
    return false;
}

/* begin_at_the_end -- an index of nothing: first what is new, then what was there before, if anything was. */
static int begin_at_the_end(struct builder *b, uint64_t durable)
{
    uint64_t first = UINT64_MAX;
    int r = history_scan(b->h, 0, 0, 1, note_pos, &first);
    b->range.high = durable;
    b->range.low = first < durable ? durable : 0;
    return r;
}

int builder_open(struct builder **out, const char *path, struct history *h, uint64_t durable)
{
    struct builder *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    *b = (struct builder){.h = h, .gather = {.h = h}};
    int r = open_index(b, path, durable);
    if (r == -EBADMSG) {
        log_info("the index for searches is made anew");
        index_remove(path);
        r = open_index(b, path, durable);
    }
    if (r == 0 && b->range.seal_pos == 0 && (r = begin_at_the_end(b, durable)) < 0)
        index_close(b->x);
    if (r < 0)
        free(b);
    else
        *out = b;
    return r;
}

void builder_close(struct builder *b)
{
    index_close(b->x);
    gather_free(&b->gather);
    free(b);
}

const struct index_range *builder_range(const struct builder *b)
{
    return &b->range;
}

bool builder_outlived(struct builder *b)
{
    uint64_t kept = b->range.high, indexed;
    if (history_scan(b->h, 0, 0, 1, note_pos, &kept) < 0 || index_oldest(b->x, &indexed) < 0)
        return false;
    return kept > indexed && kept - indexed > b->range.high - min_u64(kept, b->range.high);
}

/* ---- a step ---- */

struct step {
    struct gather *gather;
    struct index_range range; /* as it will be */
    unsigned rows;
    bool full;
};

/* take_row -- false, and full: enough for this step. */
static bool take_row(struct step *s, const struct history_row *row)
{
    gather_row(s->gather, row);
    if (row->s.pos > s->range.seal_pos || s->range.seal_pos == 0) {
        s->range.seal_pos = row->s.pos;
        memcpy(s->range.seal, row->s.hash, HASH_LEN);
    }
    s->full = ++s->rows >= STEP_ROWS || s->gather->n >= STEP_MESSAGES;
    return !s->full && s->gather->error == 0;
}

static bool take_newer(void *arg, const struct history_row *row)
{
    struct step *s = arg;
    bool more = take_row(s, row);
    s->range.high = row->s.pos + 1;
    return more;
}

static bool take_older(void *arg, const struct history_row *row)
{
    struct step *s = arg;
    bool more = take_row(s, row);
    s->range.low = row->s.pos;
    return more;
}

/* store -- what was gathered, and how far it reaches. */
static int store(struct builder *b, const struct step *s)
{
    int r = s->gather->error;
    if (r == 0 && s->rows > 0) {
        r = index_begin(b->x);
        r = r < 0 ? r : gather_add(&b->gather, b->x);
        r = r < 0 ? r : index_commit(b->x, &s->range);
    }
    if (r == 0)
        b->range = s->range;
    return r;
}

int builder_step(struct builder *b, uint64_t durable)
{
    struct step s = {.gather = &b->gather, .range = b->range};
    bool newer = b->range.high < durable;
    int r;
    gather_clear(&b->gather);
    if (newer) {
        r = history_scan(b->h, 0, b->range.high, UINT32_MAX, take_newer, &s);
        s.range.high = s.full ? s.range.high : max_u64(s.range.high, durable);
    } else {
        r = b->range.low == 0 ? 0 : history_back(b->h, b->range.low, take_older, &s);
        s.range.low = s.full ? s.range.low : 0;
    }
    r = r < 0 ? r : store(b, &s);
    return r < 0 ? r : b->range.high < durable || b->range.low > 0;
}
