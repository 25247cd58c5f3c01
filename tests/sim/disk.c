/* disk.c -- the store of a host: what was committed is there after any crash, nothing else is;
 * and snapshots. */
#include "sim.h"

#include "store/history.h"

#include <errno.h>
#include <stdlib.h>

enum { ACT_FRAME_MAX = 512 };

/* A segment, kept once however many hosts have it; its frames with pos zero. */
struct blob {
    struct blob *next; /* of the same bucket */
    unsigned refs;
    struct history_segment s; /* its pointers lead into `bytes` */
    uint8_t bytes[];
};

struct row {
    uint64_t batch, pos, last_pos; /* last_pos: of its last frame */
    struct blob *blob;
};

enum { BUCKETS = 1 << 14 };
static struct blob *bucket[BUCKETS];

struct stream {
    uint64_t origin, epoch, room, last_seq;
    uint8_t head[HASH_LEN];
    struct {
        uint64_t last_seq, pos, stored_us;
        const struct blob *blob;
    } * at;
    uint32_t n;
    size_t max;
};

struct proof {
    uint8_t frame[FRAME_HEAD + 2 * sizeof(struct sealed)];
};

struct kept_room {
    uint64_t id, messages, last_hlc;
    char name[DIRECT_NAME_MAX + 1];
};

struct kept_act {
    uint8_t frame[ACT_FRAME_MAX];
};

struct kept_gap {
    uint8_t frame[FRAME_HEAD + 168];
};

struct kept_client {
    uint64_t client;
    uint32_t uid, last_seq;
};

struct history {
    struct node *node;
    struct row *row;
    size_t n, max, n_before; /* n_before: where this transaction began */
    struct stream *stream;
    uint32_t n_streams;
    size_t max_streams;
    struct map map; /* to a number of `stream` */
    struct row *by_stamp; /* the same rows by hlc_max */
    size_t n_by_stamp, max_by_stamp;
    struct proof *fork;
    uint32_t n_forks;
    struct kept_room room[ROOMS_TOP];
    struct kept_client client[CLIENTS_PER_NODE];
    uint32_t n_rooms, n_clients, n_new_rooms, n_new_clients;
    struct kept_room new_room[ROOMS_TOP];
    struct kept_client new_client[CLIENTS_PER_NODE];
    struct kept_act *act;
    size_t n_acts, max_acts, n_acts_before;
    struct kept_gap *gap; /* in the order of their pos */
    size_t n_gaps, max_gaps, n_gaps_before;
    struct kept_drop {
        uint64_t pos;
        uint32_t messages;
    } drop[PRUNE_SEGMENTS]; /* of this transaction */
    unsigned n_drops;
    uint64_t bytes;
    uint64_t durable, ring_size, newest_hlc, new_hlc, batch;
    bool full, tight; /* tight: has been full, what comes beside the commits may find no room */
    enum commit_fate fate;
};

/* ---- segments ---- */

static struct blob **bucket_of(const uint8_t hash[HASH_LEN])
{
    return &bucket[get_u64(hash) % BUCKETS];
}

/* same_frames -- but for their pos, which is zero in `kept`. */
static bool same_frames(const uint8_t *kept, const uint8_t *frames, size_t len)
{
    for (size_t i = 0; i < len; i += frame_stride(frames + i))
        if (memcmp(kept + i, frames + i, 8) != 0 || memcmp(kept + i + 16, frames + i + 16, frame_stride(frames + i) - 16) != 0)
            return false;
    return true;
}

static bool same(const struct blob *b, const struct history_segment *s)
{
    return b->s.origin == s->origin && b->s.epoch == s->epoch && b->s.room == s->room && b->s.last_seq == s->last_seq &&
           b->s.len == s->len && memcmp(b->s.hash, s->hash, HASH_LEN) == 0 && memcmp(b->s.prev, s->prev, HASH_LEN) == 0 &&
           memcmp(b->s.signature, s->signature, SIGNATURE_LEN) == 0 && same_frames(b->s.frames, s->frames, s->len);
}

