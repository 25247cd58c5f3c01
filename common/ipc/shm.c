/* shm.c -- POSIX shared memory: a named object of fixed size, mapped whole. */
#include "ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"

static int reserve(int fd, size_t size)
{
    int err;
    do
        err = posix_fallocate(fd, 0, (off_t)size);
    while (err == EINTR);
    return -err;
}

int shm_create(const char *name, size_t size)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, 0600) == 0 ? reserve(fd, size) : -errno;
    if (r < 0) {
        shm_drop(name);
        close_fd(&fd);
        return r;
    }
    return fd;
}

int shm_attach(const char *name, size_t *size)
{
    int fd = shm_open(name, O_RDWR, 0);
    if (fd < 0)
        return -errno;
    struct stat st;
    int r = fstat(fd, &st) == 0 ? 0 : -errno;
    if (r == 0 && ((st.st_uid != geteuid() && geteuid() != 0) || (st.st_mode & 077) != 0))
        r = -EPERM;
    if (r < 0) {
        close_fd(&fd);
        return r;
    }
    *size = (size_t)st.st_size;
    return fd;
}

static bool is_tail(size_t len, size_t ring_offset, size_t ring_len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ring_offset <= len && ring_len == len - ring_offset && ring_offset % page == 0 &&
           ring_len % page == 0;
}

static int map_at(char *at, int fd, size_t offset, size_t len, int prot)
{
    void *p = mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
    return p == MAP_FAILED ? -errno : 0;
}

int shm_map(int fd, size_t len, size_t ring_offset, size_t ring_len, bool writable, void **base)
{
    if (len == 0 || (ring_len > 0 && !is_tail(len, ring_offset, ring_len)))
        return -EINVAL;
    /* Claim the addresses first: nothing else can then lie where the second mapping must go. */
    char *p = mmap(NULL, len + ring_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    int r = map_at(p, fd, 0, len, prot);
    if (r == 0 && ring_len > 0)
        r = map_at(p + len, fd, ring_offset, ring_len, prot);
    if (r < 0) {
        shm_unmap(p, len, ring_len);
        return r;
    }
    *base = p;
    return 0;
}

void shm_unmap(void *base, size_t len, size_t ring_len)
{
    munmap(base, len + ring_len);
}

void shm_drop(const char *name)
{
    shm_unlink(name);
}

bool shm_is(const char *name, int fd)
{
    int now = shm_open(name, O_RDONLY, 0);
    struct stat a, b;
    bool same = now >= 0 && fstat(now, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
                a.st_ino == b.st_ino;
    close_fd(&now);
    return same;
}
