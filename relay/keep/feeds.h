/* feeds.h -- the feeds of this host from within: what they share, and what is in which file.
 *
 * feed.c: orders, and segments in the order of the journal.  feed_line.c: the connection with the link process.  feed_has.c: what
 * a peer has.  feed_rooms.c: which rooms it may have, and who comes to private ones.  feed_held.c: what it is to hear from others
 * first.  feed_gaps.c: what is not kept any more.  feed_forks.c: proofs that a stream forks. */
#ifndef KEEP_FEEDS_H
#define KEEP_FEEDS_H

#include "keep/feed.h"

#include "base/buffer.h"
#include "link/digest.h"
#include "link/have.h"
#include "link/wire.h"

enum {
    FEEDS_MAX = 64,
    ROWS = 16,             /* of the store in one go for one feed */
    WAITING_MAX = 1 << 20, /* bytes for the link before more is read from the store */
    KNOCKS = 64,           /* echoes that are remembered */
    HELD_MAX = 256,        /* segments that a peer may hear from others first; what is more is sent at once */
    HELD_MS = 2000,        /* for so long */
};

struct feed {
    struct feeds *all;
    uint64_t number, peer, epoch; /* the peer's host and run; number 0: no such feed */
    uint64_t said;                /* entries of our own that it said it has */
    uint64_t cursor;              /* segments with pos before this are dealt with */
    int64_t credit;               /* bytes */
    uint64_t host[HOSTS_IN_ORDER_MAX];
    size_t n_hosts;
    struct same_row same[HOSTS_IN_ORDER_MAX]; /* by host: of these parts it has ... */
    uint64_t same_before;                     /* ... all that lies before this */
    struct have theirs; /* seq: what it has or will have, as we sent it; durable: what it said itself */
    struct have passed; /* of our own, what is not for it, and so not lacking; seq: up to here; durable: how many that were */
    uint64_t others[HOSTS_IN_ORDER_MAX]; /* hosts whose streams others bring it */
    size_t n_others;
    bool planned; /* before that is known: all but ours */
    bool through; /* we speak through others, who bring it everything, too */
    struct held {
        struct have_row row;
        uint64_t pos, due_ms; /* pos 0: done with; due_ms 0: ours to bring, when what lies before it in its room is there */
    } held[HELD_MAX];         /* a ring, in the order of the journal */
    uint64_t held_first, held_next;
    uint64_t released; /* pos of the one that is sent now; 0: it was found */
    uint64_t gap;  /* the next gap in the store is not before this position */
    uint64_t live; /* segments with pos before this were there when it began */
    bool caught;   /* they are on their way, and the peer was told so */
    bool going, more; /* more: there may be something behind the cursor */
    uint64_t may[ROOMS_MAX / 64];   /* private rooms that it could have when we looked last, by slot */
    uint64_t knows[ROOMS_MAX / 64]; /* private rooms of which it said that it has something */
    uint64_t owed[ROOMS_MAX / 64];  /* private rooms of its own in which it lost words that we give back to it */
    uint64_t unheard;               /* of what waits for it to say so, the first that we came by */
};

struct feeds {
    struct history *h;
    const struct segment *seg; /* for who may have what */
    struct forks *forks;
    struct loop *loop;
    void (*leaf)(void *arg);
    void *arg;
    void (*on_said)(void *arg, uint64_t host, uint64_t entries);
    void *said_arg;
    uint64_t self; /* whose entries on_said() counts */
    const struct folds *folds; /* NULL: unknown */
    const struct identity *id; /* NULL: nothing is signed */
    uint32_t audiences; /* changes of private rooms' hosts that all feeds know of */
    struct loop_source listener, line;
    struct wire in;
    struct buffer out;
    struct feed feed[FEEDS_MAX];
    uint64_t stored; /* the durable position up to which all feeds were looked after */
    uint64_t news;   /* feeds_news() */
    uint64_t knocks; /* the last number given */
    struct echo echo[KNOCKS]; /* by number */
    uint8_t *in_buf;
};

/* ---- feed.c ---- */

/* feed_takes -- are streams of this host to go into the feed?  feed_says_itself -- is it the peer's present run, which nobody tells it?
 * feed_wants -- is this segment, or a gap in its shape, one that the peer lacks, may have and takes? */
bool feed_takes(const struct feed *f, uint64_t host);
bool feed_says_itself(const struct feed *f, uint64_t origin, uint64_t epoch);
bool feed_wants(const struct feed *f, const struct history_segment *s);

/* feed_can_send -- is there credit, and room on the line? */
bool feed_can_send(const struct feed *f);

