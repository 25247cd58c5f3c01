/* body.h -- what is inside a frame, type by type: a struct, how it is written, how it is read.
 *
 * Texts point into the frame they were read from.  Every read_*() checks that each byte of the body
 * was consumed and that names and text obey text.h; it returns 0 or -EBADMSG.  Every write_*()
 * builds a whole frame in a buffer of FRAME_MAX bytes, with the header fields it knows, and returns
 * its stride or -EMSGSIZE. */
#ifndef FRAME_BODY_H
#define FRAME_BODY_H

#include "base/key.h"
#include "base/wanted.h"
#include "frame/frame.h"

enum {
    PROTOCOL_VERSION = 1, /* of queue, FIFO and link */
    SECRET_LEN = 16,
    NONCE_LEN = 16,
    FIFO_NAME_LEN = 32, /* hex digits of a 128-bit random number */
    HASH_LEN = 32,
    SIGNATURE_LEN = 64,
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

/* OPEN (let the room exist; not numbered: client_seq 0), JOIN, LEAVE and CREATE (first entry of every stream): user and room
 * name.  Header: room, client, client_seq. */
struct room_change {
    struct text user; /* must be the session's own; "" in a CREATE and only there */
    struct text room; /* name, without '#', or one of base/direct.h */
};
int write_room_change(uint8_t *buf, enum frame_type type, const struct room_change *c,
                      uint64_t room, uint64_t client, uint32_t client_seq) MUST_USE;
int read_room_change(const uint8_t *f, struct room_change *c) MUST_USE;

/* SAY: the author's user name and the text.  Header: room, client, client_seq, flags. */
struct say {
    struct text user;
    struct text text; /* strict UTF-8, no NUL, 1..TEXT_PART_MAX bytes */
};
int write_say(uint8_t *buf, const struct say *s, uint64_t room, uint64_t client,
              uint32_t client_seq, uint8_t flags) MUST_USE;
int read_say(const uint8_t *f, struct say *s) MUST_USE;

/* STATE: an act upon the state of a room, an entry of the room's streams like a SAY.  What it means, and whether its author
 * may: relay/rules/room_state.h.  Header: room, client, client_seq.
 *
 * The one acted upon is a user and the number of his host, not its name: names are what each host calls the others, and may
 * change, and the act is signed once and judged on every host for ever. */
enum act {
    ACT_OWN = 1, /* this room is mine */
    ACT_TOPIC,   /* "" takes it away */
    ACT_SET,     /* a mode */
    ACT_UNSET,
    ACT_OP,
    ACT_DEOP,
    ACT_MUTE,
    ACT_UNMUTE,
    ACT_BAN,     /* of one user, or of "*": all of that host */
    ACT_UNBAN,
    ACT_KICK,
    ACT_INVITE,  /* to a private room; a host has it while somebody there is */
    ACT_UNINVITE,
    ACTS_END
};
enum room_mode { MODE_TOPIC_BY_OPERATORS = 1, MODES_END };
enum { TOPIC_MAX = 255 }; /* bytes */
struct room_act {
    uint8_t act;
    uint8_t mode;       /* of SET and UNSET, otherwise 0 */
    uint64_t host;      /* of the one acted upon; 0 when there is none */
    struct text user;   /* the author; must be the session's own */
    struct text target; /* the user acted upon, "*", or "" when there is none */
    struct text topic;  /* of TOPIC, otherwise "" */
};
int write_room_act(uint8_t *buf, const struct room_act *a, uint64_t room, uint64_t client, uint32_t client_seq) MUST_USE;
int read_room_act(const uint8_t *f, struct room_act *a) MUST_USE;

/* act_aims -- does this act have a target?  act_of_mode -- does it have a mode? */
bool act_aims(uint8_t act);
bool act_of_mode(uint8_t act);

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

/* HOST: the name of host `origin` (header). */
int write_host(uint8_t *buf, uint64_t origin, struct text name) MUST_USE;
int read_host(const uint8_t *f, struct text *name) MUST_USE;

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

/* KNOCK: to a peer, a number that it says back in an ECHO at once.  From keeper to link, header: origin = which host; the
 * ECHO from there has the times when it was sent and came back; when there is no link, it was not. */
struct echo {
    uint64_t number;
    uint64_t sent_us, back_us; /* zero on a link */
};
int write_knock(uint8_t *buf, uint64_t number, uint64_t host) MUST_USE;
int read_knock(const uint8_t *f, uint64_t *number) MUST_USE;
int write_echo(uint8_t *buf, const struct echo *e) MUST_USE;
int read_echo(const uint8_t *f, struct echo *e) MUST_USE;

/* FACT, a row of QUERY_STATE: the act that decided one value that is in force, or one that has no effect and why not.
 * Header: origin, epoch, room, seq and hlc of that entry. */
enum { FACT_WHY_MAX = 127 };
struct fact_row {
    struct text why; /* "": it is in force */
    struct room_act act;
};
int write_fact_row(uint8_t *buf, const struct fact_row *r, uint64_t room) MUST_USE;
int read_fact_row(const uint8_t *f, struct fact_row *r) MUST_USE;

/* SEGMENT: consecutive entries of one stream, sealed; its frames follow it, `bytes` of them, with pos
 * zero.  Header: origin, epoch, room; seq = the last entry's; hlc = the last entry's; client = the feed
 * it belongs to between keeper and link, zero elsewhere. */
enum { SEGMENT_BYTES = 1 << 18 }; /* of frames in one segment, at most */
struct segment_head {
    uint32_t count, bytes;
    uint64_t first_seq;
    uint8_t prev[HASH_LEN]; /* hash of the segment before in this stream; zeros in the first */
    uint8_t hash[HASH_LEN]; /* SHA-256(prev | the frames with pos zero) */
    uint8_t signature[SIGNATURE_LEN]; /* Ed25519 of the origin's identity key over all that makes the head (trust/seal.h) */
};
int write_segment(uint8_t *buf, const struct segment_head *s, uint64_t origin, uint64_t epoch,
                  uint64_t room, uint64_t last_seq, uint64_t last_hlc) MUST_USE;
int read_segment(const uint8_t *f, struct segment_head *s) MUST_USE;

/* DUE: the frames of a segment that was parked, which lie in the journal before; `bytes` of them follow, for the workers of
 * this host (keep/parked.h).  Header: room. */
int write_due(uint8_t *buf, uint32_t bytes, uint64_t room) MUST_USE;
int read_due(const uint8_t *f, uint32_t *bytes) MUST_USE;

/* CHAIN: signed heads of segments of one stream (header: origin, epoch, room), without their frames: the two that prove
 * that its origin contradicted itself (header: seq = from where on), or some of those that the sender has, for the other
 * side to look for a contradiction.  From link to keeper, header: client = the feed, pos = the end of what was taken
 * before; without heads: send the peer some of ours. */
struct sealed {
    uint64_t first_seq, last_seq;
    uint8_t prev[HASH_LEN], hash[HASH_LEN], signature[SIGNATURE_LEN]; /* as in a SEGMENT */
};
enum { CHAIN_HEADS_MAX = 28 };
int read_sealed(const uint8_t *segment, struct sealed *s) MUST_USE; /* the head of a SEGMENT */
int write_chain(uint8_t *buf, const struct sealed *s, size_t n, uint64_t origin, uint64_t epoch, uint64_t room,
                uint64_t point) MUST_USE;
int read_chain(const uint8_t *f, struct sealed s[CHAIN_HEADS_MAX]) MUST_USE; /* returns how many */

/* GAP: entries of one stream that its sender does not have any more, or never had: who has what lies before them goes on behind
 * them.  It bears the signed head of the last segment that is missing: so nobody can name a gap in what the origin did not
 * say.  Header: origin, epoch, room; seq and hlc = the last missing entry's.  From keeper to link, header: client = the feed. */
enum gap_why {
    GAP_OLD = 1, /* they were here, and kept as long as relay.conf says */
    GAP_AWAY,    /* no host that is linked with this one kept them until they could come here */
};
struct gap {
    uint8_t why;
    uint64_t first_seq, hlc_min; /* of the first missing entry */
    uint32_t messages;           /* that people said, among them */
    struct sealed last;
};
int write_gap(uint8_t *buf, const struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc_max) MUST_USE;
int read_gap(const uint8_t *f, struct gap *g) MUST_USE;

/* GONE: what people are told of gaps.  Header: room; origin = whose messages, 0: of more than one host; hlc = the last one's. */
struct gone {
    uint8_t why; /* enum gap_why */
    uint64_t messages, hlc_min;
};
int write_gone(uint8_t *buf, const struct gone *g, uint64_t origin, uint64_t room, uint64_t hlc_max) MUST_USE;
int read_gone(const uint8_t *f, struct gone *g) MUST_USE;

/* GREETING, the first frame on a link, from both sides.  Header: origin = the host that greets; epoch = its run. */
struct greeting {
    uint16_t version_min, version_max;
    uint64_t wall_ms;    /* its clock */
    uint64_t nonce;      /* its half of the key of this link's digests */
    struct text name;    /* what it calls itself */
    const uint8_t *host; /* n_hosts numbers of 8 bytes: whose streams it may take */
    size_t n_hosts;
};
int write_greeting(uint8_t *buf, const struct greeting *g, uint64_t origin, uint64_t epoch) MUST_USE;
int read_greeting(const uint8_t *f, struct greeting *g) MUST_USE;

/* ENROL, the first and only frame of a host that is invited: the secret, and what it is called and where it can be
 * dialled ("-": nowhere).  The answer is a FAREWELL: REASON_OK, we are peers now; or why not. */
struct enrol {
    uint8_t secret[SECRET_LEN];
    struct text name, address;
};
enum { ENROL_ADDRESS_MAX = 128 };
int write_enrol(uint8_t *buf, const struct enrol *e) MUST_USE;
int read_enrol(const uint8_t *f, struct enrol *e) MUST_USE;

/* DIGEST: of every host whose streams it takes, what its sender has on disk as sums over parts (link/digest.h); FRAME_MORE on
 * every frame but the last.  SAME, the answer: of these parts (bits) I have exactly what you have.  From link to keeper, header:
 * client = the feed, pos = the journal position up to which that is so. */
enum { RUNS_APART = 3, DIGEST_ROWS_MAX = 63, SAME_ROWS_MAX = 122, SAME_ROW_LEN = 33 };
struct digest_row {
    uint64_t origin, from[RUNS_APART]; /* the first run of each part but the oldest */
    uint64_t sum[RUNS_APART + 1];      /* 0: nothing of this part, or nothing to say of it */
};
void write_digest_row(struct wr *w, const struct digest_row *d);
void read_digest_row(struct rd *r, struct digest_row *d);
struct same_row {
    uint64_t origin, from[RUNS_APART];
    uint8_t parts;
};
void write_same_row(struct wr *w, const struct same_row *s);
void read_same_row(struct rd *r, struct same_row *s);

/* HAVE: how much of each stream its sender has on disk, 0 .. HAVE_ROWS_MAX rows.  After the digests comes the vector, without
 * the parts that are SAME, FRAME_MORE on every frame but the last; from then on what grew.  From link to keeper, header:
 * client = the feed.  HEADS, keeper to link: the same, behind each row the rest of the hash. */
enum { HEAD_LEN = 16 };
struct have_row {
    uint64_t origin, epoch, room, seq;
    uint8_t head[HEAD_LEN]; /* of the hash of the segment that ends with seq, so much that nobody finds two that agree */
};
enum { HAVE_ROWS_MAX = 84, HEADS_ROWS_MAX = 63, HOSTS_IN_ORDER_MAX = HOSTS_MAX };
void write_have_row(struct wr *w, const struct have_row *r);
void read_have_row(struct rd *r, struct have_row *row);

/* FEED, link to keeper: what to do with the feed `client` (header). */
enum feed_op {
    FEED_HEADS = 1, /* tell me every stream there is (header: client = 0) */
    FEED_OPEN,      /* a new one; `hosts`: whose streams may go into it; HAVE frames follow, then ... */
    FEED_GO,        /* ... begin, up to `credit` bytes */
    FEED_CREDIT,    /* `credit` bytes more */
    FEED_CLOSE,
    FEED_OTHERS,    /* `hosts`: whose streams others bring to the peer; before the first of these: all but our own */
    FEED_THROUGH,   /* we speak to it through others, who bring it everything that is for everybody */
    FEED_LEAF,      /* see that the TLS certificate is in force for weeks; the same comes back when it is */
};
struct feed_order {
    uint8_t op;
    uint32_t credit;
    const uint8_t *host; /* as in a greeting */
    size_t n_hosts;
};
int write_feed_order(uint8_t *buf, const struct feed_order *o, uint64_t feed) MUST_USE;
int read_feed_order(const uint8_t *f, struct feed_order *o) MUST_USE;

/* PRESENCE: how often a user is in an ordinary room on his own host (link/presence.h).  Header: origin = that host; epoch = its
 * run; seq = the version of this row; room; FRAME_CONT: this is no news, but what was so before the link came up. */
struct presence_row {
    uint32_t sessions; /* 0: not any more */
    bool quiet;        /* comes and goes unannounced */
    struct text user, room;
};
int write_presence(uint8_t *buf, const struct presence_row *p, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t version) MUST_USE;
int read_presence(const uint8_t *f, struct presence_row *p) MUST_USE;

/* MEMBER: what host `origin` (header) says of a host of this network, in its stream of scope MEMBERS_ROOM (state/members.h). */
#define MEMBERS_ROOM UINT64_C(1)
enum member_op {
    MEMBER_FULL = 1, /* it belongs to us and may invite and revoke; of oneself: only what one is called and where one is */
    MEMBER_GUEST,    /* it belongs to us and may not */
    MEMBER_REVOKE,   /* it does not belong to us any more, whatever anybody says */
};
struct member_entry {
    uint8_t op;
    uint64_t host; /* its number, which must be that of the key: the reader's business */
    const uint8_t *key;
    struct text name, address; /* address: "-" for none; printable ASCII without spaces, no more is checked here */
};
enum { MEMBER_ADDRESS_MAX = 128 };
int write_member(uint8_t *buf, const struct member_entry *e) MUST_USE;
int read_member(const uint8_t *f, struct member_entry *e) MUST_USE;

/* CAUGHT: everything that its sender had on disk when it heard our vector is on its way before this.  From keeper to link,
 * header: client = the feed. */
int write_caught(uint8_t *buf, uint64_t feed) MUST_USE;

/* LINKS: with which hosts `origin` (header) is linked (link/topology.h).  epoch = its run, seq = the version of this row. */
enum { LINKS_ROW_MAX = 64 };
struct links_row {
    const uint8_t *link; /* n numbers of 8 bytes */
    size_t n;
};
int write_links(uint8_t *buf, uint64_t origin, uint64_t epoch, uint64_t version, const uint64_t *link, size_t n) MUST_USE;
int read_links(const uint8_t *f, struct links_row *row) MUST_USE;

/* TUNNEL: bytes of a TLS connection between two hosts without a link, passed on by those between (hub/tunnel.c).
 * Header: origin = the host that says it. */
enum tunnel_op {
    TUNNEL_OPEN = 1,
    TUNNEL_BYTES,
    TUNNEL_CREDIT, /* `bytes` is one u32: so many more may come */
    TUNNEL_CLOSE,
};
struct tunnel_part {
    uint64_t to, id; /* id: chosen by who opened it */
    uint8_t op, hops; /* hops: how many it may still make */
    const uint8_t *bytes;
    size_t len;
};
enum { TUNNEL_BYTES_MAX = 4032 - 18 };
int write_tunnel(uint8_t *buf, const struct tunnel_part *p, uint64_t origin) MUST_USE;
int read_tunnel(const uint8_t *f, struct tunnel_part *p) MUST_USE;

/* BEAT: who is alive, 1 .. BEAT_ROWS_MAX rows: a host, its run, a count that rises. */
struct beat_row {
    uint64_t host, epoch, beat;
};
enum { BEAT_ROWS_MAX = 168 };
void write_beat_row(struct wr *w, const struct beat_row *b);
void read_beat_row(struct rd *r, struct beat_row *b);

/* PING and PONG: the asker's clock, given back. */
int write_ping(uint8_t *buf, enum frame_type type, uint64_t sent_ms) MUST_USE;
int read_ping(const uint8_t *f, uint64_t *sent_ms) MUST_USE;

#endif
