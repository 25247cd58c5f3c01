/* tls.c -- streams by OpenSSL, whose states, retries and error queue end here.
 *
 * Bytes to send wait in a buffer of our own: SSL_write() wants to be called again with the same
 * bytes, and this is the one place that can promise it.  When sending fails the stream is still
 * read to its end, for there lie the peer's last words: an alert that says why, or frames it
 * sent before. */
#include "ipc/tls_inside.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    /* A key may protect 2^24.5 full records with AES-GCM (RFC 8446, 5.5). */
    REKEY_RECORDS = 1 << 23,

    /* New keys cost us more than the peer, and 2^23 records have at least as many bytes: beyond the
     * first few, no honest peer has new ones more often than this. */
    UPDATES_FREE = 16,
    UPDATE_BYTES = 1 << 20,
};

/* fail -- the stream has failed; the first reason is the one to tell. */
static void PRINTF_LIKE(2, 3) fail(struct tls *t, const char *fmt, ...)
{
    t->state = STREAM_FAILED;
    if (t->why[0])
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
}

/* ---- what OpenSSL said --------------------------------------------------- */

static const char *sentence(unsigned long e)
{
    switch (ERR_GET_REASON(e)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the peer showed no certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "the peer refused our certificate: our key is none that it knows";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "the peer refused our certificate: expired by its clock";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return "the peer refused our certificate";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "the peer refused us: it saw no certificate";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "the peer does not speak TLS 1.3";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "what the peer sent is not TLS";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return "the connection was cut without a word";
    default:
        return NULL;
    }
}

static void fail_by_openssl(struct tls *t)
{
    unsigned long e = ERR_peek_error();
    const char *known = sentence(e), *reason = ERR_reason_error_string(e);
    if (known)
        fail(t, "%s", known);
    else
        fail(t, "TLS went wrong: %s", reason ? reason : "for no known reason");
}

static void fail_by_errno(struct tls *t, int err)
{
    if (err == 0)
        fail(t, "the connection was cut without a word");
    else
        fail(t, "the connection broke: %s", strerror(err));
}

/* fresh -- before every call: SSL_get_error() judges by what lies in the queue. */
static void fresh(void)
{
    ERR_clear_error();
    errno = 0;
}

/* again -- after a call that returned `r` <= 0: is it to be repeated when the socket is ready?
 * Otherwise the stream has ended, and how is noted. */
static bool again(struct tls *t, int r)
{
    int err = errno;
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        t->wants = EPOLLIN;
        return true;
    case SSL_ERROR_WANT_WRITE:
        t->wants = EPOLLOUT;
        return true;
    case SSL_ERROR_ZERO_RETURN:
        if (t->state == STREAM_OPEN) {
            t->state = STREAM_CLOSED;
            snprintf(t->why, sizeof t->why, "the peer closed the stream");
        } else {
            fail(t, "the peer went away during the handshake");
        }
        return false;
    case SSL_ERROR_SYSCALL:
        fail_by_errno(t, err);
        return false;
    default:
        fail_by_openssl(t);
        return false;
    }
}

/* ---- a stream ------------------------------------------------------------ */

int tls_new(struct tls **out, struct tls_identity *id, int fd, bool server,
            bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]), void *arg)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->id = id;
    t->fd = fd;
    t->server = server;
    t->known = known;
    t->arg = arg;
    t->wants = server ? EPOLLIN : EPOLLOUT; /* writable: connected */
    *out = t;
    return 0;
}

static bool unsent(const struct tls *t)
{
    return t->start < t->end;
}

