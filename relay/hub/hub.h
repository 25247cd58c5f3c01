/* hub.h -- the connections of this host with others: which there are, what comes and goes over them.
 *
 * A line is a peer, a link one TLS connection, with a line's peer or with a stranger who has yet to show who he is.
 * roll.c: who the peers are.  lines.c: dial, accept, which of two connections stays.  traffic.c: what comes and goes;
 * take.c: what is taken of it.  tell.c: what is said here of other hosts.
 * people.c: who is where.  knock.c: how long a frame takes.  enrol.c: strangers.  tunnel.c: peers whom no socket reaches,
 * through others.  What is right to say and to believe is link/core.h's business. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "base/prng.h"
#include "link/core.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/keeper_line.h"
#include "state/state.h"
#include "trust/peers.h"

enum {
    HALF_OPEN_MAX = 32, /* who dialled and have not shown who they are, ... */
    SAME_SOURCE_MAX = 4, /* ... from one address: it cannot push out all others */
    CONNS_MAX = LINK_PEERS_MAX + HALF_OPEN_MAX,
    KNOCKS_MAX = 64,          /* at peers' doors, not yet answered */
    FEED_CREDIT_BYTES = 4 << 20, /* that the keeper may have on the way to one peer */
};

struct line;

struct link {
    struct conn c; /* first member; c.tls NULL: free */
    struct line *line;
    uint64_t since, deadline; /* deadline: to be linked by */
    uint64_t fed;             /* bytes from the keeper that it has no credit back for */
    int peer;                 /* number in the core; -1: not yet linked */
    bool over;                /* closed at the end of the turn */
    bool stranger;            /* let in for his invitation, nothing else */
    bool through;             /* not over a socket, but through other hosts (tunnel.h) */
    bool unread;              /* stopped before all was read */
    bool waits, begun;        /* who dialled us: has said something, has had its turn */
    uint64_t source;          /* where it dialled from; through others: the peer that brought it */
};

/* A peer, and what we have with it. */
struct line {
    struct peer peer;
    struct lookup lookup;
    struct link *link, *dialing;
    struct link *through; /* being dialled through others */
    uint64_t retry_at, through_at, down_since;
    uint64_t asked; /* the state of the table of links in which we looked whether there is a way to it; reached: there was */
    unsigned tries;
    unsigned refusals; /* links that one of the two ended for what came over it, one soon after the other */
    bool ahead;       /* people were told that its clock is */
    bool known, met, lost, reached; /* known: the slot is in use; met: there was a link; lost: people were told so */
    char why[128];    /* why it cannot be dialled, as logged last */
};

struct hub {
    struct state *st;
    struct loop *loop;
    struct link_core core;
    struct keeper_line keeper;
    struct peers peers; /* all hosts that belong or belonged to this network, but ourselves */
    struct line line[LINK_PEERS_MAX];
    size_t n_lines;
    struct link link[CONNS_MAX];
    struct loop_source listener;
    struct tls_identity *tls;
    unsigned turns;          /* handshakes that may still begin before the next tick */
    uint64_t durable, moves; /* of journal and roster, as seen last */
    uint64_t named;          /* where the journal ended when a host was given its name last */
    uint32_t audiences;      /* changes of private rooms' hosts, as seen last */
    bool others;             /* the list of hosts whose streams we take has changed */
    bool people_signed;      /* there is something new to say of our people */
    struct {
        uint64_t number, host, sent_us;
    } knock[KNOCKS_MAX]; /* by number */
    struct prng prng;
    int state_dir;
    char address[PEER_ADDRESS_MAX + 1]; /* where others find us, "-": nowhere */
    uint64_t members; /* the table's version as peers were last made of it */
    bool revoked;     /* we are not wanted any more */
    bool reload; /* the file of peers has changed: read it again */
    bool (*invites)(struct hub *h); /* may strangers come?  NULL: never */
    void (*enrol)(struct link *l);  /* one came and said something */
    struct tunnels *tunnels;        /* NULL: nobody is dialled through others */
    void (*tunnel_open)(struct hub *h, struct line *ln);
    void (*tunnel_heard)(struct link *l, const uint8_t *frame);
};

/* ---- roll.c ---- */

/* hub_say_members -- put into our stream what we have not yet said there: who we are, whom we vouch for (`ours`), who is
 * to go.  Returns 0, or -EAGAIN: not all of it, call again when more is on disk. */
int hub_say_members(struct hub *h, const struct peers *ours, const struct peers *revoked) MUST_USE;

/* hub_forget_revoked -- take hosts that were revoked out of the file of those we vouch for: their names are free again. */
void hub_forget_revoked(const struct hub *h, const struct peers *ours);

/* hub_members_ok -- is, in checked frames of another host, every host's number that of the key beside it? */
bool hub_members_ok(const uint8_t *frames, size_t len);

/* hub_members -- whom the table of members makes our peers. */
void hub_members(struct hub *h, const struct peers *ours, struct peers *all);

/* ---- lines.c ---- */

/* hub_set_peers -- from now on it is these: part with others, dial those who are new and not far, take the streams of
 * all, know their names.  When whose streams we take changes, every link greets anew: the greeting says so. */
