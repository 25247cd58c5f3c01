/* instance.h -- where a relay's things are: everything derives from the instance's name.
 *
 * An instance belongs to the system (run by root or a user of its own, serving every user of the host) or
 * to one user.  Runtime directory (may vanish at reboot): lock, generation, fifo/.  State directory (kept):
 * lock, history.db, identity.key, peers, tls-*.pem.
 *
 *                   runtime directory                                state directory
 *   system          /run/relay/NAME                                  /var/lib/relay/NAME
 *   user            $XDG_RUNTIME_DIR/relay/NAME, else                $XDG_STATE_HOME/relay/NAME, else
 *                   /run/user/UID/relay/NAME, else                   ~/.local/state/relay/NAME
 *                   /tmp/relay-UID/NAME
 *
 * Of a user's runtime directories it is the one in which a relay of that name runs, if one does: who logs in finds the relay that was started
 * without a login, and the other way round.
 *
 * RELAY_RUNTIME_DIR and RELAY_STATE_DIR, when set, replace everything before "/NAME" (tests, containers). */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include "base/base.h"

#include <sys/types.h>

enum { INSTANCE_NAME_MAX = 32, INSTANCE_PATH_MAX = 512, OBJECT_NAME_MAX = 64, INSTANCE_QUEUES_MAX = 8 };
#define INSTANCE_DEFAULT "default"

struct instance {
    char name[INSTANCE_NAME_MAX + 1];
    bool system;
    char runtime[INSTANCE_PATH_MAX], state[INSTANCE_PATH_MAX], fifo[INSTANCE_PATH_MAX];
};

/* instance_system, instance_user -- fill in the paths; nothing is made.
 * Returns  0; -EINVAL when the name is not 1..32 of [a-z0-9_-] or a path is too long */
int instance_system(struct instance *i, const char *name) MUST_USE;
int instance_user(struct instance *i, const char *name) MUST_USE;

/* instance_pin -- for this process and those that it starts it stays where it is, whatever directories come and go: sets
 * RELAY_RUNTIME_DIR and RELAY_STATE_DIR.  Returns 0 or -ENOMEM */
int instance_pin(const struct instance *i) MUST_USE;

/* instance_make -- make runtime, state and their parents where missing (state 0700; runtime 0755 for the
 * system, 0700 for a user) and check that they are ours and not writable by others.
 * Returns  0, or -errno and one sentence that names the directory and what to do */
int instance_make(const struct instance *i, char *why, size_t why_size) MUST_USE;

/* instance_give -- by root, before a relay becomes another user: make both directories as above, his.  What a
 * relay that ran as root left in them becomes his, too, and its objects are removed; so no relay may run.
 * Nothing is touched in a directory that is not root's own.
 * Returns  0, or -errno and a sentence as above */
int instance_give(const struct instance *i, uid_t uid, gid_t gid, char *why, size_t why_size) MUST_USE;

/* What a running relay tells its clients, and the next start about what there is to remove: the file
 * `generation` in the runtime directory, "key value" lines, replaced atomically. */
struct generation {
    uint64_t number;
    pid_t pid; /* the supervisor */
    char shm[OBJECT_NAME_MAX];
    int lock_id; /* -1: none */
    unsigned n_queues;
    char queue[INSTANCE_QUEUES_MAX][OBJECT_NAME_MAX];
    bool ready; /* clients may say hello */
    bool system; /* serves all users */
    uid_t owner; /* of the file, filled by generation_read: the relay's user */
};

/* generation_write -- mode 0644.  generation_read -- -ENOENT when there is none; -EBADMSG when it is not one;
 * -EPERM when file and directory have different owners. */
int generation_write(const struct instance *i, const struct generation *g) MUST_USE;
int generation_read(const struct instance *i, struct generation *g) MUST_USE;

/* generation_alive -- does a relay hold the instance's lock file now? */
bool generation_alive(const struct instance *i);

/* instance_lock -- hold the instance (flock on RUNTIME/lock) until the descriptor is closed.
 * Returns  the descriptor (close-on-exec); -EWOULDBLOCK when another relay has it; -errno */
int instance_lock(const struct instance *i) MUST_USE;

/* instance_lock_state -- the same for STATE/lock: one store, one relay, wherever they run.  A keeper whose supervisor was killed still has
 * it for a moment: wait for that so long at most.
 * holder   on -EWOULDBLOCK the runtime directory of the relay that has it; "" when that is none that runs */
int instance_lock_state(const struct instance *i, unsigned patience_ms, char holder[INSTANCE_PATH_MAX]) MUST_USE;

/* generation_drop -- remove every object the record names, if it is ours; then it may be overwritten. */
void generation_drop(const struct generation *g);

#endif
