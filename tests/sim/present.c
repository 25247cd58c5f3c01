/* present.c -- who is where: I10.  The linker leads presence_beat() and presence_expire() here first. */
#include "sim.h"

bool __real_presence_beat(struct presence *p, uint64_t now_ms);
bool __wrap_presence_beat(struct presence *p, uint64_t now_ms);
bool __wrap_presence_beat(struct presence *p, uint64_t now_ms)
{
    return !w.no_beats && __real_presence_beat(p, now_ms);
}

uint64_t __real_presence_expire(struct presence *p, uint64_t now_ms);
uint64_t __wrap_presence_expire(struct presence *p, uint64_t now_ms);
uint64_t __wrap_presence_expire(struct presence *p, uint64_t now_ms)
{
    return w.no_beats ? 0 : __real_presence_expire(p, now_ms);
}
