/* id.h -- what an entry, a message or an act, is called, the same on every host: ORIGIN-EPOCH-ROOM-SEQ, the last a decimal number, the others
 * hexadecimal.  It says by itself where to look. */
#ifndef CHAT_ID_H
#define CHAT_ID_H

#include "frame/body.h"

enum { ID_TEXT_MAX = 3 * 17 + 20 };

/* id_to_text -- of the entry that this frame is, or is the last part of; `to` has ID_TEXT_MAX + 1 bytes. */
void id_to_text(const uint8_t *frame, char *to);

/* id_from_text -- returns 0 or -EINVAL. */
int id_from_text(const char *text, struct have_row *id) MUST_USE;

#endif
