/* tls_play.c -- two ends of a TLS stream in one thread, and hosts of every honesty to be at
 * them. */
#include "tls_play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/sys.h"

enum { DEADLINE_MS = 5000 };

/* ---- hosts --------------------------------------------------------------- */

static EVP_PKEY *new_key(bool ed25519)
{
    EVP_PKEY *key = ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_non_null(key);
    return key;
}

static void name_it(X509_NAME *name, const char *common)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)common, -1, -1, 0),
                     1);
}

/* write_cert -- sign it and put it into the file; a P-256 key signs with a hash, Ed25519
 * without. */
static void write_cert(FILE *f, const char *subject, const char *issuer, EVP_PKEY *key,
                       EVP_PKEY *signer, long from_s, long until_s)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    bool ed25519 = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), until_s);
    X509_set_pubkey(cert, key);
    name_it(X509_get_subject_name(cert), subject);
    name_it(X509_get_issuer_name(cert), issuer);
    assert_true(X509_sign(cert, signer, ed25519 ? NULL : EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    X509_free(cert);
}

static FILE *create(struct host *h, const char *name, char *path, size_t size)
{
    scratch_path(&h->files, name, path, size);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static void pin_of(EVP_PKEY *key, uint8_t pin[KEY_PIN_LEN])
{
    uint8_t raw[KEY_LEN];
    size_t len = sizeof raw;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519)
        return;
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    key_pin(raw, pin);
}

void host_forge(struct host *h, const struct forgery *how)
{
    char why[200];
    *h = (struct host){0};
    scratch_open(&h->files);
    EVP_PKEY *identity = new_key(!how->identity_p256), *another = new_key(true);
    EVP_PKEY *leaf = new_key(how->leaf_ed25519);
    bool usual = how->from_s == 0 && how->until_s == 0;
    FILE *f = create(h, "chain.pem", h->chain, sizeof h->chain);
    write_cert(f, "host", how->other_issuer ? "somebody" : "identity", leaf,
               how->leaf_by_another_key ? another : identity, usual ? -86400 : how->from_s,
               usual ? 86400 : how->until_s);
    write_cert(f, "identity", "identity", identity,
               how->identity_not_selfmade ? another : identity, -86400, 86400);
    fclose(f);
    f = create(h, "key.pem", h->key, sizeof h->key);
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, leaf, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    pin_of(identity, h->pin);
    EVP_PKEY_free(identity);
    EVP_PKEY_free(another);
    EVP_PKEY_free(leaf);
    assert_int_equal(tls_identity_load(&h->id, h->chain, h->key, why, sizeof why), 0);
}

void host_free(struct host *h)
{
    tls_identity_free(h->id);
    scratch_close(&h->files);
}

/* ---- one end ------------------------------------------------------------- */

static bool expected(void *arg, const uint8_t pin[KEY_PIN_LEN])
{
    struct tls_end *e = arg;
    e->asked++;
    return e->expected && memcmp(e->expected, pin, KEY_PIN_LEN) == 0;
}

void end_open(struct tls_end *e, struct host *h, int fd, bool server, const uint8_t *pin)
{
    *e = (struct tls_end){.expected = pin};
    assert_int_equal(set_nonblock(fd), 0);
    assert_int_equal(tls_new(&e->t, h->id, fd, server, expected, e), 0);
}

void end_close(struct tls_end *e)
{
    tls_free(e->t);
    e->t = NULL;
}

bool end_over(const struct tls_end *e)
{
    return e->last == TLS_CLOSED || e->last == TLS_FAILED;
}

/* byte_at -- what is the byte `at` of the stream?  With a period that is no buffer's size. */
static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at % 251 + at / 65521);
}

static void send_some(struct tls_end *e)
{
    uint8_t buf[10007];
    while (e->sent < e->to_send) {
        size_t len = (size_t)min_u64(sizeof buf, e->to_send - e->sent);
        for (size_t i = 0; i < len; i++)
            buf[i] = byte_at(e->sent + i);
        ssize_t n = tls_send(e->t, buf, len);
        memset(buf, 0xee, sizeof buf); /* it is ours again */
        if (n <= 0)
            return;
        e->sent += (uint64_t)n;
    }
}

static void receive_all(struct tls_end *e)
{
    uint8_t buf[5003];
    ssize_t n;
    while ((n = tls_recv(e->t, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            e->wrong |= buf[i] != byte_at(e->received++);
    assert_true(n == -EAGAIN || n == -EPIPE);
    if (n == -EPIPE)
        e->last = tls_pump(e->t);
}

void end_run(struct tls_end *e)
{
    e->last = tls_pump(e->t);
    if (e->last == TLS_READY) {
        assert_false(e->ready);
        e->ready = true;
    }
    if (!e->ready || end_over(e))
        return;
    send_some(e);
    receive_all(e);
}

/* ---- both ---------------------------------------------------------------- */

bool both_ready(const struct tls_end *a, const struct tls_end *b)
{
    return a->ready && b->ready;
}

bool both_over(const struct tls_end *a, const struct tls_end *b)
{
    return end_over(a) && end_over(b);
}

bool all_received(const struct tls_end *a, const struct tls_end *b)
{
    return a->received == b->to_send && b->received == a->to_send;
}

/* wish -- what an end waits for; nothing when it is over. */
static struct pollfd wish(const struct tls_end *e)
{
    short events = 0;
    if (end_over(e))
        return (struct pollfd){.fd = -1};
    uint32_t wants = tls_wants(e->t);
    events |= wants & EPOLLIN ? POLLIN : 0;
    events |= wants & EPOLLOUT ? POLLOUT : 0;
    return (struct pollfd){tls_fd(e->t), events, 0};
}

void play(struct tls_end *a, struct tls_end *b, bool (*done)(const struct tls_end *, const struct tls_end *))
{
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (!done(a, b)) {
        struct pollfd p[2] = {wish(a), wish(b)};
        uint64_t now = now_ms();
        assert_true(now < deadline);
        assert_true(poll(p, 2, (int)(deadline - now)) > 0);
        if (p[0].revents)
            end_run(a);
        if (p[1].revents)
            end_run(b);
    }
}

void socket_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
}

void tcp_pair(int fd[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof at), 0);
    fd[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd[1] >= 0);
    assert_int_equal(set_nonblock(fd[0]) | set_nonblock(fd[1]), 0);
    close_fd(&l);
}
