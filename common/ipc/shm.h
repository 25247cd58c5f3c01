/* shm.h -- POSIX shared memory: a named object of fixed size, mapped whole. */
#ifndef IPC_SHM_H
#define IPC_SHM_H

#include "base/base.h"

/* shm_create -- make an object that did not exist and reserve all its pages (posix_fallocate, so that
 * a full tmpfs is an error here and not a SIGBUS later).
 *
 * name     "/relay-..."; made with O_EXCL and mode 0600
 * size     bytes, a multiple of the page size
 * Returns  a file descriptor (close-on-exec), or -errno: -EEXIST, -ENOSPC when /dev/shm has no room */
int shm_create(const char *name, size_t size) MUST_USE;

/* shm_attach -- open an existing object of ours; root may look at anybody's.
 *
 * size     filled with its size in bytes
 * Returns  a file descriptor, or -errno; -EPERM when it is not owned by this user or is accessible to
 *          others */
int shm_attach(const char *name, size_t *size) MUST_USE;

/* shm_map -- map `len` bytes from offset 0, shared.
 *
 * ring_offset, ring_len   when ring_len > 0, [ring_offset, +ring_len) must be the tail of the object and
 *                         is mapped a second time right behind it, so that what wraps around at the
 *                         end of the ring is contiguous in memory (both page-aligned)
 * Returns  0 and the base address; -errno */
int shm_map(int fd, size_t len, size_t ring_offset, size_t ring_len, bool writable, void **base)
    MUST_USE;

/* shm_unmap -- undo shm_map with the same lengths. */
void shm_unmap(void *base, size_t len, size_t ring_len);

/* shm_drop -- remove the name; the memory lives until the last process lets go.  A missing name is no
 * error. */
void shm_drop(const char *name);

/* shm_is -- does `name` still lead to the object behind `fd`? (RemoveIPC of logind deletes names.) */
bool shm_is(const char *name, int fd);

#endif
