/* tls_inside.h -- a stream from within: tls.c, its states; tls_trust.c, whose certificates are taken. */
#ifndef IPC_TLS_INSIDE_H
#define IPC_TLS_INSIDE_H

#include "ipc/tls.h"

#include <openssl/ssl.h>

enum {
    TLS_OUT_MAX = 65536, /* four full records */
    TLS_WHY_MAX = 256,
};

struct tls_identity {
    SSL_CTX *ctx;
    uint8_t key[KEY_LEN];
};

enum stream_state { STREAM_HANDSHAKE, STREAM_OPEN, STREAM_CLOSED, STREAM_FAILED };

struct tls {
    struct tls_identity *id;
    SSL *ssl; /* NULL before the first pump: who only connects costs no 50 KiB */
    int fd;
    bool server;
    enum stream_state state;
    uint32_t wants; /* EPOLLIN or EPOLLOUT: what the last call of OpenSSL waits for */
    bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]);
    void *arg;
    uint8_t key[KEY_LEN], pin[KEY_PIN_LEN]; /* the peer's */
    int send_error;                         /* errno; nothing is sent any more */
    uint32_t records;                       /* sent so far */
    uint64_t received;                      /* bytes of the stream */
    uint64_t updates;                       /* of its keys by the peer */
    char why[TLS_WHY_MAX];
    size_t start, end; /* out[start, end) is still to be sent */
    uint8_t out[TLS_OUT_MAX];
};

#endif
