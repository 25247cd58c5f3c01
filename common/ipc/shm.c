/* shm.c -- named shared memory of fixed size. */
#include "ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int shm_create(const char *name, size_t size)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, 0600) < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
    if (r != 0) {
        close(fd);
        shm_unlink(name);
        return -r;
    }
    return fd;
}

int shm_attach(const char *name, size_t *size)
{
    struct stat st;
    int fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    bool root_looks = geteuid() == 0;
    if (r == 0 && ((st.st_uid != geteuid() && !root_looks) || (st.st_mode & 077) != 0))
        r = -EPERM;
    if (r < 0) {
        close(fd);
        return r;
    }
    *size = (size_t)st.st_size;
    return fd;
}

static int map_at(int fd, void *at, size_t len, off_t offset, bool writable)
{
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    return mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED ? -errno : 0;
}

int shm_map(int fd, size_t len, size_t ring_offset, size_t ring_len, bool writable, void **base)
{
    /* Reserve the addresses of both mappings, then put them there. */
    uint8_t *at = mmap(NULL, len + ring_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    int r = map_at(fd, at, len, 0, writable);
    if (r == 0 && ring_len > 0)
        r = map_at(fd, at + len, ring_len, (off_t)ring_offset, writable);
    if (r < 0) {
        munmap(at, len + ring_len);
        return r;
    }
    *base = at;
    return 0;
}

void shm_unmap(void *base, size_t len, size_t ring_len)
{
    munmap(base, len + ring_len);
}

void shm_drop(const char *name)
{
    (void)shm_unlink(name);
}

bool shm_is(const char *name, int fd)
{
    struct stat a, b;
    int other = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
    if (other < 0)
        return false;
    bool same = fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
    close(other);
    return same;
}
