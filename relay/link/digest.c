/* digest.c -- parts of an origin's streams, and SipHash-2-4 of a row. */
#include "link/digest.h"

#include "base/mutant.h"

unsigned digest_part(const uint64_t from[RUNS_APART], uint64_t epoch)
{
    unsigned part = 0;
    while (part < RUNS_APART && epoch >= from[part])
        part++;
    return part;
}

void digest_run(uint64_t from[RUNS_APART], uint64_t epoch)
{
    unsigned at = digest_part(from, epoch);
    if (at == 0 || from[at - 1] == epoch)
        return;
    memmove(from, from + 1, (at - 1) * sizeof *from); /* the oldest of them joins the rest */
    from[at - 1] = epoch;
}

static uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void rounds(uint64_t v[4], unsigned n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

uint64_t digest_row(const uint64_t key[2], const struct have_row *row)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    absorb(v, row->origin);
    absorb(v, row->epoch);
    absorb(v, row->room);
    absorb(v, MUTANT(DIGEST_BLIND) ? 0 : row->seq);
    bool headless = MUTANT(DIGEST_BLIND) || MUTANT(DIGEST_HEADLESS);
    absorb(v, headless ? 0 : get_u64(row->head));
    absorb(v, headless ? 0 : get_u64(row->head + 8));
    absorb(v, (uint64_t)sizeof *row << 56); /* the length, as SipHash has it */
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
