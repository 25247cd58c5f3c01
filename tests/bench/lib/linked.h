/* linked.h -- two servers of a kind of peer, linked over TLS the way their manuals say. */
#ifndef BENCH_LINKED_H
#define BENCH_LINKED_H

#include "peer.h"

enum { LINKED_CONF_MAX = 4096 };

struct linked {
    struct peer near, far; /* of who speaks, of who hears */
    struct peer_kind near_kind, far_kind;
    char near_conf[LINKED_CONF_MAX], far_conf[LINKED_CONF_MAX];
};

/* linked_can -- do we know how?  NATS and InspIRCd. */
bool linked_can(const struct peer_kind *kind);

/* linked_start -- in this directory; whether there is a link is seen by who joins
 * (peer_reach()). linked_stop -- both. */
void linked_start(struct linked *l, const struct peer_kind *kind, const char *dir);
void linked_stop(struct linked *l);

#endif
