/* skew.c -- LD_PRELOAD: the wall clock of a host runs $SKEW seconds ahead (or, below zero, behind); nothing else changes. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t skew(void)
{
    const char *s = getenv("SKEW");
    return s ? atol(s) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    long r = syscall(SYS_clock_gettime, clock, ts);
    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ts->tv_sec += skew();
    return (int)r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    long r = syscall(SYS_gettimeofday, tv, zone);
    if (r == 0)
        tv->tv_sec += skew();
    return (int)r;
}

time_t time(time_t *to)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    if (to)
        *to = ts.tv_sec;
    return ts.tv_sec;
}
