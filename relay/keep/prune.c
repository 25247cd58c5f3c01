/* prune.c -- a walk through the store, oldest first, that ends at the first segment whose time has not come. */
#include "keep/prune.h"

#include "base/mutant.h"

#include <errno.h>

/* What one piece found. */
struct piece {
    uint64_t until;  /* stamps before this are old enough ... */
    uint64_t future; /* ... and from here on nonsense: nobody waits for these */
    uint64_t next, oldest;
    unsigned looked, n;
    size_t bytes;
    bool over; /* the walk has come to what stays for now */
    int error;
    struct doomed {
        struct history_segment s; /* its pointers lead into `head` */
        uint8_t head[2 * HASH_LEN + SIGNATURE_LEN];
        struct said {
            uint32_t messages;
            uint64_t last_pos;
        } said;
    } doomed[PRUNE_SEGMENTS];
};

/* only_said -- does it hold nothing but what people said?  Returns 1; 0; -EBADMSG */
static int only_said(const struct history_segment *s, struct said *said)
{
    for (size_t at = 0; at < s->len;) {
        const uint8_t *f = s->frames + at;
        int n = frame_check(f, s->len - at);
        if (n <= 0)
            return -EBADMSG;
        if (frame_type(f) != FRAME_SAY && !MUTANT(PRUNE_ACTS))
            return 0;
        said->messages += !(frame_flags(f) & FRAME_MORE);
        said->last_pos = frame_pos(f);
        at += (size_t)n;
    }
    return 1;
}

static void doom(struct piece *c, const struct history_segment *s, struct said said)
{
    struct doomed *d = &c->doomed[c->n++];
    d->s = *s;
    d->said = said;
    memcpy(d->head, s->prev, HASH_LEN);
    memcpy(d->head + HASH_LEN, s->hash, HASH_LEN);
    memcpy(d->head + 2 * HASH_LEN, s->signature, SIGNATURE_LEN);
    d->s.prev = d->head;
    d->s.hash = d->head + HASH_LEN;
    d->s.signature = d->head + 2 * HASH_LEN;
    d->s.frames = NULL;
    c->bytes += s->len;
}

static bool look(void *arg, const struct history_row *row)
{
    struct piece *c = arg;
    struct said said = {0};
    int r = only_said(&row->s, &said);
    if (r < 0)
        c->error = r;
    if (r == 1 && row->s.hlc_max >= c->until && row->s.hlc_max < c->future) {
        c->oldest = row->s.hlc_min;
        c->over = true;
    }
    if (c->error < 0 || c->over)
        return false;
    if (r == 1 && row->s.hlc_max < c->until)
        doom(c, &row->s, said);
    c->looked++;
    c->next = row->s.pos + 1;
    return c->bytes < PRUNE_BYTES;
}

static int delete_all(struct history *h, const struct piece *c)
{
    uint64_t durable, ring;
    history_durable(h, &durable, &ring);
    int r = history_begin(h, durable);
    for (unsigned i = 0; r == 0 && i < c->n; i++)
        r = history_drop(h, &c->doomed[i].s, c->doomed[i].said.messages, c->doomed[i].said.last_pos);
    if (r == 0)
        r = history_commit(h, durable, ring);
    if (r < 0)
        history_rollback(h);
    return r;
}

/* old_enough -- stamps before this are to go. */
static uint64_t old_enough(const struct segment *seg, uint64_t wall_ms, uint64_t bytes)
{
    uint64_t age = seg->shape.keep_ms ? seg->shape.keep_ms : UINT64_MAX;
    if (seg->shape.keep_bytes && bytes > seg->shape.keep_bytes)
        age = 0;
    age = MUTANT(PRUNE_YOUNG) && age < UINT64_MAX ? 0 : max_u64(age, KEEP_AT_LEAST_MS);
    return age < wall_ms ? (wall_ms - age) << 16 : 0;
}

int prune_some(struct prune *p, uint64_t wall_ms)
{
    struct segment *seg = p->st->seg;
    uint64_t bytes;
    int r = history_bytes(p->h, &bytes);
    if (r < 0)
        return r;
    struct piece c = {.until = old_enough(seg, wall_ms, bytes), .future = (wall_ms + SKEW_MAX_MS) << 16, .next = p->from};
    r = history_scan(p->h, 0, p->from, PRUNE_SEGMENTS, look, &c);
    r = r < 0 ? r : c.error;
    if (r == 0 && c.n > 0)
        r = delete_all(p->h, &c);
    if (r < 0)
        return r;
    p->from = c.next;
    atomic_store(&seg->kept_bytes, bytes);
    if (c.over || c.looked < PRUNE_SEGMENTS)
        atomic_store(&seg->kept_since_ms, c.oldest >> 16);
    return !c.over && (c.looked == PRUNE_SEGMENTS || c.bytes >= PRUNE_BYTES);
}
