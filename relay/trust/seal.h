/* seal.h -- what makes a segment one: its hash, chained to the segment before, signed by its origin. */
#ifndef TRUST_SEAL_H
#define TRUST_SEAL_H

#include "frame/body.h"
#include "trust/identity.h"

/* seal_hash -- SHA-256(prev | frames), the frames with pos zero; of a segment that answers something (after->n > 0), SHA-256 of that
 * and the rows. */
void seal_hash(const uint8_t prev[HASH_LEN], const void *frames, size_t len, const struct after *after, uint8_t hash[HASH_LEN]);

/* seal_sign -- over "chat segment 1", so that the signature can mean nothing else, and the whole head: stream, numbers, prev
 * and hash.  So heads alone prove what their origin sealed (link/fork.h).  Fills in s->signature; its own stream's origin
 * is who signs. */
void seal_sign(const struct identity *id, uint64_t epoch, uint64_t room, struct sealed *s);

/* seal_signed -- is this the head of a segment of that stream, by the owner of `key`? */
bool seal_signed(const struct sealed *s, uint64_t epoch, uint64_t room, const uint8_t key[KEY_LEN]) MUST_USE;

/* seal_check -- is this segment whole, and its origin's?
 *
 * segment  the SEGMENT frame, which passed frame_check(); frames: the `bytes` behind it, pos zero
 * key      the origin's public key
 * Checks that there are `count` well-formed durable frames, all of the segment's origin, epoch and room,
 * numbered first_seq.. without a gap with hlc rising; that the last one's seq and hlc are the header's;
 * hash and signature.  Whether it continues the stream is the caller's business.
 * Returns  0; -EBADMSG malformed; -EACCES hash or signature wrong; -EPROTO key is not the origin's */
int seal_check(const uint8_t *segment, const uint8_t *frames, size_t len, const uint8_t key[KEY_LEN])
    MUST_USE;

#endif
