/* tls.c -- streams by OpenSSL, whose states, retries and error queue end here.
 *
 * Bytes to send wait in a buffer of our own: SSL_write() wants to be called again with the same
 * bytes, and this is the one place that can promise it.  When sending fails the stream is still
 * read to its end, for there lie the peer's last words: an alert that says why, or frames it
 * sent before. */
#include "ipc/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    OUT_MAX = 65536, /* four full records */
    WHY_MAX = 256,
    CERTS_MAX = 8192, /* bytes of a peer's chain; ours has some 900 */

    /* A key may protect 2^24.5 full records with AES-GCM (RFC 8446, 5.5). */
    REKEY_RECORDS = 1 << 23,

    /* New keys cost us more than the peer, and 2^23 records have at least as many bytes: beyond the
     * first few, no honest peer has new ones more often than this. */
    UPDATES_FREE = 16,
    UPDATE_BYTES = 1 << 20,
};

struct tls_identity {
    SSL_CTX *ctx;
    uint8_t key[KEY_LEN];
};

enum state { HANDSHAKE, OPEN, CLOSED, FAILED };

struct tls {
    struct tls_identity *id;
    SSL *ssl; /* NULL before the first pump: who only connects costs no 50 KiB */
    int fd;
    bool server;
    enum state state;
    uint32_t wants; /* EPOLLIN or EPOLLOUT: what the last call of OpenSSL waits for */
    bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]);
    void *arg;
    uint8_t key[KEY_LEN], pin[KEY_PIN_LEN]; /* the peer's */
    int send_error;                         /* errno; nothing is sent any more */
    uint32_t records;                       /* sent so far */
    uint64_t received;                      /* bytes of the stream */
    uint64_t updates;                       /* of its keys by the peer */
    char why[WHY_MAX];
    size_t start, end; /* out[start, end) is still to be sent */
    uint8_t out[OUT_MAX];
};

/* fail -- the stream has failed; the first reason is the one to tell. */
static void PRINTF_LIKE(2, 3) fail(struct tls *t, const char *fmt, ...)
{
    t->state = FAILED;
    if (t->why[0])
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
}

/* ---- the peer's certificates --------------------------------------------- */

/* refuse -- note the reason for us; `error` decides which alert the peer gets to see. */
static int PRINTF_LIKE(3, 4) refuse(struct tls *t, int error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
    return error;
}

static int check_validity(struct tls *t, X509 *leaf)
{
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0)
        return refuse(
            t, X509_V_ERR_CERT_NOT_YET_VALID,
            "the peer's certificate is not valid yet: check the clocks of both hosts");
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
        return refuse(t, X509_V_ERR_CERT_HAS_EXPIRED,
                      "the peer's certificate has expired: check the clocks of both hosts");
    return X509_V_OK;
}

static bool raw_key(EVP_PKEY *key, uint8_t raw[KEY_LEN])
{
    size_t len = KEY_LEN;
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, raw, &len) == 1 && len == KEY_LEN;
}

/* check_chain -- is it a leaf, in force, signed by an identity that we know?
 *
 * The pin comes first: to be refused, a stranger costs one hash and no signature.
 * Returns  X509_V_OK or the X509_V_ERR_* with the fitting alert. */
static int check_chain(struct tls *t, STACK_OF(X509) * chain)
{
    int n = sk_X509_num(chain);
    if (n != 2)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's chain must be a leaf and its identity, but has length %d", n);
    X509 *leaf = sk_X509_value(chain, 0), *identity = sk_X509_value(chain, 1);
    EVP_PKEY *key = X509_get0_pubkey(identity);
    if (!raw_key(key, t->key))
        return refuse(t, X509_V_ERR_CERT_REJECTED, "the peer's identity is not an Ed25519 key");
    key_pin(t->key, t->pin);
    if (!t->known(t->arg, t->pin)) {
        char text[KEY_TEXT_LEN + 1];
        key_to_text(t->key, text);
        return refuse(t, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                      "the peer's key %s is none that we know", text);
    }
    if (X509_verify(identity, key) != 1)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's identity is not signed by itself");
    if (X509_check_issued(identity, leaf) != X509_V_OK || X509_verify(leaf, key) != 1)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's certificate is not signed by its identity");
    return check_validity(t, leaf);
}

/* verify -- takes the place of OpenSSL's own chain building, names and purposes. */
static int verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    int error = check_chain(SSL_get_app_data(ssl), X509_STORE_CTX_get0_untrusted(store));
    X509_STORE_CTX_set_error(store, error);
    return error == X509_V_OK;
}

