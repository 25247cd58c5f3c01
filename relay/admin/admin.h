/* admin.h -- what people do with a relay from outside: start, stop, look. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/bytes.h"
#include "base/text.h"
#include "conf/conf.h"
#include "instance/instance.h"
#include "trust/invites.h"

/* Each returns the exit code of the program and says on standard error what went wrong. */

/* admin_become -- a system relay needs nothing of root's but a beginning: give its directories to the user it is
 * to run as, and become him for good.  0 to go on, also as before: not root, not a system relay, nobody to become. */
int admin_become(const struct instance *inst, const struct conf *conf);

/* admin_start -- run `serve` in the background; returns once it is ready.  Running already is no error. */
int admin_start(const struct instance *inst, const struct conf *conf,
                int (*serve)(const struct instance *, const struct conf *, int));

/* admin_stop -- ask it to stop and wait until it did. */
int admin_stop(const struct instance *inst);

/* admin_status -- processes, sessions, rooms, journal; 1 when it does not run. */
int admin_status(const struct instance *inst);

/* admin_doctor -- what could keep a relay from working here, each with its remedy; 1 when anything would. */
int admin_doctor(const struct instance *inst, const struct conf *conf);

/* admin_id -- print the line that names this host to others: NAME ADDRESS KEY. */
int admin_id(const struct instance *inst, const struct conf *conf);

/* admin_invite -- print a line with which so many other hosts can join the network of this one within so long. */
struct invitation {
    unsigned uses;
    uint64_t seconds;
    bool guest; /* who comes may not invite or revoke others */
};
int admin_invite(const struct instance *inst, const struct conf *conf, const struct invitation *o);

/* admin_join -- with an invitation: this host belongs to that network now.  With a line of `relay id`: this host vouches for
 * that one.  A running relay dials it at once.  merge: even if this host has a network of its own. */
int admin_join(const struct instance *inst, const struct conf *conf, const char *line, bool merge);

/* ---- hosts.c ---- */

/* admin_hosts -- who belongs to this network, and how it is with each; json: an object a line. */
int admin_hosts(const struct instance *inst, bool json);

/* admin_revoke -- cut a host off, for all and for ever.  host: its name, or the first characters of its key. */
int admin_revoke(const struct instance *inst, const char *host);

/* admin_rotate -- give this host a new key: the old one vouches for it, the new one revokes the old.  force: though
 * nobody hears the old one.  serve: as for admin_start(), which starts the relay again. */
int admin_rotate(const struct instance *inst, const struct conf *conf, bool force,
                 int (*serve)(const struct instance *, const struct conf *, int));

/* admin_self -- what a running relay knows of its host, whatever settings it was started with; false: none runs, or it is not
 * ours to look at. */
struct admin_self {
    char name[HOST_NAME_MAX_LEN + 1];
    bool guest; /* of its network */
};
bool admin_self(const struct instance *inst, struct admin_self *self);

/* admin_accept -- show the secret of an invitation to the host that gave it, over TLS, and hear whether it lets us in.
 * Returns  0; -errno and a sentence */
int admin_accept(const struct instance *inst, int state_dirfd, const struct identity *id, const struct invite *i,
                 struct text name, struct text address, char *why, size_t why_size) MUST_USE;

/* admin_reload -- a running relay reads its peers again; 2 when they cannot be read: then it goes on with those it has. */
int admin_reload(const struct instance *inst);

#endif
