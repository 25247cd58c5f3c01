/* forks.c -- what is proven, as a table of points beside the store's proofs. */
#include "keep/forks.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/mutant.h"
#include "link/fork.h"
#include "link/have.h"

#include <errno.h>
#include <stdlib.h>

enum { TABLE_MIN = 64 };

struct forks {
    struct history *h;
    struct have point;      /* seq: the point */
    struct buffer unstored; /* proofs for which the disk had no room */
    void (*moved)(void *arg, uint64_t room);
    void *arg;
};

/* A stream, and heads of it from wherever. */
struct heads {
    uint64_t origin, epoch, room;
    struct sealed s[5 * 2 * CHAIN_HEADS_MAX]; /* those that came and the proof, and beside each up to four of ours */
    size_t n;
};

static int note_point(struct forks *fs, const uint8_t *proof)
{
    if (fs->point.n == fs->point.max) {
        struct have more;
        void *memory = malloc(have_size(fs->point.max * 2));
        if (!memory)
            return -ENOMEM;
        have_init(&more, memory, fs->point.max * 2);
        have_move(&more, &fs->point);
        free(fs->point.entry);
        fs->point = more;
    }
    have_add(&fs->point, frame_origin(proof), frame_epoch(proof), frame_room(proof))->row.seq = frame_seq(proof);
    return 0;
}

struct load {
    struct forks *fs;
    int error;
};

static void load_one(void *arg, const uint8_t *proof)
{
    struct load *l = arg;
    if (l->error == 0 && !MUTANT(FORKS_FORGOTTEN))
        l->error = note_point(l->fs, proof);
}

int forks_open(struct forks **out, struct history *h)
{
    struct forks *fs = calloc(1, sizeof *fs);
    void *memory = malloc(have_size(TABLE_MIN));
    if (!fs || !memory) {
        free(fs);
        free(memory);
        return -ENOMEM;
    }
    fs->h = h;
    have_init(&fs->point, memory, TABLE_MIN);
    struct load l = {fs, 0};
    int r = history_forks(h, load_one, &l);
    r = r < 0 ? r : l.error;
    if (r < 0)
        forks_close(fs);
    else
        *out = fs;
    return r;
}

void forks_close(struct forks *fs)
{
    free(fs->point.entry);
    buffer_free(&fs->unstored);
    free(fs);
}

uint64_t forks_point(const struct forks *fs, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct have_entry *e = have_find(&fs->point, origin, epoch, room);
    return e ? e->row.seq : UINT64_MAX;
}

bool forks_hides(const struct forks *fs, const uint8_t *entry)
{
    return frame_seq(entry) >= forks_point(fs, frame_origin(entry), frame_epoch(entry), frame_room(entry));
}

void forks_on_point(struct forks *fs, void (*moved)(void *arg, uint64_t room), void *arg)
{
    fs->moved = moved;
    fs->arg = arg;
}

/* is_newest -- or is a smaller point known by now? */
static bool is_newest(const struct forks *fs, const uint8_t *proof)
{
    return frame_seq(proof) == forks_point(fs, frame_origin(proof), frame_epoch(proof), frame_room(proof));
}

int forks_each(struct forks *fs, void (*each)(void *arg, const uint8_t *proof), void *arg)
{
    int r = history_forks(fs->h, each, arg);
    const uint8_t *p = buffer_data(&fs->unstored), *end = p + buffer_len(&fs->unstored);
    for (; r == 0 && p < end && !MUTANT(UNSTORED_UNTOLD); p += frame_stride(p))
        if (is_newest(fs, p))
            each(arg, p);
    return r;
}

/* ---- learn ---- */

static bool add_head(void *arg, const struct sealed *s)
{
    struct heads *d = arg;
    d->s[d->n++] = *s;
    return true;
}

/* add_gap -- what is not kept any more leaves one head: that of the gap's last segment. */
static int add_gap(struct forks *fs, struct heads *d, uint64_t end)
{
    uint8_t gap[FRAME_MAX];
    struct gap g;
    int r = history_gap_end(fs->h, d->origin, d->epoch, d->room, end, gap);
    if (r == 1 && read_gap(gap, &g) == 0)
        d->s[d->n++] = g.last;
    return r < 0 ? r : 0;
}

