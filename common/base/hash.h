/* hash.h -- SHA-256, and the numbers derived from it. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

enum { SHA256_LEN = 32 };

/* sha256 -- of `a` and then `b` (either may be empty). */
void sha256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[SHA256_LEN]);

/* hash_u64 -- the first 8 bytes of SHA-256, little-endian; never 0. */
uint64_t hash_u64(const void *p, size_t len);

/* room_id -- the number of the public room of that name, the same on every host. */
uint64_t room_id(struct text name);

#endif
