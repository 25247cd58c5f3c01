/* supervise.h -- the parent of the others. */
#ifndef PROC_SUPERVISE_H
#define PROC_SUPERVISE_H

#include "conf/conf.h"
#include "instance/instance.h"

/* supervise_main -- make the instance's objects, run its processes until told to stop, remove the objects.
 *
 * ready_fd  written one byte once clients may come; -1: nobody waits
 * Returns   the exit code */
int supervise_main(const struct instance *inst, const struct conf *conf, int ready_fd);

#endif
