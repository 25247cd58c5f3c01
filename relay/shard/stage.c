/* stage.c -- the same pages into many FIFOs: vmsplice(2) instead of a copy for each. */
#include "shard/shard_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    STAGE_MIN = 16 * 1024, /* less is copied as fast */
    STAGE_FROM = 8,        /* a chunk that is wanted less often is not worth it: who lags takes it in two or three times */
    PARTS_MAX = (PIPEFUL + FRAME_MAX) / STAGE_CHUNK + 2,
};

void stage_open(struct stage *s)
{
    size_t size = (size_t)STAGE_CHUNKS * STAGE_CHUNK;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *s = (struct stage){.base = p == MAP_FAILED ? NULL : p};
    if (s->base)
        (void)madvise(s->base, size, MADV_NOHUGEPAGE); /* one page in a FIFO would keep all of a huge one */
}

void stage_close(struct stage *s)
{
    if (s->base)
        munmap(s->base, (size_t)STAGE_CHUNKS * STAGE_CHUNK);
    s->base = NULL;
}

/* on_stage -- the copy of this chunk; NULL: there is none, for too few wanted it, or it still grows, or it is too old. */
static uint8_t *on_stage(struct stage *s, const struct state *st, uint64_t number)
{
    unsigned at = (unsigned)(number % STAGE_CHUNKS);
    uint8_t *p = s->base + (size_t)at * STAGE_CHUNK;
    if ((number + 1) * STAGE_CHUNK > journal_head(&st->seg->journal) || number + 1 < s->chunk[at].number)
        return NULL;
    if (s->chunk[at].number != number + 1) {
        s->chunk[at].number = number + 1;
        s->chunk[at].wanted = 0;
        s->chunk[at].there = false;
    }
    if (s->chunk[at].there)
        return p;
    if (++s->chunk[at].wanted < STAGE_FROM || madvise(p, STAGE_CHUNK, MADV_DONTNEED) < 0)
        return NULL;
    memcpy(p, state_at(st, number * STAGE_CHUNK), STAGE_CHUNK); /* of what is not pinned nobody will be sent anything */
    s->chunk[at].there = true;
    return p;
}

/* put_parts -- where this part of the journal is on stage.  Returns how many parts; 0: it is not, or not all of it. */
static unsigned put_parts(struct stage *s, const struct state *st, uint64_t pos, size_t len, struct iovec part[PARTS_MAX])
{
    unsigned n = 0;
    for (size_t done = 0, piece; done < len; done += piece, n++) {
        uint8_t *p = on_stage(s, st, (pos + done) / STAGE_CHUNK);
        size_t from = (pos + done) % STAGE_CHUNK;
        piece = min_size(len - done, STAGE_CHUNK - from);
        if (!p || n == PARTS_MAX)
            return 0;
        part[n] = (struct iovec){p + from, piece};
    }
    return n;
}

ssize_t stage_write(struct stage *s, const struct state *st, int fd, const struct load *l, size_t off)
{
    struct iovec part[PARTS_MAX];
    size_t len = l->len - off;
    uint64_t pos = frame_pos(l->p);
    bool large = s->base && len >= STAGE_MIN && l->p == state_at(st, pos);
    unsigned n = large ? put_parts(s, st, pos + off, len, part) : 0;
    ssize_t out = n > 0 ? vmsplice(fd, part, n, SPLICE_F_NONBLOCK) : -1;
    if (n > 0 && out < 0 && (errno == EPERM || errno == ENOSYS || errno == EINVAL)) {
        stage_close(s);
        n = 0;
    }
    return n > 0 ? out : write(fd, l->p + off, len);
}
