/* state.h -- the shared memory of one host: its table of contents, who may write what, and how a change
 * becomes real.
 *
 * Who may touch what.
 *   shape                 written once, by the supervisor, before anybody else attaches.
 *   journal               journal.h: head, tail and the bytes behind head by the holder of the lock; durable by
 *                         the keeper; pin[k] by process k.
 *   undo, roster, members, hlc  the holder of the lock.  (A worker reads its own sessions without it.)
 *   bell[k].asleep        set by process k before it sleeps, cleared by whoever rings.
 *   store_reason          the keeper; read by workers, who refuse new entries while it is not REASON_OK.
 *   kept_since_ms, kept_bytes  the keeper; read by whoever looks.
 *   waiting               set by the holder of the lock, cleared by the keeper before it looks.
 *   link                  the link process, two fields the keeper; read by whoever looks.
 *   ready                 the keeper, once the tables are rebuilt from the store.
 * Only processes of the relay's user map it (mode 0600).  Everything in it can be rebuilt.
 *
 * A change:  state_take -- put frames, edit tables -- state_publish -- state_give.  The publishing store of
 * the journal's head commits it; a section without frames is committed by state_give.  Between take and give
 * there is no system call and no allocation. */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "ipc/lock.h"
#include "state/journal.h"
#include "state/members.h"
#include "state/roster.h"

#define STATE_MAGIC 0x31544154534b4c54u
enum {
    STATE_LAYOUT = 12,
    LOCK_PATIENCE_MS = 200,
    LINKS_MAX = 64,
    EXIT_RESET = 70, /* of a process that finds it to make no sense: start a new generation */
};

enum { LINK_IS_DOWN, LINK_IS_UP, LINK_IS_INDIRECT /* through other hosts */ };

/* One peer, as the link process says. */
struct link_row {
    _Atomic uint64_t host; /* 0: no such row */
    _Atomic uint64_t since_ms; /* wall_ms() of its last change between up and down; 0: never up */
    _Atomic uint32_t up, rtt_ms; /* up: as above */
    _Atomic uint32_t misnamed; /* it calls itself otherwise than we call it */
    _Atomic int64_t skew_ms; /* its clock less ours */
    _Atomic uint64_t heard_ms; /* wall_ms() when it was heard last; 0: never */
    _Atomic uint32_t early; /* so often it passed on answers, and nobody what they answer (link_kept_back()) */
    /* By the keeper, good once since_ms is set: */
    _Atomic uint32_t unacked;         /* entries of this host on our disk that it has not said it has */
    _Atomic uint64_t behind_since_ms; /* wall_ms() when the first of these was stored; 0: there are none */
};

struct segment {
    struct {
        uint64_t magic;
        uint32_t layout;
        uint32_t workers;
        uint64_t size; /* bytes of the whole object */
        uint64_t ring_offset, ring_size;
        uint64_t layout_hash; /* of the offsets of all parts: catches a layout that changed in silence */
        uint64_t generation;
        uint64_t origin, epoch; /* this host and this run */
        char host[HOST_NAME_MAX_LEN + 1];
        uint32_t sessions_max, sessions_per_user; /* per user: 0 is no limit */
        uint64_t keep_ms, keep_bytes; /* how long and how much the store keeps; 0: all */
    } shape;
    _Alignas(CACHE_LINE) _Atomic uint32_t ready;
    _Atomic uint32_t store_reason; /* enum reason */
    _Atomic uint64_t kept_since_ms, kept_bytes; /* the oldest message in the store, 0: there is none; the size of the store */
    _Atomic uint32_t waiting;      /* a room may have something parked that is not shown yet */
    struct {
        _Alignas(CACHE_LINE) _Atomic uint32_t asleep;
        _Atomic uint32_t pid;
    } proc[PROCS_MAX];
    _Alignas(CACHE_LINE) struct link_row link[LINKS_MAX];
    struct journal journal;
    _Alignas(CACHE_LINE) uint64_t hlc; /* the newest stamp given or taken over */
    struct undo undo;
    _Alignas(CACHE_LINE) struct members members;
    _Alignas(CACHE_LINE) struct roster roster; /* to the end of the tables */
};

struct state {
    struct segment *seg;
    uint8_t *ring; /* position p lies at ring + (p & mask); what follows is contiguous up to ring_size */
    uint64_t mask;
    size_t map_len;
    struct lock lock;
    int bell[PROCS_MAX]; /* eventfds, -1 where there is no such process */
    unsigned self;       /* which process we are; PROCS_MAX: none, only looking */
    uint64_t next;       /* within a section: where the next frame goes */
    struct roster_edit edit;
};

struct state_options {
    uint64_t generation, origin, epoch;
    const char *host;
    uint32_t workers, sessions_max, sessions_per_user;
    uint64_t ring_size; /* a power of two */
    uint64_t keep_ms, keep_bytes;
};

/* state_create -- make the segment `shm_name` and fill in its shape; the keeper sets where its journal starts.
 * Returns  0 or -errno */
int state_create(const char *shm_name, const struct state_options *o) MUST_USE;

/* state_attach -- map it and check magic, layout and sizes.
 *
 * writable  false: to look only
 * why       on failure, one sentence
 * Returns   0; -EPROTO another layout; -EBADMSG not such a segment; other -errno */
int state_attach(struct state *st, const char *shm_name, int lock_id, unsigned self, bool writable,
                 char *why, size_t why_size) MUST_USE;
void state_detach(struct state *st);

/* state_take -- take the lock; roll back what a killed holder left.
 * Returns  0; -EOWNERDEAD when what it left makes no sense, -EIDRM when the lock is gone: the process must exit
 *          with EXIT_RESET, for a new generation */
int state_take(struct state *st) MUST_USE;

/* state_room_for -- in a section: is there room for `len` more bytes of frames behind what was put?
 * Returns  0; -EAGAIN until more is durable; -EMSGSIZE never */
int state_room_for(struct state *st, size_t len) MUST_USE;

/* state_put -- in a section, after state_room_for: copy a frame behind the head and set its pos.
 * Returns  where it lies, for the caller to stamp */
uint8_t *state_put(struct state *st, const uint8_t *frame);

/* state_stamp -- make a frame just put an entry of this host's stream in `room` (a slot): origin, epoch, seq,
 * hlc.  `wall` is wall_ms(), read before the section.  The room's before-image must have been kept by
 * roster_room_edit() in this section. */
void state_stamp(struct state *st, uint8_t *frame, uint32_t room, uint64_t wall);

/* state_stamp_soft -- the same for what is not durable: origin, epoch and hlc only. */
void state_stamp_soft(struct state *st, uint8_t *frame, uint64_t wall);

/* state_publish -- in a section: what was put exists; the section is committed. */
void state_publish(struct state *st);

/* state_give -- end of the section. */
void state_give(struct state *st);

static inline const uint8_t *state_at(const struct state *st, uint64_t pos)
{
    return st->ring + (pos & st->mask);
}

/* state_sleep -- "I am going to sleep"; the caller must look once more for work before it waits for its
 * bell.  state_wake -- it did wake up. */
void state_sleep(struct state *st);
void state_wake(struct state *st);

/* state_ring -- wake process `who` if it sleeps; after publishing.  state_ring_workers -- all of them but self.  state_ring_all --
 * the keeper, too. */
void state_ring(struct state *st, unsigned who);
void state_ring_workers(struct state *st);
void state_ring_all(struct state *st);

#endif
