/* contest.h -- our relay, the floors and the peers that are installed do the same work in turn. Each is in processes of its
 * own: a peer that fails is named and left out. */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include "bench.h"
#include "crew.h"

enum { CONTESTANTS_MAX = 8 };

/* p50, p99, p99.9 in ns. */
enum { QUANTILES = 3 };
struct quantiles {
    double ns[QUANTILES];
};

/* What one order cost one of them. The quantiles are from send to shown: of every delivery, and of the last one of each
 * message. */
struct score {
    struct result result;
    struct tally tally;
    struct quantiles any, last;
};

struct contestant {
    const char *name;
    const struct peer_kind *kind; /* NULL: it is ours, or the FIFO floor */
    const char *settings;         /* of ours: lines of relay.conf, or NULL */
    struct contest *contest;
    struct hand hand;
    struct score *score; /* shared memory */
    double rate;         /* messages a second, as far as known */
    bool ours, out;      /* ours must not fail */
};

struct contest {
    const struct bench *bench;
    const char *name; /* of our relay's instance */
    struct shape shape;
    struct contestant list[CONTESTANTS_MAX]; /* ours is the first */
    unsigned n;
};

/* contest_start -- with all members at each of them. With a process per reader there are no peers. contest_end. */
void contest_start(struct contest *c, const struct bench *b, const char *name, struct shape shape);
void contest_end(struct contest *c);

/* contest_start_relays -- between n of ours with these settings. */
struct entry {
    const char *name, *settings;
};
void contest_start_relays(struct contest *c, const struct bench *b, const char *name, struct shape shape, const struct entry *e,
                          unsigned n);

/* contest_start_linked -- between peers of which two can be linked over TLS; one reader, at the other server. */
void contest_start_linked(struct contest *c, const struct bench *b);

/* contest_run -- let one do this. contest_burst -- as fast as it goes, for about as long as it takes to measure it.
 * Returns  false when it was left out */
bool contest_run(struct contestant *c, struct order o, struct score *s) MUST_USE;
bool contest_burst(struct contestant *c, struct score *s) MUST_USE;

#endif
