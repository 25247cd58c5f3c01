/* conn.h -- one TLS connection between relays in the loop: frames and segments in, bytes out. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buffer.h"
#include "ipc/tls.h"
#include "link/wire.h"
#include "loop/loop.h"

struct conn {
    struct loop_source src;
    struct loop *loop;
    struct tls *tls;
    struct wire in;
    uint8_t *buf; /* of `in`, made when the peer is known */
    struct buffer out;
    uint32_t events; /* as epoll was told */
    uint64_t came;   /* bytes read so far */
    bool server, deaf; /* deaf: nothing is read for now */
    bool broken;       /* epoll says so, asked or not: reset, or both ways are closed */
    bool (*known)(struct conn *c, const uint8_t pin[KEY_PIN_LEN]);
    void (*ready)(struct conn *c);
    void *arg;
};

/* conn_open -- over a socket that is connected or about to be; the socket is the connection's, also on failure.
 *
 * known    who is there, is he welcome?  (tls.h)
 * ready    called when the socket is; must call conn_pump()
 * Returns  0 or -errno */
int conn_open(struct conn *c, struct loop *loop, struct tls_identity *id, int fd, bool server,
              bool (*known)(struct conn *c, const uint8_t pin[KEY_PIN_LEN]), void (*ready)(struct conn *c), void *arg)
    MUST_USE;
void conn_close(struct conn *c);

/* conn_pump -- move handshake and writing on.  TLS_READY is said once; on TLS_CLOSED and TLS_FAILED: conn_close(). */
enum tls_event conn_pump(struct conn *c);

/* conn_next -- the next frame, as wire_next(); reads what there is.
 * Returns  1; 0 nothing now; -EPIPE it ended; -EBADMSG the bytes make no sense; -ENOMEM */
int conn_next(struct conn *c, const uint8_t **frame, const uint8_t **frames, size_t *len) MUST_USE;

/* conn_rest -- nothing is read, and no handshake goes on, until conn_listen().  conn_back -- the same, and what
 * conn_next() gave last comes again: it cannot be dealt with now. */
void conn_rest(struct conn *c);
void conn_back(struct conn *c, const uint8_t *frame);
void conn_listen(struct conn *c);

/* conn_say -- behind what waits to be sent; conn_flush -- send as much as goes.  conn_waiting -- bytes not yet given to
 * TLS. */
int conn_say(struct conn *c, const void *p, size_t len) MUST_USE;
void conn_flush(struct conn *c);
size_t conn_waiting(const struct conn *c);

#endif
