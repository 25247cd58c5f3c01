/* peer.h -- what relays say to each other, and their links to their keepers, written and read (body.h). */
#ifndef FRAME_PEER_H
#define FRAME_PEER_H

#include "frame/segment.h"

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

/* CAUGHT: everything that its sender had on disk when it heard our vector is on its way before this.  From keeper to link,
 * header: client = the feed. */
int write_caught(uint8_t *buf, uint64_t feed) MUST_USE;

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
 * run; seq = the version of this row; room; FRAME_CONT: this is no news, but what was so before the link came up.  Its body begins
 * with the host's signature over all the rest but FRAME_CONT (trust/attest.h).  From link to keeper and back: to be signed. */
struct presence_row {
    uint32_t sessions; /* 0: not any more */
    bool quiet;        /* comes and goes unannounced */
    struct text user, room;
    const uint8_t *signature; /* SIGNATURE_LEN bytes; NULL: zeros are written */
};
int write_presence(uint8_t *buf, const struct presence_row *p, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t version) MUST_USE;
int read_presence(const uint8_t *f, struct presence_row *p) MUST_USE;

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

/* BEAT: who is alive, 1 .. BEAT_ROWS_MAX rows: a host, its run, a count that rises, and that host's signature over these.  From link
 * to keeper and back: to be signed. */
struct beat_row {
    uint64_t host, epoch, beat;
    uint8_t signature[SIGNATURE_LEN];
};
enum { BEAT_ROWS_MAX = 45 };
void write_beat_row(struct wr *w, const struct beat_row *b);
void read_beat_row(struct rd *r, struct beat_row *b);

/* PING and PONG: the asker's clock, given back. */
int write_ping(uint8_t *buf, enum frame_type type, uint64_t sent_ms) MUST_USE;
int read_ping(const uint8_t *f, uint64_t *sent_ms) MUST_USE;

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

#endif
