/* feed_forks.c -- proofs that a stream forks, and the heads that make a smaller proof. */
#include "keep/feeds.h"

#include "base/log.h"
#include "base/mutant.h"

#include <errno.h>
#include <string.h>

/* chain_out -- into a feed, or to the link process itself (0). */
static void chain_out(struct feeds *fs, uint64_t feed, const uint8_t *chain)
{
    uint8_t frame[FRAME_MAX];
    memcpy(frame, chain, frame_stride(chain));
    frame_set_client(frame, feed);
    if (buffer_add(&fs->out, frame, frame_stride(frame)) < 0)
        log_error("out of memory");
}

/* may_hear -- of this fork?  Of a room that is not known here, for nothing lies before the fork, whoever says himself that he
 * has something of it. */
static bool may_hear(const struct feed *f, const uint8_t *proof)
{
    const struct have_entry *e = have_find(&f->theirs, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    bool known = roster_room(&f->all->seg->roster, frame_room(proof)) != 0;
    return feed_takes(f, frame_origin(proof)) && (known ? feed_may_have(f, frame_room(proof)) : e && e->durable > 0);
}

void feed_proof(void *arg, const uint8_t *proof)
{
    struct feed *f = arg;
    if (may_hear(f, proof) && !MUTANT(FORK_NOT_TOLD))
        chain_out(f->all, f->number, proof);
}

static void ladder_out(struct feed *f, const uint8_t *about)
{
    uint8_t ladder[FRAME_MAX];
    if (!feed_may_have(f, frame_room(about)))
        return;
    int r = forks_ladder(f->all->forks, frame_origin(about), frame_epoch(about), frame_room(about), ladder);
    if (r > 0)
        chain_out(f->all, f->number, ladder);
    else if (r < 0)
        log_error("the store cannot be read for a link: %s", strerror(-r));
}

int feeds_on_chain(struct feeds *fs, struct feed *from, const uint8_t *chain)
{
    uint8_t proof[FRAME_MAX];
    if (frame_body_len(chain) == 0) {
        if (from)
            ladder_out(from, chain);
        return 0;
    }
    int r = forks_learn(fs->forks, chain, proof);
    if (r <= 0)
        return r;
    chain_out(fs, 0, proof);
    for (size_t i = 0; i < FEEDS_MAX; i++) {
        struct feed *f = &fs->feed[i];
        if (!f->going || !feed_takes(f, frame_origin(proof)))
            continue;
        feed_proof(f, proof);
        ladder_out(f, proof);
    }
    return 0;
}

bool feeds_chain_early(const struct feeds *fs, const uint8_t *frame)
{
    uint64_t stored, ring;
    history_durable(fs->h, &stored, &ring);
    return frame_type(frame) == FRAME_CHAIN && frame_pos(frame) > stored;
}
