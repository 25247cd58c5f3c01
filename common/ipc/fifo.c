/* fifo.c -- named pipes whose owner is proven by the kernel and whose name lives for an instant. */
#include "ipc/fifo.h"

#include "base/sys.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAME_LEN = 32 };

static bool name_ok(const char *name)
{
    return strspn(name, "0123456789abcdef") == NAME_LEN && name[NAME_LEN] == '\0';
}

int fifo_rendezvous(const char *path, bool shared)
{
    struct stat st;
    mode_t mode = shared ? 03733 : 0700;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) < 0 ? -errno : st.st_uid != geteuid() ? -EPERM : 0;
    if (r == 0 && shared && st.st_gid != getegid() && fchown(fd, (uid_t)-1, getegid()) < 0)
        r = -errno;
    if (r == 0 && fchmod(fd, mode) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

int fifo_sweep(int dirfd, unsigned age_s)
{
    int removed = 0, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        close_fd(&fd);
        return 0;
    }
    time_t limit = time(NULL) - (time_t)age_s;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        if (!name_ok(e->d_name) || fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISFIFO(st.st_mode) && st.st_ctime <= limit)
            removed += unlinkat(dirfd, e->d_name, 0) == 0;
    }
    closedir(d);
    return removed;
}

int fifo_make(int dirfd, char name[33])
{
    uint8_t random[NAME_LEN / 2];
    struct stat dir;
    os_random(random, sizeof random);
    text_hex(random, sizeof random, name);
    if (fstat(dirfd, &dir) < 0 || mkfifoat(dirfd, name, 0600) < 0)
        return -errno;
    int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : 0;
    /* In a shared directory the FIFO has the relay's group: that group may write, nobody else. */
    if (r == 0 && (dir.st_mode & S_ISGID) && fchmod(fd, 0620) < 0)
        r = -errno;
    if (r < 0) {
        fifo_abandon(dirfd, name);
        close_fd(&fd);
        return r;
    }
    return fd;
}

void fifo_abandon(int dirfd, const char *name)
{
    (void)unlinkat(dirfd, name, 0);
}

/* open_path -- a handle on whatever the name is, without opening it. */
static int open_path(int dirfd, const char *name)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS) /* before Linux 5.6; name_ok() allows one component only */
        fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static uid_t overflow_uid(void)
{
    static long uid = -1;
    char text[32];
    if (uid < 0) {
        ssize_t n = read_file(AT_FDCWD, "/proc/sys/kernel/overflowuid", text, sizeof text);
        uid = n > 0 ? strtol(text, NULL, 10) : 65534;
    }
    return (uid_t)uid;
}

static int check(int dirfd, const struct stat *st)
{
    struct stat dir;
    if (fstat(dirfd, &dir) < 0)
        return -errno;
    mode_t others = st->st_mode & 0777 & ~(mode_t)0700;
    bool group_is_relay = (others & 070) == 020 && st->st_gid == dir.st_gid;
    if (!S_ISFIFO(st->st_mode) || st->st_nlink != 1 || st->st_dev != dir.st_dev ||
        (others != 0 && !((others & 07) == 0 && group_is_relay)) || st->st_uid == overflow_uid())
        return -EPERM;
    return 0;
}

int fifo_open(int dirfd, const char *name, uid_t *owner)
{
    struct stat st, now;
    if (!name_ok(name))
        return -EINVAL;
    int path = open_path(dirfd, name), fd = -1;
    if (path < 0)
        return path == -ELOOP || path == -EXDEV ? -EPERM : path;
    int r = fstat(path, &st) < 0 ? -errno : check(dirfd, &st);
    if (r == 0) {
        /* Open what the handle refers to, not what the name may mean by now. */
        char proc[32];
        snprintf(proc, sizeof proc, "/proc/self/fd/%d", path);
        fd = open(proc, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
    }
    if (r == 0 && (fstat(fd, &now) < 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev || now.st_uid != st.st_uid))
        r = -EPERM;
    close(path);
    if (r < 0) {
        close_fd(&fd);
        return r;
    }
    (void)unlinkat(dirfd, name, 0);
    *owner = st.st_uid;
    return fd;
}