/* feed_put -- the segment, as it travels.  Returns 0 or -errno. */
int feed_put(struct feed *f, const struct history_segment *s) MUST_USE;

/* ---- feed_line.c ---- */

/* feed_close -- there is no such feed any more; feeds_hang_up -- none at all: the link process starts over. */
void feed_close(struct feed *f);
void feeds_hang_up(struct feeds *fs);

/* feeds_flush -- what the line takes of `out`.  Returns 0, or -errno: the line is of no use any more. */
int feeds_flush(struct feeds *fs) MUST_USE;

/* ---- feed_has.c ---- */

/* feed_has_nothing -- make its tables, empty.  Returns 0 or -ENOMEM. */
int feed_has_nothing(struct feed *f) MUST_USE;

/* feed_has -- at least this much; said: by its own words.  Returns 0 or -ENOMEM. */
int feed_has(struct feed *f, const struct have_row *row, bool said) MUST_USE;

/* feed_on_have, feed_on_same -- a HAVE, a SAME came of it.  Returns 0 or -errno. */
int feed_on_have(struct feed *f, const uint8_t *frame) MUST_USE;
int feed_on_same(struct feed *f, const uint8_t *frame) MUST_USE;

/* feed_same -- has it all of this stream that lies before `same_before`?  Never of our present run, nor of a private room. */
bool feed_same(const struct feed *f, uint64_t origin, uint64_t epoch, uint64_t room);

/* feed_tell -- how many of our own entries it has, to feeds_on_said(): not before it told all of its vector. */
void feed_tell(const struct feed *f);

/* feed_pass_over -- what is not for this peer must not count among what it lacks; feed_not_passed -- that room is for it after all. */
void feed_pass_over(struct feed *f, const struct have_row *row);
void feed_not_passed(struct feed *f, uint64_t room);

/* ---- feed_rooms.c ---- */

/* feed_may_have -- is the room one whose words the peer may have? */
bool feed_may_have(const struct feed *f, uint64_t room);

/* feed_says_out -- is it of the owner's word up to the one that took the peer's last out of a private room? */
bool feed_says_out(const struct feed *f, const struct history_segment *s);

/* feed_waits -- would it be sent before the peer knows that we are in that room, too?  Then it is noted.  The owner's host
 * said so itself; and of what it says now it has nothing to tell but that.  But if it lost what it said, it gets that first.
 * feed_owe -- this is so in that room. */
bool feed_waits(struct feed *f, const struct history_segment *s);
void feed_owe(struct feed *f, uint64_t room);

/* feed_heard_of -- it has said that it has this.  Of a private room it says so only to who is in it, too, as far as it knows: now it
 * takes what waited for that. */
void feed_heard_of(struct feed *f, const struct have_row *row);

/* feed_see_rooms -- note which private rooms the peer may have, when a feed begins; feeds_see_rooms -- hosts may have come to some
 * since, or gone: feed them what was passed over. */
void feed_see_rooms(struct feed *f);
void feeds_see_rooms(struct feeds *fs);

/* ---- feed_held.c ---- */

/* feed_set_others -- and those who were to bring what is held may be others now: perhaps we. */
void feed_set_others(struct feed *f, const struct feed_order *o);

/* feed_hold -- keep it back: because others bring it, so that a message crosses a link once, also where there are loops; or
 * because it lies behind such a one in its room, and must not come before it.  Nobody is relied on: what has not come in
 * time is sent after all.  What was there before the link is sent by whoever the peer told what it has: one after the other
 * (link/core.h).  The ring must not be full. */
bool feed_hold(struct feed *f, const struct history_segment *s);

/* feed_release -- those that came from elsewhere are done with; those whose turn it is, or that did not come in time, are sent. */
void feed_release(struct feed *f);

/* ---- feed_gaps.c ---- */

/* feed_gaps_before -- those in the store that lie before this position, in their place among the segments.  Returns false when there
 * is no credit for all of them. */
bool feed_gaps_before(struct feed *f, uint64_t pos);

/* ---- feed_forks.c ---- */

/* feed_proof -- to this feed (struct feed *), if it may hear of that fork. */
void feed_proof(void *feed, const uint8_t *proof);

/* feeds_on_chain -- heads from a peer (NULL: that is gone), or of ours for it.  What is proven everybody hears, with what we have
 * before it.  Returns 0 or -errno. */
int feeds_on_chain(struct feeds *fs, struct feed *from, const uint8_t *chain) MUST_USE;

/* feeds_chain_early -- is it a CHAIN that may contradict what was taken and is not stored yet?  The next turn begins when more is. */
bool feeds_chain_early(const struct feeds *fs, const uint8_t *frame);

#endif
