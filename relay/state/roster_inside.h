/* roster_inside.h -- the tables from within: roster.c, rooms, hosts and roles; sessions.c, sessions and which rooms they are in. */
#ifndef STATE_ROSTER_INSIDE_H
#define STATE_ROSTER_INSIDE_H

#include "state/roster.h"

/* roster_save -- the before-image of what is to be changed. */
static inline void roster_save(const struct roster_edit *e, const void *at, size_t len)
{
    undo_save(e->undo, e->base, at, len);
}

/* roster_set_u32 -- change one index or count, its before-image kept. */
static inline void roster_set_u32(const struct roster_edit *e, uint32_t *at, uint32_t v)
{
    roster_save(e, at, sizeof *at);
    *at = v;
}

static inline uint32_t roster_bucket(uint64_t key, uint32_t n)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) % n;
}

/* roster_turnouts_max -- of a user in all rooms there are, and some of everybody. */
static inline size_t roster_turnouts_max(uint32_t sessions_max)
{
    return ROOMS_MAX + 4 * (size_t)sessions_max;
}

/* roster_pool, roster_turnouts -- where the tables behind the sessions lie. */
static inline struct seats *roster_pool(const struct roster *r)
{
    return (struct seats *)(uintptr_t)(r->session + r->sessions_max + 1);
}

static inline struct turnout *roster_turnouts(const struct roster *r)
{
    return (struct turnout *)(void *)(roster_pool(r) + r->sessions_max + 1);
}

#endif
