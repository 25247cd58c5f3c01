/* whole.h -- a message of several parts, put together from the store. */
#ifndef SEARCH_WHOLE_H
#define SEARCH_WHOLE_H

#include "base/buffer.h"
#include "store/history.h"

/* whole_message -- append all frames of the message whose last one is `last`, in their order; of one whose beginning is not
 * there, what is there.
 * Returns 0 or -errno */
int whole_message(struct history *h, const uint8_t *last, struct buffer *to) MUST_USE;

/* whole_text -- append what these frames say.  Returns 0 or -errno */
int whole_text(const uint8_t *frames, size_t len, struct buffer *to) MUST_USE;

#endif
