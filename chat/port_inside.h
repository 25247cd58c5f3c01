/* port_inside.h -- what the parts of a port share: port.c the session, send.c what goes out, hear.c what comes in, names.c what rooms
 * and hosts are called, ask.c questions. */
#ifndef CHAT_PORT_INSIDE_H
#define CHAT_PORT_INSIDE_H

#include "finder.h"
#include "port.h"
#include "seen.h"
#include "stream.h"

#include "base/buffer.h"
#include "base/prng.h"
#include "ipc/mq.h"

enum {
    HELLO_MS = 250,       /* for the relay's welcome, then hello again, waiting twice as long ... */
    HELLO_MAX_MS = 2000,  /* ... up to this */
    SEND_MS = 2000,       /* for room in the queue, then look whether the relay is still there */
    RETRY_MS = 40,        /* between attempts to find it again, and as much again by chance */
    BUSY_MS = 1000,       /* after the relay said that we come too often, and as much again by chance */
    ANSWER_MS = 2000,     /* without a byte of an answer, then ask again */
};

struct room {
    char name[DIRECT_NAME_MAX + 1]; /* everywhere */
    char called[CALLED_MAX + 1];    /* here */
    uint64_t id;
    uint64_t cursor;  /* everything of this room before it was handed out; 0: nothing yet */
    uint32_t history; /* wanted on the first join */
    bool wanted;      /* we are, or want to be, in it */
    uint32_t join_seq; /* the number of our last JOIN */
    bool joined;      /* our own JOIN came by: what follows it in the session's FIFO is live */
    bool spoken;      /* we said something in it ... */
    bool opened;      /* ... and this relay knows that it exists */
};

struct host {
    uint64_t id;
    char name[HOST_NAME_MAX_LEN + 1];
};

struct port {
    struct port_options o;
    struct finder finder;
    int rendezvous;
    struct mq queue;
    struct stream main, answer, watch;
    struct query watch_query;
    uint64_t watch_room;
    bool watching;
    size_t fetching; /* room + 1 whose history comes through `answer` */
    struct query fetch_query;
    uint64_t fetch_deadline;
    uint64_t client, origin, cursor;
    uint32_t session, next_seq, acked, window;
    unsigned hello_ms;
    uint8_t secret[SECRET_LEN];
    char user[USER_NAME_MAX + 1];
    struct buffer unacked; /* frames sent or to be sent, until acknowledged */
    size_t sent;          /* of them, up to here */
    uint32_t n_unacked;
    struct buffer pending; /* frames for the user that came while something else was waited for */
    uint8_t handed[FRAME_MAX];
    struct room *room;
    size_t n_rooms;
    size_t inbox; /* room + 1; 0: not asked for */
    struct host *host;
    size_t n_hosts;
    struct seen seen;
    bool away, stepped_back;
    uint64_t away_since, retry_at;
    struct prng prng;
    char end_text[512];
};

/* ---- port.c ---- */

/* port_go_away -- the relay is not there, as far as we can tell: from now on it is looked for again. */
void port_go_away(struct port *p);

/* port_try_again -- to come back, when it is time for it.  Returns 0, p->away says whether it succeeded; -EACCES, -EPROTO: it will
 * not; -ENOENT: it did not for too long. */
int port_try_again(struct port *p) MUST_USE;

/* ---- send.c ---- */

/* port_put -- these frames as one message into the queue, within so long.  Returns 0 or -errno. */
int port_put(struct port *p, const uint8_t *frames, size_t len, unsigned timeout_ms) MUST_USE;

/* port_keep -- number a frame and keep it until it is acknowledged; port_flush() sends it.  Returns 0 or -errno. */
int port_keep(struct port *p, uint8_t *f) MUST_USE;

/* port_change_room -- keep a JOIN or LEAVE.  quiet: nobody is told.  Returns 0 or -errno. */
int port_change_room(struct port *p, enum frame_type type, struct room *r, bool quiet) MUST_USE;

/* port_on_ack -- all up to this number is on disk.
 * port_only_said -- after a reconnection questions are asked and rooms joined anew: of what is kept, what was said and done stays. */
void port_on_ack(struct port *p, uint32_t seq);
void port_only_said(struct port *p);

/* ---- hear.c ---- */

/* port_is_shown -- what people said and did in a room: a user sees it, and must not see it twice. */
bool port_is_shown(const uint8_t *f);

/* port_consider -- a frame of the session's FIFO; true when it is for the user. */
bool port_consider(struct port *p, const uint8_t *f);

/* port_out -- we are not in this room any more, and do not want to come back by ourselves. */
void port_out(struct room *r);

/* port_wait_some -- up to so long, keeping what comes for the user.  Returns 0, at once when there are acknowledgements: they may be
 * the last that will come; or -errno. */
int port_wait_some(struct port *p, int ms) MUST_USE;

/* ---- names.c ---- */

/* port_find_room -- by its number; port_know_room -- by what it is called; port_add_room -- by the name it has everywhere,
 * made known when it is new.  NULL: unknown, out of memory. */
struct room *port_find_room(const struct port *p, uint64_t id);
struct room *port_know_room(struct port *p, const char *called);
struct room *port_add_room(struct port *p, const char *name);

/* port_me -- who we are. */
struct person port_me(const struct port *p);

/* port_learn -- a CREATE: what a room is called of which something is about to come. */
void port_learn(struct port *p, const uint8_t *f);
void port_know_host(struct port *p, uint64_t id, struct text name);

/* ---- ask.c ---- */

/* port_ask -- a query on its way, its answer to come into this stream.  Returns 0 or -errno. */
int port_ask(struct port *p, struct stream *into, uint64_t room, struct query *q) MUST_USE;

/* port_watch_again -- ask anew about the message that is watched; port_unwatch -- no more of it. */
void port_watch_again(struct port *p);
void port_unwatch(struct port *p);

#endif
