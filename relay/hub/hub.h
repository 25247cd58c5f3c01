/* hub.h -- the connections of this host with others: which there are, what comes and goes over them.
 *
 * A line is a peer of the file `peers`, a link one TLS connection, with a line's peer or with a stranger who has yet to
 * show who he is.  lines.c: dial, accept, which of two connections stays.  traffic.c: what comes and goes.  people.c: who is
 * where.  enrol.c: strangers.  What is right to say and to believe is link/core.h's business. */
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
    HALF_OPEN_MAX = 32,
    CONNS_MAX = LINK_PEERS_MAX + HALF_OPEN_MAX,
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
    bool unread;              /* stopped before all was read */
};

/* A peer as configured, and what we have with it. */
struct line {
    struct peer peer;
    struct lookup lookup;
    struct link *link, *dialing;
    uint64_t retry_at, down_since;
    unsigned tries;
    bool ahead;       /* people were told that its clock is */
    bool known, met, lost; /* known: the slot is in use; met: there was a link; lost: people were told so */
    char why[128];    /* why it cannot be dialled, as logged last */
};

struct hub {
    struct state *st;
    struct loop *loop;
    struct link_core core;
    struct keeper_line keeper;
    struct peers peers;
    struct line line[PEERS_MAX];
    size_t n_lines;
    struct link link[CONNS_MAX];
    struct loop_source listener;
    struct tls_identity *tls;
    uint64_t durable, moves; /* of journal and roster, as seen last */
    bool others;             /* the list of hosts whose streams we take has changed */
    struct prng prng;
    int state_dir;
    bool reload; /* the file of peers has changed: read it again */
    bool (*invites)(struct hub *h); /* may strangers come?  NULL: never */
    void (*enrol)(struct link *l);  /* one came and said something */
};

/* ---- lines.c ---- */

/* hub_set_peers -- the file as it is now: part with those who are not in it any more, dial those who are new, take
 * their streams, know their names.  When whose streams we take changes, every link greets anew: the greeting says so. */
void hub_set_peers(struct hub *h, const struct peers *ps);

/* hub_listen -- accept on this socket from now on.  Returns 0 or -errno. */
int hub_listen(struct hub *h, int fd) MUST_USE;

/* hub_tick -- dial, give up, find who is silent; some times a second. */
void hub_tick(struct hub *h);

/* hub_sweep -- free what ended in this turn; hub_close -- end everything. */
void hub_sweep(struct hub *h);
void hub_close(struct hub *h);

/* ---- traffic.c ---- */

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

/* hub_on_fed -- from the keeper, for one of the peers, or a proof of a fork for ourselves (keeper_line_open()). */
void hub_on_fed(void *arg, uint8_t *frame, const uint8_t *frames, size_t len);

/* hub_go_on -- connections that waited for the disk or for their turn.  Returns true when one wants another turn.
 * hub_waits -- does anything hang on the durable position? */
bool hub_go_on(struct hub *h);
bool hub_waits(const struct hub *h);

/* hub_tell -- a line for everybody on this host; hub_name -- what a host is called; hub_show -- for `relay status`. */
void hub_tell(struct hub *h, enum reason reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
void hub_name(struct hub *h, const struct peer *p);
void hub_show(struct hub *h, const struct line *ln);

/* hub_take_lock -- a section begins, or the process ends. */
void hub_take_lock(struct hub *h);

/* ---- people.c ---- */

/* hub_people_begin -- no guests yet; hub_people_tick -- look who came and left here, and which hosts fell silent. */
void hub_people_begin(struct hub *h);
void hub_people_tick(struct hub *h);

/* hub_guest -- an entry of the presence table changed; news: people in the room are told that somebody came or left. */
void hub_guest(struct hub *h, uint32_t entry, bool news);

/* hub_guests_of -- in how many rooms somebody of that host is: users, if each is in one. */
unsigned hub_guests_of(const struct hub *h, uint64_t host);

#endif
