/* seen.h -- which messages were shown: what one client says in one room comes in the order it was said. */
#ifndef CHAT_SEEN_H
#define CHAT_SEEN_H

#include "frame/frame.h"

/* Zeroed: nothing was seen. */
struct seen {
    struct last *last;
    size_t n, size;
};

/* seen_first -- does this frame come for the first time?  Remembers it.  (Out of memory: it says yes.) */
bool seen_first(struct seen *s, const uint8_t *frame);
void seen_free(struct seen *s);

#endif