static struct blob *blob_new(const struct history_segment *s)
{
    struct blob *b = malloc(sizeof *b + s->len + 2 * HASH_LEN + SIGNATURE_LEN);
    ASSERT(b);
    *b = (struct blob){.next = *bucket_of(s->hash), .s = *s};
    uint8_t *p = b->bytes;
    memcpy(p, s->prev, HASH_LEN);
    memcpy(p + HASH_LEN, s->hash, HASH_LEN);
    memcpy(p + 2 * HASH_LEN, s->signature, SIGNATURE_LEN);
    b->s.prev = p;
    b->s.hash = p + HASH_LEN;
    b->s.signature = p + 2 * HASH_LEN;
    b->s.frames = p += 2 * HASH_LEN + SIGNATURE_LEN;
    memcpy(p, s->frames, s->len);
    for (size_t i = 0; i < s->len; i += frame_stride(p + i))
        frame_set_pos(p + i, 0);
    return *bucket_of(s->hash) = b;
}

static struct blob *blob_get(const struct history_segment *s)
{
    struct blob *b = *bucket_of(s->hash);
    while (b && !same(b, s))
        b = b->next;
    b = b ? b : blob_new(s);
    b->refs++;
    return b;
}

static void blob_put(struct blob *b)
{
    if (--b->refs > 0)
        return;
    struct blob **at = bucket_of(b->s.hash);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    free(b);
}

/* ---- disks ---- */

struct history *disk_new(struct node *n)
{
    struct history *h = calloc(1, sizeof *h);
    ASSERT(h);
    h->node = n;
    return h;
}

void disk_free(struct history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n; i++)
        blob_put(h->row[i].blob);
    for (uint32_t i = 0; i < h->n_streams; i++)
        free(h->stream[i].at);
    map_free(&h->map);
    free(h->act);
    free(h->gap);
    free(h->fork);
    free(h->by_stamp);
    free(h->row);
    free(h->stream);
    free(h);
}

static void *copy_of(const void *p, size_t n)
{
    void *to = malloc(n ? n : 1);
    ASSERT(to);
    if (n > 0)
        memcpy(to, p, n);
    return to;
}

struct history *disk_copy(const struct history *h)
{
    struct history *c = copy_of(h, sizeof *h);
    c->max = h->n;
    c->row = copy_of(h->row, h->n * sizeof *h->row);
    for (size_t i = 0; i < h->n; i++)
        h->row[i].blob->refs++;
    c->max_streams = h->n_streams;
    c->stream = copy_of(h->stream, h->n_streams * sizeof *h->stream);
    for (uint32_t i = 0; i < h->n_streams; i++) {
        c->stream[i].max = h->stream[i].n;
        c->stream[i].at = copy_of(h->stream[i].at, h->stream[i].n * sizeof *h->stream[i].at);
    }
    c->map.slot = copy_of(h->map.slot, h->map.max * sizeof *h->map.slot);
    c->max_acts = h->n_acts;
    c->act = copy_of(h->act, h->n_acts * sizeof *h->act);
    c->max_gaps = h->n_gaps;
    c->gap = copy_of(h->gap, h->n_gaps * sizeof *h->gap);
    c->fork = copy_of(h->fork, h->n_forks * sizeof *h->fork);
    c->max_by_stamp = h->n_by_stamp;
    c->by_stamp = copy_of(h->by_stamp, h->n_by_stamp * sizeof *h->by_stamp);
    c->full = c->tight = false;
    c->fate = FATE_GOOD;
    return c;
}

void disk_full(struct history *h, bool full)
{
    h->full = full;
    h->tight = !w.calm;
}

void disk_fate(struct history *h, enum commit_fate fate)
{
    h->fate = fate;
}

static struct stream *find(const struct history *h, uint64_t origin, uint64_t epoch,
                           uint64_t room)
{
    uint32_t *i = map_find(&h->map, origin, epoch, room);
    return i ? &h->stream[*i] : NULL;
}

uint64_t disk_has(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct stream *s = find(h, origin, epoch, room);
    return s ? s->last_seq : 0;
}

