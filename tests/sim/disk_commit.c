/* disk_commit.c -- a transaction: all of it is there or nothing, and now and then nobody can tell. */
#include "disk_inside.h"

#include <errno.h>

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

int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq, uint64_t wall)
{
    (void)wall;
    ASSERT(h->n_new_clients < CLIENTS_PER_NODE);
    h->new_client[h->n_new_clients++] = (struct kept_client){client, uid, last_seq};
    return 0;
}

int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages, uint64_t last_hlc)
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

static void add_to_stream(struct history *h, const struct blob *b, uint64_t pos)
{
    const struct history_segment *g = &b->s;
    struct stream *s = find_stream(h, g->origin, g->epoch, g->room);
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
        drop_segment(h, &h->drop[i]);
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
