/* pace.c -- how often a user may say hello. */
#include "rules/pace.h"

/* The generic cell rate algorithm (ITU-T I.371): a bucket that leaks at a steady rate, kept as
 * the time at which it will be empty. */
bool pace_take(struct pace *p, uint32_t uid, uint64_t now_ms)
{
    uint64_t *due = &p->slot[uid % PACE_SLOTS].due_ms;
    uint32_t *owner = &p->slot[uid % PACE_SLOTS].uid;
    if (*owner != uid) {
        *owner = uid;
        *due = 0;
    }
    if (*due > now_ms + (PACE_BURST - 1) * PACE_EVERY_MS)
        return false;
    *due = max_u64(*due, now_ms) + PACE_EVERY_MS;
    return true;
}
