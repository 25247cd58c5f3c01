/* impostor.c -- dials a relay and keeps no rule of TCP, TLS or links.
 *
 * usage: impostor ADDRESS DIR CASE [MEMBER]
 *
 * DIR holds the identity to show: that of a stranger (made when there is none) or a member's.  Every
 * case of the table must end as it says, in time; a stranger must not be told anything.  MEMBER: the
 * state directory of one, for the case that needs his certificates. */
#include "base/sys.h"
#include "patience.h"
#include "raw.h"
#include "rough.h"
#include "trust/identity.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AT_ONCE_MS = 2000,
    ACCEPT_MS = 5000, /* as hub/lines.c and link/core.h have it, and what a tick and a busy host add */
    LATE_MS = 2000,
    BYTE_MS = 1000,
    UPDATES = 1000, /* so many at once are no need of anybody's */
};

static const char *address, *dir, *member;
static struct rough r;

/* ---- bytes ---- */

/* until_closed -- read the socket to its end; a stranger may be sent alerts and the server's half of a
 * handshake, no more. */
static void until_closed(int fd, int ms)
{
    char buf[4096];
    size_t got = 0;
    for (uint64_t deadline = now_ms() + (uint64_t)ms;;) {
        struct pollfd p = {fd, POLLIN, 0};
        uint64_t now = now_ms();
        if (now >= deadline || poll(&p, 1, (int)(deadline - now)) == 0)
            die("not closed after %d ms", ms);
        ssize_t n = read(fd, buf, sizeof buf);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (got > sizeof buf)
        die("%zu bytes came back", got);
    close(fd);
}

static void throw(const void *p, size_t len, int ms)
{
    int fd = rough_dial(address, 0);
    if (fd < 0)
        die("cannot dial: %s", strerror(-fd));
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)p + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* it has had enough */
        at += (size_t)n;
    }
    until_closed(fd, ms);
}

static void garbage(void)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: alpha\r\n\r\n";
    uint8_t noise[65536];
    os_random(noise, sizeof noise);
    noise[0] &= 0x0f; /* no handshake record by chance */
    throw(noise, sizeof noise, patience(AT_ONCE_MS));
    throw(http, sizeof http - 1, patience(AT_ONCE_MS));
    memset(noise, 0, sizeof noise);
    throw(noise, sizeof noise, patience(AT_ONCE_MS));
}

/* giant -- lengths that a relay must not believe: of a record, of a message of the handshake. */
static void giant(void)
{
    static uint8_t bytes[64 * 1024];
    memcpy(bytes, (uint8_t[]){22, 3, 1, 0xff, 0xff}, 5);
    throw(bytes, sizeof bytes, patience(AT_ONCE_MS));
    memcpy(bytes, (uint8_t[]){22, 3, 1, 0x40, 0x00, 1, 0xff, 0xff, 0xff, 3, 3}, 11);
    throw(bytes, sizeof bytes, patience(AT_ONCE_MS));
}

static void silent(void)
{
    uint64_t start = now_ms();
    throw("", 0, patience(ACCEPT_MS + LATE_MS));
    if (now_ms() - start < ACCEPT_MS / 2)
        die("who says nothing yet has no time to");
}

/* hello -- the first bytes of an honest handshake. */
static size_t hello(uint8_t *to, size_t size)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        die("no sockets");
    rough_begin(&r, pair[0], NULL);
    (void)rough_shake(&r, false, 0);
    ssize_t n = read(pair[1], to, size);
    rough_close(&r);
    close(pair[1]);
    if (n < 100)
        die("no ClientHello");
    return (size_t)n;
}

static void one_byte_a_second(void)
{
    uint8_t bytes[4096];
    size_t n = hello(bytes, sizeof bytes);
    int fd = rough_dial(address, 0);
    uint64_t start = now_ms();
    struct pollfd p = {fd, POLLIN, 0};
    for (size_t i = 0; i < n; i++)
        if (send(fd, bytes + i, 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, BYTE_MS) != 0)
            break;
    if (now_ms() - start > (uint64_t)patience(ACCEPT_MS + LATE_MS))
        die("%llu ms for a stranger's hello", (unsigned long long)(now_ms() - start));
    until_closed(fd, patience(AT_ONCE_MS));
}

