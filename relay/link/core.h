/* core.h -- the link protocol of one host: what is said to each peer, what is believed of what it says; no I/O.
 *
 * Time, what arrived and what became durable come in; frames to send and orders for the keeper come out.  The same
 * code runs in the relay's link process and in the simulator.
 *
 * On one link, both ways:
 *
 *     GREETING                version, name, clock, whose streams I may take
 *     DIGEST ...              what I have on disk, as a few sums for each origin (digest.h)
 *     SAME ...                of these parts I have exactly what your digests say that you have
 *     HAVE ...                of all others, the vector: how much of each stream I have on disk
 *     SEGMENT frames ...      in the order of my journal, without what you have     (from your vector on)
 *     GAP                     these entries I do not have any more; what comes of their stream lies behind them
 *     CAUGHT                  that is all I had
 *     HAVE                    what of all this reached my disk since                 (the only acknowledgement)
 *     PRESENCE, BEAT, LINKS   who is where (presence.h), who is linked with whom (topology.h)
 *     PING, PONG              when nothing else was said for a while
 *     FAREWELL                why I end this
 *
 * A segment is taken iff its origin is known and it is not ours of this run, it continues its stream without a gap
 * and with the right hash before it, and the caller found its seal good (R1).  What is there already is dropped in
 * silence; anything else ends the link.  Of an origin that contradicts itself nothing is taken from the point of the fork
 * on (R7): that is for the keeper to find, whose store holds one side of the contradiction and who gets the other as a
 * CHAIN.  When two hosts have equally much of a stream and not the same, nobody would send what shows it; so rows bear
 * the beginning of the hash they end with, and who sees two that differ sends heads of his own.  What is taken
 * becomes an acknowledgement only when it is durable (R3).
 *
 * A segment names what it answers: what its origin had of other streams of that room (frame/segment.h, struct after).  Honest hosts
 * pass on everything in the order in which they took it, so that is here already.  Nothing waits for it: but what is missing is noted,
 * and if it is after LINK_EARLY_MS still, whoever passed on the answer, or somebody before him, keeps it back (link_kept_back()).  What
 * cannot come does not count: what lies behind a fork, or is of a host whose streams are not taken here.
 *
 * What a peer does not keep any more it names with a GAP, in its place among the segments.  A gap bears its origin's signature, so
 * nobody can make one up; but whoever names it may withhold what others still have.  So it is taken when nobody else who is linked
 * can bring the missing part (gap_ripe()); until then the link of who named it is not read.  It is named only while a peer catches
 * up, never behind CAUGHT, and never instead of the beginning of a stream, which all keep.  What is taken is taken for ever: a
 * missing part that turns up later is passed over, for the stream is further by then.
 * Every link-up begins with digests and vectors: nothing about a peer is remembered from the link before (R2).
 *
 * A row of a HAVE, and of a digest, says that a room exists and how much is said in it: it is told to those only who may know
 * (link_tells(), may_hear).
 *
 * SAME speaks of the time when the digest was made.  What the sender of the digest had on disk then is all that its store
 * has before the position `durable` of its journal: so the keeper needs that number and no rows, and what is committed
 * meanwhile lies behind it.  Of the present runs of both sides there are no digests, because a link process knows nothing of
 * its own host's; nor of private rooms, because the two may not agree yet on who is in them. */
#ifndef LINK_CORE_H
#define LINK_CORE_H

#include "link/digest.h"
#include "link/have.h"
#include "link/presence.h"
#include "link/topology.h"

#ifndef LINK_GAP_MAX_S
#define LINK_GAP_MAX_S 600 /* less in the simulator, as everything is that is kept there */
#endif
#ifndef LINK_RING
#define LINK_RING 8192 /* a power of two; the simulator has it small, to see it full */
#endif

enum {
    LINK_PEERS_MAX = 64,
    LINK_HOSTS_MAX = HOSTS_IN_ORDER_MAX,
    LINK_PENDING_MAX = LINK_RING, /* segments taken and not yet durable */
    LINK_NEWS_MAX = LINK_RING,
    DIGEST_FRAMES_MAX = LINK_HOSTS_MAX / DIGEST_ROWS_MAX + 1,
    LINK_PING_MS = 1000,     /* of silence of ours, then a PING */
    LINK_DEAD_MS = 4000,     /* of silence of theirs, then it is gone */
    LINK_TURN_MS = 1000,     /* that a peer may send nothing before others have their turn */
    LINK_REST_MS = 1,        /* for each host that is known, between two times that all of them have to hear of something */
    LINK_PLAN_MS = 500,      /* from the start of a link: for the peer to say with whom it is linked */
    LINK_SETUP_MS = 5000,    /* from the start of a link to the peer's greeting */
    LINK_GAP_MS = 5000,      /* from the start of a link: for others to link who may have what it does not; of silence of theirs */
    LINK_GAP_MAX_MS = LINK_GAP_MAX_S * 1000, /* that a gap waits for others at most, from the start of a link */
    LINK_EARLY_MS = 10 * 1000,      /* for what a segment answers to come after it */
    LINK_EARLY_REST_MS = 60 * 1000, /* between two notes of one peer of which the first was told */
    LINK_EARLY_AWAY_MS = 60 * 1000, /* for a peer whose link broke to come back and bring it */
};

