/* mq.c -- POSIX message queue: the inbox of a worker.  On Linux a queue descriptor is a file
 * descriptor, so that fstat, fchmod and epoll work on it. */
#include "ipc/mq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

/* Below this a queue is of no use: one frame, and one more to overlap with it. */
enum { DEPTH_MIN = 2, MESSAGE_MIN = 4096 };

/* All queues of a user share RLIMIT_MSGQUEUE (819,200 bytes by default): take what we are
 * given. */
static void raise_limit(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, now;
    if (setrlimit(RLIMIT_MSGQUEUE, &all) == 0 || getrlimit(RLIMIT_MSGQUEUE, &now) < 0)
        return;
    now.rlim_cur = now.rlim_max;
    if (setrlimit(RLIMIT_MSGQUEUE, &now) < 0)
        return; /* then it stays as it was */
}

static bool lower_to(long *value, const char *limit_file)
{
    char text[32];
    if (read_file(AT_FDCWD, limit_file, text, sizeof text) <= 0)
        return false;
    long limit = strtol(text, NULL, 10);
    if (*value <= limit)
        return false;
    *value = limit;
    return true;
}

static bool lower_to_host(struct mq_attr *a)
{
    bool fewer = lower_to(&a->mq_maxmsg, "/proc/sys/fs/mqueue/msg_max");
    bool shorter = lower_to(&a->mq_msgsize, "/proc/sys/fs/mqueue/msgsize_max");
    return fewer || shorter;
}

static bool halve(long *value, long least)
{
    if (*value <= least)
        return false;
    *value = *value / 2 > least ? *value / 2 : least;
    return true;
}

/* -EINVAL from the kernel may mean "more than this host allows", -EMFILE "more than this user
 * may have".  Change `a` to something smaller to try next, or say what to give up with. */
static int shrink(struct mq_attr *a, int err)
{
    if (err == EINVAL && !lower_to_host(a))
        return -EINVAL;
    if (err == EMFILE && !halve(&a->mq_maxmsg, DEPTH_MIN) &&
        !halve(&a->mq_msgsize, MESSAGE_MIN))
        return -EMFILE;
    if (err != EINVAL && err != EMFILE)
        return -err;
    return a->mq_maxmsg < DEPTH_MIN || a->mq_msgsize < MESSAGE_MIN ? -ENOSPC : 0;
}

int mq_create(struct mq *m, const char *name, mode_t mode, long depth, size_t message_max)
{
    struct mq_attr a = {.mq_maxmsg = depth, .mq_msgsize = (long)message_max};
    raise_limit();
    while ((m->q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, 0600,
                           &a)) < 0) {
        int r = shrink(&a, errno);
        if (r < 0)
            return r;
    }
    m->message_max = (size_t)a.mq_msgsize;
    if (fchmod(m->q, mode) < 0) {
        int r = -errno;
        mq_shut(m);
        mq_drop(name);
        return r;
    }
    return 0;
}

static int attach(struct mq *m, const char *name, int flags, uid_t owner)
{
    m->q = mq_open(name, flags | O_CLOEXEC);
    if (m->q < 0)
        return -errno;
    struct stat st;
    struct mq_attr a;
    int r = fstat(m->q, &st) == 0 && mq_getattr(m->q, &a) == 0 ? 0 : -errno;
    if (r == 0 && st.st_uid != owner)
        r = -EPERM;
    if (r < 0) {
        mq_shut(m);
        return r;
    }
    m->message_max = (size_t)a.mq_msgsize;
    return 0;
}

int mq_attach_reader(struct mq *m, const char *name)
{
    return attach(m, name, O_RDONLY | O_NONBLOCK, geteuid());
}

int mq_attach_writer(struct mq *m, const char *name, uid_t owner)
{
    return attach(m, name, O_WRONLY, owner);
}

/* At equal priority messages keep their order, and above everybody else's nobody can hold ours
 * back. */
int mq_put(struct mq *m, const void *p, size_t len, unsigned timeout_ms)
{
    uint64_t until = timeout_ms > 0 ? wall_ms() + timeout_ms : 0;
    struct timespec ts = {.tv_sec = (time_t)(until / 1000),
                          .tv_nsec = (long)(until % 1000) * 1000000};
    while (mq_timedsend(m->q, p, len, MQ_PRIO_MAX - 1, &ts) < 0) {
        if (errno == ETIMEDOUT && timeout_ms == 0)
            return -EAGAIN;
        if (errno != EINTR)
            return -errno;
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
    mq_unlink(name);
}

/* Opened for writing because that is what both its owner and its senders may. */
bool mq_is(const char *name, const struct mq *m)
{
    mqd_t now = mq_open(name, O_WRONLY | O_CLOEXEC);
    if (now < 0)
        return false;
    struct stat a, b;
    bool same = fstat(now, &a) == 0 && fstat(m->q, &b) == 0 && a.st_dev == b.st_dev &&
                a.st_ino == b.st_ino;
    mq_close(now);
    return same;
}
