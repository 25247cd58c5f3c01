/* fork.c -- heads against heads. */
#include "link/fork.h"

static bool same(const struct sealed *a, const struct sealed *b)
{
    return a->first_seq == b->first_seq && a->last_seq == b->last_seq && memcmp(a->prev, b->prev, HASH_LEN) == 0 &&
           memcmp(a->hash, b->hash, HASH_LEN) == 0;
}

/* breaks -- `b` follows `a` by its numbers, and by nothing else. */
static bool breaks(const struct sealed *a, const struct sealed *b)
{
    return a->last_seq + 1 == b->first_seq && memcmp(a->hash, b->prev, HASH_LEN) != 0;
}

bool fork_proven(const struct sealed *a, const struct sealed *b)
{
    bool overlap = a->first_seq <= b->last_seq && b->first_seq <= a->last_seq;
    return overlap ? !same(a, b) : breaks(a, b) || breaks(b, a);
}

uint64_t fork_point(const struct sealed *s, size_t n, uint64_t end, size_t *a, size_t *b)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            uint64_t point = min_u64(s[i].first_seq, s[k].first_seq);
            if (point >= end || !fork_proven(&s[i], &s[k]))
                continue;
            end = point;
            *a = k;
            *b = i;
        }
    return end;
}
