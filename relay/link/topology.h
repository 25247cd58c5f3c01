/* topology.h -- who is linked with whom, as every host says of itself: soft state, flooded like presence; no I/O.
 *
 * A row is a host's list of its links; the host alone changes it and gives it its next version; the larger (epoch, version)
 * counts, epoch being the run of its link process.  Two hosts are linked when each says so of the other: so the row of a
 * host that is gone does no harm once its neighbours saw that it is. */
#ifndef LINK_TOPOLOGY_H
#define LINK_TOPOLOGY_H

#include "frame/body.h"

enum { TOPOLOGY_HOSTS_MAX = 256 };

struct topology_row {
    uint64_t host, epoch, version;
    uint64_t from;  /* the peer who told us; ourselves for our own */
    uint64_t stamp; /* when it changed last, in changes of the table */
    uint64_t link[LINKS_ROW_MAX];
    size_t n;
};

struct topology {
    uint64_t clock; /* counts the changes */
    struct topology_row row[TOPOLOGY_HOSTS_MAX]; /* [0]: ourselves */
    size_t n;
};

void topology_init(struct topology *t, uint64_t self);

/* topology_set -- these are our links now.  epoch: larger than that of any run of this host before. */
void topology_set(struct topology *t, uint64_t epoch, const uint64_t *link, size_t n);

/* topology_heard -- a LINKS frame from peer `from`.  Returns 0 or -EBADMSG */
int topology_heard(struct topology *t, uint64_t from, const uint8_t *frame) MUST_USE;

/* topology_next -- the next frame for the peer `to`; *told: what it was told, 0 when it comes up.
 * Returns  its stride, 0: nothing */
int topology_next(struct topology *t, uint64_t *told, uint64_t to, uint8_t *frame);

/* topology_toward -- the first host on a shortest way from here to `host`; 0: there is none. */
uint64_t topology_toward(const struct topology *t, uint64_t host);

#endif