/* ---- our certificates ---------------------------------------------------- */

/* no_passphrase -- or OpenSSL would ask the terminal for one. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* a read ends with what is buffered, even if nothing but KeyUpdates come */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_max_cert_list(ctx, CERTS_MAX);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_read_ahead(ctx, 1); /* one read(2) a record instead of two */
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, "ed25519:ecdsa_secp256r1_sha256") == 1;
}

/* bad_file -- why OpenSSL did not take this file. */
static int bad_file(const char *path, char *why, size_t why_size)
{
    unsigned long e = ERR_peek_error();
    int err = ERR_SYSTEM_ERROR(e) ? -(int)ERR_GET_REASON(e) : -EBADMSG;
    const char *reason = ERR_SYSTEM_ERROR(e) ? strerror(-err) : ERR_reason_error_string(e);
    snprintf(why, why_size, "cannot use %s: %s", path,
             reason ? reason : "not what it should be");
    ERR_clear_error();
    return err;
}

static int load(struct tls_identity *id, const char *chain_pem, const char *key_pem, char *why,
                size_t why_size)
{
    SSL_CTX *ctx = id->ctx;
    STACK_OF(X509) *more = NULL;
    if (SSL_CTX_use_certificate_chain_file(ctx, chain_pem) != 1)
        return bad_file(chain_pem, why, why_size);
    if (SSL_CTX_get_extra_chain_certs(ctx, &more) != 1 || sk_X509_num(more) != 1) {
        snprintf(why, why_size, "%s must hold a certificate and the identity that signed it",
                 chain_pem);
        return -EBADMSG;
    }
    /* This also refuses a key that is not the certificate's. */
    if (SSL_CTX_use_PrivateKey_file(ctx, key_pem, SSL_FILETYPE_PEM) != 1)
        return bad_file(key_pem, why, why_size);
    if (!raw_key(X509_get0_pubkey(sk_X509_value(more, 0)), id->key))
        memset(id->key, 0, KEY_LEN); /* no peer will take it */
    return 0;
}

int tls_identity_load(struct tls_identity **id, const char *chain_pem, const char *key_pem,
                      char *why, size_t why_size)
{
    ERR_clear_error();
    struct tls_identity *made = calloc(1, sizeof *made);
    if (made)
        made->ctx = SSL_CTX_new(TLS_method());
    int err = -ENOMEM;
    if (made && made->ctx && set_rules(made->ctx))
        err = load(made, chain_pem, key_pem, why, why_size);
    else
        snprintf(why, why_size, "cannot set up TLS");
    if (err == 0)
        *id = made;
    else
        tls_identity_free(made);
    return err;
}

const uint8_t *tls_own_key(const struct tls_identity *id)
{
    return id->key;
}

void tls_identity_free(struct tls_identity *id)
{
    if (id)
        SSL_CTX_free(id->ctx);
    free(id);
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
        if (t->state == OPEN) {
            t->state = CLOSED;
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
    while (unsent(t) && t->state == OPEN) {
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
    if ((t->state == OPEN || t->state == CLOSED) && !unsent(t) && !t->send_error) {
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
    t->state = OPEN;
    t->wants = EPOLLIN;
    return TLS_READY;
}

enum tls_event tls_pump(struct tls *t)
{
    if (t->state == HANDSHAKE)
        return shake_hands(t);
    flush(t);
    return t->state == OPEN ? TLS_NOTHING : t->state == CLOSED ? TLS_CLOSED : TLS_FAILED;
}

uint32_t tls_wants(const struct tls *t)
{
    if (t->state == HANDSHAKE)
        return t->wants;
    return EPOLLIN | t->wants | (unsent(t) ? (uint32_t)EPOLLOUT : 0);
}

ssize_t tls_recv(struct tls *t, void *to, size_t size)
{
    ASSERT(size > 0);
    if (t->state != OPEN)
        return t->state == HANDSHAKE ? -EAGAIN : -EPIPE;
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
    if (t->state == HANDSHAKE)
        return 0;
    if (t->state != OPEN || t->send_error)
        return -EPIPE;
    if (t->start > 0 && len > OUT_MAX - t->end) {
        memmove(t->out, t->out + t->start, t->end - t->start);
        t->end -= t->start;
        t->start = 0;
    }
    size_t n = min_size(len, OUT_MAX - t->end);
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
