/* disk_blob.c -- segments on simulated disks: each is kept once, however many have it. */
#include "disk_inside.h"

#include <stdlib.h>

enum { BUCKETS = 1 << 14 };
static struct blob *bucket[BUCKETS];

static struct blob **bucket_of(const uint8_t hash[HASH_LEN])
{
    return &bucket[get_u64(hash) % BUCKETS];
}

/* same_frames -- but for their pos, which is zero in `kept`. */
static bool same_frames(const uint8_t *kept, const uint8_t *frames, size_t len)
{
    for (size_t i = 0; i < len; i += frame_stride(frames + i))
        if (memcmp(kept + i, frames + i, 8) != 0 || memcmp(kept + i + 16, frames + i + 16, frame_stride(frames + i) - 16) != 0)
            return false;
    return true;
}

static bool same(const struct blob *b, const struct history_segment *s)
{
    return b->s.origin == s->origin && b->s.epoch == s->epoch && b->s.room == s->room && b->s.last_seq == s->last_seq &&
           b->s.len == s->len && memcmp(b->s.hash, s->hash, HASH_LEN) == 0 && memcmp(b->s.prev, s->prev, HASH_LEN) == 0 &&
           memcmp(b->s.signature, s->signature, SIGNATURE_LEN) == 0 && same_frames(b->s.frames, s->frames, s->len);
}

static struct blob *blob_new(const struct history_segment *s)
{
    struct blob *b = malloc(sizeof *b + s->len + 2 * HASH_LEN + SIGNATURE_LEN);
    ASSERT(b);
    *b = (struct blob){.next = *bucket_of(s->hash), .s = *s};
    uint8_t *p = b->bytes;
    memcpy(p, s->prev, HASH_LEN);
    memcpy(p + HASH_LEN, s->hash, HASH_LEN);
    memcpy(p + 2 * HASH_LEN, s->signature, SIGNATURE_LEN);
    b->s.prev = p;
    b->s.hash = p + HASH_LEN;
    b->s.signature = p + 2 * HASH_LEN;
    b->s.frames = p += 2 * HASH_LEN + SIGNATURE_LEN;
    memcpy(p, s->frames, s->len);
    for (size_t i = 0; i < s->len; i += frame_stride(p + i))
        frame_set_pos(p + i, 0);
    return *bucket_of(s->hash) = b;
}

struct blob *blob_get(const struct history_segment *s)
{
    struct blob *b = *bucket_of(s->hash);
    while (b && !same(b, s))
        b = b->next;
    b = b ? b : blob_new(s);
    b->refs++;
    return b;
}

void blob_put(struct blob *b)
{
    if (--b->refs > 0)
        return;
    struct blob **at = bucket_of(b->s.hash);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    free(b);
}
