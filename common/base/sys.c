/* sys.c -- clocks, randomness and whole reads and writes over the system calls. */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_us(clockid_t id)
{
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

void os_random(void *to, size_t len)
{
    uint8_t *p = to;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        ASSERT(n > 0); /* a secret that can be guessed is worse than no relay */
        p += n;
        len -= (size_t)n;
    }
}

uint64_t os_random_u64(void)
{
    uint64_t v;
    os_random(&v, sizeof v);
    return v;
}

int write_all(int fd, const void *p, size_t len)
{
    const uint8_t *b = p;
    while (len > 0) {
        ssize_t n = write(fd, b, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            b += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

ssize_t read_all(int fd, void *p, size_t len)
{
    uint8_t *b = p;
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, b + have, len - have);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        if (n > 0)
            have += (size_t)n;
    }
    return (ssize_t)have;
}

ssize_t read_file(int dirfd, const char *name, char *to, size_t max)
{
    ASSERT(max > 0);
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read_all(fd, to, max);
    close_fd(&fd);
    if (n >= 0 && (size_t)n == max)
        n = -EFBIG;
    to[n < 0 ? 0 : n] = '\0';
    return n;
}

/* fill_file -- make `name`, which must not exist, with this content. */
static int fill_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode, bool sync)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int err = fchmod(fd, mode) < 0 ? -errno : write_all(fd, p, len);
    if (err == 0 && sync && fsync(fd) < 0)
        err = -errno;
    if (close(fd) < 0 && err == 0)
        err = -errno;
    return err;
}

/* sync_directory -- `dirfd` itself may be O_PATH, which cannot be synced. */
static int sync_directory(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = fsync(fd) < 0 ? -errno : 0;
    close_fd(&fd);
    return err;
}

static int replace(int dirfd, const char *name, const void *p, size_t len, mode_t mode, bool sync)
{
    /* A random name, so that two writers at once cannot mix their contents. */
    char temporary[256];
    int n = snprintf(temporary, sizeof temporary, ".%s.%016llx", name,
                     (unsigned long long)os_random_u64());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return -ENAMETOOLONG;
    int err = fill_file(dirfd, temporary, p, len, mode, sync);
    if (err == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
        err = -errno;
    if (err < 0) {
        if (err != -EEXIST)
            unlinkat(dirfd, temporary, 0);
        return err;
    }
    return sync ? sync_directory(dirfd) : 0;
}

int replace_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode)
{
    return replace(dirfd, name, p, len, mode, true);
}

int replace_brief_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode)
{
    return replace(dirfd, name, p, len, mode, false);
}

int set_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

void close_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}