void hub_set_peers(struct hub *h, const struct peers *ps);

/* hub_listen -- accept on this socket from now on.  Returns 0 or -errno. */
int hub_listen(struct hub *h, int fd) MUST_USE;

/* hub_open_link -- a connection over this socket, which it owns, for so long until it is linked; ln: the peer that we dial,
 * NULL: somebody dials us.  NULL when it cannot be. */
struct link *hub_open_link(struct hub *h, int fd, struct line *ln, uint64_t patience_ms);

/* hub_strangers -- how many dialled from `source` (struct link) and have not shown who they are. */
unsigned hub_strangers(struct hub *h, uint64_t source);

/* hub_admit -- let the next handshake begin: one at a time, so that strangers cost those who are linked no more than
 * the wait for one, and so many a second.  Returns true when another one could. */
bool hub_admit(struct hub *h);

/* hub_tick -- dial, give up, find who is silent; some times a second. */
void hub_tick(struct hub *h);

/* hub_sweep -- free what ended in this turn; hub_close -- end everything. */
void hub_sweep(struct hub *h);
void hub_close(struct hub *h);

/* ---- traffic.c ---- */

static inline struct hub *hub_of(const struct link *l)
{
    return l->c.arg;
}

static inline bool link_is_up(const struct link *l)
{
    return l->c.tls && !l->over && l->peer >= 0;
}

/* link_speak -- send what waits and what the core has to say; link_hear -- take in what came. */
void link_speak(struct link *l);
void link_hear(struct link *l);

/* link_end -- at the end of the turn the connection is closed; link_farewell -- after telling the other side why. */
void link_end(struct link *l, const char *why);
void link_farewell(struct link *l, enum reason reason, const char *why);

/* hub_on_fed -- from the keeper, for one of the peers, or for ourselves a proof of a fork, or what it signed (keeper_line_open()). */
void hub_on_fed(void *arg, uint8_t *frame, const uint8_t *frames, size_t len);

/* hub_go_on -- connections that waited for the disk or for their turn.  Returns true when one wants another turn.
 * hub_waits -- does anything hang on the durable position? */
bool hub_go_on(struct hub *h);
bool hub_waits(const struct hub *h);

/* hub_may_hear, hub_is_private -- for link_core: may that host know of this room?  May other hosts come to it, and go? */
bool hub_may_hear(void *hub, uint64_t room, uint64_t host);
bool hub_is_private(void *hub, uint64_t room);

/* hub_take_lock -- a section begins, or the process ends. */
void hub_take_lock(struct hub *h);

/* ---- take.c ---- */

/* hub_key -- the public key of a peer, or our own; NULL: of nobody we know. */
const uint8_t *hub_key(const struct hub *h, uint64_t host);

/* link_take_segment, link_take_gap -- from a peer: into the journal, if it is new and right; what is wrong ends the link.  Return 0;
 * -EAGAIN: it is to come again, when more is on disk or others had their time.
 * link_take_chain -- heads of segments, from which the keeper may learn of a fork. */
int link_take_segment(struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len) MUST_USE;
int link_take_gap(struct link *l, const uint8_t *gap) MUST_USE;
void link_take_chain(struct link *l, const uint8_t *chain);

/* hub_take_proof -- from the keeper: this stream forks. */
void hub_take_proof(struct hub *h, const uint8_t *proof);

/* ---- tell.c ---- */

/* hub_tell -- a line for everybody on this host; hub_name -- what a host is called; hub_called -- the same for the log, of this host
 * or a peer; hub_show -- for `relay status`. */
void hub_tell(struct hub *h, enum reason reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
void hub_name(struct hub *h, const struct peer *p);
const char *hub_called(const struct hub *h, uint64_t host);
void hub_show(struct hub *h, const struct line *ln);

/* ---- people.c ---- */

/* hub_people_begin -- no guests yet; hub_people_tick -- look who came and left here, and which hosts fell silent. */
void hub_people_begin(struct hub *h);
void hub_people_tick(struct hub *h);

/* hub_signed -- a frame about our people came back from the keeper, signed.  hub_row_signed, hub_beat_signed -- for struct presence:
 * did the host that it is about sign it? */
void hub_signed(struct hub *h, const uint8_t *frame);
bool hub_row_signed(void *hub, const uint8_t *presence);
bool hub_beat_signed(void *hub, const struct beat_row *b);

/* hub_guest -- an entry of the presence table changed; news: people in the room are told that somebody came or left. */
void hub_guest(struct hub *h, uint32_t entry, bool news);

/* hub_guests_of -- in how many rooms somebody of that host is: users, if each is in one. */
unsigned hub_guests_of(const struct hub *h, uint64_t host);

/* ---- knock.c ---- */

/* hub_on_knock -- the keeper wants to know how long a frame takes to a host and back: knock there, or say that there is
 * no link.  link_knock -- a KNOCK or ECHO came. */
void hub_on_knock(void *arg, const uint8_t *knock);
void link_knock(struct link *l, const uint8_t *frame);

#endif
