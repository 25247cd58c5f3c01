/* bytes.h -- little-endian cursors over bounded bytes: straight-line coding, one check at the end.
 *
 * A read past the end returns zeros and a write past the end writes nothing; both set a sticky
 * flag, and only rd_done()/wr_done() may be believed.  No struct is ever cast onto a buffer, so
 * there are no questions of packing, alignment or byte order. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/base.h"

#include <string.h>

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

/* A reader: the bytes from `p` up to `end` are still to come. */
struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct rd rd_from(const void *p, size_t len)
{
    const uint8_t *b = p;
    return (struct rd){b, b + len, false};
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}

/* rd_bytes -- the next `len` bytes where they lie, or NULL (and the flag) when there are fewer. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t len)
{
    const uint8_t *p = r->p;
    if (r->bad || rd_left(r) < len) {
        r->bad = true;
        return NULL;
    }
    r->p += len;
    return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 1);
    return p ? *p : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 2);
    return p ? get_u16(p) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 4);
    return p ? get_u32(p) : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 8);
    return p ? get_u64(p) : 0;
}

/* rd_copy -- the next `len` bytes into `to`; zeros when there are fewer. */
static inline void rd_copy(struct rd *r, void *to, size_t len)
{
    const uint8_t *p = rd_bytes(r, len);
    if (p)
        memcpy(to, p, len);
    else
        memset(to, 0, len);
}

/* Text is a pointer and a length, never assumed to be terminated, never owned. */
struct text {
    const char *p;
    size_t len;
};

/* rd_text -- text of at most `max` bytes behind its length in one byte. */
static inline struct text rd_text(struct rd *r, size_t max)
{
    size_t len = rd_u8(r);
    if (len > max)
        r->bad = true;
    const uint8_t *p = rd_bytes(r, len);
    return p ? (struct text){(const char *)p, len} : (struct text){"", 0};
}

/* rd_rest -- all that is left, as text. */
static inline struct text rd_rest(struct rd *r)
{
    size_t len = r->bad ? 0 : rd_left(r);
    const uint8_t *p = rd_bytes(r, len);
    return p ? (struct text){(const char *)p, len} : (struct text){"", 0};
}

/* rd_done -- true iff every read so far was good and nothing is left over. */
static inline bool rd_done(const struct rd *r)
{
    return !r->bad && r->p == r->end;
}

/* A writer: up to `end` there is room. */
struct wr {
    uint8_t *p, *start, *end;
    bool bad;
};

static inline struct wr wr_to(void *p, size_t size)
{
    uint8_t *b = p;
    return (struct wr){b, b, b + size, false};
}

/* wr_room -- `len` bytes to fill in, or NULL (and the flag) when there is less room. */
static inline uint8_t *wr_room(struct wr *w, size_t len)
{
    uint8_t *p = w->p;
    if (w->bad || (size_t)(w->end - w->p) < len) {
        w->bad = true;
        return NULL;
    }
    w->p += len;
    return p;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
    uint8_t *p = wr_room(w, 1);
    if (p)
        *p = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
    uint8_t *p = wr_room(w, 2);
    if (p)
        put_u16(p, v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
    uint8_t *p = wr_room(w, 4);
    if (p)
        put_u32(p, v);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
    uint8_t *p = wr_room(w, 8);
    if (p)
        put_u64(p, v);
}

static inline void wr_bytes(struct wr *w, const void *from, size_t len)
{
    uint8_t *p = wr_room(w, len);
    if (p && len > 0)
        memcpy(p, from, len);
}

/* wr_text -- length in one byte, then the bytes; longer than 255 is bad. */
static inline void wr_text(struct wr *w, struct text t)
{
    if (t.len > 255)
        w->bad = true;
    wr_u8(w, (uint8_t)t.len);
    wr_bytes(w, t.p, t.len);
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->p - w->start);
}

/* wr_done -- true iff everything written fitted. */
static inline bool wr_done(const struct wr *w)
{
    return !w->bad;
}

static inline struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

static inline bool text_eq(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

#endif
