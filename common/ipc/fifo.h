/* fifo.h -- named pipes from the relay to a client, and the proof of who reads them.
 *
 * The client makes a FIFO with an unguessable name in the relay's rendezvous directory (mode 3733:
 * sticky, not listable, of the relay's group); the relay checks its owner, which cannot be forged,
 * opens it and removes the name.  From then on both have a pipe without a name that no crash can leak.
 * The checks, and the attacks they answer: docs/MEMORY.md, "Who is talking". */
#ifndef IPC_FIFO_H
#define IPC_FIFO_H

#include "base/base.h"

#include <sys/types.h>

/* fifo_rendezvous -- make (or check and mend) the rendezvous directory `path`.
 *
 * shared   true: mode 3733, for all users of the host; false: mode 0700, for this user only
 * Returns  a descriptor of the directory (O_PATH is not enough: it is listed for sweeping), or -errno */
int fifo_rendezvous(const char *path, bool shared) MUST_USE;

/* fifo_sweep -- remove what crashes left there: every FIFO older than `age_s` seconds.
 * Returns  how many were removed. */
int fifo_sweep(int dirfd, unsigned age_s);

/* fifo_make -- the client's part: make a FIFO of a random name and open it for reading.
 *
 * dirfd    the rendezvous directory (O_PATH suffices)
 * name     filled with 32 hex digits and a NUL
 * Made with mode 0600, opened O_RDONLY|O_NONBLOCK|O_CLOEXEC, then fchmod 0620 where the directory is
 * shared (setgid), so that only the relay's group can write.
 * Returns  the descriptor, or -errno */
int fifo_make(int dirfd, char name[33]) MUST_USE;

/* fifo_abandon -- the client's part, when nobody came to fetch it: remove the name. */
void fifo_abandon(int dirfd, const char *name);

/* What a FIFO is held against: its directory, and whom the kernel shows for a user that it cannot name in our namespace. */
struct fifo_place {
    int dirfd;
    dev_t dev;
    gid_t gid;
    uid_t nobody;
};

/* fifo_look -- fill it in.  It may be used for many FIFOs that came together.  Returns 0 or -errno. */
int fifo_look(int dirfd, struct fifo_place *place) MUST_USE;

/* fifo_open -- the relay's part: check a name that a stranger sent, open the FIFO for writing, and remove
 * the name.
 *
 * name     exactly 32 small hex digits, else -EINVAL
 * owner    filled with the uid that owns it: proven by the kernel
 * Refused with -EPERM: not a FIFO; a symlink; more than one link; readable or writable by others (or
 * by a group other than the directory's, or for reading by the group); on another device than the
 * directory; owned by the overflow uid.  -ENXIO: nobody reads.  Other -errno as they come.
 * Never blocks, never opens anything but a FIFO.
 * Returns  the descriptor, O_WRONLY|O_NONBLOCK|O_CLOEXEC */
int fifo_open(int dirfd, const char *name, uid_t *owner) MUST_USE;

/* fifo_open_in -- the same in a place that was looked at before. */
int fifo_open_in(const struct fifo_place *place, const char *name, uid_t *owner) MUST_USE;

#endif
