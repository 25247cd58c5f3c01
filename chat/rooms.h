/* rooms.h -- what people do to rooms: typed words into acts, the same for `chat room` and for commands in a conversation. */
#ifndef CHAT_ROOMS_H
#define CHAT_ROOMS_H

#include "port.h"

/* private_from_user -- what he types who makes a private room, "plans", into the name it has: "alice@alpha/plans", CALLED_MAX + 1
 * bytes.  False: it cannot be the name of a room. */
bool private_from_user(const struct port *p, const char *typed, char *called);

/* act_from_words -- "op", "bob@beta" into an act; names in `words` must outlive it.
 * why      on failure, one sentence
 * Returns  0; -EINVAL; -ENOENT no such host */
int act_from_words(const struct port *p, uint8_t act, const char *words, struct room_act *a, char *why, size_t why_size) MUST_USE;

#endif
