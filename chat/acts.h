/* acts.h -- what people call acts upon a room, and what is said of them. */
#ifndef CHAT_ACTS_H
#define CHAT_ACTS_H

#include "frame/body.h"

struct act_words {
    const char *name; /* as it is typed */
    const char *fact; /* what it leaves behind; NULL: nothing */
    const char *said; /* of its author, or of its target: "was ... by" */
};
extern const struct act_words act_words[ACTS_END];
extern const char *const mode_words[MODES_END];

/* act_of_name, mode_of_name -- "op", "topic-by-operators"; 0: there is none. */
uint8_t act_of_name(const char *name);
uint8_t mode_of_name(const char *name);

#endif
