/* pace.h -- how often a user may say hello: no I/O, and the same short time whoever asks. */
#ifndef RULES_PACE_H
#define RULES_PACE_H

#include "base/base.h"

enum {
    PACE_BURST = 64,     /* at once ... */
    PACE_EVERY_MS = 200, /* ... and then one every so often */
    PACE_SLOTS = 256,
};

/* Zeroed memory is ready for use.  Two users who share a slot take it from each other, with a
 * full burst: that they can be more often, not that one can keep the other out. */
struct pace {
    struct {
        uint64_t due_ms; /* when the burst is whole again */
        uint32_t uid;
    } slot[PACE_SLOTS];
};

/* pace_take -- may this user say hello now?  If so, it counts; what is refused does not. */
bool pace_take(struct pace *p, uint32_t uid, uint64_t now_ms);

#endif
