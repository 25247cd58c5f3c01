/* instance.c -- where the things of an instance are, and its locks. */
#include "instance/instance.h"

#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_US = 2000,
    LOOKED_AT_MS = 100, /* somebody who only looks (generation_alive()) may hold a lock for a moment */
};

static bool name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= INSTANCE_NAME_MAX && name[n] == '\0';
}

static int fill(struct instance *i, const char *name, const char *runtime, const char *state)
{
    if (!name_ok(name))
        return -EINVAL;
    const char *r = getenv("RELAY_RUNTIME_DIR"), *s = getenv("RELAY_STATE_DIR");
    snprintf(i->name, sizeof i->name, "%s", name);
    int a = snprintf(i->runtime, sizeof i->runtime, "%s/%s", r && *r ? r : runtime, name);
    int b = snprintf(i->state, sizeof i->state, "%s/%s", s && *s ? s : state, name);
    int c = snprintf(i->fifo, sizeof i->fifo, "%s/%s/fifo", r && *r ? r : runtime, name);
    int max = INSTANCE_PATH_MAX;
    return a < max && b < max && c < max ? 0 : -EINVAL;
}

int instance_system(struct instance *i, const char *name)
{
    i->system = true;
    return fill(i, name, "/run/relay", "/var/lib/relay");
}

static const char *home(void)
{
    const char *h = getenv("HOME");
    if (h && *h)
        return h;
    const struct passwd *p = getpwuid(getuid());
    return p ? p->pw_dir : "/";
}

