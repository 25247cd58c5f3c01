/* fifo.c -- named pipes from the relay to a client, and the proof of who reads them. */
#include "ipc/fifo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"

enum { NAME_LEN = 32 };

/* chmod(2) silently drops the setgid bit from a directory of a group that we are not in, so the
 * mode is read back. */
static int mend(int fd, bool shared)
{
    mode_t want = shared ? 03733 : 0700;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid())
        return -EPERM;
    if (st.st_gid != getegid() && fchown(fd, (uid_t)-1, getegid()) < 0)
        return -errno;
    if (fchmod(fd, want) < 0 || fstat(fd, &st) < 0)
        return -errno;
    return (st.st_mode & 07777) == want ? 0 : -EPERM;
}

int fifo_rendezvous(const char *path, bool shared)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = mend(fd, shared);
    if (r < 0) {
        close_fd(&fd);
        return r;
    }
    return fd;
}

/* The change time is the one that nobody can set. */
static bool is_old(int dirfd, const char *name, unsigned age_s)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISFIFO(st.st_mode))
        return false;
    return (int64_t)(wall_ms() / 1000) - st.st_ctim.tv_sec >= (int64_t)age_s;
}

int fifo_sweep(int dirfd, unsigned age_s)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_fd(&fd);
        return 0;
    }
    int n = 0;
    const struct dirent *e;
    while ((e = readdir(dir)) != NULL)
        n += is_old(dirfd, e->d_name, age_s) && unlinkat(dirfd, e->d_name, 0) == 0;
    closedir(dir);
    return n;
}

/* The mode is set after opening, so that the umask does not matter and nobody can write before.
 */
static int open_own(int dirfd, const char *name)
{
    struct stat dir;
    int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(dirfd, &dir) < 0 || fchmod(fd, dir.st_mode & S_ISGID ? 0620 : 0600) < 0) {
        int r = -errno;
        close_fd(&fd);
        return r;
    }
    return fd;
}

int fifo_make(int dirfd, char name[33])
{
    uint8_t id[NAME_LEN / 2];
    os_random(id, sizeof id);
    text_hex(id, sizeof id, name);
    if (mkfifoat(dirfd, name, 0600) < 0)
        return -errno;
    int fd = open_own(dirfd, name);
    if (fd < 0)
        fifo_abandon(dirfd, name);
    return fd;
}

void fifo_abandon(int dirfd, const char *name)
{
    unlinkat(dirfd, name, 0);
}

/* A handle on whatever has that name, without opening it.  Kernels before 5.6 have no
 * openat2(2), and some sandboxes refuse it; for one name without a slash, O_NOFOLLOW and the
 * device say the same. */
static int find(int dirfd, const char *name)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == EXDEV ? -EPERM : -errno;
    return (int)fd;
}

/* Whom the kernel shows as this uid it cannot name in our user namespace: it could be anybody.
 */
static uid_t overflow_uid(void)
{
    char text[16];
    if (read_file(AT_FDCWD, "/proc/sys/kernel/overflowuid", text, sizeof text) <= 0)
        return 65534;
    return (uid_t)strtoul(text, NULL, 10);
}

int fifo_look(int dirfd, struct fifo_place *place)
{
    struct stat dir;
    if (fstat(dirfd, &dir) < 0)
        return -errno;
    *place = (struct fifo_place){dirfd, dir.st_dev, dir.st_gid, overflow_uid()};
    return 0;
}

/* Who reads it is its owner, and nobody else can write into it but we. */
static bool is_private(const struct stat *st, const struct fifo_place *place)
{
    bool group_ok = !(st->st_mode & S_IRGRP) && (!(st->st_mode & S_IWGRP) || st->st_gid == place->gid);
    return S_ISFIFO(st->st_mode) && st->st_nlink == 1 && st->st_dev == place->dev && group_ok &&
           !(st->st_mode & (S_IROTH | S_IWOTH)) && st->st_uid != place->nobody;
}

/* Opened through the handle that was checked, so it cannot be anything else. */
static int open_found(int found)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", found);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int fifo_open_in(const struct fifo_place *place, const char *name, uid_t *owner)
{
    if (strspn(name, "0123456789abcdef") != NAME_LEN || name[NAME_LEN] != '\0')
        return -EINVAL;
    int found = find(place->dirfd, name);
    if (found < 0)
        return found;
    struct stat st;
    int fd = fstat(found, &st) == 0 ? 0 : -errno;
    if (fd == 0)
        fd = is_private(&st, place) ? open_found(found) : -EPERM;
    close_fd(&found);
    if (fd < 0)
        return fd;
    if (unlinkat(place->dirfd, name, 0) < 0 && errno != ENOENT) {
        int r = -errno;
        close_fd(&fd);
        return r;
    }
    *owner = st.st_uid;
    return fd;
}

int fifo_open(int dirfd, const char *name, uid_t *owner)
{
    struct fifo_place place;
    int r = fifo_look(dirfd, &place);
    return r < 0 ? r : fifo_open_in(&place, name, owner);
}