/* ---- certificates ---- */

static void begin(const char *with)
{
    int fd = rough_dial(address, 0);
    if (fd < 0)
        die("cannot dial: %s", strerror(-fd));
    rough_begin(&r, fd, with);
}

/* refused -- with this word in the alert; nothing was said to us before. */
static void refused(const char *word)
{
    const uint8_t *f;
    if (rough_shake(&r, false, patience(AT_ONCE_MS))) {
        (void)rough_greet(&r, r.us); /* as if */
        int n = rough_next(&r, &f, patience(AT_ONCE_MS));
        if (n == 1)
            die("let in: it said %s", frame_row(frame_type(f))->name);
        if (n == 0)
            die("neither let in nor refused");
    }
    if (!strstr(r.why, word))
        die("refused because of \"%s\", not \"%s\"", r.why, word);
    rough_close(&r);
}

static void tls12(void)
{
    begin(dir);
    SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
    refused("protocol version");
}

static void no_certificate(void)
{
    begin(NULL);
    refused("certificate required");
}

static void wrong_key(void)
{
    begin(dir);
    refused("unknown ca");
}

static void expired(void)
{
    rough_certificate(dir, 0);
    begin(dir);
    refused("certificate expired");
}

static X509 *next_certificate(FILE *pem)
{
    X509 *cert = PEM_read_X509(pem, NULL, NULL, NULL);
    if (!cert)
        die("no certificate of a member's");
    return cert;
}

/* swapped -- everything of a member's that he shows the world, and a leaf of our own making with his
 * leaf's every word. */
static void swapped(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/" LEAF_FILE, member ? member : "");
    FILE *pem = fopen(path, "r");
    if (!pem)
        die("cannot open %s", path);
    X509 *leaf = next_certificate(pem), *identity = next_certificate(pem);
    fclose(pem);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    begin(NULL);
    if (!key || X509_set_pubkey(leaf, key) != 1 || X509_sign(leaf, key, NULL) <= 0 ||
        SSL_use_certificate(r.ssl, leaf) != 1 || SSL_use_PrivateKey(r.ssl, key) != 1 ||
        SSL_add1_chain_cert(r.ssl, identity) != 1)
        die("cannot forge a leaf");
    refused("bad certificate");
    X509_free(leaf);
    X509_free(identity);
    EVP_PKEY_free(key);
}

/* long_chain -- a list of certificates beyond all reason. */
static void long_chain(void)
{
    begin(dir);
    for (int i = 0; i < 100; i++)
        if (SSL_add1_chain_cert(r.ssl, SSL_get_certificate(r.ssl)) != 1)
            die("cannot lengthen the chain");
    refused("illegal parameter");
}

/* ---- members ---- */

static void enter(void)
{
    const uint8_t *f;
    begin(dir);
    SSL_set_ciphersuites(r.ssl, "TLS_AES_128_GCM_SHA256");
    r.us = rough_certificate(dir, 90);
    if (!rough_shake(&r, false, patience(AT_ONCE_MS)) || rough_next(&r, &f, patience(AT_ONCE_MS)) != 1 ||
        frame_type(f) != FRAME_GREETING)
        die("a member is not greeted: %s", r.why);
}

/* thrown_out -- what comes before is what a link says. */
static void thrown_out(int ms, const char *word)
{
    const uint8_t *f;
    int n;
    char why[SENTENCE_MAX + 1] = "";
    struct reasoned last;
    uint64_t start = now_ms();
    while ((n = rough_next(&r, &f, ms)) == 1 && now_ms() - start < (uint64_t)ms)
        if (frame_type(f) == FRAME_FAREWELL && read_reasoned(f, &last) == 0)
            snprintf(why, sizeof why, "%.*s", (int)last.text.len, last.text.p);
    if (n >= 0)
        die("still linked after %d ms", ms);
    if (!strstr(why[0] ? why : r.why, word))
        die("ended by \"%s\", not \"%s\"", why[0] ? why : r.why, word);
    printf("%llu ms: %s\n", (unsigned long long)(now_ms() - start), why[0] ? why : r.why);
    rough_close(&r);
}

