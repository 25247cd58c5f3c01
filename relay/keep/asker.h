/* asker.h -- on whose behalf a question is answered. */
#ifndef KEEP_ASKER_H
#define KEEP_ASKER_H

#include "frame/session.h"
#include "state/state.h"

struct asker {
    char user[USER_NAME_MAX]; /* nobody, when he is gone already */
    uint8_t user_len;
};

/* asker_of -- the user of the session of that client, if it belongs to this uid. */
struct asker asker_of(struct state *st, uint64_t client, uint32_t uid);

/* asker_sees -- may he know of the room of that number (state/scope.h)?  Not in a section: for a private room it is one. */
bool asker_sees(struct state *st, const struct asker *who, uint64_t room);

/* asker_fifo -- open the FIFO that a query wants its answer in, which must be of the user who asks.
 *
 * rendezvous  the directory of the FIFOs
 * Returns     its end to write, which does not block, or -errno: -EPERM it is another user's, which the log says */
int asker_fifo(int rendezvous, const struct query *q) MUST_USE;

static inline struct text asker_user(const struct asker *who)
{
    return (struct text){who->user, who->user_len};
}

#endif
