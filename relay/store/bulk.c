/* bulk.c -- the frames of large segments: a file beside the database, written at its end alone. */
#include "store/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096 }; /* holes are made of whole ones */

/* code -- what the system says, in the store's words. */
static int code(int e)
{
    return e == ENOSPC || e == EDQUOT || e == EFBIG ? -ENOSPC : -EIO;
}

int bulk_open(struct bulk *b, const char *path, uint64_t end)
{
    struct stat s;
    *b = (struct bulk){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), .end = end, .next = end};
    if (b->fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EACCES;
    int r = fstat(b->fd, &s) < 0 ? -EIO : (uint64_t)s.st_size < end ? -EBADMSG : 0;
    if (r < 0)
        bulk_close(b);
    return r;
}

void bulk_close(struct bulk *b)
{
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
}

int bulk_add(struct bulk *b, const uint8_t *p, size_t len, uint64_t *at)
{
    *at = b->next;
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(b->fd, p + done, len - done, (off_t)(b->next + done));
        if (n < 0 && errno != EINTR)
            return code(errno);
        done += n > 0 ? (size_t)n : 0;
    }
    b->next += len;
    return 0;
}

int bulk_sync(struct bulk *b)
{
    return b->next == b->end || fdatasync(b->fd) == 0 ? 0 : code(errno);
}

void bulk_drop(struct bulk *b, uint64_t at, size_t len)
{
    struct bulk_hole *last = b->n_holes > 0 ? &b->hole[b->n_holes - 1] : NULL;
    if (last && last->at + last->len == at)
        last->len += len;
    else if (b->n_holes < BULK_HOLES_MAX)
        b->hole[b->n_holes++] = (struct bulk_hole){at, len};
}

/* make_hole -- with the rest of a block of which the part before is a hole already.  No harm is done where it does not work. */
static void make_hole(struct bulk *b, const struct bulk_hole *h)
{
    uint64_t from = h->at == b->hole_end ? h->at / BLOCK * BLOCK : h->at;
    b->hole_end = h->at + h->len;
    (void)fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(b->hole_end - from));
}

void bulk_keep(struct bulk *b)
{
    b->end = b->next;
    for (size_t i = 0; i < b->n_holes; i++)
        make_hole(b, &b->hole[i]);
    b->n_holes = 0;
}

void bulk_undo(struct bulk *b)
{
    b->next = b->end;
    b->n_holes = 0;
}

int bulk_read(const struct bulk *b, uint64_t at, uint8_t *to, size_t len)
{
    if (at > b->end || len > b->end - at)
        return -EBADMSG;
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(b->fd, to + done, len - done, (off_t)(at + done));
        if (n < 0 && errno != EINTR)
            return -EIO;
        if (n == 0)
            return -EBADMSG;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}
