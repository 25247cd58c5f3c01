/* address.h -- HOST:PORT into sockets: listen, look up, connect; nothing here blocks. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/base.h"

#include <netdb.h>

enum { ADDRESS_MAX = 128 };

/* address_listen -- on "ADDRESS:PORT", "[V6]:PORT" or "*:PORT"; port 0: any free one.
 * ADDRESS must be numeric.
 * Returns  the socket, non-blocking, or -errno and a sentence that says what to do */
int address_listen(const char *address, char *why, size_t why_size) MUST_USE;

/* address_local, address_remote -- the two ends of a socket as text, "" when unknown. */
void address_local(int fd, char *to, size_t size);
void address_remote(int fd, char *to, size_t size);

/* address_public -- where others find us: as configured, else where we listen, under our host name if that is everywhere.
 *
 * configured, listening  may be ""
 * to                     "-" when nobody can dial us, or the port is not known yet */
void address_public(const char *configured, const char *listening, char *to, size_t size);

/* address_source -- a number for where a connection comes from: the host, or the /64 of it; 0 when unknown. */
uint64_t address_source(int fd);

/* A name on the way to addresses. */
struct lookup {
    char host[ADDRESS_MAX], port[16];
    struct gaicb request;
    struct addrinfo *found, *next; /* next: to be tried */
    bool asking;
};

/* lookup_init -- of "HOST:PORT", which was found well-formed before (peers.h). */
void lookup_init(struct lookup *l, const char *address);
void lookup_free(struct lookup *l);

/* lookup_next -- the next of its addresses; names are looked up in the background, and anew when all addresses
 * had their turn.
 *
 * Returns  0 and the address; -EAGAIN: ask again later; -EHOSTUNREACH: the name leads nowhere */
int lookup_next(struct lookup *l, const struct addrinfo **to) MUST_USE;

/* address_connect -- begin to connect.
 * Returns  the socket, non-blocking, or -errno */
int address_connect(const struct addrinfo *to) MUST_USE;

/* address_tune -- the same options for a socket that was accepted.
 *
 * Not TCP_USER_TIMEOUT: it also ends a connection whose other end answers, but does not read for so long. */
void address_tune(int fd);

/* address_answers -- does the other host's kernel still acknowledge what is sent, even if nobody there reads?
 * For who does not read himself, and therefore hears no heartbeat.  True of what is no TCP socket.
 *
 * within_ms  for so long something sent may be without any acknowledgement */
bool address_answers(int fd, unsigned within_ms);

#endif