/* at_seq -- the first segment of a stream that ends there or later. */
static uint32_t at_seq(const struct stream *s, uint64_t seq)
{
    uint32_t lo = 0, hi = s ? s->n : 0;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (s->at[mid].last_seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const uint8_t *gap_of(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq)
{
    for (size_t i = 0; i < h->n_gaps; i++) {
        const uint8_t *f = h->gap[i].frame;
        struct gap g;
        if (frame_origin(f) == origin && frame_epoch(f) == epoch && frame_room(f) == room && frame_seq(f) >= seq &&
            read_gap(f, &g) == 0 && g.first_seq <= seq)
            return f;
    }
    return NULL;
}

bool disk_gap(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t *last)
{
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    *last = f ? frame_seq(f) : 0;
    return f != NULL;
}

uint64_t disk_next(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t before_us,
                   uint64_t *last)
{
    const struct stream *s = find(h, origin, epoch, room);
    for (uint32_t i = at_seq(s, seq); s && i < s->n; i++)
        if (s->at[i].stored_us < before_us) {
            *last = s->at[i].last_seq;
            return max_u64(s->at[i].blob->s.first_seq, seq);
        }
    return 0;
}

uint64_t disk_hash(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t seq)
{
    const struct stream *s = find(h, origin, epoch, room);
    uint32_t i = at_seq(s, seq);
    if (s && i < s->n && s->at[i].blob->s.first_seq <= seq)
        return get_u64(s->at[i].blob->s.hash);
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    struct gap g;
    return f && read_gap(f, &g) == 0 ? get_u64(g.last.hash) : 0;
}

void disk_gaps(const struct history *h, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        each(arg, h->gap[i].frame);
}

void disk_each(const struct history *h,
               void (*each)(void *arg, const struct history_segment *s), void *arg)
{
    for (size_t i = 0; i < h->n; i++)
        each(arg, &h->row[i].blob->s);
}

void disk_streams(const struct history *h, void (*each)(void *arg, const struct have_row *row),
                  void *arg)
{
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        struct have_row row = {s->origin, s->epoch, s->room, s->last_seq, {0}};
        each(arg, &row);
    }
}

uint64_t disk_digest(const struct history *h)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        sum += mix(mix(s->origin ^ s->epoch, s->room ^ s->last_seq), get_u64(s->head));
    }
    return sum;
}

/* ---- one transaction ---- */

int history_begin(struct history *h, uint64_t batch)
{
    if (h->full)
        return -ENOSPC;
    h->batch = batch;
    h->n_before = h->n;
    h->n_acts_before = h->n_acts;
    h->n_gaps_before = h->n_gaps;
    h->new_hlc = h->newest_hlc;
    h->n_drops = 0;
    h->n_new_rooms = h->n_new_clients = 0;
    return 0;
}

int history_add(struct history *h, const struct history_segment *s)
{
    h->row = grown(h->row, h->n, &h->max, sizeof *h->row);
    uint64_t last_pos = s->pos;
    for (size_t i = 0; i < s->len; i += frame_stride(s->frames + i))
        last_pos = frame_pos(s->frames + i);
    h->row[h->n++] = (struct row){h->batch, s->pos, last_pos, blob_get(s)};
    if (!s->apart)
        h->new_hlc = max_u64(h->new_hlc, s->hlc_max);
    return 0;
}

int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq,
                   uint64_t wall)
{
    (void)wall;
    ASSERT(h->n_new_clients < CLIENTS_PER_NODE);
    h->new_client[h->n_new_clients++] = (struct kept_client){client, uid, last_seq};
    return 0;
}

int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages,
                 uint64_t last_hlc)
{
    uint32_t i = 0;
    while (i < h->n_new_rooms && h->new_room[i].id != id)
        i++;
    ASSERT(i < ARRAY_LEN(h->new_room));
    struct kept_room *r = &h->new_room[i];
    if (i == h->n_new_rooms) {
        *r = (struct kept_room){.id = id};
        h->n_new_rooms++;
    }
    r->messages += new_messages;
    r->last_hlc = max_u64(r->last_hlc, last_hlc);
    if (name.len > 0)
        memcpy(r->name, name.p, min_size(name.len, DIRECT_NAME_MAX));
    return 0;
}

int history_act(struct history *h, const uint8_t *frame)
{
    ASSERT(frame_stride(frame) <= ACT_FRAME_MAX);
    h->act = grown(h->act, h->n_acts, &h->max_acts, sizeof *h->act);
    memcpy(h->act[h->n_acts++].frame, frame, frame_stride(frame));
    return 0;
}

void history_rollback(struct history *h)
{
    if (!h->full) {
        h->n_acts = h->n_acts_before;
        h->n_gaps = h->n_gaps_before;
    }
    for (; !h->full && h->n > h->n_before; h->n--)
        blob_put(h->row[h->n - 1].blob);
    h->n_before = h->n;
}

