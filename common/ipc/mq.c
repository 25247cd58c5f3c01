/* mq.c -- POSIX message queues within the limits of the host. */
#include "ipc/mq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MIN = 4096, DEPTH_MIN = 2, PRIORITY = 32767 /* MQ_PRIO_MAX - 1 */ };

static long host_limit(const char *path, long fallback)
{
    char text[32];
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(text, sizeof text, f);
    if (f)
        fclose(f);
    return ok ? strtol(text, NULL, 10) : fallback;
}

static void raise_limit(void)
{
    struct rlimit bytes;
    if (getrlimit(RLIMIT_MSGQUEUE, &bytes) < 0)
        return;
    if (geteuid() == 0)
        bytes.rlim_max = RLIM_INFINITY;
    bytes.rlim_cur = bytes.rlim_max;
    (void)setrlimit(RLIMIT_MSGQUEUE, &bytes);
}

static int finish(struct mq *m, const char *name, mode_t mode, mqd_t q, size_t message_max)
{
    if (fchmod(q, mode) < 0) {
        int e = errno;
        mq_close(q);
        mq_unlink(name);
        return -e;
    }
    *m = (struct mq){q, message_max};
    return 0;
}

int mq_create(struct mq *m, const char *name, mode_t mode, long depth, size_t message_max)
{
    struct mq_attr a = {.mq_maxmsg = depth, .mq_msgsize = (long)message_max};
    long max_depth = host_limit("/proc/sys/fs/mqueue/msg_max", 10);
    long max_size = host_limit("/proc/sys/fs/mqueue/msgsize_max", 8192);
    raise_limit();
    if (a.mq_maxmsg > max_depth)
        a.mq_maxmsg = max_depth;
    if (a.mq_msgsize > max_size)
        a.mq_msgsize = max_size;
    for (;;) {
        mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, 0600, &a);
        if (q >= 0)
            return finish(m, name, mode, q, (size_t)a.mq_msgsize);
        if (errno != EMFILE)
            return -errno;
        if (a.mq_maxmsg > DEPTH_MIN) /* the user's bytes are used up: ask for less */
            a.mq_maxmsg /= 2;
        else if (a.mq_msgsize > MESSAGE_MIN)
            a.mq_msgsize = MESSAGE_MIN;
        else
            return -EMFILE;
    }
}

static int attach(struct mq *m, const char *name, int flags)
{
    struct mq_attr a;
    mqd_t q = mq_open(name, flags | O_CLOEXEC);
    if (q < 0)
        return -errno;
    if (mq_getattr(q, &a) < 0) {
        int e = errno;
        mq_close(q);
        return -e;
    }
    *m = (struct mq){q, (size_t)a.mq_msgsize};
    return 0;
}

int mq_attach_reader(struct mq *m, const char *name)
{
    return attach(m, name, O_RDONLY | O_NONBLOCK);
}

int mq_attach_writer(struct mq *m, const char *name, uid_t owner)
{
    struct stat st;
    int r = attach(m, name, O_WRONLY);
    if (r == 0 && (fstat(m->q, &st) < 0 || st.st_uid != owner)) {
        mq_shut(m);
        r = -EPERM;
    }
    return r;
}

int mq_put(struct mq *m, const void *p, size_t len, unsigned timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (mq_timedsend(m->q, p, len, PRIORITY, &until) < 0) {
        if (errno != EINTR)
            return errno == ETIMEDOUT && timeout_ms == 0 ? -EAGAIN : -errno;
    }
    return 0;
}

ssize_t mq_get(struct mq *m, void *to, size_t size)
{
    ssize_t n;
    do
        n = mq_receive(m->q, to, size, NULL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int mq_fd(const struct mq *m)
{
    return m->q;
}

void mq_shut(struct mq *m)
{
    if (m->q >= 0)
        mq_close(m->q);
    m->q = -1;
}

void mq_drop(const char *name)
{
    (void)mq_unlink(name);
}

bool mq_is(const char *name, const struct mq *m)
{
    struct stat a, b;
    mqd_t q = mq_open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (q < 0)
        return false;
    bool same = fstat(m->q, &a) == 0 && fstat(q, &b) == 0 && a.st_ino == b.st_ino;
    mq_close(q);
    return same;
}
