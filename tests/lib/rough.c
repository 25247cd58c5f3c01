/* rough.c -- TLS that keeps no rule, from either end. */
#include "rough.h"

#include "base/sys.h"
#include "raw.h"
#include "trust/identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EPOCH = 7, TEXT_MAX = 512 };

uint64_t rough_certificate(const char *dir, unsigned days)
{
    struct identity *id;
    char why[256];
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || identity_load(&id, fd, why, sizeof why) < 0)
        die("no identity in %s", dir);
    if (identity_issue_leaf(id, fd, "rough", days) < 0)
        die("cannot write a certificate into %s", dir);
    uint64_t host = identity_host(id);
    identity_free(id);
    close(fd);
    return host;
}

int rough_dial(const char *address, unsigned from)
{
    struct sockaddr_in at = {.sin_family = AF_INET}, own = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    if (sscanf(address, "%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &at.sin_addr) != 1)
        die("%s is no address", address);
    at.sin_port = htons((uint16_t)port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from);
    /* Ports are chosen per destination, so that there are enough of them. */
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
        (from && bind(fd, (struct sockaddr *)&own, sizeof own) < 0) ||
        connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        int e = errno;
        close_fd(&fd);
        return -e;
    }
    return fd;
}

int rough_listen(const char *port_file)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        die("cannot listen");
    FILE *f = fopen(port_file, "we");
    if (!f || fprintf(f, "%u\n", ntohs(at.sin_port)) < 0 || fclose(f) != 0)
        die("cannot write %s", port_file);
    return fd;
}

/* ---- TLS ---- */

/* note_secret -- "CLIENT_TRAFFIC_SECRET_0 RANDOM SECRET", or the server's. */
static void note_secret(const SSL *ssl, const char *line)
{
    struct rough *r = SSL_get_app_data(ssl);
    const char *hex = strrchr(line, ' ');
    const char *name = SSL_is_server(ssl) ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ";
    if (strncmp(line, name, strlen(name)) != 0 || !hex)
        return;
    r->secret_len = strlen(hex + 1) / 2;
    if (r->secret_len > sizeof r->secret ||
        !text_unhex(text_of(hex + 1), r->secret, r->secret_len))
        die("a traffic secret that is none");
}

static int anybody(X509_STORE_CTX *store, void *unused)
{
    (void)store;
    (void)unused;
    return 1;
}

void rough_begin(struct rough *r, int fd, const char *dir)
{
    char leaf[TEXT_MAX];
    *r = (struct rough){.fd = fd, .ctx = SSL_CTX_new(TLS_method()), .buf = malloc(WIRE_BUFFER)};
    if (fd < 0 || !r->ctx || !r->buf)
        die("cannot begin: %s", strerror(fd < 0 ? -fd : ENOMEM));
    wire_init(&r->in, r->buf);
    SSL_CTX_set_keylog_callback(r->ctx, note_secret);
    SSL_CTX_set_verify(r->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(r->ctx, anybody, NULL);
    SSL_CTX_set_security_level(r->ctx, 0);
    snprintf(leaf, sizeof leaf, "%s/" LEAF_FILE, dir ? dir : "");
    if (dir && (SSL_CTX_use_certificate_chain_file(r->ctx, leaf) != 1 ||
                SSL_CTX_use_PrivateKey_file(r->ctx, leaf, SSL_FILETYPE_PEM) != 1))
        die("no certificate in %s", dir);
    r->ssl = SSL_new(r->ctx);
    if (!r->ssl || SSL_set_fd(r->ssl, fd) != 1 || SSL_set_app_data(r->ssl, r) != 1)
        die("out of memory");
}

static uint64_t host_of(X509 *identity)
{
    uint8_t raw[KEY_LEN];
    size_t len = sizeof raw;
    EVP_PKEY *key = identity ? X509_get0_pubkey(identity) : NULL;
    return key && EVP_PKEY_get_raw_public_key(key, raw, &len) == 1 ? host_of_key(raw) : 0;
}

/* wait_at_most -- the socket's calls give up after so long. */
static void wait_at_most(const struct rough *r, int ms)
{
    struct timeval t = {ms / 1000, ms % 1000 * 1000 + (ms == 0)};
    (void)setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    (void)setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

/* ended -- after a call that returned `n`: has it, and how?  Otherwise it only took too long. */
static bool ended(struct rough *r, int n)
{
    int e = errno, how = SSL_get_error(r->ssl, n);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (how == SSL_ERROR_WANT_READ || how == SSL_ERROR_WANT_WRITE ||
        (how == SSL_ERROR_SYSCALL && (e == EAGAIN || e == EWOULDBLOCK)))
        return false;
    snprintf(r->why, sizeof r->why, "%s",
             how == SSL_ERROR_ZERO_RETURN ? "closed"
             : reason                     ? reason
             : e                          ? strerror(e)
                                          : "cut");
    return true;
}

static void fresh(void)
{
    ERR_clear_error();
    errno = 0;
}

bool rough_shake(struct rough *r, bool server, int wait_ms)
{
    wait_at_most(r, wait_ms);
    fresh();
    int n = server ? SSL_accept(r->ssl) : SSL_connect(r->ssl);
    if (n != 1) {
        if (!ended(r, n))
            snprintf(r->why, sizeof r->why, "silence");
        return false;
    }
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(r->ssl);
    /* A server's list begins behind the leaf. */
    r->them = host_of(chain ? sk_X509_value(chain, server ? 0 : 1) : NULL);
    return true;
}

bool rough_send(struct rough *r, const void *p, size_t len)
{
    wait_at_most(r, RAW_MS);
    fresh();
    int n = SSL_write(r->ssl, p, (int)len);
    return n > 0 || (ended(r, n), false);
}

int rough_next(struct rough *r, const uint8_t **frame, int wait_ms)
{
    const uint8_t *frames;
    size_t len, room;
    uint64_t deadline = now_ms() + (uint64_t)wait_ms;
    for (;;) {
        int k = wire_next(&r->in, frame, &frames, &len);
        if (k != 0)
            return k;
        uint64_t now = now_ms();
        if (now > deadline)
            return 0;
        wait_at_most(r, (int)(deadline - now));
        uint8_t *to = wire_room(&r->in, &room);
        fresh();
        int n = SSL_read(r->ssl, to, (int)room);
        if (n > 0)
            wire_fed(&r->in, (size_t)n);
        else
            return ended(r, n) ? -EPIPE : 0;
    }
}

/* At once: who is thrown out for the greeting would else hear a reset where he was to hear why. */
bool rough_greet(struct rough *r, uint64_t as)
{
    uint8_t all[3 * FRAME_MAX], hosts[16];
    put_u64(hosts, r->us);
    put_u64(hosts + 8, r->them);
    struct greeting g = {.version_min = LINK_VERSION, .version_max = LINK_VERSION, .wall_ms = wall_ms(),
                         .name = text_of("rough"), .host = hosts, .n_hosts = 2};
    int n = write_greeting(all, &g, as, EPOCH);
    size_t len = (size_t)n;
    static const enum frame_type empty[] = {FRAME_DIGEST, FRAME_HAVE};
    for (size_t i = 0; n > 0 && i < ARRAY_LEN(empty); i++) {
        struct wr w = frame_begin(all + len, empty[i]);
        n = frame_end(all + len, &w);
        len += (size_t)n;
    }
    return n > 0 && rough_send(r, all, len);
}

void rough_close(struct rough *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    close_fd(&r->fd);
    free(r->buf);
    *r = (struct rough){.fd = -1};
}
