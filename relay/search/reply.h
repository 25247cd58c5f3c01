/* reply.h -- answers to searches, written into the askers' FIFOs as fast as they read. */
#ifndef SEARCH_REPLY_H
#define SEARCH_REPLY_H

#include "loop/loop.h"
#include "search/find.h"

enum { REPLIES_MAX = 64, REPLIES_PER_USER = 8 /* of users other than the relay's own */ };

struct replies;

/* replies_open -- rendezvous: the directory of the FIFOs.  Returns 0 or -ENOMEM */
int replies_open(struct replies **rs, struct loop *loop, int rendezvous) MUST_USE;
void replies_close(struct replies *rs);

/* reply_to -- a QUERY_SEARCH: check its FIFO (it must belong to the user who asks), search, and begin to write.  What is wrong
 * ends the answer, nothing else; to whom asks too much at once it is said. */
void reply_to(struct replies *rs, const struct finder *f, const uint8_t *frame);

#endif
