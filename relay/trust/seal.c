/* seal.c -- hash, sign and check segments. */
#include "trust/seal.h"

#include "base/hash.h"
#include "base/mutant.h"

#include <errno.h>

static const char purpose[] =
    "chat segment 1"; /* with its NUL, so that none is another's start */

void seal_hash(const uint8_t prev[HASH_LEN], const void *frames, size_t len, const struct after *after, uint8_t hash[HASH_LEN])
{
    uint8_t rows[AFTER_MAX * AFTER_ROW_LEN];
    sha256(prev, HASH_LEN, frames, len, hash);
    if (after->n == 0)
        return;
    struct wr w = wr_to(rows, after->n * AFTER_ROW_LEN);
    write_after(&w, after);
    ASSERT(wr_done(&w));
    sha256(hash, HASH_LEN, rows, after->n * AFTER_ROW_LEN, hash);
}

enum { TEXT_LEN = sizeof purpose + 4 * 8 + 2 * HASH_LEN };

static void signed_text(const struct sealed *s, uint64_t epoch, uint64_t room, uint8_t text[TEXT_LEN])
{
    struct wr w = wr_to(text, TEXT_LEN);
    wr_bytes(&w, purpose, sizeof purpose);
    wr_u64(&w, epoch);
    wr_u64(&w, room);
    wr_u64(&w, s->first_seq);
    wr_u64(&w, s->last_seq);
    wr_bytes(&w, s->prev, HASH_LEN);
    wr_bytes(&w, s->hash, HASH_LEN);
    ASSERT(wr_done(&w));
}

void seal_sign(const struct identity *id, uint64_t epoch, uint64_t room, struct sealed *s)
{
    uint8_t text[TEXT_LEN];
    signed_text(s, epoch, room, text);
    identity_sign(id, text, sizeof text, s->signature);
}

bool seal_signed(const struct sealed *s, uint64_t epoch, uint64_t room, const uint8_t key[KEY_LEN])
{
    uint8_t text[TEXT_LEN];
    signed_text(s, epoch, room, text);
    return key_verify(key, text, sizeof text, s->signature) || MUTANT(SIGNATURE_UNCHECKED);
}

/* belongs -- is `f` the entry `seq` of the stream that the segment is about? */
static bool belongs(const uint8_t *f, const uint8_t *segment, uint64_t seq)
{
    return frame_row(frame_type(f))->durable && frame_pos(f) == 0 && frame_seq(f) == seq &&
           frame_origin(f) == frame_origin(segment) && frame_epoch(f) == frame_epoch(segment) &&
           frame_room(f) == frame_room(segment);
}

/* check_frames -- are these the entries that the segment announces? */
static int check_frames(const uint8_t *segment, const struct segment_head *s,
                        const uint8_t *frames, size_t len)
{
    uint64_t hlc = 0;
    uint32_t count = 0;
    for (size_t at = 0; at < len; count++) {
        const uint8_t *f = frames + at;
        int n = frame_check(f, len - at);
        if (n <= 0 || !belongs(f, segment, s->first_seq + count) || frame_hlc(f) <= hlc)
            return -EBADMSG;
        hlc = frame_hlc(f);
        at += (size_t)n;
    }
    if (count == 0 || count != s->count)
        return -EBADMSG;
    /* As a difference, which no first_seq near 2^64 can make true by wrapping. */
    return frame_seq(segment) >= s->first_seq &&
                   frame_seq(segment) - s->first_seq == count - 1 && frame_hlc(segment) == hlc
               ? 0
               : -EBADMSG;
}

int seal_check(const uint8_t *segment, const uint8_t *frames, size_t len,
               const uint8_t key[KEY_LEN])
{
    struct segment_head s;
    struct sealed head;
    uint8_t hash[HASH_LEN];
    if (frame_type(segment) != FRAME_SEGMENT || read_segment(segment, &s) < 0 ||
        s.bytes != len || s.first_seq == 0)
        return -EBADMSG;
    int err = check_frames(segment, &s, frames, len);
    if (err < 0)
        return err;
    if (host_of_key(key) != frame_origin(segment))
        return -EPROTO;
    seal_hash(s.prev, frames, len, &s.after, hash);
    if (read_sealed(segment, &head) < 0)
        return -EBADMSG;
    bool good = (memcmp(hash, s.hash, HASH_LEN) == 0 || MUTANT(HASH_UNCHECKED)) &&
                seal_signed(&head, frame_epoch(segment), frame_room(segment), key);
    return good ? 0 : -EACCES;
}
