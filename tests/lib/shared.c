/* shared.c -- as the supervisor makes it, under a name that no other process uses. */
#include "shared.h"

#include "ipc/shm.h"

#include <stdio.h>
#include <unistd.h>

static char name[64];

int shared_open(struct state *st, struct lock *lock, uint64_t origin, uint64_t epoch, const char *host, unsigned proc)
{
    struct state_options o = {
        .origin = origin, .epoch = epoch, .host = host, .workers = 1, .sessions_max = SHARED_SESSIONS, .ring_size = SHARED_RING};
    char why[256];
    snprintf(name, sizeof name, "/relay-test-%d", (int)getpid());
    if (lock_create(lock) < 0 || state_create(name, &o) < 0 ||
        state_attach(st, name, lock->id, proc, true, why, sizeof why) < 0)
        return -1;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        st->bell[i] = -1;
    return 0;
}

void shared_close(struct state *st, struct lock *lock)
{
    state_detach(st);
    shm_drop(name);
    lock_drop(lock);
}
