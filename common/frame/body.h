/* body.h -- what is inside a frame, type by type: a struct, how it is written, how it is read.
 *
 * Texts point into the frame they were read from.  Every read_*() checks that each byte of the body
 * was consumed and that names and text obey text.h; it returns 0 or -EBADMSG.  Every write_*()
 * builds a whole frame in a buffer of FRAME_MAX bytes, with the header fields it knows, and returns
 * its stride or -EMSGSIZE.  Of rows, of which a frame has many, the writer's or reader's caller begins and ends it. */
#ifndef FRAME_BODY_H
#define FRAME_BODY_H

#include "frame/entry.h"
#include "frame/peer.h"
#include "frame/segment.h"
#include "frame/session.h"

#endif
