/* tls.h -- a TLS 1.3 stream between two relays: mutual, pinned, seen as a few events.
 *
 * OpenSSL's WANT_READ/WANT_WRITE and error queue never leave this module.  No tickets, no
 * resumption, no 0-RTT, no compression, no renegotiation.  Both sides show a chain of two
 * certificates: a short- lived leaf and the self-signed Ed25519 identity that signed it; a peer
 * is whoever owns the identity key whose pin (key.h) the caller's check accepts.  Nothing
 * counts as delivered because TLS took it: only the peer's own acknowledgement does.  The
 * program must ignore SIGPIPE.
 *
 * When the socket is ready: tls_pump(), then tls_recv() until -EAGAIN (what was decrypted
 * already does not make the socket readable again); after -EPIPE, tls_pump() says how the
 * stream ended. */
#ifndef IPC_TLS_H
#define IPC_TLS_H

#include "base/key.h"

#include <sys/types.h>

/* What both kinds of stream share: our certificate and key. */
struct tls_identity;

/* tls_identity_load -- chain_pem: leaf certificate, then identity certificate; key_pem: the
 * leaf's private key.  Returns 0, or -errno and a sentence in `why`. */
int tls_identity_load(struct tls_identity **id, const char *chain_pem, const char *key_pem,
                      char *why, size_t why_size) MUST_USE;
void tls_identity_free(struct tls_identity *id);

/* tls_own_key -- the raw key of the identity in our own chain. */
const uint8_t *tls_own_key(const struct tls_identity *id);

struct tls;

/* tls_new -- a stream over a connected (or connecting) non-blocking socket, which it then owns.
 *
 * server   true: they dialled us
 * known    asked once in the handshake with the peer's pin; must return true to let it in. That
 * the peer owns this key is proven only when TLS_READY is said id       must outlive the stream
 * Returns  0 or -ENOMEM (the socket is then still the caller's) */
int tls_new(struct tls **t, struct tls_identity *id, int fd, bool server,
            bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]), void *arg) MUST_USE;

/* tls_free -- close_notify where possible, close the socket. */
void tls_free(struct tls *t);

enum tls_event {
    TLS_NOTHING, /* call again when the socket is ready as tls_wants() says */
    TLS_READY,   /* handshake done, peer known: said once */
    TLS_CLOSED,  /* the peer ended the stream properly */
    TLS_FAILED,  /* anything else: tls_why() */
};

/* tls_pump -- move the handshake on, flush what is waiting to be sent; call whenever the socket
 * is ready, and after tls_send() for what should leave at once. */
enum tls_event tls_pump(struct tls *t);

/* tls_wants -- EPOLLIN and/or EPOLLOUT, whatever OpenSSL meant. */
uint32_t tls_wants(const struct tls *t);

/* tls_recv -- up to `size` bytes.  Returns the number; -EAGAIN; -EPIPE when the stream ended.
 */
ssize_t tls_recv(struct tls *t, void *to, size_t size) MUST_USE;

/* tls_send -- offer bytes; takes as many as there is room for, none before TLS_READY.  What was
 * taken is kept until it can be written, in full records where there is enough of it. Returns
 * the number taken (may be 0); -EPIPE when the stream ended */
ssize_t tls_send(struct tls *t, const void *p, size_t len) MUST_USE;

/* tls_pin -- the peer's pin, once TLS_READY was said. */
const uint8_t *tls_pin(const struct tls *t);

/* tls_peer_key -- the peer's raw Ed25519 identity key (KEY_LEN bytes), once TLS_READY was said.
 */
const uint8_t *tls_peer_key(const struct tls *t);

/* tls_why -- a phrase on why the stream ended; names what the peer's certificate lacked. */
const char *tls_why(const struct tls *t);

int tls_fd(const struct tls *t);

#endif
