/* lock.h -- who may write: one System V semaphore with SEM_UNDO, so that the kernel releases it when
 * its holder is killed.  What the holder left half-done is not this module's business: state.h. */
#ifndef IPC_LOCK_H
#define IPC_LOCK_H

#include "base/base.h"

struct lock {
    int id;
};

/* lock_create -- a new set (IPC_PRIVATE, mode 0600) with one semaphore, free.
 * Returns  0, or -errno: -ENOSPC when the host allows no more sets (kernel.sem). */
int lock_create(struct lock *l) MUST_USE;

/* lock_drop -- remove the set; waiters get -EIDRM.  A missing set is no error. */
void lock_drop(struct lock *l);

/* lock_is_ours -- does the id name a semaphore set of this user with one semaphore? */
bool lock_is_ours(const struct lock *l);

/* lock_take -- wait until nobody holds it, then hold it.
 *
 * Waits at most `patience_ms` for a holder that does not move: whoever it is (GETPID) is then killed
 * with SIGKILL -- a stopped holder would block everybody for ever -- and the wait goes on.  Only
 * processes of this user are ever killed, and never pid 1 or this process.
 * EINTR is handled inside.
 * Returns  0; -EIDRM or -EINVAL when the set is gone */
int lock_take(struct lock *l, unsigned patience_ms) MUST_USE;

/* lock_give -- let go. */
void lock_give(struct lock *l);

/* lock_holder -- pid of the last process that operated on it (the holder, while it is held); 0 when
 * unknown. */
int lock_holder(const struct lock *l);

#endif
