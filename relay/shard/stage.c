/* stage.c -- the same pages into many FIFOs: splice(2) instead of a copy for each. */
#include "shard/shard_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    STAGE_MIN = 12 * 1024, /* less is copied as fast, and takes less of a FIFO: a page there has room for more */
    STAGE_FROM = 3,        /* readers */
    GAP_MAX = STAGE_CHUNK, /* more that nobody wanted is not copied */
};

void stage_open(struct stage *s)
{
    *s = (struct stage){.fd = memfd_create("stage", MFD_CLOEXEC)};
    if (s->fd >= 0 && ftruncate(s->fd, STAGE_SIZE) < 0)
        stage_close(s);
}

void stage_close(struct stage *s)
{
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct stage){.fd = -1};
}

/* sweep -- new pages for the chunk in which the next byte lies; those that lay there stay as they are where they are in a FIFO. */
static bool sweep(struct stage *s)
{
    uint64_t chunk = s->to / STAGE_CHUNK * STAGE_CHUNK;
    if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(chunk % STAGE_SIZE), STAGE_CHUNK) < 0)
        return false;
    if (s->from + STAGE_SIZE < chunk + STAGE_CHUNK)
        s->from = chunk + STAGE_CHUNK - STAGE_SIZE;
    return true;
}

/* lay_out -- this part of the journal, from a place that was swept or goes on behind what lies there. */
static bool lay_out(struct stage *s, const struct state *st, uint64_t to, bool anew)
{
    for (size_t n; s->to < to; s->to += n, anew = false) {
        size_t off = s->to % STAGE_CHUNK;
        n = min_size((size_t)(to - s->to), STAGE_CHUNK - off);
        if ((off == 0 || anew) && !sweep(s))
            return false;
        if (pwrite(s->fd, state_at(st, s->to), n, (off_t)(s->to % STAGE_SIZE)) != (ssize_t)n)
            return false;
    }
    return true;
}

/* on_stage -- is this part of the journal?  It goes there now if it is newer than what is. */
static bool on_stage(struct stage *s, const struct state *st, uint64_t from, uint64_t to)
{
    bool anew = from > s->to + GAP_MAX;
    if (anew)
        s->from = s->to = from;
    if (lay_out(s, st, to, anew))
        return from >= s->from;
    s->from = s->to = 0; /* no memory: what was begun is not gone on with */
    return false;
}

/* show -- as splice(), of what lies there, which may come round. */
static ssize_t show(const struct stage *s, int fd, uint64_t pos, size_t len)
{
    off_t at = (off_t)(pos % STAGE_SIZE);
    size_t first = min_size(len, STAGE_SIZE - (size_t)at);
    ssize_t n = splice(s->fd, &at, fd, NULL, first, SPLICE_F_NONBLOCK);
    if (n != (ssize_t)first || first == len)
        return n;
    at = 0;
    n = splice(s->fd, &at, fd, NULL, len - first, SPLICE_F_NONBLOCK);
    return (ssize_t)first + (n < 0 ? 0 : n);
}

ssize_t stage_write(struct stage *s, const struct state *st, int fd, const struct load *l, size_t off)
{
    size_t len = l->len - off;
    uint64_t pos = frame_pos(l->p);
    bool worth = s->fd >= 0 && l->readers >= STAGE_FROM && len >= STAGE_MIN && l->p == state_at(st, pos);
    if (!worth || !on_stage(s, st, pos + off, pos + l->len))
        return write(fd, l->p + off, len);
    ssize_t n = show(s, fd, pos + off, len);
    if (n >= 0 || (errno != EPERM && errno != ENOSYS && errno != EINVAL))
        return n;
    stage_close(s); /* the kernel does not let us */
    return write(fd, l->p + off, len);
}
