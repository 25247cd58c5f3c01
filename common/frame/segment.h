/* segment.h -- sealed entries of one stream, and what is said of them, written and read (body.h). */
#ifndef FRAME_SEGMENT_H
#define FRAME_SEGMENT_H

#include "frame/session.h"

enum { HASH_LEN = 32, SIGNATURE_LEN = 64 };

/* SEGMENT: consecutive entries of one stream, sealed; its frames follow it, `bytes` of them, with pos
 * zero.  Header: origin, epoch, room; seq = the last entry's; hlc = the last entry's; client = the feed
 * it belongs to between keeper and link, zero elsewhere. */
enum { SEGMENT_BYTES = 1 << 18 }; /* of frames in one segment, at most */

/* What a segment answers: entries of other streams of its room that its origin had on disk when it sealed it, signed with it, the
 * newest first.  Named are those that grew since the segment before in the same stream that holds what people said; so most name none. */
enum { AFTER_MAX = 8, AFTER_ROW_LEN = 24 };
struct after {
    uint32_t n;
    struct after_row {
        uint64_t origin, epoch, seq;
    } row[AFTER_MAX];
};
void write_after(struct wr *w, const struct after *a);
void read_after(struct rd *r, struct after *a); /* all that is left; bad when those are no rows, or too many */

struct segment_head {
    uint32_t count, bytes;
    uint64_t first_seq;
    uint8_t prev[HASH_LEN]; /* hash of the segment before in this stream; zeros in the first */
    uint8_t hash[HASH_LEN]; /* of prev, the frames with pos zero, and what it answers (trust/seal.h) */
    uint8_t signature[SIGNATURE_LEN]; /* Ed25519 of the origin's identity key over all that makes the head (trust/seal.h) */
    struct after after;
};
int write_segment(uint8_t *buf, const struct segment_head *s, uint64_t origin, uint64_t epoch,
                  uint64_t room, uint64_t last_seq, uint64_t last_hlc) MUST_USE;
int read_segment(const uint8_t *f, struct segment_head *s) MUST_USE;

/* CHAIN: signed heads of segments of one stream (header: origin, epoch, room), without their frames: the two that prove
 * that its origin contradicted itself (header: seq = from where on), or some of those that the sender has, for the other
 * side to look for a contradiction.  From link to keeper, header: client = the feed, pos = the end of what was taken
 * before; without heads: send the peer some of ours. */
struct sealed {
    uint64_t first_seq, last_seq;
    uint8_t prev[HASH_LEN], hash[HASH_LEN], signature[SIGNATURE_LEN]; /* as in a SEGMENT */
};
enum { CHAIN_HEADS_MAX = 28 };
int read_sealed(const uint8_t *segment, struct sealed *s) MUST_USE; /* the head of a SEGMENT */
int write_chain(uint8_t *buf, const struct sealed *s, size_t n, uint64_t origin, uint64_t epoch, uint64_t room,
                uint64_t point) MUST_USE;
int read_chain(const uint8_t *f, struct sealed s[CHAIN_HEADS_MAX]) MUST_USE; /* returns how many */

/* GAP: entries of one stream that its sender does not have any more, or never had: who has what lies before them goes on behind
 * them.  It bears the signed head of the last segment that is missing: so nobody can name a gap in what the origin did not
 * say.  Header: origin, epoch, room; seq and hlc = the last missing entry's.  From keeper to link, header: client = the feed. */
struct gap {
    uint8_t why;
    uint64_t first_seq, hlc_min; /* of the first missing entry */
    uint32_t messages;           /* that people said, among them */
    struct sealed last;
};
int write_gap(uint8_t *buf, const struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc_max) MUST_USE;
int read_gap(const uint8_t *f, struct gap *g) MUST_USE;

/* DUE: the frames of a segment that was parked, which lie in the journal before; `bytes` of them follow, for the workers of
 * this host (keep/parked.h).  Header: room. */
int write_due(uint8_t *buf, uint32_t bytes, uint64_t room) MUST_USE;
int read_due(const uint8_t *f, uint32_t *bytes) MUST_USE;

#endif