/* rekey -- new keys for what we send, long before these wear out; no answer is asked for. */
static void rekey(struct tls *t)
{
    if (++t->records % REKEY_RECORDS == 0 &&
        SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
        fail_by_openssl(t);
}

static void flush(struct tls *t)
{
    while (unsent(t) && t->state == STREAM_OPEN) {
        t->wants = EPOLLIN;
        fresh();
        int r = SSL_write(t->ssl, t->out + t->start, (int)(t->end - t->start));
        int err = errno;
        if (r > 0) {
            t->start += (size_t)r;
            rekey(t);
        } else if (SSL_get_error(t->ssl, r) == SSL_ERROR_SYSCALL) {
            t->send_error = err ? err : EPIPE;
            t->start = t->end;
        } else if (again(t, r)) {
            return;
        }
    }
    if (!unsent(t))
        t->start = t->end = 0;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    flush(t);
    if ((t->state == STREAM_OPEN || t->state == STREAM_CLOSED) && !unsent(t) && !t->send_error) {
        fresh();
        SSL_shutdown(t->ssl);
    }
    SSL_free(t->ssl);
    close(t->fd);
    free(t);
}

/* count_updates -- OpenSSL answers them by itself, as many as come. */
static void count_updates(int sent, int version, int type, const void *p, size_t len, SSL *ssl, void *arg)
{
    struct tls *t = arg;
    (void)version, (void)ssl;
    t->updates += !sent && type == SSL3_RT_HANDSHAKE && len > 0 && *(const uint8_t *)p == SSL3_MT_KEY_UPDATE;
}

/* begin -- the state of a handshake, made when there is something to do. */
static bool begin(struct tls *t)
{
    t->ssl = SSL_new(t->id->ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, t->fd) != 1 || SSL_set_app_data(t->ssl, t) != 1) {
        fail(t, "out of memory for another TLS stream");
        return false;
    }
    SSL_set_msg_callback(t->ssl, count_updates);
    SSL_set_msg_callback_arg(t->ssl, t);
    if (t->server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    return true;
}

static enum tls_event shake_hands(struct tls *t)
{
    if (!t->ssl && !begin(t))
        return TLS_FAILED;
    fresh();
    int r = SSL_do_handshake(t->ssl);
    if (r != 1)
        return again(t, r) ? TLS_NOTHING : TLS_FAILED;
    t->state = STREAM_OPEN;
    t->wants = EPOLLIN;
    return TLS_READY;
}

enum tls_event tls_pump(struct tls *t)
{
    if (t->state == STREAM_HANDSHAKE)
        return shake_hands(t);
    flush(t);
    return t->state == STREAM_OPEN ? TLS_NOTHING : t->state == STREAM_CLOSED ? TLS_CLOSED : TLS_FAILED;
}

uint32_t tls_wants(const struct tls *t)
{
    if (t->state == STREAM_HANDSHAKE)
        return t->wants;
    return EPOLLIN | t->wants | (unsent(t) ? (uint32_t)EPOLLOUT : 0);
}

ssize_t tls_recv(struct tls *t, void *to, size_t size)
{
    ASSERT(size > 0);
    if (t->state != STREAM_OPEN)
        return t->state == STREAM_HANDSHAKE ? -EAGAIN : -EPIPE;
    fresh();
    int r = SSL_read(t->ssl, to, (int)min_size(size, INT_MAX));
    if (t->updates > UPDATES_FREE + t->received / UPDATE_BYTES) {
        fail(t, "the peer changes its keys all the time");
        return -EPIPE;
    }
    if (r > 0) {
        t->wants = EPOLLIN;
        t->received += (uint64_t)r;
        return r;
    }
    if (!again(t, r))
        return -EPIPE;
    if (!t->send_error)
        return -EAGAIN;
    fail_by_errno(t, t->send_error); /* all that had come was read */
    return -EPIPE;
}

ssize_t tls_send(struct tls *t, const void *p, size_t len)
{
    if (t->state == STREAM_HANDSHAKE)
        return 0;
    if (t->state != STREAM_OPEN || t->send_error)
        return -EPIPE;
    if (t->start > 0 && len > TLS_OUT_MAX - t->end) {
        memmove(t->out, t->out + t->start, t->end - t->start);
        t->end -= t->start;
        t->start = 0;
    }
    size_t n = min_size(len, TLS_OUT_MAX - t->end);
    if (n > 0)
        memcpy(t->out + t->end, p, n);
    t->end += n;
    return (ssize_t)n;
}

const uint8_t *tls_pin(const struct tls *t)
{
    return t->pin;
}

const uint8_t *tls_peer_key(const struct tls *t)
{
    return t->key;
}

const char *tls_why(const struct tls *t)
{
    return t->why;
}

int tls_fd(const struct tls *t)
{
    return t->fd;
}
