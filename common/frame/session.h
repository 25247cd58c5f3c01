/* session.h -- what passes between a client and its relay, written and read (body.h). */
#ifndef FRAME_SESSION_H
#define FRAME_SESSION_H

#include "base/wanted.h"
#include "frame/entry.h"

enum {
    PROTOCOL_VERSION = 1, /* of queue and FIFO */
    LINK_VERSION = 2,     /* of what relays say to each other */
    SECRET_LEN = 16,
    NONCE_LEN = 16,
    FIFO_NAME_LEN = 32, /* hex digits of a 128-bit random number */
    SENTENCE_MAX = 255, /* bytes of a REFUSED, NOTICE, END or FAREWELL text */
};

/* A queue message: this envelope, then one or more whole frames.  A HELLO comes alone, with session
 * and secret zero. */
enum { ENVELOPE_LEN = 24, QUEUE_MESSAGE_MAX = 8192 };
#define ENVELOPE_MAGIC 0x51544843u /* "CHTQ" */

struct envelope {
    uint32_t session;
    uint8_t secret[SECRET_LEN];
};

void write_envelope(uint8_t *to, const struct envelope *e); /* ENVELOPE_LEN bytes */
int read_envelope(const uint8_t *from, size_t len, struct envelope *e) MUST_USE;

/* HELLO, client to relay: `fifo` is the FIFO it made in the rendezvous directory.
 * Header: client. */
struct hello {
    uint16_t version_min, version_max;
    uint8_t nonce[NONCE_LEN];
    char fifo[FIFO_NAME_LEN + 1];
};
int write_hello(uint8_t *buf, const struct hello *h, uint64_t client) MUST_USE;
int read_hello(const uint8_t *f, struct hello *h) MUST_USE;

/* WELCOME, first frame in the FIFO.  Header: client; client_seq = the last one this host accepted from
 * that client; origin = this host; pos = head of the journal. */
struct welcome {
    uint8_t nonce[NONCE_LEN]; /* the client's own, given back */
    uint32_t session;
    uint8_t secret[SECRET_LEN];
    uint32_t window; /* bytes a client may have on the way without an acknowledgement */
    struct text user, host;
};
int write_welcome(uint8_t *buf, const struct welcome *w, uint64_t client, uint32_t last_seq,
                  uint64_t origin, uint64_t pos) MUST_USE;
int read_welcome(const uint8_t *f, struct welcome *w) MUST_USE;

/* ACK: header only.  client_seq: this one and all before are durable.  pos: the durable position. */
int write_ack(uint8_t *buf, uint64_t client, uint32_t client_seq, uint64_t pos) MUST_USE;

/* REFUSED (this client_seq was not taken, and why) and NOTICE (something the user should know, or
 * that ended) and FAREWELL (a link's last words): a code and a sentence. */
enum reason {
    REASON_OK = 0,        /* NOTICE: what was wrong is over */
    REASON_MALFORMED = 1, /* not a frame this relay understands */
    REASON_VERSION,       /* no common protocol version */
    REASON_DENIED,        /* not allowed */
    REASON_LIMIT,         /* a table is full: rooms, sessions */
    REASON_DISK_FULL,     /* the store has no room */
    REASON_STORE,         /* the store does not work */
    REASON_LINK_UP,
    REASON_LINK_DOWN,
    REASON_NO_ROOM,       /* no such room */
    REASON_STOPPING,      /* the relay is going away */
    REASON_BUSY,          /* too often: wait, then try again */
    REASON_NO_HOST,       /* no such host */
    REASON_NOT_SO,        /* nobody to unmute, to take for an operator ...: nothing to change */
    REASON_FORK,          /* a host contradicted itself */
    REASON_CLOCK,         /* a host's clock is far ahead */
    REASON_WANTED,        /* what to search for cannot be understood */
    REASON_YOURS,         /* there is no such room, but one of his own that is called nearly so */
};
struct reasoned {
    uint8_t reason;
    struct text text; /* one sentence for the user, or "" */
};
int write_reasoned(uint8_t *buf, enum frame_type type, const struct reasoned *r, uint64_t client,
                   uint32_t client_seq) MUST_USE;
int read_reasoned(const uint8_t *f, struct reasoned *r) MUST_USE;

/* QUERY: what is wanted, and the FIFO to stream it into; the answer ends with END.
 * Header: room, client, client_seq. */