/* by_pos -- rows lie by position; one commit adds them stream by stream. */
static void by_pos(struct history *h)
{
    for (size_t i = h->n_before + 1; i < h->n; i++) {
        struct row r = h->row[i];
        size_t k = i;
        for (; k > 0 && h->row[k - 1].pos > r.pos; k--)
            h->row[k] = h->row[k - 1];
        h->row[k] = r;
    }
}

/* gaps_into_streams -- those of this transaction before this position: their streams go on behind them. */
static void gaps_into_streams(struct history *h, uint64_t pos)
{
    for (; h->n_gaps_before < h->n_gaps && frame_pos(h->gap[h->n_gaps_before].frame) < pos; h->n_gaps_before++) {
        const uint8_t *f = h->gap[h->n_gaps_before].frame;
        struct stream *s = find(h, frame_origin(f), frame_epoch(f), frame_room(f));
        struct gap g;
        int r = read_gap(f, &g);
        ASSERT(r == 0);
        if (!s || g.first_seq != s->last_seq + 1 || frame_seq(f) <= s->last_seq)
            broken("I3: %s goes on behind a gap of %s's from %llu", node_name(h->node->id), node_name(frame_origin(f)),
                   (unsigned long long)g.first_seq);
        check_missing(h->node, f, s->last_seq + 1);
        s->last_seq = frame_seq(f);
        memcpy(s->head, g.last.hash, HASH_LEN);
    }
}

/* add_gap -- in the order of pos. */
static void add_gap(struct history *h, const uint8_t *gap)
{
    ASSERT(frame_stride(gap) <= sizeof h->gap->frame);
    h->gap = grown(h->gap, h->n_gaps, &h->max_gaps, sizeof *h->gap);
    size_t i = h->n_gaps++;
    for (; i > 0 && frame_pos(h->gap[i - 1].frame) > frame_pos(gap); i--)
        h->gap[i] = h->gap[i - 1];
    memcpy(h->gap[i].frame, gap, frame_stride(gap));
}

/* join -- to the gap that this one continues, if it is of the same kind. */
static void join(struct history *h, struct gap *g, const struct history_segment *s)
{
    for (size_t i = 0; i < h->n_gaps; i++) {
        const uint8_t *f = h->gap[i].frame;
        struct gap b;
        if (frame_origin(f) != s->origin || frame_epoch(f) != s->epoch || frame_room(f) != s->room ||
            frame_seq(f) + 1 != s->first_seq || read_gap(f, &b) < 0 || b.why != g->why)
            continue;
        g->first_seq = b.first_seq;
        g->messages += b.messages;
        g->hlc_min = min_u64(g->hlc_min, b.hlc_min);
        h->n_gaps--;
        memmove(&h->gap[i], &h->gap[i + 1], (h->n_gaps - i) * sizeof *h->gap);
        return;
    }
}

/* drop -- one segment; its stream has a gap there. */
static void drop(struct history *h, const struct kept_drop *d)
{
    uint8_t gap[FRAME_MAX];
    size_t i = 0, k = 0;
    uint32_t m = 0;
    while (i < h->n && h->row[i].pos != d->pos)
        i++;
    while (k < h->n_by_stamp && h->by_stamp[k].pos != d->pos)
        k++;
    ASSERT(i < h->n && k < h->n_by_stamp);
    struct blob *b = h->row[i].blob;
    struct stream *s = find(h, b->s.origin, b->s.epoch, b->s.room);
    ASSERT(s);
    while (s->at[m].pos != d->pos)
        m++;
    struct gap g = {.why = GAP_OLD, .first_seq = b->s.first_seq, .hlc_min = b->s.hlc_min, .messages = d->messages,
                    .last = {.first_seq = b->s.first_seq, .last_seq = b->s.last_seq}};
    memcpy(g.last.prev, b->s.prev, HASH_LEN);
    memcpy(g.last.hash, b->s.hash, HASH_LEN);
    memcpy(g.last.signature, b->s.signature, SIGNATURE_LEN);
    join(h, &g, &b->s);
    int n = write_gap(gap, &g, b->s.origin, b->s.epoch, b->s.room, b->s.hlc_max);
    ASSERT(n > 0);
    frame_set_pos(gap, h->row[i].last_pos);
    add_gap(h, gap);
    check_dropped(h->node, &b->s);
    h->bytes -= b->s.len;
    h->n--;
    h->n_by_stamp--;
    s->n--;
    memmove(&h->row[i], &h->row[i + 1], (h->n - i) * sizeof *h->row);
    memmove(&h->by_stamp[k], &h->by_stamp[k + 1], (h->n_by_stamp - k) * sizeof *h->by_stamp);
    memmove(&s->at[m], &s->at[m + 1], (s->n - m) * sizeof *s->at);
    blob_put(b);
}

