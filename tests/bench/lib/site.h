/* site.h -- a relay of the benchmark's own, and what its processes cost. */
#ifndef BENCH_SITE_H
#define BENCH_SITE_H

#include "instance/instance.h"
#include "state/state.h"

struct site {
    struct instance inst;
    char conf[INSTANCE_PATH_MAX]; /* file with settings; "": none */
    pid_t pid[PROCS_MAX + 1];     /* the supervisor and its children */
    unsigned n_pids;
};

/* site_start -- start a relay of this build under an instance name; returns when clients may
 * come. */
void site_start(struct site *s, const char *name);

/* site_start_with -- with these lines of relay.conf, which are kept in `dir`. */
void site_start_with(struct site *s, const char *name, const char *dir, const char *settings);

/* site_command -- `relay COMMAND` for this instance. Returns its exit status. */
int site_command(const char *name, const char *command);

/* site_fill -- a store with so many messages in ten rooms, for an instance that is not running yet. */
void site_fill(const char *name, const char *messages);

/* site_link -- `a`, which listens, invites `b`; returns when there is a link. through: where b finds a, if not where it
 * listens ("127.0.0.1:PORT", or NULL). site_address -- where it listens.  site_linked -- has it a link now?
 * site_process -- the pid of its process PROC_LINK ... */
void site_link(struct site *a, struct site *b, const char *through);
void site_address(const struct site *s, char *to, size_t size);
bool site_linked(const struct site *s);
pid_t site_process(const struct site *s, unsigned which);

/* site_stop -- stop it and remove its store. Fails when one of its processes was replaced
 * meanwhile: then nothing that was measured is worth anything. */
void site_stop(struct site *s);

/* site_stop_all -- what is left of relays below `dir`, by whatever means.
 * Returns  0, or -errno when something could not be stopped */
int site_stop_all(const char *dir) MUST_USE;

/* site_cpu_ns -- user and system time that its processes used so far.
 * site_heap -- memory of its processes that is no file's and nobody else's (RssAnon), but for those of keeper and search, which have
 * caches of the database: site_caching. site_shared -- what its shared memory takes.
 * site_pss -- their share of memory in bytes (Pss: what several map counts in parts); -EACCES
 * without the right to look: a relay's processes are not dumpable, so only root may. */
uint64_t site_cpu_ns(const struct site *s);
int64_t site_heap(const struct site *s);
int64_t site_caching(const struct site *s);
int64_t site_shared(const struct site *s);
int64_t site_pss(const struct site *s) MUST_USE;

/* cpu_ns -- of one process. */
uint64_t cpu_ns(pid_t pid);

#endif