/* member -- what all this proves nothing without: by the rules, one is let in and stays. */
static void by_the_rules(void)
{
    const uint8_t *f;
    struct rough *m = &r;
    enter();
    uint64_t start = now_ms(), ping;
    unsigned pings = 0;
    if (!rough_greet(m, m->us))
        die("cannot greet");
    while (now_ms() - start < ACCEPT_MS + LATE_MS) {
        int n = rough_next(m, &f, 100);
        if (n < 0)
            die("a member was thrown out: %s", m->why);
        if (n == 1 && frame_type(f) == FRAME_PING && read_ping(f, &ping) == 0) {
            uint8_t pong[FRAME_MAX];
            n = write_ping(pong, FRAME_PONG, ping);
            pings += n > 0 && rough_send(m, pong, (size_t)n);
        }
    }
    if (pings == 0)
        die("no PING came");
    rough_close(m);
}

static void mute(void)
{
    enter();
    thrown_out(patience(ACCEPT_MS + LATE_MS), "silent for too long");
}

static void slow_greeting(void)
{
    uint8_t f[FRAME_MAX];
    const uint8_t *said;
    enter();
    struct greeting g = {.version_min = LINK_VERSION, .version_max = LINK_VERSION, .name = text_of("slow")};
    int len = write_greeting(f, &g, r.us, 1), n = 0;
    uint64_t start = now_ms();
    for (int i = 0; i < len && n >= 0 && rough_send(&r, f + i, 1); i++)
        while ((n = rough_next(&r, &said, BYTE_MS)) == 1)
            ;
    if (now_ms() - start > (uint64_t)patience(ACCEPT_MS + LATE_MS))
        die("%llu ms for a greeting", (unsigned long long)(now_ms() - start));
    rough_close(&r);
}

static void giant_frame(void)
{
    uint8_t f[FRAME_HEAD] = {0xff, 0xff, FRAME_HAVE};
    enter();
    if (!rough_greet(&r, r.us) || !rough_send(&r, f, sizeof f))
        die("cannot send");
    thrown_out(patience(AT_ONCE_MS), "");
}

static void giant_segment(void)
{
    uint8_t f[FRAME_MAX];
    struct segment_head s = {.count = 1, .bytes = 1 << 30, .first_seq = 1};
    enter();
    int n = write_segment(f, &s, r.us, 1, 1, 1, 1);
    if (!rough_greet(&r, r.us) || !rough_send(&r, f, (size_t)n))
        die("cannot send");
    thrown_out(patience(AT_ONCE_MS), "");
}

/* flood -- so long or so many, by the rules but for that, until the relay does not read on for a while. */
static void flood(size_t (*write_some)(uint8_t *to), size_t max, int ms)
{
    struct timeval patient = {.tv_usec = 500 * 1000};
    static uint8_t some[16 * FRAME_MAX];
    size_t sent = 0;
    uint64_t start = now_ms();
    enter();
    if (!rough_greet(&r, r.us) || setsockopt(r.fd, SOL_SOCKET, SO_SNDTIMEO, &patient, sizeof patient) < 0)
        die("cannot greet");
    for (size_t n; sent < max && now_ms() - start < (uint64_t)ms; sent += n) {
        n = write_some(some);
        if (!rough_send(&r, some, n))
            break;
    }
    printf("%zu KiB\n", sent / 1024);
    rough_close(&r);
}

/* vector -- of streams that nobody knows: the keeper is to hear of all. */
static size_t vector(uint8_t *to)
{
    struct wr w = frame_begin(to, FRAME_HAVE);
    for (unsigned i = 0; i < HAVE_ROWS_MAX; i++) {
        struct have_row row = {r.us, 1, os_random_u64(), 1, {0}};
        write_have_row(&w, &row);
    }
    return (size_t)frame_end(to, &w);
}

static void vectors(void)
{
    flood(vector, 64 << 20, 3000);
}

/* callers -- hosts that nobody knows begin connections through us, and say nothing more. */
static size_t callers(uint8_t *to)
{
    size_t len = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct tunnel_part p = {.to = r.them, .id = os_random_u64(), .op = TUNNEL_OPEN, .hops = 1};
        int n = write_tunnel(to + len, &p, os_random_u64());
        len += n > 0 ? (size_t)n : 0;
    }
    poll(NULL, 0, 20); /* not as fast as can be, but for long */
    return len;
}

static void tunnels(void)
{
    flood(callers, SIZE_MAX, 60000);
}