static void add_to_stream(struct history *h, const struct blob *b, uint64_t pos)
{
    const struct history_segment *g = &b->s;
    struct stream *s = find(h, g->origin, g->epoch, g->room);
    if (!s) {
        h->stream = grown(h->stream, h->n_streams, &h->max_streams, sizeof *h->stream);
        s = &h->stream[h->n_streams];
        *s = (struct stream){.origin = g->origin, .epoch = g->epoch, .room = g->room};
        map_add(&h->map, g->origin, g->epoch, g->room, h->n_streams++);
    }
    s->at = grown(s->at, s->n, &s->max, sizeof *s->at);
    s->at[s->n].last_seq = g->last_seq;
    s->at[s->n].blob = b;
    s->at[s->n].stored_us = w.now;
    s->at[s->n++].pos = pos;
    h->bytes += g->len;
    s->last_seq = g->last_seq;
    memcpy(s->head, g->hash, HASH_LEN);
}

static void keep_room(struct history *h, const struct kept_room *n)
{
    uint32_t i = 0;
    while (i < h->n_rooms && h->room[i].id != n->id)
        i++;
    if (i == h->n_rooms) {
        ASSERT(h->n_rooms < ARRAY_LEN(h->room) && n->name[0] != '\0');
        h->room[h->n_rooms++] = *n;
        return;
    }
    h->room[i].messages += n->messages;
    h->room[i].last_hlc = max_u64(h->room[i].last_hlc, n->last_hlc);
}

static void keep_client(struct history *h, const struct kept_client *n)
{
    uint32_t i = 0;
    while (i < h->n_clients && h->client[i].client != n->client)
        i++;
    h->n_clients += i == h->n_clients;
    h->client[i] = *n;
}

/* first_since -- where in the order of stamps this one stands, or would. */
static size_t first_since(const struct history *h, uint64_t hlc)
{
    size_t lo = 0, hi = h->n_by_stamp;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (h->by_stamp[mid].blob->s.hlc_max < hlc)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void add_by_stamp(struct history *h, struct row r)
{
    h->by_stamp = grown(h->by_stamp, h->n_by_stamp, &h->max_by_stamp, sizeof *h->by_stamp);
    size_t at = first_since(h, r.blob->s.hlc_max + 1);
    memmove(h->by_stamp + at + 1, h->by_stamp + at, (h->n_by_stamp - at) * sizeof *h->by_stamp);
    h->by_stamp[at] = r;
    h->n_by_stamp++;
}

int history_commit(struct history *h, uint64_t end, uint64_t ring_size)
{
    enum commit_fate fate = h->fate;
    h->fate = FATE_GOOD;
    h->node->torn = fate == FATE_TORN;
    if (fate == FATE_LOST || (fate == FATE_TORN && one_in(2)))
        return -EIO;
    size_t from = h->n_before;
    h->n_before = h->n; /* so that a rollback after -EIO takes nothing away */
    for (size_t i = from; i < h->n; i++) {
        const struct history_segment *s = &h->row[i].blob->s;
        if (s->origin != h->node->id || s->epoch != h->node->st.seg->shape.epoch) /* what came lies in its order, behind our own */
            gaps_into_streams(h, h->row[i].pos);
        check_stored(h->node, s);
        add_to_stream(h, h->row[i].blob, h->row[i].pos);
        add_by_stamp(h, h->row[i]);
    }
    h->n_before = from;
    by_pos(h);
    h->n_before = h->n;
    h->n_acts_before = h->n_acts;
    gaps_into_streams(h, UINT64_MAX);
    for (unsigned i = 0; i < h->n_drops; i++)
        drop(h, &h->drop[i]);
    h->n_before = h->n;
    h->n_gaps_before = h->n_gaps;
    for (uint32_t i = 0; i < h->n_new_rooms; i++)
        keep_room(h, &h->new_room[i]);
    for (uint32_t i = 0; i < h->n_new_clients; i++)
        keep_client(h, &h->new_client[i]);
    h->durable = end;
    h->ring_size = ring_size;
    h->newest_hlc = h->new_hlc;
    return fate == FATE_GOOD ? 0 : -EIO;
}

/* ---- what is there ---- */

void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size)
{
    *pos = h->durable;
    *ring_size = h->ring_size;
}

