/* feed_line.c -- the line to the link process: one connection at a time, whose end is the end of all feeds. */
#include "keep/feeds.h"

#include "base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void feed_close(struct feed *f)
{
    free(f->theirs.entry);
    free(f->passed.entry);
    *f = (struct feed){.all = f->all};
}

void feeds_hang_up(struct feeds *fs)
{
    if (fs->line.fd < 0)
        return;
    fs->news++;
    loop_remove(fs->loop, &fs->line);
    close_fd(&fs->line.fd);
    buffer_free(&fs->out);
    for (size_t i = 0; i < FEEDS_MAX; i++)
        feed_close(&fs->feed[i]);
}

static void on_line(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events; /* feeds_pump() looks, each turn */
}

static bool is_ours(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == geteuid();
}

static void on_connect(struct loop_source *s, uint32_t events)
{
    struct feeds *fs = s->arg;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!is_ours(fd)) {
        close(fd);
        return;
    }
    feeds_hang_up(fs); /* a link process that died; this is its successor */
    fs->line = (struct loop_source){fd, on_line, fs};
    wire_init(&fs->in, fs->in_buf);
    if (loop_add(fs->loop, &fs->line, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        close_fd(&fs->line.fd);
}

int feeds_listen(int runtime)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/feed", runtime); /* short, whatever that directory is called */
    (void)unlinkat(runtime, "feed", 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    mode_t old = umask(0077);
    int r = bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4) < 0 ? -errno : fd;
    umask(old);
    if (r < 0)
        close(fd);
    return r;
}

int feeds_open(struct feeds **out, struct history *h, const struct segment *seg, struct forks *forks, struct loop *loop,
               int listener, void (*leaf)(void *arg), void *arg)
{
    struct feeds *fs = calloc(1, sizeof *fs);
    if (fs)
        fs->in_buf = malloc(WIRE_BUFFER);
    if (!fs || !fs->in_buf) {
        free(fs);
        return -ENOMEM;
    }
    fs->h = h;
    fs->seg = seg;
    fs->forks = forks;
    fs->loop = loop;
    fs->leaf = leaf;
    fs->arg = arg;
    fs->line.fd = -1;
    for (size_t i = 0; i < FEEDS_MAX; i++)
        fs->feed[i].all = fs;
    fs->listener = (struct loop_source){listener, on_connect, fs};
    int r = loop_add(loop, &fs->listener, EPOLLIN);
    if (r < 0) {
        free(fs->in_buf);
        free(fs);
        return r;
    }
    *out = fs;
    return 0;
}

void feeds_close(struct feeds *fs)
{
    feeds_hang_up(fs);
    loop_remove(fs->loop, &fs->listener);
    close_fd(&fs->listener.fd);
    free(fs->in_buf);
    free(fs);
}

int feeds_flush(struct feeds *fs)
{
    while (buffer_len(&fs->out) > 0) {
        ssize_t n = send(fs->line.fd, buffer_data(&fs->out), buffer_len(&fs->out), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        buffer_take(&fs->out, (size_t)n);
    }
    return 0;
}
