/* guest.c -- a client of a running relay that keeps the rules. */
#include "guest.h"

#include "raw.h"

#include <poll.h>

enum { MOMENT_MS = 20 };

struct port *guest_open(const char *instance, unsigned timeout_ms)
{
    struct port *p;
    struct port_options o = {.instance = instance, .quiet = true, .timeout_ms = timeout_ms};
    char why[256];
    if (port_open(&p, &o, why, sizeof why) < 0)
        die("%s", why);
    return p;
}

void guest_rest(struct port *p)
{
    struct pollfd fd = {port_fd(p), POLLIN, 0};
    int wait = port_wait_ms(p);
    poll(&fd, 1, wait >= 0 && wait < MOMENT_MS ? wait : MOMENT_MS);
}
