/* lock.c -- who may write: one System V semaphore with SEM_UNDO.
 *
 * Its value is 1 when free and 0 when held.  It is set once, before anybody can hold it: SETVAL
 * forgets every undo, so that a holder killed after it would leave the lock held for ever.
 *
 * Linux serves waiters in order, and who gives hands over at once to the first of them.  So a
 * process that held the lock before we began to wait and holds it after we waited in vain has
 * not let go: had it, it would now stand behind us.  That is how lock_take tells a stopped
 * holder from a busy one, and from one that came after somebody else killed the stopped one.
 * There is one gap: out of patience we have left the queue, and until we look the same process
 * may have come round again.  So we wait and look several times. */
#include "ipc/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"

enum { LOOKS = 4 };

/* semctl(2) wants its caller to declare this. */
union semun {
    int val;
    struct semid_ds *buf;
};

int lock_create(struct lock *l)
{
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    if (id < 0)
        return -errno;
    l->id = id;
    if (semctl(id, 0, SETVAL, (union semun){.val = 1}) < 0) {
        int r = -errno;
        lock_drop(l);
        return r;
    }
    return 0;
}

void lock_drop(struct lock *l)
{
    semctl(l->id, 0, IPC_RMID);
    l->id = -1;
}

bool lock_is_ours(const struct lock *l)
{
    struct semid_ds ds;
    if (semctl(l->id, 0, IPC_STAT, (union semun){.buf = &ds}) < 0)
        return false;
    return ds.sem_perm.uid == geteuid() && ds.sem_perm.cuid == geteuid() &&
           (ds.sem_perm.mode & 0777) == 0600 && ds.sem_nsems == 1;
}

int lock_holder(const struct lock *l)
{
    int pid = semctl(l->id, 0, GETPID);
    return pid > 0 ? pid : 0;
}

static bool holds(const struct lock *l, int pid)
{
    return lock_holder(l) == pid && semctl(l->id, 0, GETVAL) == 0 && lock_holder(l) == pid;
}

/* /proc/PID belongs to root while its process is not dumpable; the line in `status` is always
 * right. */
static bool runs_as_us(int pid)
{
    char path[32], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    if (read_file(AT_FDCWD, path, status, sizeof status) < 0)
        return geteuid() != 0; /* hidden from us; kill(2) lets only root kill others */
    const char *uid = strstr(status, "\nUid:\t");
    return uid && strtoul(uid + 6, NULL, 10) == geteuid();
}

static void kill_holder(const struct lock *l, int pid, unsigned patience_ms)
{
    if (pid <= 1 || pid == getpid() || !runs_as_us(pid) || !holds(l, pid))
        return;
    if (kill(pid, SIGKILL) == 0)
        log_warn("lock: process %d has not moved for %u ms: killed", pid, patience_ms);
    else if (errno != ESRCH) /* somebody else was faster */
        log_error("lock: process %d does not move and cannot be killed: %s", pid,
                  strerror(errno));
}

static struct timespec ms_to_timespec(unsigned ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* The patience is spent in LOOKS parts.  Killed is whoever is found to hold the lock after each
 * of them; another holder starts the count anew.  Without contention this is one system call.
 */
int lock_take(struct lock *l, unsigned patience_ms)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1, .sem_flg = SEM_UNDO};
    struct timespec part = ms_to_timespec(patience_ms / LOOKS + 1);
    int suspect = 0;
    unsigned looks = 0;
    while (semtimedop(l->id, &take, 1, &part) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        int holder = lock_holder(l);
        looks = holder == suspect ? looks + 1 : 1;
        suspect = holder;
        if (looks % LOOKS == 0)
            kill_holder(l, holder, patience_ms);
    }
    return 0;
}

void lock_give(struct lock *l)
{
    struct sembuf give = {.sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO};
    semop(l->id, &give, 1);
}
