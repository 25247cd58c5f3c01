/* crew.h -- senders and readers of some rooms, at one relay, at the two ends of a link, or at a peer. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "board.h"
#include "hand.h"
#include "peer.h"
#include "site.h"

enum { CREW_ROOMS_MAX = 100, CREW_VOICES_MAX = 10 };

/* Every message is said once in each room; reader i is in room i / (readers / rooms). */
struct shape {
    unsigned readers;
    unsigned rooms, voices; /* 0: 1; the rooms are shared out among the senders' sessions */
    bool each;              /* a process for every reader */
};

struct crew {
    struct site *site, *far; /* of the senders, of the readers */
    const struct peer *peer, *far_peer; /* instead */
    const char *room;
    struct shape shape;
    struct board *board;
    struct hand reading, sending;
    uint32_t sent, count; /* messages, in all and of this order */
    uint64_t cpu, sender_cpu, reader_cpu, start; /* when it was given */
};

/* What one order cost. */
struct result {
    double seconds;   /* until all was shown and acknowledged */
    double server_ns; /* CPU time of all processes of the relay, or of the peer */
    double load_ns;   /* of those who send and read */
    uint32_t count;
};

/* crew_start -- let them join; readers may be 0. crew_end -- they go. */
void crew_start(struct crew *c, struct site *site, unsigned readers);
void crew_end(struct crew *c);

/* crew_start_between -- the readers are at `far`, in that room, which nobody else writes to. crew_start_shape,
 * crew_start_peer -- with more than one room, or a process per reader. crew_start_peers -- the readers are at another server. */
void crew_start_between(struct crew *c, struct site *site, struct site *far, const char *room, unsigned readers);
void crew_start_shape(struct crew *c, struct site *site, struct shape shape);
void crew_start_peer(struct crew *c, const struct peer *peer, struct shape shape);
void crew_start_peers(struct crew *c, const struct peer *near, const struct peer *far, struct shape shape);

/* crew_begin, crew_finish -- crew_run() in two halves, so that several can be at work. */
void crew_begin(struct crew *c, struct order o);
struct result crew_finish(struct crew *c);

/* crew_run -- have `count` messages sent, wait until each is shown to every reader and
 * acknowledged. Fails when one was lost or doubled. crew_run_paced -- so many in a second. */
struct result crew_run(struct crew *c, enum how how, uint32_t count);
struct result crew_run_paced(struct crew *c, uint32_t count, uint32_t rate);

/* crew_open -- a quiet session with an instance. */
struct port *crew_open(const char *instance);

/* crew_join -- n sessions join the rooms, as many each, each alone with its FIFO afterwards. fd is filled with
 * the FIFOs. */
void crew_join(const char *instance, const char *const *room, unsigned rooms, int *fd, unsigned n);

#endif