/* ---- what is left of renegotiation ---- */

/* derive -- HKDF-Expand-Label(secret, label, "", len), RFC 8446, 7.1. */
static void derive(const char *label, uint8_t *to, size_t len)
{
    uint8_t info[64] = {0, (uint8_t)len};
    size_t n = (size_t)snprintf((char *)info + 3, sizeof info - 3, "tls13 %s", label);
    info[2] = (uint8_t)n;
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char sha[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha, 0),
                        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, r.secret, r.secret_len),
                        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, n + 4),
                        OSSL_PARAM_END};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
    if (EVP_KDF_derive(c, to, len, how) != 1)
        die("no keys");
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
}

/* first_record -- what OpenSSL would never send: a message of the handshake in the first record under
 * the keys of the stream. */
static void first_record(const uint8_t *message, size_t len)
{
    uint8_t key[16], iv[12], inner[512], out[5 + sizeof inner + 16];
    int n, last;
    derive("key", key, sizeof key);
    derive("iv", iv, sizeof iv); /* the number of the record is 0 */
    memcpy(inner, message, len);
    inner[len++] = 22;
    memcpy(out, (uint8_t[]){23, 3, 3, (uint8_t)((len + 16) >> 8), (uint8_t)(len + 16)}, 5);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv) != 1 || EVP_EncryptUpdate(c, NULL, &n, out, 5) != 1 ||
        EVP_EncryptUpdate(c, out + 5, &n, inner, (int)len) != 1 || EVP_EncryptFinal_ex(c, out + 5 + n, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, out + 5 + len) != 1)
        die("cannot encrypt");
    EVP_CIPHER_CTX_free(c);
    if (write(r.fd, out, 5 + len + 16) != (ssize_t)(5 + len + 16))
        die("cannot send");
}

static void renegotiation(void)
{
    uint8_t bytes[512];
    size_t n = hello(bytes, sizeof bytes) - 5;
    enter();
    if (n + 1 > sizeof bytes || SSL_version(r.ssl) != TLS1_3_VERSION)
        die("no TLS 1.3");
    first_record(bytes + 5, n);
    thrown_out(patience(AT_ONCE_MS), "unexpected message");
    enter(); /* and as before there was encryption */
    if (write(r.fd, bytes, n) != (ssize_t)n)
        die("cannot send");
    thrown_out(patience(AT_ONCE_MS), "alert");
}

static void key_updates(void)
{
    const uint8_t *f;
    unsigned i = 0;
    int n = 0;
    enter();
    if (!rough_greet(&r, r.us))
        die("cannot greet");
    for (; i < UPDATES && n >= 0; i++) {
        if (SSL_key_update(r.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(r.ssl) != 1)
            break;
        while (i % 16 == 0 && (n = rough_next(&r, &f, 0)) == 1)
            ;
    }
    if (i == UPDATES)
        die("%u updates of keys were answered", i);
    printf("%u key updates\n", i);
    rough_close(&r);
}

/* ---- */

static const struct play {
    const char *name;
    void (*run)(void);
} plays[] = {
    {"garbage", garbage},
    {"giant", giant},
    {"silent", silent},
    {"one-byte-a-second", one_byte_a_second},
    {"tls12", tls12},
    {"no-certificate", no_certificate},
    {"wrong-key", wrong_key},
    {"expired", expired},
    {"swapped", swapped},
    {"long-chain", long_chain},
    {"by-the-rules", by_the_rules},
    {"mute", mute},
    {"slow-greeting", slow_greeting},
    {"giant-frame", giant_frame},
    {"giant-segment", giant_segment},
    {"renegotiation", renegotiation},
    {"key-updates", key_updates},
    {"vectors", vectors},
    {"tunnels", tunnels},
};

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: impostor ADDRESS DIR CASE [MEMBER]\n");
        return 2;
    }
    address = argv[1];
    dir = argv[2];
    member = argv[4];
    signal(SIGPIPE, SIG_IGN);
    rough_certificate(dir, 90);
    for (size_t i = 0; i < ARRAY_LEN(plays); i++)
        if (strcmp(plays[i].name, argv[3]) == 0) {
            plays[i].run();
            return 0;
        }
    die("there is no case %s", argv[3]);
}
