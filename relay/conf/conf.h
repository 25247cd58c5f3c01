/* conf.h -- relay.conf: every setting has a default, and none is needed to begin. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/base.h"

struct conf {
    char name[65];        /* of this host; default: the system's host name, up to the first dot */
    char user[33];        /* whom a system relay started by root becomes; default: relay, if there is such a user */
    char group[64];       /* who may chat (system relay): members of this group; empty: every user */
    unsigned workers;     /* 1..8; default: one for two cores, at most 4 */
    unsigned sessions;    /* 16..100000 */
    unsigned sessions_per_user; /* of users other than the relay's own; 0: no limit */
    uint64_t journal;     /* bytes, a power of two >= 1 MiB; default 16 MiB */
    uint64_t keep_days;   /* messages older than this are deleted; 0: none are */
    uint64_t keep_bytes;  /* when the store is larger than this, the oldest are deleted; 0: none are */
    char listen[128];     /* ADDRESS:PORT for other hosts' relays; empty: none can dial this one */
    char address[128];    /* HOST:PORT that they dial; empty: as listen says */
    char log[8];          /* error, warn, info, debug */
};

/* conf_load -- defaults, then what `path` says.
 *
 * path      NULL or a file that does not exist: the defaults, unless `must` (somebody named it)
 * why       on failure, one sentence with file and line
 * Returns   0; -ENOENT; -EINVAL */
int conf_load(struct conf *c, const char *path, bool must, char *why, size_t why_size) MUST_USE;

#endif
