/* child.h -- one process of a relay: how the supervisor starts it, and how it begins. */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include "proc/objects.h"

enum {
    CHILD_NAME_MAX = 16,
    CHILD_RETRY_MS = 100, /* before one that died young, or could not be started, is started again */
};

struct child {
    pid_t pid;                  /* 0, -1: there is none */
    uint64_t started, start_at; /* now_ms(); start_at 0: it runs */
    int ready;                  /* read end while it starts; else -1 */
};

/* What all of them are started with. */
struct family {
    const struct instance *inst;
    const struct conf *conf;
    const struct objects *objects;
    int listener; /* for other hosts; -1: none */
    int feed;     /* for the link process */
    int store;    /* the lock of the store: the keeper holds it, too, for it may outlive the supervisor */
};

/* child_name -- of process `i` of PROCS_MAX, as in logs. */
void child_name(unsigned i, char name[CHILD_NAME_MAX]);

/* child_start -- as `relay -x NAME ...`.  It waits for child_let_in() before it attaches.  When it cannot be
 * started, start_at says when to try again. */
void child_start(struct child *c, unsigned i, const struct family *f);

/* child_let_in -- what it is to find is there: for the keeper the objects, for the others what it put into them. */
void child_let_in(unsigned i, const struct objects *o);

/* child_wait -- until it says that it is ready, `patience_ms` at most.  Returns 0 or -ETIMEDOUT; also when it died. */
int child_wait(struct child *c, int patience_ms) MUST_USE;

/* child_main -- `relay -x NAME ...`: the main of one of the processes.  Returns the exit code. */
int child_main(int argc, char **argv);

#endif
