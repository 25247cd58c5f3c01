/* gone.h -- people in a room are told that messages cannot come here any more: one line for each host and room, when no more of
 * it came for a moment. */
#ifndef KEEP_GONE_H
#define KEEP_GONE_H

#include "state/state.h"

enum { GONE_ROWS_MAX = 64, GONE_QUIET_MS = 1000 };

struct gone_lines {
    struct state *st;
    size_t n;
    struct gone_line {
        uint64_t origin, room, hlc_max, noted_ms;
        struct gone gone;
    } line[GONE_ROWS_MAX];
};

/* gone_add -- this GAP, too, to what is said of its host and room. */
void gone_add(struct gone_line *l, const uint8_t *gap);

/* gone_note -- a GAP that is in the store now.  When there are more lines than fit, the store alone knows of it: for the log. */
void gone_note(void *gone_lines, const uint8_t *gap);

/* gone_tell -- what is quiet by now, as far as the journal has room; now and then while there are any. */
void gone_tell(struct gone_lines *g, uint64_t now_ms);

#endif
