/* trace.h -- from "on disk here" to "on disk on another host" to "everywhere". */
#ifndef CHAT_TRACE_H
#define CHAT_TRACE_H

#include "id.h"
#include "port.h"
#include "render.h"

enum { TRACE_HOSTS_MAX = 256 };

/* What is known so far of who has a message: this host first, then the others. */
struct trace_picture {
    struct trace_host {
        uint64_t host, since_ms;
        uint8_t state; /* enum trace_state */
        char name[RENDER_SIZE(HOST_NAME_MAX_LEN)];
    } host[TRACE_HOSTS_MAX];
    size_t n;
};

/* trace_take -- a frame of an answer: what it says of one host.  trace_have -- how many have it. */
void trace_take(struct trace_picture *pic, const uint8_t *frame);
size_t trace_have(const struct trace_picture *pic);

enum trace_wait {
    TRACE_WAIT_NOT,
    TRACE_WAIT_HOST, /* until one other host has it on disk */
    TRACE_WAIT_ALL,  /* until all have */
};

/* trace_said -- what became of the last thing that this port said in `room`, with client_seq `last_seq`; print_ids: the ids
 * of all that it said go to standard output.  since_wall_ms: wall_ms() before it was said.
 * Returns  EXIT_OK, or the exit code of what went wrong, said on standard error */
int trace_said(struct port *p, const char *room, uint32_t last_seq, uint64_t since_wall_ms, bool print_ids, struct have_row *id);

/* trace_wait -- until so many hosts have it.  As a host passes on what it has in the order in which it came, that one has
 * all that was said before it too.
 * Returns  EXIT_OK; EXIT_NO when there is no other host; EXIT_TIMEOUT; said on standard error */
int trace_wait(struct port *p, const struct have_row *id, enum trace_wait wait, unsigned timeout_ms);

#endif
