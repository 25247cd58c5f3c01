/* shard.h -- the clients of one worker: their FIFOs, and the delivery of the journal into them.
 *
 * A client that keeps up has no cursor of its own: it has everything up to the shard's.  One whose FIFO is full
 * has a cursor (and the number of bytes of the frame there that are already out) and costs nothing until its FIFO
 * has room.  One that the ring overtakes loses its FIFO: its client says hello again and fetches the rest from the
 * store, as after a crash. */
#ifndef SHARD_SHARD_H
#define SHARD_SHARD_H

#include "frame/body.h"
#include "loop/loop.h"
#include "state/state.h"

struct shard;

/* shard_open -- `lost` is called (outside any section) when a client's FIFO is gone.
 * Returns  0 or -ENOMEM */
int shard_open(struct shard **sh, struct state *st, struct loop *loop, void (*lost)(void *arg, uint32_t session),
               void *arg) MUST_USE;
void shard_close(struct shard *sh);

/* shard_add -- a client of session slot `session` reads `fd` (owned from now on); its first frames, `hello`, are
 * written at once.  A client that was there under the same slot is closed without a word.
 * Returns  0; -EPIPE it is gone already; -ENOMEM */
int shard_add(struct shard *sh, uint32_t session, int fd, const uint8_t secret[SECRET_LEN], const uint8_t *hello,
              size_t len) MUST_USE;

/* shard_knows -- does the client of this slot have this secret?  In constant time. */
bool shard_knows(const struct shard *sh, uint32_t session, const uint8_t secret[SECRET_LEN]);

/* shard_serves -- is there a client of this slot? */
bool shard_serves(const struct shard *sh, uint32_t session);

/* shard_join, shard_leave -- what the room of that slot hears, the client gets.  An inbox hears all conversations of its
 * owner. */
int shard_join(struct shard *sh, uint32_t session, uint32_t room) MUST_USE;
void shard_leave(struct shard *sh, uint32_t session, uint32_t room);

/* shard_drop -- close its FIFO; `lost` is not called. */
void shard_drop(struct shard *sh, uint32_t session);

/* shard_deliver -- what is new in the journal, up to a pipeful for each, to whom it concerns.
 * Returns  true when there is more to do at once */
bool shard_deliver(struct shard *sh);

/* shard_writes -- into how many FIFOs what was delivered last was written. */
uint32_t shard_writes(const struct shard *sh);

/* shard_expect_ack -- the session had something taken: acknowledge it once it is durable. */
int shard_expect_ack(struct shard *sh, uint32_t session) MUST_USE;

/* shard_acknowledge -- tell the clients that wait for it how far the store has come. */
void shard_acknowledge(struct shard *sh);

/* shard_cursor -- delivered up to here; shard_idle -- nothing new since. */
uint64_t shard_cursor(const struct shard *sh);

#endif
