/* disk_forks.c -- proofs that a host said two things; they come beside the commits. */
#include "disk_inside.h"

#include <errno.h>
#include <stdlib.h>

static struct proof *find_fork(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    for (uint32_t i = 0; i < h->n_forks; i++) {
        const uint8_t *f = h->fork[i].frame;
        if (frame_origin(f) == origin && frame_epoch(f) == epoch && frame_room(f) == room)
            return &h->fork[i];
    }
    return NULL;
}

uint64_t disk_fork(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room)
{
    const struct proof *p = find_fork(h, origin, epoch, room);
    return p ? frame_seq(p->frame) : UINT64_MAX;
}

int history_fork(struct history *h, const uint8_t *proof)
{
    const struct node *origin = node_by_id(frame_origin(proof));
    struct proof *p = find_fork(h, frame_origin(proof), frame_epoch(proof), frame_room(proof));
    if (!origin || !origin->evil || !w.stats.forks)
        broken("I4: %s finds that %s contradicts itself, which never did", node_name(h->node->id), node_name(frame_origin(proof)));
    if (p && frame_seq(proof) >= frame_seq(p->frame))
        broken("I4: %s learns again what it has a proof of", node_name(h->node->id));
    if (h->full || (h->tight && one_in(2)))
        return -ENOSPC;
    if (!p) {
        h->fork = realloc(h->fork, (h->n_forks + 1) * sizeof *h->fork);
        ASSERT(h->fork);
        p = &h->fork[h->n_forks++];
    }
    ASSERT(frame_stride(proof) == sizeof p->frame);
    memcpy(p->frame, proof, sizeof p->frame);
    trace("has a proof that %s/%04llx/%04llx forks at %llu", node_name(origin->id), (unsigned long long)(frame_epoch(proof) & 0xffff),
          (unsigned long long)(frame_room(proof) & 0xffff), (unsigned long long)frame_seq(proof));
    w.stats.proofs++;
    return 0;
}

int history_fork_of(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *proof)
{
    const struct proof *p = find_fork(h, origin, epoch, room);
    if (p)
        memcpy(proof, p->frame, sizeof p->frame);
    return p != NULL;
}

int history_forks(struct history *h, void (*each)(void *arg, const uint8_t *proof), void *arg)
{
    for (uint32_t i = 0; i < h->n_forks; i++)
        each(arg, h->fork[i].frame);
    return 0;
}