uint64_t history_newest_hlc(struct history *h)
{
    return h->newest_hlc;
}

int history_rooms(struct history *h,
                  void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages,
                               uint64_t last_hlc),
                  void *arg)
{
    for (uint32_t i = 0; i < h->n_rooms; i++)
        each(arg, h->room[i].id, text_of(h->room[i].name), h->room[i].messages,
             h->room[i].last_hlc);
    return 0;
}

int history_clients(struct history *h, uint32_t max,
                    void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq),
                    void *arg)
{
    for (uint32_t i = 0; i < h->n_clients && i < max; i++)
        each(arg, h->client[i].client, h->client[i].uid, h->client[i].last_seq);
    return 0;
}

int history_stream(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t *last_seq, uint8_t head[HASH_LEN])
{
    const struct stream *s = find(h, origin, epoch, room);
    *last_seq = s ? s->last_seq : 0;
    memset(head, 0, HASH_LEN);
    if (s)
        memcpy(head, s->head, HASH_LEN);
    return 0;
}

int history_streams(struct history *h,
                    void (*each)(void *arg, uint64_t origin, uint64_t epoch, uint64_t room,
                                 uint64_t last_seq, const uint8_t head[HASH_LEN]),
                    void *arg)
{
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        each(arg, s->origin, s->epoch, s->room, s->last_seq, s->head);
    }
    return 0;
}

int history_scan(struct history *h, uint64_t room, uint64_t from, unsigned max,
                 bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    size_t lo = 0, hi = h->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (h->row[mid].pos < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (unsigned n = 0; lo < h->n && n < max; lo++) {
        if (room != 0 && h->row[lo].blob->s.room != room)
            continue;
        n++;
        struct history_row r = {h->row[lo].blob->s, h->row[lo].batch};
        r.s.pos = h->row[lo].pos;
        if (!each(arg, &r))
            break;
    }
    return 0;
}

int history_back(struct history *h, uint64_t pos, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    for (size_t i = h->n; i > 0; i--) {
        struct history_row r = {h->row[i - 1].blob->s, h->row[i - 1].batch};
        if (h->row[i - 1].pos < pos && !each(arg, &r))
            break;
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    return frame_order(((const struct kept_act *)a)->frame, ((const struct kept_act *)b)->frame);
}

int history_acts(struct history *h, uint64_t room, void (*each)(void *arg, const uint8_t *frame), void *arg)
{
    struct kept_act *sorted = copy_of(h->act, h->n_acts * sizeof *h->act);
    if (h->n_acts > 0)
        qsort(sorted, h->n_acts, sizeof *sorted, by_place);
    for (size_t i = 0; i < h->n_acts; i++)
        if (frame_room(sorted[i].frame) == room)
            each(arg, sorted[i].frame);
    free(sorted);
    return 0;
}

int history_acted(struct history *h, void (*each)(void *arg, uint64_t room), void *arg)
{
    for (size_t i = 0; i < h->n_acts; i++) {
        uint64_t room = frame_room(h->act[i].frame);
        size_t k = 0;
        while (frame_room(h->act[k].frame) != room)
            k++;
        if (k == i)
            each(arg, room);
    }
    return 0;
}

int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                          uint64_t seq, uint64_t *pos)
{
    const struct stream *s = find(h, origin, epoch, room);
    *pos = UINT64_MAX;
    for (uint32_t i = 0; s && i < s->n && *pos == UINT64_MAX; i++)
        if (s->at[i].last_seq > seq)
            *pos = s->at[i].pos;
    for (size_t i = 0; i < h->n_gaps; i++) {
        const uint8_t *f = h->gap[i].frame;
        if (frame_origin(f) == origin && frame_epoch(f) == epoch && frame_room(f) == room && frame_seq(f) > seq)
            *pos = min_u64(*pos, frame_pos(f));
    }
    return 0;
}

/* ---- gaps ---- */

int history_gap(struct history *h, uint8_t *gap)
{
    add_gap(h, gap); /* behind all others: it came just now */
    return 0;
}

int history_drop(struct history *h, const struct history_segment *s, uint32_t messages, uint64_t last_pos)
{
    (void)last_pos; /* the frames are kept without */
    ASSERT(h->n_drops < ARRAY_LEN(h->drop));
    h->drop[h->n_drops++] = (struct kept_drop){s->pos, messages};
    return 0;
}

int history_bytes(struct history *h, uint64_t *bytes)
{
    *bytes = h->bytes;
    return 0;
}

int history_gap_at(struct history *h, uint64_t from, uint8_t *gap)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        if (frame_pos(h->gap[i].frame) >= from) {
            memcpy(gap, h->gap[i].frame, frame_stride(h->gap[i].frame));
            return 1;
        }
    return 0;
}

