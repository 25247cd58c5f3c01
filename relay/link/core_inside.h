/* core_inside.h -- what the parts of the core share: core.c, who is linked and what they say; sums.c, what of ours digests sum up;
 * judge.c, what is taken; early.c, what came before what it answers; say.c, what we say. */
#ifndef LINK_CORE_INSIDE_H
#define LINK_CORE_INSIDE_H

#include "base/mutant.h"
#include "link/core.h"

static inline void nothing(struct link_update *up)
{
    up->feed_len = 0;
    up->presence = -1;
    up->reason = REASON_OK;
    up->why[0] = '\0';
}

static inline void end_link(struct link_update *up, enum reason reason, const char *why)
{
    size_t n = min_size(strlen(why), SENTENCE_MAX);
    up->reason = (uint8_t)reason;
    memcpy(up->why, why, n);
    up->why[n] = '\0';
}

/* rested -- so long since then that it may be done again.  All hosts hear of each change of our links, and each makes out
 * anew who brings what to whom: what comes in a burst is one change, and who knows many hosts waits longer for more. */
static inline bool rested(const struct link_core *l, uint64_t since_ms, uint64_t now_ms)
{
    return now_ms - since_ms >= l->topology.n * LINK_REST_MS;
}

/* Some hosts of our list, one after the other, and what we have of their streams. */
struct digests {
    size_t first, n;
    struct digest_row row[DIGEST_ROWS_MAX];
};

/* link_row -- of this stream, as it is told to peers. */
struct have_row link_row(const struct have_entry *e);

/* link_host_at -- of the list of those whose streams we take: our own comes last.  link_place_of -- its place; n_hosts + 1: none. */
uint64_t link_host_at(const struct link_core *l, size_t i);
size_t link_place_of(const struct link_core *l, uint64_t host);

/* link_divide -- the hosts of `d` into parts, as we know the runs; link_sum_up -- every row into the part it belongs to. */
void link_divide(const struct link_core *l, const struct link_peer *p, struct digests *d);
void link_sum_up(const struct link_core *l, const struct link_peer *p, struct digests *d);

/* link_same -- is this row of a part of which the peer has exactly what we have?  Then it need not be told. */
bool link_same(const struct link_core *l, const struct link_peer *p, const struct have_entry *e);

/* link_tell_news -- what we have of this stream, to all. */
void link_tell_news(struct link_core *l, uint32_t entry);

/* link_choose -- what is said next to this peer.  Returns its stride, 0: nothing. */
int link_choose(struct link_core *l, struct link_peer *p, uint64_t wall_ms, uint64_t now_ms, uint8_t *f);

#endif
