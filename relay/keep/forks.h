/* forks.h -- the proofs that this host knows of origins that contradicted themselves, and where: kept in the store.
 *
 * Of a stream with a proof nobody on this host is shown anything from the point on, and no peer gets it.  Every host
 * tells its peers the smallest point that it can prove, so all come to the same one.  A proof names two heads; the one
 * that begins at the point says by its `prev` what lies before, so who adopts it holds his own segments against both,
 * and finds a smaller point when he has something else there.  A ladder (the own heads before the point at distances
 * 1, 2, 4, ...) makes that a search by halves. */
#ifndef KEEP_FORKS_H
#define KEEP_FORKS_H

#include "store/history.h"

struct forks;

/* forks_open -- all that are in the store.  Returns 0 or -errno. */
int forks_open(struct forks **out, struct history *h) MUST_USE;
void forks_close(struct forks *fs);

/* forks_point -- the first number of a stream that must not be shown or passed on; UINT64_MAX: there is none. */
uint64_t forks_point(const struct forks *fs, uint64_t origin, uint64_t epoch, uint64_t room);

/* forks_hides -- does this entry lie at or behind such a point? */
bool forks_hides(const struct forks *fs, const uint8_t *entry);

/* forks_on_point -- call `moved` whenever a stream of a room has a new point, which is known here by then. */
void forks_on_point(struct forks *fs, void (*moved)(void *arg, uint64_t room), void *arg);

/* forks_learn -- heads that came in a CHAIN, their signatures good: do they, what is stored and what is proven already
 * prove a fork, at a smaller point than is known?  Then it is stored.
 *
 * proof    FRAME_MAX bytes: a CHAIN of the two heads; header: seq = the point
 * Returns  1 a new proof, even when the disk has no room for it now; 0; -errno */
int forks_learn(struct forks *fs, const uint8_t *chain, uint8_t *proof) MUST_USE;

/* forks_retry -- store what there was no room for.
 * forks_wait -- is there any?  Then it is to be tried again now and then, also when nothing else is stored. */
void forks_retry(struct forks *fs);
bool forks_wait(const struct forks *fs);

/* forks_ladder -- a CHAIN of own heads of this stream before the point.  Returns its stride; 0: there are none; -errno. */
int forks_ladder(struct forks *fs, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *frame) MUST_USE;

/* forks_each -- every proof, those for which the disk has no room yet last. */
int forks_each(struct forks *fs, void (*each)(void *arg, const uint8_t *proof), void *arg) MUST_USE;

#endif
