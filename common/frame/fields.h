/* fields.h -- what bodies of several types consist of.  Names are judged while they are read: what is wrong sets the cursor's flag. */
#ifndef FRAME_FIELDS_H
#define FRAME_FIELDS_H

#include "frame/frame.h"

#include <errno.h>

/* body_of -- a cursor at the beginning of the body of a frame; body_done -- 0 when it came to its end and nothing was wrong,
 * otherwise -EBADMSG. */
static inline struct rd body_of(const uint8_t *f)
{
    return rd_from(frame_body(f), frame_body_len(f));
}

static inline int body_done(const struct rd *r)
{
    return rd_done(r) ? 0 : -EBADMSG;
}

/* rd_user, rd_host, rd_room -- a name behind its length in one byte; that of a room may be any of base/direct.h. */
struct text rd_user(struct rd *r);
struct text rd_host(struct rd *r);
struct text rd_room(struct rd *r);

/* wr_within -- text behind its length in one byte; an empty one, and one of more than `max` bytes, is bad. */
void wr_within(struct wr *w, struct text t, size_t max);

#endif
