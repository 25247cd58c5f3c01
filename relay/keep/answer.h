/* answer.h -- answers to queries, streamed into the asker's FIFO as fast as it reads and no faster. */
#ifndef KEEP_ANSWER_H
#define KEEP_ANSWER_H

#include "keep/feed.h"
#include "keep/fold.h"
#include "loop/loop.h"
#include "state/state.h"
#include "store/history.h"

/* What is open at once; the relay's own user may have all of it, another ANSWERS_PER_USER of each.  Who comes too often
 * gets an END that says so. */
enum {
    ANSWERS_MAX = 256, /* that are being sent */
    WAITS_MAX = 512,   /* that wait for other hosts */
    ANSWERS_PER_USER = 32,
};

struct answers;

/* answers_open -- returns 0 or -ENOMEM. */
int answers_open(struct answers **a, struct state *st, struct history *h, struct feeds *fs, const struct folds *folds,
                 const struct forks *forks, struct loop *loop, int rendezvous) MUST_USE;
void answers_close(struct answers *a);

/* answers_begin -- a QUERY frame from the journal: check its FIFO (it must belong to the user of the session) and
 * begin.  What is wrong ends the answer, nothing else.  Of rooms that the user may not know of (state/scope.h) he gets nothing;
 * QUERY_CATCHUP of his inbox gives what was said in all his conversations. */
void answers_begin(struct answers *a, const uint8_t *frame);

/* answers_go_on -- those that wait for other hosts: feeds_news() has moved. */
void answers_go_on(struct answers *a);

#endif
