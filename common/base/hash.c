/* hash.c -- SHA-256 by libcrypto. */
#include "base/hash.h"

#include <openssl/evp.h>

void sha256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[SHA256_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
    if (a_len > 0)
        ASSERT(EVP_DigestUpdate(ctx, a, a_len) == 1);
    if (b_len > 0)
        ASSERT(EVP_DigestUpdate(ctx, b, b_len) == 1);
    ASSERT(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
    EVP_MD_CTX_free(ctx);
}

uint64_t hash_u64(const void *p, size_t len)
{
    uint8_t digest[SHA256_LEN];
    sha256(p, len, NULL, 0, digest);
    uint64_t v = get_u64(digest);
    return v ? v : 1;
}

uint64_t room_id(struct text name)
{
    return hash_u64(name.p, name.len);
}