enum query_kind {
    QUERY_CATCHUP = 1, /* entries of the room with after <= pos < before, in journal order */
    QUERY_NEWEST,      /* the last `limit` messages with pos < before, in the order of display */
    QUERY_SINCE,       /* messages with hlc in [since, until) behind the key, in that order, `limit` */
    QUERY_WHO,         /* who is in the room: WHO rows */
    QUERY_ROOMS,       /* ROOM rows */
    QUERY_STATE = 10,  /* the state of the room: FACT rows; limit 1: and the acts that have no effect */
    QUERY_TRACE = 20,  /* which hosts have the entry (key: origin, epoch, seq; header: room): TRACE rows, and again one whose
                        * state changed, until `limit` other hosts have it, UINT32_MAX: all there are; 0: as it is now */
    QUERY_SAID,        /* messages of the asking client in the room with after <= client_seq < before; none older than `since` */
    QUERY_PROBE,       /* how long each step to the host key.origin and back takes, 0: to our keeper: HOPS; since: when the
                        * client sent it, until: when the worker took it in, each now_us() of its process */
    QUERY_SEARCH = 30, /* the newest `limit` messages that are `wanted`, with hlc in [since, until), of all rooms, in the order
                        * of display; what is not understood ends it with REASON_WANTED */
};
struct query {
    uint8_t kind;
    uint32_t limit;
    uint32_t uid; /* the client leaves it zero; the worker stamps the owner of the session */
    uint64_t after, before, since, until;
    struct {
        uint64_t hlc, origin, epoch, seq;
    } key; /* QUERY_SINCE: only what sorts behind this one; zeros: from the start */
    char fifo[FIFO_NAME_LEN + 1];
    struct text wanted; /* QUERY_SEARCH: as typed (base/wanted.h), otherwise "" */
};
int write_query(uint8_t *buf, const struct query *q, uint64_t room, uint64_t client,
                uint32_t client_seq) MUST_USE;
int read_query(const uint8_t *f, struct query *q) MUST_USE;

/* END of an answer.  Header: client, client_seq of the query. */
struct end {
    uint64_t pos;   /* everything the query asked for that lies before this is in the answer */
    uint32_t count; /* frames in the answer */
    uint8_t more;   /* 1: the limit was reached; ask again behind the last one */
    uint8_t reason; /* enum reason; REASON_OK when all is well */
    struct text text;
};
int write_end(uint8_t *buf, const struct end *e, uint64_t client, uint32_t client_seq) MUST_USE;
int read_end(const uint8_t *f, struct end *e) MUST_USE;

/* ROOM, a row of QUERY_ROOMS.  Header: room; hlc = its newest entry's. */
struct room_row {
    uint32_t members;   /* users in it now, as far as this host knows */
    uint64_t messages;  /* entries this host stored */
    struct text name, topic;
};
int write_room_row(uint8_t *buf, const struct room_row *r, uint64_t room, uint64_t hlc) MUST_USE;
int read_room_row(const uint8_t *f, struct room_row *r) MUST_USE;

/* WHO, a row of QUERY_WHO.  Header: room; origin = host. */
struct who_row {
    uint32_t sessions;
    struct text user, host;
};
int write_who_row(uint8_t *buf, const struct who_row *r, uint64_t room, uint64_t origin) MUST_USE;
int read_who_row(const uint8_t *f, struct who_row *r) MUST_USE;

/* FACT, a row of QUERY_STATE: the act that decided one value that is in force, or one that has no effect and why not.
 * Header: origin, epoch, room, seq and hlc of that entry. */
enum { FACT_WHY_MAX = 127 };
struct fact_row {
    struct text why; /* "": it is in force */
    struct room_act act;
};
int write_fact_row(uint8_t *buf, const struct fact_row *r, uint64_t room) MUST_USE;
int read_fact_row(const uint8_t *f, struct fact_row *r) MUST_USE;

/* TRACE, a row of QUERY_TRACE: whether a host has the entry on disk, by what it said itself.  Header: origin = that host. */
enum trace_state {
    TRACE_HAS = 1,
    TRACE_NOT_YET, /* it is linked, and has not said so */
    TRACE_NO_LINK, /* nobody knows */
    TRACE_GONE,    /* it is not kept here any more, or never came: a gap */
    TRACE_UNSURE,  /* it is gone here; the other said that it has it, and would have said the same of a gap */
};
struct trace_row {
    uint8_t state;
    uint64_t since_ms; /* TRACE_NO_LINK: ms since 1970 when it was lost, 0: there was none */
    struct text host;
};
int write_trace_row(uint8_t *buf, const struct trace_row *t, uint64_t origin) MUST_USE;
int read_trace_row(const uint8_t *f, struct trace_row *t) MUST_USE;

/* HOPS, the answer to QUERY_PROBE: when it was where, each in now_us() of this host; 0: it did not get there. */
enum hop { HOP_SENT, HOP_WORKER, HOP_KEEPER, HOP_LINK, HOP_ECHO, HOP_BACK, HOPS };
struct hops {
    uint64_t at_us[HOPS];
};
int write_hops(uint8_t *buf, const struct hops *h) MUST_USE;
int read_hops(const uint8_t *f, struct hops *h) MUST_USE;

/* HOST: the name of host `origin` (header). */
int write_host(uint8_t *buf, uint64_t origin, struct text name) MUST_USE;
int read_host(const uint8_t *f, struct text *name) MUST_USE;

/* GONE: what people are told of gaps.  Header: room; origin = whose messages, 0: of more than one host; hlc = the last one's. */
enum gap_why {
    GAP_OLD = 1, /* they were here, and kept as long as relay.conf says */
    GAP_AWAY,    /* no host that is linked with this one kept them until they could come here */
};
struct gone {
    uint8_t why; /* enum gap_why */
    uint64_t messages, hlc_min;
};
int write_gone(uint8_t *buf, const struct gone *g, uint64_t origin, uint64_t room, uint64_t hlc_max) MUST_USE;
int read_gone(const uint8_t *f, struct gone *g) MUST_USE;

#endif
