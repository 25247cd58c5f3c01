/* state.c -- the segment: make it, map it, check it, and change it so that a kill at any point is
 * harmless. */
#include "state/state.h"

#include "base/mutant.h"
#include "base/sys.h"
#include "ipc/shm.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PAGE = 4096 };

static size_t tables_size(uint32_t sessions_max)
{
    size_t n = offsetof(struct segment, roster) + roster_size(sessions_max);
    return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static uint64_t layout_hash(void)
{
    const uint64_t parts[] = {
        sizeof(struct segment),           offsetof(struct segment, proc),
        offsetof(struct segment, journal), offsetof(struct segment, hlc),
        offsetof(struct segment, undo),   offsetof(struct segment, roster),
        sizeof(struct session),           sizeof(struct room),
        sizeof(struct host),              offsetof(struct roster, session),
        offsetof(struct segment, link),    offsetof(struct segment, members),
        sizeof(struct member),            sizeof(struct role),
        sizeof(struct seats),             sizeof(struct turnout),
    };
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, word by word */
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        h = (h ^ parts[i]) * 0x100000001b3u;
    return h;
}

static void fill(struct segment *seg, const struct state_options *o, size_t tables)
{
    seg->shape.layout = STATE_LAYOUT;
    seg->shape.layout_hash = layout_hash();
    seg->shape.workers = o->workers;
    seg->shape.size = tables + o->ring_size;
    seg->shape.ring_offset = tables;
    seg->shape.ring_size = o->ring_size;
    seg->shape.generation = o->generation;
    seg->shape.origin = o->origin;
    seg->shape.epoch = o->epoch;
    seg->shape.sessions_max = o->sessions_max;
    seg->shape.sessions_per_user = o->sessions_per_user;
    seg->shape.keep_ms = o->keep_ms;
    seg->shape.keep_bytes = o->keep_bytes;
    snprintf(seg->shape.host, sizeof seg->shape.host, "%s", o->host);
    journal_init(&seg->journal, o->ring_size, 0);
    members_init(&seg->members, o->origin);
    roster_init(&seg->roster, o->sessions_max);
    seg->shape.magic = STATE_MAGIC;
}

int state_create(const char *shm_name, const struct state_options *o)
{
    size_t tables = tables_size(o->sessions_max), size = tables + o->ring_size;
    int fd = shm_create(shm_name, size);
    if (fd < 0)
        return fd;
    void *base;
    int r = shm_map(fd, tables, 0, 0, true, &base);
    if (r == 0) {
        fill(base, o, tables);
        shm_unmap(base, tables, 0);
    } else {
        shm_drop(shm_name);
    }
    close(fd);
    return r;
}

static int check(const struct segment *seg, size_t size, char *why, size_t why_size)
{
    if (seg->shape.magic != STATE_MAGIC) {
        snprintf(why, why_size, "the shared memory is not a relay's; stop the relay and start it again");
        return -EBADMSG;
    }
    if (seg->shape.layout != STATE_LAYOUT || seg->shape.layout_hash != layout_hash()) {
        snprintf(why, why_size,
                 "the shared memory has layout %u and this program expects %d; stop the relay with the "
                 "program that started it, then start this one",
                 seg->shape.layout, STATE_LAYOUT);
        return -EPROTO;
    }
    if (seg->shape.size != size || seg->shape.ring_offset != tables_size(seg->shape.sessions_max) ||
        seg->shape.ring_offset + seg->shape.ring_size != size) {
        snprintf(why, why_size, "the shared memory has the wrong size; start the relay again");
        return -EBADMSG;
    }
    return 0;
}

/* map -- the tables first, to learn where the ring is; then everything. */
static int map(struct state *st, int fd, size_t size, bool writable, char *why, size_t why_size)
{
    void *base;
    if (size < sizeof(struct segment) + PAGE) {
        snprintf(why, why_size, "the shared memory is too small; start the relay again");
        return -EBADMSG;
    }
    int r = shm_map(fd, PAGE, 0, 0, false, &base);
    if (r < 0)
        return r;
    struct segment *head = base;
    r = check(head, size, why, why_size);
    size_t ring_offset = head->shape.ring_offset, ring_size = head->shape.ring_size;
    shm_unmap(base, PAGE, 0);
    if (r == 0)
        r = shm_map(fd, size, ring_offset, ring_size, writable, &base);
    if (r < 0)
        return r;
    st->seg = base;
    st->ring = (uint8_t *)base + ring_offset;
    st->mask = ring_size - 1;
    st->map_len = size;
    return 0;
}

_Static_assert(offsetof(struct segment, ready) < PAGE, "the shape must lie in the first page");

int state_attach(struct state *st, const char *shm_name, int lock_id, unsigned self, bool writable,
                 char *why, size_t why_size)
{
    size_t size = 0;
    *st = (struct state){.lock = {lock_id}, .self = self};
    for (unsigned i = 0; i < PROCS_MAX; i++)
        st->bell[i] = -1;
    int fd = shm_attach(shm_name, &size);
    if (fd < 0) {
        snprintf(why, why_size, "cannot open the shared memory %s", shm_name);
        return fd;
    }
    int r = map(st, fd, size, writable, why, why_size);
    close(fd);
    if (r < 0)
        return r;
    st->edit = (struct roster_edit){&st->seg->roster, &st->seg->undo, st->seg};
    if (writable && self < PROCS_MAX) {
        journal_unpin(&st->seg->journal, self); /* a killed predecessor may have left one */
        atomic_store(&st->seg->proc[self].pid, (uint32_t)getpid());
    }
    return 0;
}

void state_detach(struct state *st)
{
    if (st->seg)
        shm_unmap(st->seg, st->map_len, st->mask + 1);
    st->seg = NULL;
}

int state_take(struct state *st)
{
    int r = lock_take(&st->lock, LOCK_PATIENCE_MS);
    if (r < 0)
        return -EIDRM;
    struct segment *seg = st->seg;
    uint64_t head = journal_head(&seg->journal);
    if (undo_recover(&seg->undo, seg, seg->shape.ring_offset, head) < 0) {
        lock_give(&st->lock);
        return -EOWNERDEAD;
    }
    undo_begin(&seg->undo, head);
    st->next = head;
    return 0;
}

int state_room_for(struct state *st, size_t len)
{
    struct journal *j = &st->seg->journal;
    return journal_make_room(j, st->next - journal_head(j) + len);
}

uint8_t *state_put(struct state *st, const uint8_t *frame)
{
    uint8_t *to = st->ring + (st->next & st->mask);
    size_t n = frame_stride(frame);
    memcpy(to, frame, n);
    frame_set_pos(to, st->next);
    st->next += n;
    return to;
}

static uint64_t tick(struct state *st, uint64_t wall)
{
    uint64_t *hlc = &st->seg->hlc;
    *hlc = max_u64(MUTANT(STAMP_IS_WALL) ? 0 : *hlc + 1, wall << 16);
    return *hlc;
}

void state_stamp(struct state *st, uint8_t *frame, uint32_t room, uint64_t wall)
{
    struct room *r = &st->seg->roster.room[room];
    state_stamp_soft(st, frame, wall);
    frame_set_seq(frame, ++r->seq);
    r->last_hlc = frame_hlc(frame);
    r->messages += frame_type(frame) == FRAME_SAY && !(frame_flags(frame) & FRAME_MORE);
}

void state_stamp_soft(struct state *st, uint8_t *frame, uint64_t wall)
{
    frame_set_origin(frame, st->seg->shape.origin);
    frame_set_epoch(frame, st->seg->shape.epoch);
    frame_set_hlc(frame, tick(st, wall)); /* a stamp lost with its section leaves a hole, no harm */
}

void state_publish(struct state *st)
{
    journal_publish(&st->seg->journal, st->next);
}

void state_give(struct state *st)
{
    undo_done(&st->seg->undo);
    lock_give(&st->lock);
}

void state_sleep(struct state *st)
{
    /* Sequentially consistent, like the fence in state_ring(): either the ringer sees that we sleep, or we
     * see what it published when we look once more. */
    atomic_store(&st->seg->proc[st->self].asleep, 1);
    atomic_thread_fence(memory_order_seq_cst);
}

void state_wake(struct state *st)
{
    atomic_store_explicit(&st->seg->proc[st->self].asleep, 0, memory_order_relaxed);
}

void state_ring(struct state *st, unsigned who)
{
    atomic_thread_fence(memory_order_seq_cst); /* with state_sleep() */
    _Atomic uint32_t *asleep = &st->seg->proc[who].asleep;
    if (st->bell[who] >= 0 && atomic_load_explicit(asleep, memory_order_relaxed) &&
        atomic_exchange(asleep, 0))
        (void)eventfd_write(st->bell[who], 1);
}

void state_ring_workers(struct state *st)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (i != st->self)
            state_ring(st, i);
}

void state_ring_all(struct state *st)
{
    state_ring_workers(st);
    if (st->self != PROC_KEEPER)
        state_ring(st, PROC_KEEPER); /* the others hear of what is durable, from the keeper */
}
