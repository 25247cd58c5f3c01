/* check.c -- what must hold, looked at whenever something happened: here what every origin said and every host has, by our own count.
 * The others hold against it what comes (check_journal.c: I2 exactly once, I3 prefix, I4 no forgery; check_causes.c: I5 causes first),
 * when (check_ahead.c: I13 the clock, I14 ahead of its time) and what stays (check_stored.c: I1 durability). */
#include "check_inside.h"

#include "keep/after.h"

#include <stdlib.h>

struct truth *truth;
static struct map streams;
static uint32_t n_truths;
static size_t max_truths;
static struct map sealed;

/* ---- what was said ---- */

uint32_t stream_number(uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint32_t *i = map_find(&streams, origin, epoch, room);
    if (i)
        return *i;
    truth = grown(truth, n_truths, &max_truths, sizeof *truth);
    truth[n_truths] = (struct truth){.origin = origin, .epoch = epoch, .room = room, .node = node_by_id(origin)};
    map_add(&streams, origin, epoch, room, n_truths);
    return n_truths++;
}

void check_signed(const struct node *n, uint64_t hash)
{
    map_add(&sealed, hash, n->id, 0, 1);
}

bool was_sealed(uint64_t origin, const uint8_t hash[HASH_LEN])
{
    return map_find(&sealed, get_u64(hash), origin, 0) != NULL;
}

/* check_stop -- what it said and had not on disk was never said. */
void check_stop(struct node *n)
{
    for (uint32_t i = 0; i < n_truths; i++) {
        struct truth *t = &truth[i];
        if (t->node != n)
            continue;
        for (uint64_t seq = t->durable + 1; seq <= t->n; seq++) {
            struct message *m = message_of(t->fact[seq].client, t->fact[seq].client_seq);
            if (m)
                m->appended = 0;
        }
        t->n = t->durable;
    }
}

void check_reset(void)
{
    for (uint32_t i = 0; i < n_truths; i++)
        free(truth[i].fact);
    n_truths = 0;
    map_free(&streams);
    map_free(&sealed);
}

/* ---- what a host has ---- */

struct seen *seen(struct checks *c, uint32_t stream)
{
    if (stream >= c->max) {
        uint32_t max = (stream + 64) * 2;
        c->seen = realloc(c->seen, max * sizeof *c->seen);
        ASSERT(c->seen);
        memset(c->seen + c->max, 0, (max - c->max) * sizeof *c->seen);
        c->max = max;
    }
    return &c->seen[stream];
}

void has_now(struct checks *c, uint32_t stream, uint64_t seq, const uint8_t hash[HASH_LEN])
{
    *seen(c, stream) = (struct seen){seq, get_u64(hash)};
}

static void reset(struct checks *c)
{
    if (c->max)
        memset(c->seen, 0, c->max * sizeof *c->seen);
    memset(c->recent, 0, sizeof c->recent);
    map_free(&c->parked);
    c->n_parked = 0;
    c->late_since = 0;
}

static void count(void *arg, const struct history_segment *s)
{
    struct node *n = arg;
    (void)s;
    n->checks->left++;
}

static void see_again(void *arg, const struct history_segment *s)
{
    struct node *n = arg;
    uint32_t stream = stream_number(s->origin, s->epoch, s->room);
    if (s->last_seq > seen(n->checks, stream)->seq)
        has_now(n->checks, stream, s->last_seq, s->hash);
    if (s->origin != n->id && n->checks->left <= AFTER_RECENT)
        note_recent(n->checks, s->room, stream);
    n->checks->left--;
}

static void see_gap(void *arg, const uint8_t *gap)
{
    struct node *n = arg;
    struct gap g;
    if (frame_seq(gap) > seen(n->checks, stream_of(gap))->seq && read_gap(gap, &g) == 0)
        has_now(n->checks, stream_of(gap), frame_seq(gap), g.last.hash);
}

void check_boot(struct node *n)
{
    if (!n->checks)
        n->checks = calloc(1, sizeof *n->checks);
    ASSERT(n->checks);
    reset(n->checks);
    disk_each(n->disk, count, n);
    disk_each(n->disk, see_again, n);
    disk_gaps(n->disk, see_gap, n);
    n->checks->scanned = journal_head(&n->st.seg->journal);
    n->checks->adopted = n->checks->kept;
    check_clock(n);
}

void check_free(struct node *n)
{
    if (!n->checks)
        return;
    free(n->checks->seen);
    map_free(&n->checks->parked);
    map_free(&n->checks->early);
    free(n->checks);
    n->checks = NULL;
}
