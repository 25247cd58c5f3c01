/* feed.h -- what the store holds, fed to the link process: to each peer what it lacks, in the order of the journal.
 *
 * The link process connects to the socket `feed` in the runtime directory, one connection at a time, and orders with
 * FEED, SAME, HAVE and CHAIN frames (body.h).  It gets HEADS, proofs of forks (CHAIN with client = 0), and for every open feed
 * SEGMENT, GAP, CHAIN and CAUGHT frames with client = the feed; PRESENCE and BEAT frames it gets back signed.  A
 * feed is a cursor into the store and the peer's vector; what the link says about the peer on the way is believed
 * before anything more is sent.  Of each host's streams one neighbour brings a peer what is new (link/topology.h); the others
 * hold it back, and what comes behind it in the same room, until the peer says that it has it, or for two seconds.  What is
 * said between two goes to their hosts only (state/scope.h).
 *
 * Of a private room a peer that is in it gets what the owner's host said, and from when it says itself that it has something of
 * that room, the rest: so it never gets what it could not take yet.  One who is in it no more gets the owner's word up to the one
 * that took him out. */
#ifndef KEEP_FEED_H
#define KEEP_FEED_H

#include "keep/fold.h"
#include "loop/loop.h"
#include "state/state.h"
#include "trust/identity.h"

struct feeds;

/* feeds_listen -- make the socket `feed` in the directory `runtime`, to which the link process connects.  It should outlive the
 * keeper, and be made by nobody but who holds the instance's lock: a keeper that is dying would take away his successor's.
 * Returns  the socket, or -errno */
int feeds_listen(int runtime) MUST_USE;

/* feeds_open -- listener: by feeds_listen(), closed by feeds_close().
 * seg      whose tables know the rooms and hosts
 * leaf     called when the link asks for a certificate: must issue one if need be
 * Returns  0 or -errno */
int feeds_open(struct feeds **out, struct history *h, const struct segment *seg, struct forks *forks, struct loop *loop,
               int listener, void (*leaf)(void *arg), void *arg) MUST_USE;
void feeds_close(struct feeds *fs);

/* feeds_on_said -- call `said` whenever a peer said how many entries of the host `self` it has on disk. */
void feeds_on_said(struct feeds *fs, uint64_t self, void (*said)(void *arg, uint64_t host, uint64_t entries), void *arg);

/* feeds_sign -- with this identity, what the link process says of this host's people; without one it is never said. */
void feeds_sign(struct feeds *fs, const struct identity *id);

/* feeds_ask_rooms -- who left a private room, and when; without this nobody hears that he is out. */
void feeds_ask_rooms(struct feeds *fs, const struct folds *folds);

/* feeds_hold -- is anything held back, for peers to hear from others?  Then call feeds_pump() some times a second. */
bool feeds_hold(const struct feeds *fs);

/* feeds_pump -- take orders, then send what is new, up to what the socket and the peers' credit take.
 * Returns  true when there is more to do at once */
bool feeds_pump(struct feeds *fs);

/* feeds_peer_has -- has that host this entry (seq) of its stream on disk?  By its own words alone: what was only sent to
 * it does not count. */
enum trace_state feeds_peer_has(const struct feeds *fs, uint64_t host, const struct have_row *entry);

/* feeds_knock -- ask the link process to knock at that host.
 * Returns  the number of this knock, 0 when there is no link process to ask */
uint64_t feeds_knock(struct feeds *fs, uint64_t host) MUST_USE;

/* feeds_echo -- what came of it.  Returns false: nothing yet */
bool feeds_echo(const struct feeds *fs, uint64_t number, struct echo *e) MUST_USE;

/* feeds_news -- a number that moves whenever feeds_peer_has(), feeds_echo() or the store may have another answer than before. */
uint64_t feeds_news(const struct feeds *fs);

#endif
