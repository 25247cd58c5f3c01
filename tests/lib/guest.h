/* guest.h -- a client of a running relay that keeps the rules, where raw.h has one that keeps none: chat's own port. */
#ifndef GUEST_H
#define GUEST_H

#include "port.h"

/* guest_open -- a session, or the end of the program with a sentence. */
struct port *guest_open(const char *instance, unsigned timeout_ms);

/* guest_rest -- until something came or is to be done, or a moment has passed. */
void guest_rest(struct port *p);

#endif
