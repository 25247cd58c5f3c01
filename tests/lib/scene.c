/* scene.c -- a rendezvous directory in /tmp, the relay beside it, and people who come to it. */
#include "scene.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "ipc/fifo.h"

void become(uid_t uid)
{
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(uid), 0);
    assert_int_equal(seteuid(uid), 0);
}

/* The programs run non-dumpable, which changes what /proc shows them of themselves. */
static void make(struct scene *s)
{
    prctl(PR_SET_DUMPABLE, 0);
    snprintf(s->top, sizeof s->top, "/tmp/relay-test-fifo-XXXXXX");
    assert_non_null(mkdtemp(s->top));
    snprintf(s->path, sizeof s->path, "%s/fifo", s->top);
    if (s->shared) {
        assert_int_equal(chmod(s->top, 0755), 0);
        assert_int_equal(chown(s->top, RELAY, RELAY), 0);
        become(RELAY);
    }
    s->dir = fifo_rendezvous(s->path, s->shared);
    assert_true(s->dir >= 0);
}

int scene_open_private(void **state)
{
    static struct scene s;
    s.shared = false;
    make(&s);
    *state = &s;
    alarm(60); /* nothing here may ever block */
    return 0;
}

int scene_open_shared(void **state)
{
    static struct scene s;
    *state = NULL;
    if (geteuid() != 0)
        return 0;
    s.shared = true;
    make(&s);
    *state = &s;
    alarm(60);
    return 0;
}

static int remove_what_is_in(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return rmdir(path);
}

int scene_close(void **state)
{
    struct scene *s = *state;
    alarm(0);
    if (!s)
        return 0;
    if (s->shared)
        become(0);
    close_fd(&s->dir);
    return remove_what_is_in(s->path) | remove_what_is_in(s->top);
}

int scene_refuses(struct scene *s, const char *name)
{
    uid_t owner = 4711;
    if (s->shared)
        become(RELAY);
    int r = fifo_open(s->dir, name, &owner);
    assert_true(r < 0);
    assert_int_equal(owner, 4711);
    return r;
}

int scene_fifo(struct scene *s, uid_t uid, char name[33])
{
    if (s->shared)
        become(uid);
    int fd = fifo_make(s->dir, name);
    assert_true(fd >= 0);
    return fd;
}

void scene_assert_works(int reader, int writer)
{
    char text[8];
    int flags = fcntl(writer, F_GETFL);
    assert_int_equal(flags & O_ACCMODE, O_WRONLY);
    assert_true(flags & O_NONBLOCK);
    assert_true(fcntl(writer, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(writer, "secret", 6), 6);
    assert_int_equal(read(reader, text, sizeof text), 6);
    assert_memory_equal(text, "secret", 6);
    assert_int_equal(read(reader, text, sizeof text), -1);
    assert_int_equal(errno, EAGAIN);
    close(writer);
    assert_int_equal(read(reader, text, sizeof text), 0);
    close(reader);
}

bool scene_has(struct scene *s, const char *name)
{
    struct stat st;
    return fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
