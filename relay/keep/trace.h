/* trace.h -- which hosts have an entry on disk: asked once, or until enough of them have it. */
#ifndef KEEP_TRACE_H
#define KEEP_TRACE_H

#include "keep/feed.h"
#include "state/state.h"
#include "store/history.h"

enum { TRACE_HOSTS_MAX = LINKS_MAX + 1 };

/* Zeroed but for entry and wanted: nothing was told yet. */
struct trace {
    struct have_row entry;
    uint32_t wanted; /* so many other hosts, or all there are when they are fewer */
    uint32_t n_told;
    struct trace_told {
        uint64_t host;
        uint8_t state;
    } told[TRACE_HOSTS_MAX];
};

/* trace_look -- call `row` with a TRACE frame for this host and each other one that it knows, but not again for one whose
 * state is as it was told.  A host that had it has it: what becomes of its link makes that no less true.  But what a peer says
 * counts only while the entry is here: of a part that was deleted it was told the same as of what it has.
 *
 * Returns  1 it is on disk here and on as many others as wanted; 0 not yet; -errno of the store */
int trace_look(struct trace *t, const struct segment *seg, struct history *h, const struct feeds *fs,
               void (*row)(void *arg, const uint8_t *frame), void *arg) MUST_USE;

/* Zeroed: it came just now. */
struct probe {
    uint64_t kept_us, knock;
};

/* probe_look -- send it on the first time, then see whether it is back.  Returns true when hops is filled. */
bool probe_look(struct probe *p, const struct query *q, struct feeds *fs, struct hops *hops) MUST_USE;

#endif
