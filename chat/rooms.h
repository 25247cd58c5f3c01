/* rooms.h -- what people do to rooms: typed words into acts, the same for `chat room` and for commands in a conversation. */
#ifndef CHAT_ROOMS_H
#define CHAT_ROOMS_H

#include "port.h"

/* act_from_words -- "op", "bob@beta" into an act; names in `words` must outlive it.
 * why      on failure, one sentence
 * Returns  0; -EINVAL; -ENOENT no such host */
int act_from_words(const struct port *p, uint8_t act, const char *words, struct room_act *a, char *why, size_t why_size) MUST_USE;

#endif