enum link_phase { LINK_FREE, LINK_GREETING, LINK_VECTOR, LINK_OPEN };

struct link_peer {
    uint64_t host, epoch;
    uint64_t feed;              /* number of its feed */
    uint64_t up_ms, heard_ms, said_ms;
    uint64_t moved_ms;          /* when we told it what we have, or it sent what we lack */
    uint64_t wall_ms;           /* its clock at the greeting */
    uint64_t news;              /* told of the news before this */
    uint64_t pong;              /* its PING's clock, to be given back */
    uint64_t nonce, key[2];     /* our half of the key of the digests; the key */
    uint64_t gap;               /* the stamp of the gap that it named and that waits for others; 0: none does */
    uint64_t stored;            /* our digests say what is on disk up to this position of the journal, at least */
    uint32_t told;              /* our entries before this are in the vector */
    uint32_t rtt_ms;
    uint16_t digested, answered; /* hosts of our list before this: our digests are said; the peer's are answered */
    uint8_t phase, digest_frames; /* digest_frames: heard */
    bool greeted, digests_told, digests_heard, vector_told, pong_due;
    bool at_once; /* the vector is said without waiting for its turn */
    bool caught;  /* it has sent all that it had */
    bool through; /* the link goes through other hosts (hub/tunnel.h); set by the caller after link_up() */
    struct presence_cursor presence;
    uint64_t links_told, beats_said_ms;
    uint64_t others[TOPOLOGY_WORDS]; /* of the hosts we know, those whose streams others bring it */
    bool planned, plan_due;          /* the keeper was told so; has to be told */
    struct link_same {
        uint64_t from[RUNS_APART];
        uint8_t parts;
    } same[LINK_HOSTS_MAX];     /* by host of our list: of which parts we have exactly what the peer has */
};

/* A segment that was here before what it answers. */
struct link_early {
    uint64_t by, author; /* the peer that passed it on, 0: none; its origin */
    uint64_t room;
    uint64_t since_ms;
    struct after_row missing; /* the first of what it answers and was not here */
    bool told;
};

struct link_core {
    uint64_t self, epoch;
    char name[HOST_NAME_MAX_LEN + 1];
    uint64_t host[LINK_HOSTS_MAX]; /* whose streams we take, besides our own */
    size_t n_hosts;
    struct have ours;
    uint64_t durable; /* everything in the journal before this is on disk, and so counted in `ours` */
    uint64_t taken;   /* where the last segment in the journal ends */
    struct presence presence;
    struct topology topology;
    uint64_t planned, planned_ms; /* the topology's clock when it was made out who brings what to whom, and ours */
    uint64_t links_said_ms;
    bool links_moved; /* since then */
    uint64_t last_feed;
    struct {
        uint64_t end, seq;
        uint8_t head[HEAD_LEN];
        uint32_t entry;
    } pending[LINK_PENDING_MAX]; /* in the order of the journal */
    uint64_t pending_first, pending_next;
    uint32_t news[LINK_NEWS_MAX]; /* entries of which more became durable */
    uint64_t news_next;
    bool (*may_hear)(void *arg, uint64_t room, uint64_t host); /* may that host know of this room?  NULL: yes */
    bool (*is_private)(void *arg, uint64_t room);              /* may other hosts come to it, and go?  NULL: no */
    void *arg;
    struct link_early early[LINK_PEERS_MAX]; /* of each peer one at a time, whether it is linked still or not */
    struct link_peer peer[LINK_PEERS_MAX];
};

/* What one step asks of the caller. */
struct link_update {
    uint8_t feed[4 * FRAME_MAX]; /* frames for the keeper */
    size_t feed_len;
    int presence;        /* the entry of the presence table that changed; -1: none */
    uint8_t reason;      /* not REASON_OK: end the link, after a FAREWELL with ... */
    char why[SENTENCE_MAX + 1]; /* ... this sentence */
};

/* link_init -- ours: the table to use, filled with what the store holds (seq = durable). */
void link_init(struct link_core *l, uint64_t self, uint64_t epoch, struct text name, struct have ours);

/* link_know -- take streams of this host from now on.  Returns 0 or -ENOSPC.  link_forget -- no more of them.  Every
 * peer knows the list of its greeting: end the links that were made with another one. */
int link_know(struct link_core *l, uint64_t host) MUST_USE;
void link_forget(struct link_core *l, uint64_t host);
bool link_knows(const struct link_core *l, uint64_t host);

/* link_up -- a connection to `host` was made and its key proven.  nonce: random, and used for this link only.
 * Returns the number of the peer, or -ENOSPC. */
int link_up(struct link_core *l, uint64_t host, uint64_t nonce, uint64_t now_ms) MUST_USE;

/* link_down -- it is gone. */
void link_down(struct link_core *l, unsigned peer, struct link_update *up);

/* link_heard -- a frame other than SEGMENT came.  It passed frame_check(); everything else is judged here. */
void link_heard(struct link_core *l, unsigned peer, const uint8_t *frame, uint64_t now_ms, struct link_update *up);

