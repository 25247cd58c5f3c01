/* stream.h -- frames out of a FIFO that a relay writes: that of the session, or of an answer. */
#ifndef CHAT_STREAM_H
#define CHAT_STREAM_H

#include "frame/frame.h"

struct stream {
    int fd;
    struct splitter split;
    uint8_t *buf;
    bool opened; /* something came: the relay has it open, so an end is its end */
};

/* stream_init -- closed.  stream_free -- and its memory given back, which it takes when it is read first. */
void stream_init(struct stream *s);
void stream_free(struct stream *s);

/* stream_close -- and ready for another FIFO. */
void stream_close(struct stream *s);

/* stream_next -- 1 and a frame, valid until the next call; 0 nothing now; -EPIPE it ended or is broken. */
int stream_next(struct stream *s, const uint8_t **f) MUST_USE;

/* stream_readable -- wait up to `ms` for bytes.  stream_hung_up -- did the other end go away? */
bool stream_readable(int fd, int ms);
bool stream_hung_up(int fd);

#endif
