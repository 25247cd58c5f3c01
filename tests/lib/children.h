/* children.h -- processes of one test program, and memory that they share. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

/* children_board -- all zero, for the children that are started from now on, too. */
void *children_board(size_t len);

/* children_start -- one that exits with what act() returns, or is killed when we end.  children_end -- wait for it; its status. */
pid_t children_start(int (*act)(unsigned self), unsigned self);
int children_end(pid_t pid);

#endif
