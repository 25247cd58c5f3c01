/* program.h -- other programs: those built beside this one, and those of the system. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include "base/base.h"

/* program_find -- the path of one built beside this one: "bin/relay", "tools/crowd"; or of the
 * system, where a name without a slash is looked for. Returns  false when there is no such
 * program */
bool program_find(char *path, size_t size, const char *name);

/* program_run -- with these arguments (the first is its name, the last NULL), to its end.
 * in, out  its standard input and output; negative: ours
 * Returns  its exit status; 255 when a signal ended it */
int program_run(const char *name, const char *const *argv, int in, int out) MUST_USE;

/* programs_cpu_ns -- CPU time of all that ran to their end so far. */
uint64_t programs_cpu_ns(void);

#endif
