/* tls_play.h -- two ends of a TLS stream in one thread, and hosts of every honesty to be at
 * them. */
#ifndef TLS_PLAY_H
#define TLS_PLAY_H

#include "ipc/tls.h"
#include "scratch.h"

/* How a host's certificates were made: zeros make good ones. */
struct forgery {
    long from_s, until_s; /* of the leaf, relative to now; both 0: from a day ago for a day */
    bool leaf_by_another_key;   /* right names, wrong signature */
    bool other_issuer;          /* signed by the identity, which is not the issuer it names */
    bool identity_not_selfmade; /* the identity certificate is signed by another key */
    bool identity_p256;         /* the identity is no Ed25519 key */
    bool leaf_ed25519;          /* instead of P-256: allowed */
};

/* A host: its certificates as tls_identity_load() took them. */
struct host {
    struct scratch files;
    char chain[128], key[128];
    struct tls_identity *id;
    uint8_t pin[KEY_PIN_LEN];
};

void host_forge(struct host *h, const struct forgery *how);
void host_free(struct host *h);

/* One end, and what happened at it. */
struct tls_end {
    struct tls *t;
    const uint8_t *expected; /* the pin to let in; NULL: none */
    unsigned asked;          /* how often known() was called */
    bool ready;
    enum tls_event last;
    uint64_t sent, received, to_send;
    bool wrong; /* something arrived that nobody sent */
};

/* end_open -- over `fd`, which it makes non-blocking and owns. */
void end_open(struct tls_end *e, struct host *h, int fd, bool server, const uint8_t *expected);
void end_close(struct tls_end *e);

/* end_run -- what a process does when the socket is ready: pump, send what is left of to_send,
 * read. */
void end_run(struct tls_end *e);

/* end_over -- closed or failed. */
bool end_over(const struct tls_end *e);

/* play -- wait for sockets and run both ends until done(); fails when five seconds pass first.
 * An end is run only when its socket is as tls_wants() says: a wrong wish ends in a standstill.
 */
void play(struct tls_end *a, struct tls_end *b, bool (*done)(const struct tls_end *a, const struct tls_end *b));
bool both_ready(const struct tls_end *a, const struct tls_end *b);
bool both_over(const struct tls_end *a, const struct tls_end *b);
bool all_received(const struct tls_end *a, const struct tls_end *b);

/* socket_pair, tcp_pair -- two connected, non-blocking sockets. */
void socket_pair(int fd[2]);
void tcp_pair(int fd[2]);

#endif
