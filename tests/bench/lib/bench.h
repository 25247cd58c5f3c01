/* bench.h -- what every benchmark is: options, directories of its own, and nothing left of them
 * afterwards.
 *
 * A benchmark runs as a child of a guard. Whatever becomes of the child -- success, failure, a
 * signal -- the guard stops the relays in the directories and removes them; of a guard that was
 * killed itself, the next one does. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/base.h"

enum { BENCH_PATH_MAX = 256, REPETITIONS_MAX = 32 };

struct bench {
    unsigned repetitions;
    bool json;
    char dir[BENCH_PATH_MAX]; /* its own; relays keep their things below it */
    char memory[BENCH_PATH_MAX]; /* one on a tmpfs, as /run usually is; "": there is none */
};

/* bench_main -- read the options, make the directory, run `run` in a child, clean up.
 * run      returns the exit status
 * Returns  the exit status of the program */
int bench_main(int argc, char **argv, int (*run)(const struct bench *b));

/* bench_runtime -- where FIFOs are, as a rule: on a tmpfs if there is one.  bench_live_in -- relays that start from now on keep what
 * is not durable below `dir`, instead of there. */
const char *bench_runtime(const struct bench *b);
void bench_live_in(const char *dir);

/* bench_fail -- say why on standard error and exit with status 1; the guard cleans up. */
_Noreturn void bench_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* bench_ns -- monotonic time, the same clock in every process. */
uint64_t bench_ns(void);

#endif
