/* topology.h -- who is linked with whom, as every host says of itself: soft state, flooded like presence; no I/O.
 *
 * A row is a host's list of its links; the host alone changes it and gives it its next version; the larger (epoch, version)
 * counts, epoch being the run of its link process.  Two hosts are linked when each says so of the other: so the row of a
 * host that is gone does no harm once its neighbours saw that it is. */
#ifndef LINK_TOPOLOGY_H
#define LINK_TOPOLOGY_H

#include "frame/body.h"

enum { TOPOLOGY_HOSTS_MAX = HOSTS_MAX };

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
    uint16_t by_host[4 * TOPOLOGY_HOSTS_MAX]; /* hash table of row numbers + 1 */
    struct {
        uint64_t stamp;
        uint16_t row;
    } news[2 * TOPOLOGY_HOSTS_MAX]; /* by stamp; those that a row does not bear any more count for nothing */
    size_t n_news;
};

void topology_init(struct topology *t, uint64_t self);

/* topology_set -- these are our links now.  epoch: larger than that of any run of this host before. */
void topology_set(struct topology *t, uint64_t epoch, const uint64_t *link, size_t n);

/* topology_heard -- a LINKS frame from peer `from`.  Returns 0 or -EBADMSG */
int topology_heard(struct topology *t, uint64_t from, const uint8_t *frame) MUST_USE;

/* topology_row -- what a host says, NULL: nothing yet. */
const struct topology_row *topology_row(const struct topology *t, uint64_t host);

/* topology_says -- does this row name that host? */
bool topology_says(const struct topology_row *r, uint64_t host);

/* topology_next -- the next frame for the peer `to`; *told: what it was told, 0 when it comes up.
 * Returns  its stride, 0: nothing */
int topology_next(struct topology *t, uint64_t *told, uint64_t to, uint8_t *frame);

/* topology_others -- whose streams do others bring to these peers?  Each host's words spread along a tree of shortest ways
 * from it, of several ways to a host the one by the neighbour with the smallest number: every host that has the same table
 * makes out the same trees, so that everything crosses a link once.  The words of a host to whom there is no way are
 * brought to each by its neighbour with the smallest number.
 *
 * origin, n_origins  whose streams there are
 * others             [peer][origin / 64]: the bit is set when it is not we who bring it */
enum { TOPOLOGY_WORDS = (TOPOLOGY_HOSTS_MAX + 63) / 64 };
void topology_others(const struct topology *t, const uint64_t *peer, size_t n_peers, const uint64_t *origin, size_t n_origins,
                     uint64_t others[][TOPOLOGY_WORDS]);

/* topology_toward -- the first host on a shortest way from here to `host`; 0: there is none. */
uint64_t topology_toward(const struct topology *t, uint64_t host);

#endif