/* link_judge -- a SEGMENT came: is it to be taken?  Judged by its head alone, before its seal is looked at.  The keeper
 * must get what `up` holds for it before the frames are published: so it never sends them back. */
enum link_verdict {
    LINK_NEW,  /* check its seal and its frames, put it into the journal, then call link_took() */
    LINK_OLD,  /* it is here already: drop it */
    LINK_LATER, /* too much waits for the disk: ask again when something became durable */
    LINK_BAD,  /* `up` says how to end the link */
    LINK_FORKED, /* with a good seal: its origin said two different things, link_freeze() the stream, drop this and give its
                  * head to the keeper; with a bad one: as LINK_BAD */
};
enum link_verdict link_judge(struct link_core *l, unsigned peer, const uint8_t *segment, uint64_t now_ms,
                             struct link_update *up);

/* link_early -- this segment of a public room was taken from that peer: did it come before what it answers?  Then that is noted. */
bool link_early(struct link_core *l, unsigned peer, const uint8_t *segment, uint64_t now_ms);

/* link_early_anew -- a link is not read for now: what was noted has from now on LINK_EARLY_MS again, for it may be in what waits there. */
void link_early_anew(struct link_core *l, uint64_t now_ms);

/* link_kept_back -- call now and then until it returns NULL: something that was noted and is still missing although the peer has been
 * linked for long enough, or away for too long; each once and of a peer once a minute at most.  Good until the next call of any of these. */
const struct link_early *link_kept_back(struct link_core *l, uint64_t now_ms);

/* link_judge_gap -- the same of a GAP; what it bears is not verified here.  LINK_LATER: also, others may still bring what is missing:
 * ask again some times a second. */
enum link_verdict link_judge_gap(struct link_core *l, unsigned peer, const uint8_t *gap, uint64_t now_ms, struct link_update *up);

/* link_gap_waits -- does a gap of this peer wait for others? */
bool link_gap_waits(const struct link_core *l, unsigned peer);

/* link_tells -- may this peer hear of this row, and is there anything to hear?  Both sides should agree on the first: digests
 * are compared row by row. */
bool link_tells(const struct link_core *l, const struct link_peer *p, const struct have_entry *e);

/* link_took -- it, a SEGMENT or a GAP, lies in the journal and ends at `end`.  The table must not be full. */
void link_took(struct link_core *l, const uint8_t *frame, uint64_t end);

/* link_judge_chain -- a CHAIN came: LINK_NEW check the signatures, then give it to the keeper; LINK_OLD it can prove nothing
 * that is not known; LINK_BAD `up` says how to end the link. */
enum link_verdict link_judge_chain(struct link_core *l, unsigned peer, const uint8_t *chain, uint64_t now_ms,
                                   struct link_update *up);

/* link_freeze -- of the stream of this segment nothing more is taken until link_fork(): so what a third host does never ends
 * a link between two honest ones. */
void link_freeze(struct link_core *l, const uint8_t *segment);

/* link_fork -- the keeper's proof: from its point on the stream is not ours any more, whatever was taken of it; before it, it
 * goes on.  The table must not be full.  Returns true when this is the first of this stream. */
bool link_fork(struct link_core *l, const uint8_t *proof);

/* link_full -- there is no room for another stream; link_grow -- go on in a table of `max` in have_size(max) bytes at
 * `memory`.  Returns the memory used so far, the caller's again. */
bool link_full(const struct link_core *l);
void *link_grow(struct link_core *l, void *memory, uint32_t max);

/* link_durable -- everything in the journal before `pos` is on disk.  Returns true when there is news for the peers. */
bool link_durable(struct link_core *l, uint64_t pos);

/* link_on_its_way -- was anything of that room taken that is not on disk yet? */
bool link_on_its_way(const struct link_core *l, uint64_t room);

/* link_tell_room -- other peers than before may hear of this room: tell them what we have of it. */
void link_tell_room(struct link_core *l, uint64_t room);

/* link_next -- the next frame to say to this peer; call until it returns 0, and again after each of the others.
 * Returns  its stride, 0 when there is nothing to say now */
int link_next(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms, uint8_t *frame);

/* link_before_gap -- a GAP is to be said to this peer, which may read nothing more then for as long as others may have the part;
 * it has to know first what we lack, or both would wait, each for the other to speak.  The next frame that goes before the GAP; call
 * until it returns 0. */
int link_before_gap(struct link_core *l, unsigned peer, uint64_t wall_ms, uint64_t now_ms, uint8_t *frame);

/* link_plan -- the next order for the keeper about who brings what to whom; call until it returns 0, after each of the above.
 * Returns  its stride, 0 when there is none */
int link_plan(struct link_core *l, uint64_t now_ms, uint8_t *frame);

/* link_stirs -- bytes of it came, if no whole frame yet; or we do not listen, and it answers otherwise. */
void link_stirs(struct link_core *l, unsigned peer, uint64_t now_ms);

/* link_tick -- now and then: has it been silent for too long? */
void link_tick(struct link_core *l, unsigned peer, uint64_t now_ms, struct link_update *up);

#endif
