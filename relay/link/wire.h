/* wire.h -- the bytes of a link, or of the feed behind it, as frames and segments; no I/O.
 *
 * A SEGMENT frame and the frames it announces come out together or not at all. */
#ifndef LINK_WIRE_H
#define LINK_WIRE_H

#include "frame/body.h"

enum { WIRE_BUFFER = SEGMENT_BYTES + 2 * FRAME_MAX };

struct wire {
    struct splitter split;
};

/* wire_init -- with WIRE_BUFFER bytes of the caller's. */
void wire_init(struct wire *w, uint8_t *buf);

/* wire_room, wire_fed -- as splitter_room() and splitter_fed(). */
uint8_t *wire_room(struct wire *w, size_t *room);
void wire_fed(struct wire *w, size_t n);

/* wire_next -- the next whole frame, and for a SEGMENT its frames; valid until wire_room() is called.
 *
 * frames, len  the bytes behind a SEGMENT, not looked into; NULL and 0 for any other frame
 * Returns      1; 0 when more bytes are needed; -EBADMSG when the stream is broken */
int wire_next(struct wire *w, const uint8_t **frame, const uint8_t **frames, size_t *len) MUST_USE;

/* wire_back -- the frame that wire_next() gave last is to come again: it could not be dealt with now. */
void wire_back(struct wire *w, const uint8_t *frame);

#endif
