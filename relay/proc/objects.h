/* objects.h -- the kernel objects of one generation: shared memory, semaphore, queues; and what its processes inherit. */
#ifndef PROC_OBJECTS_H
#define PROC_OBJECTS_H

#include "conf/conf.h"
#include "instance/instance.h"
#include "ipc/mq.h"
#include "state/journal.h"

struct objects {
    struct generation gen;         /* their names, as in the record */
    int shm_fd;
    struct mq queue[WORKERS_MAX];
    int bell[PROCS_MAX];           /* -1: there is no such process */
    int lifeline[2];
    int questions[2];              /* from keeper to search; the supervisor's, so that it outlives both */
};

/* objects_none -- nothing is made.  number: of the generation before the first. */
void objects_none(struct objects *o, uint64_t number);

/* objects_begin -- a new generation: what its processes inherit, so that they can be loaded already.
 * objects_make -- the rest: first the names into the record, so that whatever happens the next start finds what was made, then the
 * objects.
 *
 * Both return 0 or a negative errno, and say in the log what is wrong and what to do; objects_drop() what there is in either
 * case. */
int objects_begin(struct objects *o, unsigned workers) MUST_USE;
int objects_make(struct objects *o, const struct instance *inst, const struct conf *conf) MUST_USE;

/* objects_there -- do all names still lead to our objects? */
bool objects_there(const struct objects *o);

/* objects_drop -- remove them and close everything. */
void objects_drop(struct objects *o);

#endif
