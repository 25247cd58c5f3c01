/* tcp_floor.h -- the least that a server can do who passes on lines over TCP: the bound for the peers. */
#ifndef BENCH_TCP_FLOOR_H
#define BENCH_TCP_FLOOR_H

#include "base/base.h"

/* tcp_floor_serve -- serve who connects at `door`: "JNN" makes him a member of room NN, any other line is "NN TEXT" and goes to
 * the members of that room. One write per member for all that was read at once. */
_Noreturn void tcp_floor_serve(int door);

#endif
