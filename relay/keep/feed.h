/* feed.h -- what the store holds, fed to the link process: to each peer what it lacks, in the order of the journal.
 *
 * The link process connects to the socket `feed` in the runtime directory, one connection at a time, and orders with
 * FEED, SAME, HAVE and CHAIN frames (body.h).  It gets HEADS, proofs of forks (CHAIN with client = 0), and for every open feed
 * SEGMENT and CHAIN frames with client = the feed.  A
 * feed is a cursor into the store and the peer's vector; what the link says about the peer on the way is believed
 * before anything more is sent. */
#ifndef KEEP_FEED_H
#define KEEP_FEED_H

#include "keep/forks.h"
#include "loop/loop.h"

struct feeds;

/* feeds_open -- make the socket in the directory `runtime`.
 * leaf     called when the link asks for a certificate: must issue one if need be
 * Returns  0 or -errno */
int feeds_open(struct feeds **out, struct history *h, struct forks *forks, struct loop *loop, int runtime,
               void (*leaf)(void *arg), void *arg) MUST_USE;
void feeds_close(struct feeds *fs);

/* feeds_pump -- take orders, then send what is new, up to what the socket and the peers' credit take.
 * Returns  true when there is more to do at once */
bool feeds_pump(struct feeds *fs);

#endif