int history_gap_end(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint8_t *gap)
{
    const uint8_t *f = gap_of(h, origin, epoch, room, seq);
    if (!f || frame_seq(f) != seq)
        return 0;
    memcpy(gap, f, frame_stride(f));
    return 1;
}

int history_gaps(struct history *h, uint64_t room, uint64_t from, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    for (size_t i = 0; i < h->n_gaps; i++)
        if (frame_pos(h->gap[i].frame) >= from && (room == 0 || frame_room(h->gap[i].frame) == room))
            each(arg, h->gap[i].frame);
    return 0;
}

int history_heads(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                  uint64_t seq, unsigned max, bool (*each)(void *arg, const struct sealed *s),
                  void *arg)
{
    const struct stream *s = find(h, origin, epoch, room);
    for (uint32_t i = 0; s && i < s->n && max > 0; i++) {
        const struct history_segment *g = &s->at[i].blob->s;
        struct sealed head = {.first_seq = g->first_seq, .last_seq = g->last_seq};
        if (g->last_seq < seq)
            continue;
        memcpy(head.prev, g->prev, HASH_LEN);
        memcpy(head.hash, g->hash, HASH_LEN);
        memcpy(head.signature, g->signature, SIGNATURE_LEN);
        max--;
        if (!each(arg, &head))
            break;
    }
    return 0;
}

int history_since(struct history *h, uint64_t room, uint64_t hlc,
                  bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    bool more = true;
    for (size_t i = first_since(h, hlc); more && i < h->n_by_stamp; i++) {
        struct history_row r = {h->by_stamp[i].blob->s, h->by_stamp[i].batch};
        if (r.s.room == room)
            more = each(arg, &r);
    }
    return 0;
}

/* ---- forks ---- */

static struct proof *find_fork(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    for (uint32_t i = 0; i < h->n_forks; i++) {
        const uint8_t *f = h->fork[i].frame;
        if (frame_origin(f) == origin && frame_epoch(f) == epoch && frame_room(f) == room)
            return &h->fork[i];
    }
    return NULL;
}

uint64_t disk_fork(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct proof *p = find_fork(h, origin, epoch, room);
    return p ? frame_seq(p->frame) : UINT64_MAX;
}

int history_fork(struct history *h, const uint8_t *proof)
{
    const struct node *origin = node_by_id(frame_origin(proof));
    struct proof *p = find_fork(h, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    if (!origin || !origin->evil || !w.stats.forks)
        broken("I4: %s finds that %s contradicts itself, which never did", node_name(h->node->id),
               node_name(frame_origin(proof)));
    if (p && frame_seq(proof) >= frame_seq(p->frame))
        broken("I4: %s learns again what it has a proof of", node_name(h->node->id));
    if (h->full || (h->tight && one_in(2)))
        return -ENOSPC;
    if (!p) {
        h->fork = realloc(h->fork, (h->n_forks + 1) * sizeof *h->fork);
        ASSERT(h->fork);
        p = &h->fork[h->n_forks++];
    }
    ASSERT(frame_stride(proof) == sizeof p->frame);
    memcpy(p->frame, proof, sizeof p->frame);
    trace("has a proof that %s/%04llx/%04llx forks at %llu", node_name(origin->id),
          (unsigned long long)(frame_epoch(proof) & 0xffff),
          (unsigned long long)(frame_room(proof) & 0xffff), (unsigned long long)frame_seq(proof));
    w.stats.proofs++;
    return 0;
}

int history_fork_of(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *proof)
{
    const struct proof *p = find_fork(h, origin, epoch, room);
    if (p)
        memcpy(proof, p->frame, sizeof p->frame);
    return p != NULL;
}

int history_forks(struct history *h, void (*each)(void *arg, const uint8_t *proof), void *arg)
{
    for (uint32_t i = 0; i < h->n_forks; i++)
        each(arg, h->fork[i].frame);
    return 0;
}
