/* stream.c -- frames out of a FIFO that a relay writes. */
#include "stream.h"

#include "base/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { STREAM_BUFFER = 128 * 1024 };

void stream_init(struct stream *s)
{
    *s = (struct stream){.fd = -1};
}

void stream_free(struct stream *s)
{
    close_fd(&s->fd);
    free(s->buf);
    stream_init(s);
}

void stream_close(struct stream *s)
{
    close_fd(&s->fd);
    s->opened = false;
    splitter_init(&s->split, s->buf, s->buf ? STREAM_BUFFER : 0);
}

/* make_buffer -- most streams of a port are never read. */
static int make_buffer(struct stream *s)
{
    if (s->buf)
        return 0;
    s->buf = malloc(STREAM_BUFFER);
    splitter_init(&s->split, s->buf, STREAM_BUFFER);
    return s->buf ? 0 : -ENOMEM;
}

/* stream_next -- 1 and a frame; 0 nothing now; -EPIPE it ended or is broken. */
int stream_next(struct stream *s, const uint8_t **f)
{
    if (make_buffer(s) < 0)
        return -EPIPE;
    for (;;) {
        int r = splitter_next(&s->split, f);
        if (r != 0)
            return r < 0 ? -EPIPE : 1;
        size_t room;
        uint8_t *to = splitter_room(&s->split, &room);
        ssize_t n = read(s->fd, to, room);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
        if (n == 0) /* no writer: none yet, or none any more */
            return s->opened ? -EPIPE : 0;
        s->opened = true;
        splitter_fed(&s->split, (size_t)n);
    }
}

bool stream_readable(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, ms) > 0;
}

/* hung_up -- did the other end of a FIFO go away? */
bool stream_hung_up(int fd)
{
    struct pollfd p = {fd, 0, 0};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}
