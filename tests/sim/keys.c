/* keys.c -- hashes and signatures: fast, chained like the real ones, and as good as those
 * against who does not look inside. */
#include "sim.h"

#include "base/hash.h"
#include "trust/identity.h"

static uint64_t absorb(uint64_t h, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8)
        h = (h ^ get_u64(p)) * 0x9fb21c651e98df25u, h ^= h >> 29;
    for (; len > 0; p++, len--)
        h = (h ^ *p) * 0x9fb21c651e98df25u, h ^= h >> 29;
    return h;
}

void sha256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[SHA256_LEN])
{
    uint64_t h = absorb(absorb(a_len * 0x9e3779b97f4a7c15u ^ b_len, a, a_len), b, b_len);
    for (unsigned i = 0; i < SHA256_LEN / 8; i++)
        put_u64(out + 8 * i, mix(h, i + 1));
}

uint64_t hash_u64(const void *p, size_t len)
{
    uint8_t h[SHA256_LEN];
    sha256(p, len, NULL, 0, h);
    return get_u64(h) ? get_u64(h) : 1;
}

uint64_t room_id(struct text name)
{
    return hash_u64(name.p, name.len);
}

uint64_t host_of_key(const uint8_t key[KEY_LEN])
{
    return hash_u64(key, KEY_LEN);
}

/* tag -- what only the owner of the key makes: nothing but identity_sign() and key_verify()
 * calls this. */
static void tag(const uint8_t key[KEY_LEN], const void *p, size_t len, uint8_t signature[64])
{
    uint64_t h = absorb(get_u64(key) ^ 0x5ec2e7, p, len);
    for (unsigned i = 0; i < 8; i++)
        put_u64(signature + 8 * i, mix(h, i));
}

void identity_sign(const struct identity *id, const void *p, size_t len, uint8_t signature[64])
{
    tag(id->key, p, len, signature);
    if (memcmp(p, "chat segment", strlen("chat segment")) == 0)
        check_signed(id->node, get_u64((const uint8_t *)p + len - HASH_LEN));
}

bool key_verify(const uint8_t key[KEY_LEN], const void *p, size_t len,
                const uint8_t signature[64])
{
    uint8_t good[64];
    tag(key, p, len, good);
    return memcmp(good, signature, sizeof good) == 0;
}
