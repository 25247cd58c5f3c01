/* rules.h -- what a frame from a client means: checked outside the lock, applied inside it. */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "frame/body.h"
#include "state/state.h"

struct rules {
    struct state *st;
    uint64_t wall;                   /* wall_ms() of this section */
    uint64_t section;                /* number of this section */
    uint64_t room_saved[ROOMS_MAX];  /* section in which the room's before-image was kept */
    uint64_t *session_saved;         /* the same for sessions, sessions_max + 1 */
};

/* rules_open -- returns 0 or -ENOMEM. */
int rules_open(struct rules *r, struct state *st) MUST_USE;

/* rules_check -- outside the lock: may this session send this frame at all?
 *
 * Checks that sessions may send the type, that body, user name and room name are well-formed and its own, that the
 * room's number is that of the name, and stamps the uid, and the time into a probe, into a QUERY.
 * Returns  0 to be applied; -EALREADY it was taken before: drop it; or the enum reason (> 0) to refuse it with */
int rules_check(const struct session *s, uint8_t *frame) MUST_USE;

/* rules_section -- a section begins: state_take() was called just now. */
void rules_section(struct rules *r, uint64_t wall);

enum rules_effect { RULES_NOTHING, RULES_JOINED, RULES_LEFT };

/* rules_apply -- in a section: put what the frame causes into the journal and the tables.  A room that the user may not
 * know of (state/scope.h) is for him one that does not exist.
 *
 * room     filled with the slot of the room it is about, 0 when none
 * Returns  enum rules_effect; -EAGAIN when journal or undo area are full for now: nothing of this frame was
 *          applied; end the section and try again when more is durable */
int rules_apply(struct rules *r, uint32_t session, const uint8_t *frame, uint32_t *room) MUST_USE;

/* rules_refuse -- in a section: tell the client that this frame is not taken.  Returns 0 or -EAGAIN. */
int rules_refuse(struct rules *r, uint32_t session, const uint8_t *frame, unsigned reason) MUST_USE;

/* rules_leave_all -- in a section: out of its rooms; 0 when it is in none any more, -EAGAIN: call again. */
int rules_leave_all(struct rules *r, uint32_t session) MUST_USE;

#endif
