/* remote.h -- what a segment of another host means here: checked outside the lock, applied inside it. */
#ifndef RULES_REMOTE_H
#define RULES_REMOTE_H

#include "frame/body.h"
#include "state/state.h"

/* remote_check -- may frames with a good seal be shown to people?
 *
 * Checks the flags, every body as strictly as that of a local client's, and that a stream begins with the name of
 * its room.  Returns 0 or -EBADMSG */
int remote_check(const uint8_t *frames, size_t len) MUST_USE;

/* remote_apply -- in a section: the SEGMENT and its frames behind the journal's head; the room exists, its counters,
 * our clock and the table of members move on.  What is stamped more than SKEW_MAX_MS ahead of `wall` by another host is parked:
 * our clock does not follow it.
 *
 * Returns  0; -EAGAIN the journal is full for now: end the section, try again when more is durable;
 *          -ENOSPC the table of rooms is full */
int remote_apply(struct state *st, const uint8_t *segment, const uint8_t *frames, size_t len, uint64_t wall) MUST_USE;

/* remote_gap -- in a section: a GAP that was taken, behind the journal's head; a stamp ahead of `wall` is nonsense and becomes that.
 * from     what lies before this entry is here: the gap begins there, whatever its sender knew of us
 * Returns  0; -EAGAIN as above; -ENOSPC the room is not known */
int remote_gap(struct state *st, const uint8_t *gap, uint64_t from, uint64_t wall) MUST_USE;

#endif
