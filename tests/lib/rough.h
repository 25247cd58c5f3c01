/* rough.h -- one end of a link that keeps no rule: any certificate or none, any bytes, any frames.
 *
 * What raw.h is for clients.  OpenSSL itself, not the relay's use of it, so that both cannot be
 * wrong together.  Sockets block; what must work for the test to make sense ends the program with a
 * sentence (die() of raw.h) when it does not. */
#ifndef ROUGH_H
#define ROUGH_H

#include "link/wire.h"

#include <openssl/ssl.h>

struct rough {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    uint64_t us, them; /* host numbers by the certificates; them: of the relay */
    struct wire in;
    uint8_t *buf;
    char why[128]; /* how it ended, as OpenSSL says it */
    uint8_t secret[64]; /* our traffic secret, once the handshake is done */
    size_t secret_len;
};

/* rough_certificate -- a leaf of the identity in `dir` (made when there is none), valid until
 * `days` - 1 from now: 0, expired a day ago.  Returns the host's number. */
uint64_t rough_certificate(const char *dir, unsigned days);

/* rough_dial -- a TCP connection to "A.B.C.D:PORT", from 127.0.0.`from` (0: from anywhere). Returns
 * the socket, or -errno */
int rough_dial(const char *address, unsigned from);

/* rough_listen -- at a port of 127.0.0.1, which is written into that file.  Returns the socket */
int rough_listen(const char *port_file);

/* rough_begin -- TLS over that socket, with the certificate in `dir` (NULL: none), not shaken hands
 * yet: what is to be different is set in r->ssl. rough_shake -- as client or server; false:
 * refused, r->why.
 *
 * In TLS 1.3 a client is done before its certificate was looked at: only a frame that comes back
 * proves that it was let in. */
void rough_begin(struct rough *r, int fd, const char *dir);
bool rough_shake(struct rough *r, bool server, int wait_ms);

/* rough_send -- false when the other side has gone. */
bool rough_send(struct rough *r, const void *p, size_t len);

/* rough_next -- the next frame, valid until the next call; `frames` as wire_next() has it.
 * Returns  1; 0 when none came in time; -EPIPE when it ended, r->why */
int rough_next(struct rough *r, const uint8_t **frame, int wait_ms);

/* rough_greet -- GREETING, no digests and an empty vector, of host `as`. */
bool rough_greet(struct rough *r, uint64_t as);

void rough_close(struct rough *r);

#endif
