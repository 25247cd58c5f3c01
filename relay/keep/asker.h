/* asker.h -- on whose behalf a question is answered. */
#ifndef KEEP_ASKER_H
#define KEEP_ASKER_H

#include "state/state.h"

struct asker {
    char user[USER_NAME_MAX]; /* nobody, when he is gone already */
    uint8_t user_len;
};

/* asker_of -- the user of the session of that client, if it belongs to this uid. */
struct asker asker_of(struct state *st, uint64_t client, uint32_t uid);

/* asker_sees -- may he know of the room of that number (state/scope.h)?  Not in a section: for a private room it is one. */
bool asker_sees(struct state *st, const struct asker *who, uint64_t room);

static inline struct text asker_user(const struct asker *who)
{
    return (struct text){who->user, who->user_len};
}

#endif
