/* keeper_line.h -- the link process's end of the keeper's feed (keep/feed.h). */
#ifndef NET_KEEPER_LINE_H
#define NET_KEEPER_LINE_H

#include "base/buffer.h"
#include "link/core.h"
#include "link/wire.h"
#include "loop/loop.h"
#include "state/state.h"

struct keeper_line {
    struct loop_source src;
    struct loop *loop;
    struct wire in;
    struct buffer out;
    uint8_t *buf;
    void (*on_fed)(void *arg, uint8_t *frame, const uint8_t *frames, size_t len);
    void (*on_knock)(void *arg, const uint8_t *knock); /* a KNOCK for one of the peers; NULL: ignored */
    void *arg;
    bool over, leaf; /* leaf: the certificate is in force */
};

/* keeper_line_open -- connect, see that there is a certificate, and fill the core's table with every stream: as the
 * store has it, and as it goes on in the journal.  Waits for the keeper, some seconds at most.
 *
 * on_fed   called for every SEGMENT with its frames, every GAP, CHAIN and CAUGHT, every PRESENCE and BEAT that is signed; may change
 *          the frame
 * Returns  0 or -errno: start over */
int keeper_line_open(struct keeper_line *k, struct loop *loop, const char *runtime, struct state *st,
                     struct link_core *core, void (*on_fed)(void *arg, uint8_t *frame, const uint8_t *frames, size_t len),
                     void *arg) MUST_USE;

/* keeper_line_say -- orders; they go out with keeper_line_flush() at the latest. */
void keeper_line_say(struct keeper_line *k, const uint8_t *frames, size_t len);
void keeper_line_credit(struct keeper_line *k, uint64_t feed, uint32_t bytes);

/* keeper_line_waits -- bytes of orders that the keeper has not read yet. */
size_t keeper_line_waits(const struct keeper_line *k);

/* keeper_line_flush -- returns false when the keeper is gone. */
bool keeper_line_flush(struct keeper_line *k);

#endif
