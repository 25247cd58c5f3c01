/* sys.h -- the only sources of time and chance, and a few calls that everyone would write again. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include "base/base.h"

#include <sys/types.h>

/* now_ms, now_us -- monotonic time. */
uint64_t now_ms(void);
uint64_t now_us(void);

/* wall_ms -- milliseconds since 1970, as the host believes. */
uint64_t wall_ms(void);

/* os_random -- `len` unguessable bytes; never fails. */
void os_random(void *to, size_t len);
uint64_t os_random_u64(void);

/* write_all, read_all -- the whole of it, through short counts and EINTR.
 * read_all returns the number of bytes read (less than `len` at end of file) or -errno;
 * write_all returns 0 or -errno. */
int write_all(int fd, const void *p, size_t len) MUST_USE;
ssize_t read_all(int fd, void *p, size_t len) MUST_USE;

/* read_file -- a whole small file (at most max - 1 bytes), terminated.
 * Returns  its length or -errno; -EFBIG when it is larger. */
ssize_t read_file(int dirfd, const char *name, char *to, size_t max) MUST_USE;

/* replace_file -- write `name` so that a crash leaves either the old or the new content: temporary
 * file, fsync, rename, fsync of the directory.
 * Returns  0 or -errno. */
int replace_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode) MUST_USE;

/* replace_brief_file -- the same for what is of no use once the system has gone down: readers see the old or the new content, and
 * nothing is synced. */
int replace_brief_file(int dirfd, const char *name, const void *p, size_t len, mode_t mode) MUST_USE;

/* set_nonblock -- O_NONBLOCK on. */
int set_nonblock(int fd) MUST_USE;

/* close_fd -- close unless negative, and make it -1. */
void close_fd(int *fd);

#endif
