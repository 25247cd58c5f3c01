/* answer_inside.h -- what the parts of an answer share: answer.c the stream, past.c what was said, present.c what is so now. */
#ifndef KEEP_ANSWER_INSIDE_H
#define KEEP_ANSWER_INSIDE_H

#include "keep/answer.h"
#include "keep/asker.h"
#include "keep/page.h"
#include "keep/trace.h"

enum { ANSWER_PIECE = 256 * 1024 /* of a long answer in memory at a time */ };

struct answer {
    struct loop_source src;
    struct answers *all;
    struct answer *next;
    struct query q;
    uint64_t room, client;
    uint32_t client_seq;
    struct asker who;
    bool inbox;        /* the room is his inbox: all his conversations */
    struct buffer out; /* to be written */
    uint32_t count;    /* frames put into it so far */
    uint8_t more;      /* for its END */
    bool whole, no_room;
    int error;         /* while a piece is made: -errno of the first thing that went wrong */
    struct page page;  /* what is gathered for this piece */
    uint64_t batch;    /* QUERY_CATCHUP: commits before this are in ... */
    uint64_t done;     /* ... and those up to this were before this piece */
    size_t sorted;     /* QUERY_SINCE: how much of the page there was when it was sorted last */
    unsigned segments; /* QUERY_SAID: looked through */
    struct trace trace; /* QUERY_TRACE */
    struct probe probe; /* QUERY_PROBE */
};

struct answers {
    struct state *st;
    struct history *h;
    struct feeds *feeds;
    const struct folds *folds;
    const struct forks *forks;
    struct loop *loop;
    int rendezvous;
    struct answer *first;
};

/* ---- answer.c ---- */

/* answer_put -- a frame goes out; n <= 0: it could not be made, and does not.  Sets w->error when there is no memory. */
void answer_put(struct answer *w, const uint8_t *frame, int n);

/* answer_sees -- may the asker know of that room?  Not in a section. */
bool answer_sees(const struct answer *w, uint64_t room);

/* ---- past.c, present.c: one for each kind of QUERY ---- */

/* Each makes the next piece, and sets w->whole when that is the last.  Returns 0 or -errno of the store; what went wrong in a
 * callback is in w->error. */
int past_catchup(struct answer *w) MUST_USE;
int past_newest(struct answer *w) MUST_USE;
int past_since(struct answer *w) MUST_USE;
int past_said(struct answer *w) MUST_USE;
int present_rooms(struct answer *w) MUST_USE;
int present_facts(struct answer *w) MUST_USE;
int present_who(struct answer *w) MUST_USE;

#endif
