/* peer.h -- other servers that fan out messages, beside which ours is measured: how each is started on
 * loopback with its flood limits off, and what one says to it. None of them keeps or acknowledges anything. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "base/base.h"

#include <sys/types.h>

enum { PEER_WORD_MAX = 128 };

struct peer_kind {
    const char *name;
    const char *program;     /* looked for where system programs are; NULL: a process of ours */
    const char *const *args; /* %c: the path of its configuration */
    const char *conf;        /* %u in it: the port; %d: a directory */
    const char *hello, *greeted; /* what a client says, %u: its number; what the answer holds */
    const char *join, *joined;   /* %u: the room's number, two digits */
    const char *head;            /* what stands before the text of a message; %u: the room's number */
    unsigned in_flight; /* messages that it bears without cutting off a member; 0: as many as we like */
    bool greets_late;   /* once a second all who said hello; the others at once, one after the other */
};

struct peer {
    const struct peer_kind *kind;
    pid_t pid;
    uint16_t port;
};

/* What runs without being installed: it passes on the bytes and does nothing else. Its bound is that of everybody who
 * uses TCP. */
extern const struct peer_kind peer_floor;

/* peer_next -- the kinds that are installed, one after the other: the one behind `k` (NULL: the first); NULL: no
 * more. peer_missing -- likewise those that are not. */
const struct peer_kind *peer_next(const struct peer_kind *k);
const struct peer_kind *peer_missing(const struct peer_kind *k);

/* peer_start -- in this directory; returns when it takes connections. peer_stop -- it has nothing to lose. */
void peer_start(struct peer *p, const struct peer_kind *kind, const char *dir);
void peer_stop(struct peer *p);

/* peer_connect -- a client that said hello. number: a different one for each. peer_greeted -- wait for the answer. peer_join -- it hears this room. */
int peer_connect(const struct peer *p, unsigned number);
void peer_greeted(const struct peer *p, int fd);
void peer_join(const struct peer *p, int fd, unsigned room);

/* peer_reach -- return when what is said in this room here is heard there, by a member of another server. */
void peer_reach(const struct peer *p, int fd, unsigned room);

/* peer_free_port -- of loopback. */
uint16_t peer_free_port(void);

/* peer_word -- fill in what the table leaves open. Returns the length; the words are known to fit. */
size_t peer_word(char *to, size_t size, const char *format, unsigned number, const char *dir);

#endif
