/* shm.c -- shared memory and its lock: one process, so nobody else holds them; and files that
 * nobody asks for. */
#include "sim.h"

#include "base/sys.h"
#include "ipc/shm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* The ring of every host lies twice in a row, as the relay has it; the mapping is made once. */
static void *base[NODES_MAX];
static size_t mapped;

int shm_create(const char *name, size_t size)
{
    (void)name;
    if (!base[here->n]) {
        size_t tables = size - RING_SIZE;
        int fd = memfd_create("sim", MFD_CLOEXEC);
        ASSERT(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && (mapped == 0 || mapped == size));
        mapped = size;
        uint8_t *p = mmap(NULL, size + RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ASSERT(p != MAP_FAILED);
        void *twice = mmap(p + size, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                           fd, (off_t)tables);
        ASSERT(twice != MAP_FAILED);
        close(fd);
        base[here->n] = p;
    } else {
        memset(base[here->n], 0, size - RING_SIZE);
    }
    return fd_new(FD_DIR, here, NULL);
}

int shm_attach(const char *name, size_t *size)
{
    (void)name;
    *size = mapped;
    return fd_new(FD_DIR, here, NULL);
}

int shm_map(int fd, size_t len, size_t ring_offset, size_t ring_len, bool writable, void **to)
{
    (void)fd;
    (void)len;
    (void)ring_offset;
    (void)ring_len;
    (void)writable;
    *to = base[here->n];
    return 0;
}

void shm_unmap(void *p, size_t len, size_t ring_len)
{
    (void)p;
    (void)len;
    (void)ring_len;
}

void shm_drop(const char *name)
{
    (void)name;
}

int lock_take(struct lock *l, unsigned patience_ms)
{
    (void)l;
    (void)patience_ms;
    return 0;
}

void lock_give(struct lock *l)
{
    (void)l;
}

/* ---- files that nobody asks for here ---- */

ssize_t read_file(int dirfd, const char *name, char *to, size_t max)
{
    (void)dirfd;
    (void)name;
    (void)to;
    (void)max;
    return -ENOENT;
}

int replace_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode)
{
    (void)dirfd;
    (void)name;
    (void)p;
    (void)len;
    (void)mode;
    return -EROFS;
}
