/* feed_play.h -- a keeper's feeds on a store of their own, and the link process at the other end of their line, played. */
#ifndef FEED_PLAY_H
#define FEED_PLAY_H

#include "keep/feed.h"
#include "store.h"

enum { BETA = 100, GAMMA = 101, EPOCH = 5, RUN = 6, CREDIT = 1 << 20 };

struct feed_play {
    struct state st;
    struct lock lock;
    struct loop loop;
    struct history *h;
    struct forks *forks;
    struct feeds *fs;
    int dir, line; /* line: our end, as the link process */
    uint64_t pos;
    unsigned turns; /* of the keeper */
};

/* feed_play_open, feed_play_close -- setup and teardown for cmocka: *state is a struct feed_play. */
int feed_play_open(void **state);
int feed_play_close(void **state);

/* know -- a host, and that it is a peer, in that row of the table of links. */
void know(struct feed_play *p, unsigned row, uint64_t host, const char *name);

/* pump -- the keeper does what there is to do. */
void pump(struct feed_play *p);

/* dial -- the link process connects.  line_say -- a frame from it.  order -- for the feed of that host.  have -- the host says what it has;
 * have_of -- in another room.  linked -- it says that it has nothing. */
void dial(struct feed_play *p);
void line_say(struct feed_play *p, uint8_t *frame, int n);
void order(struct feed_play *p, uint8_t op, uint64_t host);
void have(struct feed_play *p, uint64_t host, uint64_t origin, uint64_t epoch, uint64_t seq);
void have_of(struct feed_play *p, uint64_t host, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq);
void linked(struct feed_play *p, uint64_t host);

/* fed -- the next frame of that type that the keeper sent; false: there is none. */
bool fed(struct feed_play *p, uint8_t type, uint8_t *frame);

/* stored -- one message, the next of its stream, is committed; stored_frame -- what it is, and when.  deleted -- that segment is
 * dropped. */
void stored(struct feed_play *p, uint64_t origin, uint64_t epoch, uint64_t seq);
void stored_frame(struct feed_play *p, uint8_t *f, uint64_t origin, uint64_t epoch, uint64_t seq, uint64_t hlc);
void deleted(struct feed_play *p, uint64_t origin, uint64_t seq);

#endif
