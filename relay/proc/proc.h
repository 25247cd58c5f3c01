/* proc.h -- what every process of a relay does first: attach, wire the loop, say that it is ready. */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "instance/instance.h"
#include "loop/loop.h"
#include "state/state.h"

enum {
    EXIT_CONFIG = 78, /* starting again would not help; what is wrong was said */
};

/* What the supervisor hands a process that it starts as `relay -x NAME KIND INSTANCE FDS`. */
struct proc_args {
    char name[32];       /* "worker/0", "keeper", "link" */
    unsigned self;       /* its index in the segment */
    struct instance inst;
    int lifeline;        /* read end of a pipe whose other end only the supervisor has: EOF = it is gone */
    int ready;           /* write one byte when ready */
    int questions;       /* keeper: write end of a pipe of whole frames, searches; search: its read end; others: -1 */
    int listener;        /* link: the socket that other hosts dial, -1: none; keeper: the one that the link process connects to */
    int bell[PROCS_MAX];
};

struct proc {
    struct proc_args args;
    struct generation gen;
    struct state st;
    struct loop loop;
    struct loop_source lifeline, bell;
    bool stop;   /* leave the loop */
    bool reload; /* SIGHUP came: settings may have changed */
    void (*on_tick)(void *arg);
    void *arg;
    unsigned tick_ms;
};

/* proc_start -- wait until what is shared is there (proc/child.h), read the generation record, attach, wire life line, bell and
 * signals.  Exits with EXIT_RESET when the segment is not usable. */
void proc_start(struct proc *p, const struct proc_args *args, void (*on_tick)(void *arg), void *arg);

/* proc_tick -- call on_tick every `ms` from now on, 0: no more; an idle process sleeps undisturbed. */
void proc_tick(struct proc *p, unsigned ms);

/* proc_ready -- say so to the supervisor. */
void proc_ready(struct proc *p);

/* proc_take -- state_take(), or exit with EXIT_RESET. */
void proc_take(struct proc *p);

/* proc_rest -- sleep until the bell, a source or the tick; `idle` is asked once more after sleep was declared. */
void proc_rest(struct proc *p, bool (*idle)(void *arg));

/* The mains; each returns the exit code. */
int worker_main(const struct proc_args *args);
int keeper_main(const struct proc_args *args);
int link_main(const struct proc_args *args);
int search_main(const struct proc_args *args);

#endif