/* add_own -- what we have where this head ends to the left, and the one behind that: what it could contradict. */
static int add_own(struct forks *fs, struct heads *d, const struct sealed *s)
{
    uint64_t before = s->first_seq - 1, last = s->last_seq;
    if (MUTANT(FORK_OWN_UNCHECKED))
        return 0;
    int r = history_heads(fs->h, d->origin, d->epoch, d->room, before, 2, add_head, d);
    r = r < 0 ? r : add_gap(fs, d, before);
    return r < 0 ? r : add_gap(fs, d, last);
}

static int gather(struct forks *fs, struct heads *d, const uint8_t *chain)
{
    uint8_t known[FRAME_MAX];
    int n = read_chain(chain, d->s);
    if (n < 0)
        return n;
    d->n = (size_t)n;
    int r = history_fork_of(fs->h, d->origin, d->epoch, d->room, known);
    if (r == 1 && (n = read_chain(known, &d->s[d->n])) > 0) /* two: room for them is there */
        d->n += (size_t)n;
    for (size_t i = 0, came = d->n; r >= 0 && i < came; i++)
        r = add_own(fs, d, &d->s[i]);
    return r;
}

int forks_learn(struct forks *fs, const uint8_t *chain, uint8_t *proof)
{
    struct heads d = {.origin = frame_origin(chain), .epoch = frame_epoch(chain), .room = frame_room(chain)};
    uint64_t known = forks_point(fs, d.origin, d.epoch, d.room);
    size_t a = 0, b = 0;
    int r = gather(fs, &d, chain);
    if (r < 0)
        return r;
    uint64_t point = fork_point(d.s, d.n, known, &a, &b);
    if (point == known)
        return 0;
    struct sealed two[2] = {d.s[a], d.s[b]};
    int n = write_chain(proof, two, 2, d.origin, d.epoch, d.room, point);
    ASSERT(n > 0);
    r = note_point(fs, proof);
    if (r < 0)
        return r;
    if (history_fork(fs->h, proof) < 0 && buffer_add(&fs->unstored, proof, frame_stride(proof)) < 0)
        log_error("a proof that a host contradicted itself is lost with this process: out of memory");
    if (fs->moved)
        fs->moved(fs->arg, d.room);
    return 1;
}

void forks_retry(struct forks *fs)
{
    while (buffer_len(&fs->unstored) > 0) {
        const uint8_t *proof = buffer_data(&fs->unstored);
        if (is_newest(fs, proof) && !MUTANT(PROOF_NOT_RETRIED) && history_fork(fs->h, proof) < 0)
            return;
        buffer_take(&fs->unstored, frame_stride(proof));
    }
}

bool forks_wait(const struct forks *fs)
{
    return buffer_len(&fs->unstored) > 0;
}

/* ---- the ladder ---- */

int forks_ladder(struct forks *fs, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *frame)
{
    struct heads d = {.origin = origin, .epoch = epoch, .room = room};
    uint8_t head[HASH_LEN];
    uint64_t last;
    int r = history_stream(fs->h, origin, epoch, room, &last, head);
    last = min_u64(last, forks_point(fs, origin, epoch, room) - 1);
    uint64_t low = last + 1; /* heads from here on are in */
    for (uint64_t step = 0; r == 0 && step < last && low > 1 && d.n < CHAIN_HEADS_MAX; step = step ? step * 2 : 1)
        if (last - step < low) {
            r = history_heads(fs->h, origin, epoch, room, last - step, 1, add_head, &d);
            low = d.n > 0 ? d.s[d.n - 1].first_seq : 1;
        }
    if (r == 0 && d.n == 0 && last > 0)
        r = add_gap(fs, &d, last);
    return r < 0 || d.n == 0 ? r : write_chain(frame, d.s, d.n, origin, epoch, room, 0);
}
