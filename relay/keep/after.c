/* after.c -- for each room the streams of others that grew, the newest first. */
#include "keep/after.h"

#include "base/mutant.h"
#include "state/scope.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ANSWERS_MAX = 1024, /* in one commit; more end it early */
};

struct afters {
    const struct segment *seg;
    struct after heard[ROOMS_MAX];        /* since this host spoke there last */
    struct after answer[ANSWERS_MAX + 1]; /* by number; that of 0 is empty */
    uint32_t n_answers;
    unsigned looked; /* afters_restore() */
};

int afters_open(struct afters **out, const struct segment *seg)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return -ENOMEM;
    (*out)->seg = seg;
    return 0;
}

void afters_close(struct afters *a)
{
    free(a);
}

/* counts -- is it somebody else's, of a room whose words everybody passes on? */
static bool counts(const struct afters *a, uint64_t room, uint64_t origin)
{
    return room != MEMBERS_ROOM && scope_public(a->seg, room) && origin != a->seg->shape.origin;
}

static uint32_t place_of(const struct after *a, uint64_t origin, uint64_t epoch)
{
    uint32_t i = 0;
    while (i < a->n && (a->row[i].origin != origin || a->row[i].epoch != epoch))
        i++;
    return i;
}

void afters_heard(struct afters *a, uint32_t slot, const uint8_t *segment)
{
    struct after_row row = {frame_origin(segment), frame_epoch(segment), frame_seq(segment)};
    if (slot == 0 || !counts(a, frame_room(segment), row.origin))
        return;
    struct after *now = &a->heard[MUTANT(AFTER_OTHER_ROOM) ? 1 : slot];
    uint32_t i = place_of(now, row.origin, row.epoch);
    if (i == now->n && now->n < AFTER_MAX)
        now->n++;
    i = i == AFTER_MAX ? AFTER_MAX - 1 : i; /* the oldest goes */
    memmove(&now->row[1], &now->row[0], i * sizeof row);
    now->row[0] = row;
}

uint32_t afters_said(struct afters *a, uint32_t slot)
{
    struct after *now = &a->heard[slot];
    if (now->n == 0 || MUTANT(AFTER_UNWRITTEN))
        return 0;
    a->answer[++a->n_answers] = *now;
    now->n = 0;
    return a->n_answers;
}

bool afters_full(const struct afters *a)
{
    return a->n_answers == ANSWERS_MAX;
}

const struct after *afters_get(const struct afters *a, uint32_t number)
{
    return &a->answer[number];
}

void afters_stored(struct afters *a)
{
    a->n_answers = 0;
}

static bool recent(void *arg, const struct history_row *row)
{
    struct afters *a = arg;
    const struct history_segment *s = &row->s;
    uint32_t slot = roster_room(&a->seg->roster, s->room);
    if (slot != 0 && counts(a, s->room, s->origin)) {
        struct after *now = &a->heard[slot];
        if (now->n < AFTER_MAX && place_of(now, s->origin, s->epoch) == now->n)
            now->row[now->n++] = (struct after_row){s->origin, s->epoch, s->last_seq};
    }
    return ++a->looked < AFTER_RECENT;
}

int afters_restore(struct afters *a, struct history *h)
{
    a->looked = a->n_answers = 0;
    memset(a->heard, 0, (a->seg->roster.n_rooms + 1) * sizeof a->heard[0]); /* of rooms that there are */
    return a->seg->roster.n_rooms == 0 || MUTANT(AFTER_FORGOTTEN) ? 0 : history_back(h, UINT64_MAX, recent, a);
}
