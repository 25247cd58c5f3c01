/* mq.h -- POSIX message queue: the inbox of a worker. */
#ifndef IPC_MQ_H
#define IPC_MQ_H

#include "base/base.h"

#include <mqueue.h>
#include <sys/types.h>

struct mq {
    mqd_t q;
    size_t message_max; /* bytes */
};

/* mq_create -- make a queue that did not exist.
 *
 * mode     set with fchmod, so that the umask does not matter: 0600, 0620 or 0622
 * depth    messages; message_max bytes each.  Where the host's limits are lower, the largest that they
 *          allow is taken (never below 4096 bytes and 2 messages: -ENOSPC, -EMFILE)
 * Returns  0 or -errno.  Opened for reading and writing, non-blocking, close-on-exec. */
int mq_create(struct mq *m, const char *name, mode_t mode, long depth, size_t message_max) MUST_USE;

/* mq_attach_reader -- open an existing queue of ours to receive from, non-blocking. */
int mq_attach_reader(struct mq *m, const char *name) MUST_USE;

/* mq_attach_writer -- open a queue to send to, blocking.
 *
 * owner    the user that must own it, else -EPERM (a squatter could have made it)
 * Returns  0 or -errno */
int mq_attach_writer(struct mq *m, const char *name, uid_t owner) MUST_USE;

/* mq_put -- send one message at the highest priority, waiting up to `timeout_ms` for room: waiting
 * senders are served in turn, so that nobody can starve them (trying again without waiting can).
 *
 * Returns  0; -ETIMEDOUT; -EMSGSIZE; -EAGAIN when timeout_ms is 0 and it is full; other -errno */
int mq_put(struct mq *m, const void *p, size_t len, unsigned timeout_ms) MUST_USE;

/* mq_get -- receive one message into `to` (at least message_max bytes).
 *
 * Returns  its length; -EAGAIN when there is none */
ssize_t mq_get(struct mq *m, void *to, size_t size) MUST_USE;

/* mq_fd -- to poll. */
int mq_fd(const struct mq *m);

void mq_shut(struct mq *m);

/* mq_drop -- remove the name; a missing one is no error. */
void mq_drop(const char *name);

/* mq_is -- does `name` still lead to this queue? */
bool mq_is(const char *name, const struct mq *m);

#endif
