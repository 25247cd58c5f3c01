/* frame.h -- the one message format: the same bytes in a queue, in memory, in a FIFO, on a link
 * and in the store.
 *
 * A frame is a header of 64 bytes and a body, at most 4096 bytes (PIPE_BUF: a FIFO takes it whole),
 * little-endian, and is followed by zero bytes up to the next multiple of 8, on every carrier.
 *
 *    0  u16  len          header and body, without the padding
 *    2  u8   type         types.def
 *    3  u8   flags        FRAME_MORE ...
 *    4  u32  client_seq   1, 2, ... for what one client sends
 *    8  u64  pos          where it lies in the journal of this host; zero elsewhere and in all that
 *                         is hashed or signed
 *   16  u64  origin       the host that stamped it: the first 8 bytes of SHA-256 of its public key
 *   24  u64  epoch        that host's run: ms since 1970 << 16 | random, so that runs sort by time
 *   32  u64  seq          1, 2, ... within the stream (origin, epoch, room)
 *   40  u64  hlc          hybrid logical clock: ms since 1970 << 16 | counter
 *   48  u64  room         room_id() of its name; 0 when it is about no room
 *   56  u64  client       random number of the client program that sent it
 *   64  ...  body         body.h
 *
 * A client leaves pos, origin, epoch, seq and hlc zero; the relay stamps them in place once.
 * (origin, epoch, room, seq) names an entry everywhere, (client, client_seq) names what was sent. */
#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

#include "base/text.h"

enum {
    FRAME_MAX = 4096, /* = PIPE_BUF */
    FRAME_HEAD = 64,
    FRAME_ALIGN = 8,
    TEXT_PART_MAX = 3072,     /* bytes of text in one frame */
    TEXT_MESSAGE_MAX = 65536, /* bytes of text in one message, all parts together */
    SKEW_MAX_MS = 120 * 1000, /* a stamp further ahead of a host's clock is neither adopted nor shown there yet */
};

/* Flags. */
enum {
    FRAME_MORE = 1,   /* another part of this message follows */
    FRAME_CONT = 2,   /* continues the part before */
    FRAME_SELF = 4,   /* for the session whose client number it bears, for nobody else */
    FRAME_ACTION = 8, /* "/me": the text is what the author does */
    FRAME_FORCED = 16, /* LEAVE: he was taken out of the room */
    FRAME_PARKED = 64, /* of a SEGMENT in the journal: its frames are not delivered before their time */
};

enum frame_type {
#define FRAME(name, value, who, durable, min, max) FRAME_##name = value,
#include "frame/types.def"
#undef FRAME
};

enum frame_who { FRAME_BY_STRANGER, FRAME_BY_SESSION, FRAME_BY_RELAY, FRAME_BY_PEER };

/* A row of types.def. */
struct frame_row {
    const char *name; /* "SAY" */
    enum frame_who who;
    bool durable;
    uint16_t body_min, body_max; /* bytes */
};

/* frame_row -- the row of a type, or NULL when there is none. */
const struct frame_row *frame_row(uint8_t type);

// clang-format off
static inline uint16_t frame_len(const uint8_t *f)        { return get_u16(f); }
static inline uint8_t  frame_type(const uint8_t *f)       { return f[2]; }
static inline uint8_t  frame_flags(const uint8_t *f)      { return f[3]; }
static inline uint32_t frame_client_seq(const uint8_t *f) { return get_u32(f + 4); }
static inline uint64_t frame_pos(const uint8_t *f)        { return get_u64(f + 8); }
static inline uint64_t frame_origin(const uint8_t *f)     { return get_u64(f + 16); }
static inline uint64_t frame_epoch(const uint8_t *f)      { return get_u64(f + 24); }
static inline uint64_t frame_seq(const uint8_t *f)        { return get_u64(f + 32); }
static inline uint64_t frame_hlc(const uint8_t *f)        { return get_u64(f + 40); }
static inline uint64_t frame_room(const uint8_t *f)       { return get_u64(f + 48); }
static inline uint64_t frame_client(const uint8_t *f)     { return get_u64(f + 56); }

static inline void frame_set_flags(uint8_t *f, uint8_t v)       { f[3] = v; }
static inline void frame_set_client_seq(uint8_t *f, uint32_t v) { put_u32(f + 4, v); }
static inline void frame_set_pos(uint8_t *f, uint64_t v)        { put_u64(f + 8, v); }
static inline void frame_set_origin(uint8_t *f, uint64_t v)     { put_u64(f + 16, v); }
static inline void frame_set_epoch(uint8_t *f, uint64_t v)      { put_u64(f + 24, v); }
static inline void frame_set_seq(uint8_t *f, uint64_t v)        { put_u64(f + 32, v); }
static inline void frame_set_hlc(uint8_t *f, uint64_t v)        { put_u64(f + 40, v); }
static inline void frame_set_room(uint8_t *f, uint64_t v)       { put_u64(f + 48, v); }
static inline void frame_set_client(uint8_t *f, uint64_t v)     { put_u64(f + 56, v); }

static inline const uint8_t *frame_body(const uint8_t *f) { return f + FRAME_HEAD; }
static inline size_t frame_body_len(const uint8_t *f)     { return (size_t)frame_len(f) - FRAME_HEAD; }
// clang-format on

/* frame_stride -- bytes a frame takes on every carrier: its length and the padding. */
static inline size_t frame_stride(const uint8_t *f)
{
    return ((size_t)frame_len(f) + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* frame_check -- is there one whole, well-formed frame of a known type at the head of `avail` bytes?
 *
 * Checks length, padding, type and the bounds of the body; who may send it and what is in the body
 * is for others to judge.
 * Returns  its stride in bytes; 0 when more bytes are needed; -EBADMSG when it can never be one. */
int frame_check(const uint8_t *f, size_t avail) MUST_USE;

/* frame_begin -- start a frame in `buf` (FRAME_MAX bytes): zeroed header with this type, and a
 * writer for the body. */
struct wr frame_begin(uint8_t *buf, enum frame_type type);

/* frame_end -- fill in the length and the padding.
 *
 * Returns  the stride in bytes; -EMSGSIZE when the body did not fit or its type does not allow
 *          its length. */
int frame_end(uint8_t *buf, const struct wr *body) MUST_USE;

/* frame_order -- the order of display on every host: by (hlc, origin, epoch, seq).
 *
 * Returns <0, 0 or >0 as for memcmp(). */
int frame_order(const uint8_t *a, const uint8_t *b);

/* Splitter: bytes of a stream in, whole frames out.  The buffer is the caller's and must hold at
 * least two frames. */
struct splitter {
    uint8_t *buf;
    size_t size, start, end; /* bytes [start, end) are waiting */
};

void splitter_init(struct splitter *s, uint8_t *buf, size_t size);

/* splitter_room -- where the next bytes go, and how many may (never 0 after splitter_next() said
 * that it needs more).  Invalidates frames handed out before. */
uint8_t *splitter_room(struct splitter *s, size_t *room);

/* splitter_fed -- `n` bytes were put there. */
void splitter_fed(struct splitter *s, size_t n);

/* splitter_next -- the next whole frame, valid until splitter_room() is called.
 *
 * Returns  1 and the frame; 0 when more bytes are needed; -EBADMSG when the stream is broken. */
int splitter_next(struct splitter *s, const uint8_t **frame) MUST_USE;

#endif
