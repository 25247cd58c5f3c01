/* answer.h -- answers to queries, streamed into the asker's FIFO as fast as it reads and no faster. */
#ifndef KEEP_ANSWER_H
#define KEEP_ANSWER_H

#include "keep/forks.h"
#include "loop/loop.h"
#include "state/state.h"
#include "store/history.h"

struct answers;

/* answers_open -- returns 0 or -ENOMEM. */
int answers_open(struct answers **a, struct state *st, struct history *h, const struct forks *forks, struct loop *loop,
                 int rendezvous) MUST_USE;
void answers_close(struct answers *a);

/* answers_begin -- a QUERY frame from the journal: check its FIFO (it must belong to the user of the session) and
 * begin.  What is wrong ends the answer, nothing else. */
void answers_begin(struct answers *a, const uint8_t *frame);

#endif
