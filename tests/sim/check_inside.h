/* check_inside.h -- what the checks of what hosts have share: check.c, check_journal.c, check_causes.c, check_ahead.c, check_stored.c. */
#ifndef SIM_CHECK_INSIDE_H
#define SIM_CHECK_INSIDE_H

#include "sim.h"

enum { CAUSES = 4 };

/* What an origin said once and for all. */
struct fact {
    uint64_t hash, hlc, client;
    uint32_t client_seq;
    uint8_t n_causes;
    struct {
        uint32_t stream, seq;
    } cause[CAUSES]; /* what its author had seen last of others, in that room */
};

struct truth {
    uint64_t origin, epoch, room;
    struct node *node;
    struct fact *fact; /* [1 .. n] */
    uint64_t n, durable;
    size_t max;
};

struct seen {
    uint64_t seq, hash; /* of the last segment */
};

/* What one host has, by our own count. */
struct checks {
    uint64_t scanned;  /* of its journal */
    struct seen *seen; /* by stream */
    uint32_t max;
    uint64_t adopted, kept; /* the newest stamp its clock must be beyond; the same of what is on disk */
    struct {
        uint64_t room;
        uint32_t stream[CAUSES];
        unsigned n;
    } recent[ROOMS_TOP];
    struct map early;    /* (origin ^ epoch of a stream, of one that it answers, room) -> up to where of that it was named as missing */
    struct map parked;   /* (origin ^ epoch, room, stamp) -> 1: not shown yet; 2: shown */
    unsigned n_parked;   /* of these, not shown yet */
    uint64_t left;       /* segments on disk that check_boot() has still to look at */
    uint64_t late_since; /* something is due and not shown; 0: nothing is */
};

/* ---- check.c ---- */

extern struct truth *truth; /* by the number of a stream; moves when there is a new one */
uint32_t stream_number(uint64_t origin, uint64_t epoch, uint64_t room);
struct seen *seen(struct checks *c, uint32_t stream); /* valid until the next call */
void has_now(struct checks *c, uint32_t stream, uint64_t seq, const uint8_t hash[HASH_LEN]);
bool was_sealed(uint64_t origin, const uint8_t hash[HASH_LEN]);

static inline uint32_t stream_of(const uint8_t *f)
{
    return stream_number(frame_origin(f), frame_epoch(f), frame_room(f));
}

static inline struct truth *truth_of(const uint8_t *f)
{
    uint32_t stream = stream_of(f); /* first: the table may move */
    return &truth[stream];
}

/* ---- check_causes.c ---- */

void note_recent(struct checks *c, uint64_t room, uint32_t stream); /* its author sees this */
void note_causes(struct node *n, struct fact *f, uint64_t room);    /* what he answers with that */
void check_causes(struct node *n, const struct truth *t, const struct fact *fact, const uint8_t *f);

/* ---- check_ahead.c ---- */

void check_parked(struct node *n, const uint8_t *segment);
size_t check_due(struct node *n, const uint8_t *due, const uint8_t *frames); /* returns the bytes of the frames */
void no_longer_parked(struct checks *c, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc);

#endif
