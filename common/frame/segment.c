/* segment.c -- written and read: sealed entries, and what is said of them. */
#include "frame/segment.h"

#include "frame/fields.h"

#include <errno.h>

void write_after(struct wr *w, const struct after *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        wr_u64(w, a->row[i].origin);
        wr_u64(w, a->row[i].epoch);
        wr_u64(w, a->row[i].seq);
    }
}

void read_after(struct rd *r, struct after *a)
{
    a->n = 0;
    while (!r->bad && rd_left(r) > 0) {
        struct after_row row;
        row.origin = rd_u64(r);
        row.epoch = rd_u64(r);
        row.seq = rd_u64(r);
        r->bad |= row.seq == 0 || row.seq == UINT64_MAX || a->n == AFTER_MAX;
        if (!r->bad)
            a->row[a->n++] = row;
    }
}

int write_segment(uint8_t *buf, const struct segment_head *s, uint64_t origin, uint64_t epoch,
                  uint64_t room, uint64_t last_seq, uint64_t last_hlc)
{
    struct wr w = frame_begin(buf, FRAME_SEGMENT);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, last_seq);
    frame_set_hlc(buf, last_hlc);
    wr_u32(&w, s->count);
    wr_u32(&w, s->bytes);
    wr_u64(&w, s->first_seq);
    wr_bytes(&w, s->prev, HASH_LEN);
    wr_bytes(&w, s->hash, HASH_LEN);
    wr_bytes(&w, s->signature, SIGNATURE_LEN);
    write_after(&w, &s->after);
    return frame_end(buf, &w);
}

int read_segment(const uint8_t *f, struct segment_head *s)
{
    struct rd r = body_of(f);
    s->count = rd_u32(&r);
    s->bytes = rd_u32(&r);
    s->first_seq = rd_u64(&r);
    rd_copy(&r, s->prev, HASH_LEN);
    rd_copy(&r, s->hash, HASH_LEN);
    rd_copy(&r, s->signature, SIGNATURE_LEN);
    read_after(&r, &s->after);
    return body_done(&r);
}

int read_sealed(const uint8_t *segment, struct sealed *s)
{
    struct segment_head h;
    int r = read_segment(segment, &h);
    s->first_seq = h.first_seq;
    s->last_seq = frame_seq(segment);
    memcpy(s->prev, h.prev, HASH_LEN);
    memcpy(s->hash, h.hash, HASH_LEN);
    memcpy(s->signature, h.signature, SIGNATURE_LEN);
    return r;
}

static void wr_sealed(struct wr *w, const struct sealed *s)
{
    wr_u64(w, s->first_seq);
    wr_u64(w, s->last_seq);
    wr_bytes(w, s->prev, HASH_LEN);
    wr_bytes(w, s->hash, HASH_LEN);
    wr_bytes(w, s->signature, SIGNATURE_LEN);
}

static void rd_sealed(struct rd *r, struct sealed *s)
{
    s->first_seq = rd_u64(r);
    s->last_seq = rd_u64(r);
    rd_copy(r, s->prev, HASH_LEN);
    rd_copy(r, s->hash, HASH_LEN);
    rd_copy(r, s->signature, SIGNATURE_LEN);
    r->bad |= s->first_seq == 0 || s->last_seq < s->first_seq || s->last_seq == UINT64_MAX;
}

int write_chain(uint8_t *buf, const struct sealed *s, size_t n, uint64_t origin, uint64_t epoch, uint64_t room,
                uint64_t point)
{
    struct wr w = frame_begin(buf, FRAME_CHAIN);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, point);
    for (size_t i = 0; i < n; i++)
        wr_sealed(&w, &s[i]);
    return frame_end(buf, &w);
}

int read_chain(const uint8_t *f, struct sealed s[CHAIN_HEADS_MAX])
{
    struct rd r = body_of(f);
    int n = 0;
    for (; !r.bad && rd_left(&r) > 0; n++)
        rd_sealed(&r, &s[n]);
    return rd_done(&r) ? n : -EBADMSG;
}

int write_gap(uint8_t *buf, const struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc_max)
{
    struct wr w = frame_begin(buf, FRAME_GAP);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, g->last.last_seq);
    frame_set_hlc(buf, hlc_max);
    wr_u8(&w, g->why);
    wr_u64(&w, g->first_seq);
    wr_u64(&w, g->hlc_min);
    wr_u32(&w, g->messages);
    wr_sealed(&w, &g->last);
    return frame_end(buf, &w);
}

int read_gap(const uint8_t *f, struct gap *g)
{
    struct rd r = body_of(f);
    g->why = rd_u8(&r);
    g->first_seq = rd_u64(&r);
    g->hlc_min = rd_u64(&r);
    g->messages = rd_u32(&r);
    rd_sealed(&r, &g->last);
    r.bad |= g->why < GAP_OLD || g->why > GAP_AWAY || g->first_seq == 0 || g->first_seq > g->last.first_seq ||
             g->last.last_seq != frame_seq(f) || frame_seq(f) > INT64_MAX || g->messages > frame_seq(f) - g->first_seq + 1 ||
             g->hlc_min > frame_hlc(f);
    return body_done(&r);
}

int write_due(uint8_t *buf, uint32_t bytes, uint64_t room)
{
    struct wr w = frame_begin(buf, FRAME_DUE);
    frame_set_room(buf, room);
    wr_u32(&w, bytes);
    return frame_end(buf, &w);
}

int read_due(const uint8_t *f, uint32_t *bytes)
{
    struct rd r = body_of(f);
    *bytes = rd_u32(&r);
    return body_done(&r);
}