static bool is_ours(const char *dir)
{
    struct stat st;
    return dir && *dir == '/' && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

/* runtimes -- where relays of this user may run, the best first.  Returns how many. */
static unsigned runtimes(char place[3][INSTANCE_PATH_MAX])
{
    char run[64];
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    unsigned n = 0;
    snprintf(run, sizeof run, "/run/user/%u", (unsigned)getuid());
    if (is_ours(xdg))
        snprintf(place[n++], INSTANCE_PATH_MAX, "%s/relay", xdg);
    if (is_ours(run))
        snprintf(place[n++], INSTANCE_PATH_MAX, "%s/relay", run);
    snprintf(place[n++], INSTANCE_PATH_MAX, "/tmp/relay-%u", (unsigned)getuid());
    return n;
}

int instance_user(struct instance *i, const char *name)
{
    char place[3][INSTANCE_PATH_MAX], state[INSTANCE_PATH_MAX];
    const char *xdg = getenv("XDG_STATE_HOME");
    unsigned n = runtimes(place);
    i->system = false;
    if (xdg && *xdg == '/')
        snprintf(state, sizeof state, "%s/relay", xdg);
    else
        snprintf(state, sizeof state, "%s/.local/state/relay", home());
    for (unsigned k = 0; k < n; k++)
        if (is_ours(place[k]) && fill(i, name, place[k], state) == 0 && generation_alive(i))
            return 0;
    return fill(i, name, place[0], state);
}

/* parent_into -- the path without "/NAME" at its end. */
static int parent_into(const char *variable, const char *path, const char *name)
{
    char parent[INSTANCE_PATH_MAX];
    snprintf(parent, sizeof parent, "%.*s", (int)(strlen(path) - strlen(name) - 1), path);
    return setenv(variable, parent, 1) < 0 ? -ENOMEM : 0;
}

int instance_pin(const struct instance *i)
{
    int r = parent_into("RELAY_RUNTIME_DIR", i->runtime, i->name);
    return r < 0 ? r : parent_into("RELAY_STATE_DIR", i->state, i->name);
}

/* make_path -- the directory and whatever above it is missing. */
static int make_path(const char *path, mode_t mode)
{
    char p[INSTANCE_PATH_MAX];
    snprintf(p, sizeof p, "%s", path);
    for (char *s = p + 1; *s; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        if (mkdir(p, mode == 0700 && strncmp(p, "/tmp/", 5) == 0 ? 0700 : 0755) < 0 && errno != EEXIST)
            return -errno;
        *s = '/';
    }
    return mkdir(p, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_ours(const char *path, mode_t mode, char *why, size_t why_size)
{
    int r = make_path(path, mode);
    struct stat st;
    if (r == 0 && lstat(path, &st) < 0)
        r = -errno;
    if (r < 0) {
        snprintf(why, why_size, "cannot make the directory %s: %s", path, strerror(-r));
        return r;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        snprintf(why, why_size,
                 "%s must be a directory that belongs to this user and that nobody else may write; "
                 "remove it or mend it (chown, chmod %o)",
                 path, (unsigned)mode);
        return -EPERM;
    }
    if (access(path, R_OK | W_OK | X_OK) < 0) {
        snprintf(why, why_size, "%s cannot be read and written; chmod %o it", path, (unsigned)mode);
        return -EACCES;
    }
    return 0;
}

int instance_make(const struct instance *i, char *why, size_t why_size)
{
    int r = make_ours(i->runtime, i->system ? 0755 : 0700, why, why_size);
    return r < 0 ? r : make_ours(i->state, 0700, why, why_size);
}

/* give_all -- what is in the directory, then itself: cut off anywhere, it is root's still and all is done again. */
static int give_all(int fd, uid_t uid, gid_t gid)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        close_fd(&copy);
        return -ENOMEM;
    }
    int r = 0;
    for (const struct dirent *e; r == 0 && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            fchownat(fd, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            r = -errno;
    closedir(d);
    return r == 0 && fchown(fd, uid, gid) < 0 ? -errno : r;
}

static int give(const char *path, mode_t mode, uid_t uid, gid_t gid, char *why, size_t why_size)
{
    struct stat st;
    int r = make_path(path, mode);
    int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0)
        r = give_all(fd, uid, gid);
    close_fd(&fd);
    if (r < 0)
        snprintf(why, why_size, "cannot prepare the directory %s: %s", path, strerror(-r));
    return r; /* whether it is his now, he finds out himself: instance_make() */
}

int instance_give(const struct instance *i, uid_t uid, gid_t gid, char *why, size_t why_size)
{
    struct generation left;
    if (generation_read(i, &left) == 0 && left.owner == 0)
        generation_drop(&left);
    int r = give(i->runtime, i->system ? 0755 : 0700, uid, gid, why, why_size);
    return r < 0 ? r : give(i->state, 0700, uid, gid, why, why_size);
}

static int open_lock_file(const char *dir, int flags)
{
    char path[INSTANCE_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? -errno : fd;
}

/* is_held -- does somebody hold the lock in this directory? */
static bool is_held(const char *dir)
{
    int fd = open_lock_file(dir, O_RDONLY);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    close(fd);
    return held;
}

bool generation_alive(const struct instance *i)
{
    return is_held(i->runtime);
}

/* take_lock -- returns 0, -EWOULDBLOCK, -errno. */
static int take_lock(int fd)
{
    int r;
    while ((r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EINTR)
        ;
    return r < 0 ? -errno : 0;
}

int instance_lock(const struct instance *i)
{
    int fd = open_lock_file(i->runtime, O_RDWR | O_CREAT), r = fd;
    uint64_t deadline = now_ms() + LOOKED_AT_MS;
    while (fd >= 0 && (r = take_lock(fd)) == -EWOULDBLOCK && now_ms() < deadline)
        usleep(LOOK_US);
    if (r < 0)
        close_fd(&fd);
    return r < 0 ? r : fd;
}

/* read_holder -- who holds the lock of a store: where he runs.  Returns false unless that is another relay, and alive. */
static bool read_holder(const struct instance *i, int fd, char holder[INSTANCE_PATH_MAX])
{
    ssize_t n = pread(fd, holder, INSTANCE_PATH_MAX - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    if (holder[0] == '/' && strcmp(holder, i->runtime) != 0 && is_held(holder))
        return true;
    holder[0] = '\0';
    return false;
}

int instance_lock_state(const struct instance *i, unsigned patience_ms, char holder[INSTANCE_PATH_MAX])
{
    int fd = open_lock_file(i->state, O_RDWR | O_CREAT), r = fd;
    uint64_t deadline = now_ms() + patience_ms;
    holder[0] = '\0';
    while (fd >= 0 && (r = take_lock(fd)) == -EWOULDBLOCK && !read_holder(i, fd, holder) && now_ms() < deadline)
        usleep(LOOK_US);
    if (r == 0 && ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, i->runtime, strlen(i->runtime), 0); /* with a full disk nobody is told where we run */
    if (r < 0)
        close_fd(&fd);
    return r < 0 ? r : fd;
}
