/* disk_read.c -- what is in the store. */
#include "disk_inside.h"

#include <stdlib.h>

void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size)
{
    *pos = h->durable;
    *ring_size = h->ring_size;
}

uint64_t history_newest_hlc(struct history *h)
{
    return h->newest_hlc;
}

int history_bytes(struct history *h, uint64_t *bytes)
{
    *bytes = h->bytes;
    return 0;
}

int history_rooms(struct history *h, void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages, uint64_t last_hlc),
                  void *arg)
{
    for (uint32_t i = 0; i < h->n_rooms; i++)
        each(arg, h->room[i].id, text_of(h->room[i].name), h->room[i].messages, h->room[i].last_hlc);
    return 0;
}

int history_clients(struct history *h, uint32_t max, void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq), void *arg)
{
    for (uint32_t i = 0; i < h->n_clients && i < max; i++)
        each(arg, h->client[i].client, h->client[i].uid, h->client[i].last_seq);
    return 0;
}

/* ---- streams ---- */

int history_stream(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t *last_seq, uint8_t head[HASH_LEN])
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    *last_seq = s ? s->last_seq : 0;
    memset(head, 0, HASH_LEN);
    if (s)
        memcpy(head, s->head, HASH_LEN);
    return 0;
}

int history_streams(struct history *h,
                    void (*each)(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq, const uint8_t head[HASH_LEN]),
                    void *arg)
{
    for (uint32_t i = 0; i < h->n_streams; i++) {
        const struct stream *s = &h->stream[i];
        each(arg, s->origin, s->epoch, s->room, s->last_seq, s->head);
    }
    return 0;
}

int history_heads(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, unsigned max,
                  bool (*each)(void *arg, const struct sealed *s), void *arg)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    for (uint32_t i = 0; s && i < s->n && max > 0; i++) {
        const struct history_segment *g = &s->at[i].blob->s;
        struct sealed head = sealed_of(g);
        if (g->last_seq < seq)
            continue;
        max--;
        if (!each(arg, &head))
            break;
    }
    return 0;
}

int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint64_t *pos)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
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

/* ---- segments, by their place and by their stamps ---- */

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

int history_holding(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
                    bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    const struct stream *s = find_stream(h, origin, epoch, room);
    uint32_t i = 0;
    while (s && i < s->n && s->at[i].last_seq < seq)
        i++;
    return s && i < s->n ? history_scan(h, 0, s->at[i].pos, 1, each, arg) : 0;
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

size_t first_since(const struct history *h, uint64_t hlc)
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

int history_since(struct history *h, uint64_t room, uint64_t hlc, bool (*each)(void *arg, const struct history_row *row), void *arg)
{
    bool more = true;
    for (size_t i = first_since(h, hlc); more && i < h->n_by_stamp; i++) {
        struct history_row r = {h->by_stamp[i].blob->s, h->by_stamp[i].batch};
        if (r.s.room == room)
            more = each(arg, &r);
    }
    return 0;
}

/* ---- acts ---- */

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
