/* lock.c -- a System V semaphore that its holder's death releases. */
#include "ipc/lock.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

int lock_create(struct lock *l)
{
    l->id = semget(IPC_PRIVATE, 1, 0600);
    if (l->id < 0)
        return -errno;
    /* Once, before anybody holds it: SETVAL while it is held would erase the holder's undo. */
    if (semctl(l->id, 0, SETVAL, (union semun){.val = 1}) < 0) {
        int e = errno;
        lock_drop(l);
        return -e;
    }
    return 0;
}

void lock_drop(struct lock *l)
{
    (void)semctl(l->id, 0, IPC_RMID);
    l->id = -1;
}

bool lock_is_ours(const struct lock *l)
{
    struct semid_ds ds;
    return l->id >= 0 && semctl(l->id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0 && ds.sem_nsems == 1 &&
           ds.sem_perm.uid == geteuid();
}

int lock_holder(const struct lock *l)
{
    int pid = semctl(l->id, 0, GETPID);
    return pid > 0 ? pid : 0;
}

/* is_ours -- may this process be killed by us? */
static bool is_ours(int pid)
{
    char path[32];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", pid);
    return pid > 1 && pid != getpid() && stat(path, &st) == 0 && st.st_uid == geteuid();
}

/* shoot -- the holder had its time.  GETPID names the last one who operated on the semaphore, also one who gave
 * it back: only while the value is 0 and the name stays the same is it the holder. */
static void shoot(const struct lock *l, int suspect)
{
    if (suspect > 0 && lock_holder(l) == suspect && semctl(l->id, 0, GETVAL) == 0 && is_ours(suspect)) {
        log_warn("process %d holds the lock and does not move; killing it", suspect);
        (void)kill(suspect, SIGKILL);
    }
}

int lock_take(struct lock *l, unsigned patience_ms)
{
    struct sembuf take = {0, -1, SEM_UNDO};
    struct timespec patience = {patience_ms / 1000, (long)(patience_ms % 1000) * 1000000};
    int suspect = 0;
    for (;;) {
        if (semtimedop(l->id, &take, 1, &patience) == 0)
            return 0;
        if (errno == EAGAIN) {
            /* Nobody moved for a whole patience under the same name: only then. */
            int holder = lock_holder(l);
            if (holder == suspect)
                shoot(l, suspect);
            suspect = holder;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

void lock_give(struct lock *l)
{
    struct sembuf give = {0, 1, SEM_UNDO};
    while (semop(l->id, &give, 1) < 0 && errno == EINTR)
        ;
}
