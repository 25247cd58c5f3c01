/* bulk.c -- the frames of large segments: a file beside the database that only grows. */
#include "store/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* code -- what the system says, in the store's words. */
static int code(int e)
{
    return e == ENOSPC || e == EDQUOT || e == EFBIG ? -ENOSPC : -EIO;
}

int bulk_open(struct bulk *b, const char *path, uint64_t end)
{
    struct stat s;
    *b = (struct bulk){open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), end, end};
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

void bulk_keep(struct bulk *b)
{
    b->end = b->next;
}

void bulk_undo(struct bulk *b)
{
    b->next = b->end;
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
