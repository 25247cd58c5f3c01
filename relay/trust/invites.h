/* invites.h -- who may become a peer by showing a secret: one line each in the file `invites`. */
#ifndef TRUST_INVITES_H
#define TRUST_INVITES_H

#include "trust/peers.h"

enum { INVITE_SECRET_LEN = 16, INVITE_LINE_MAX = 320, INVITES_MAX = 64 };

/* What the inviting host prints and the other one is given, as one word:
 * NAME@ADDRESS/KEY/NETWORK/SECRET/EXPIRES, EXPIRES in seconds since 1970. */
struct invite {
    struct peer host;   /* guest: so the invited one will be; not in the line */
    uint64_t network;   /* which one it leads into */
    uint8_t secret[INVITE_SECRET_LEN];
    uint64_t expires_s;
};

/* invite_to_line, invite_from_line -- from_line returns 0 or -EINVAL and a sentence. */
void invite_to_line(const struct invite *i, char line[INVITE_LINE_MAX]);
int invite_from_line(const char *line, struct invite *i, char *why, size_t why_size) MUST_USE;

/* invites_add -- remember it: its hash, how often it may be used, until when.  Returns 0 or -errno. */
int invites_add(int state_dirfd, const struct invite *i, unsigned uses) MUST_USE;

/* invites_open -- is there any that can still be used? */
bool invites_open(int state_dirfd, uint64_t now_s);

/* network_load -- the number of the network this host belongs to, 0: none yet; network_keep -- it is this one from now on.
 * Both return 0 or -errno.  It keeps people from making one of two networks by mistake, nothing else. */
int network_load(int state_dirfd, uint64_t *network) MUST_USE;
int network_keep(int state_dirfd, uint64_t network) MUST_USE;

/* invites_use -- is this the secret of one?  It can be used once less then.
 * guest    filled: whether it makes a guest
 * Returns  0; -ENOENT no such invitation (or used up); -ETIMEDOUT it has expired; other -errno */
int invites_use(int state_dirfd, const uint8_t secret[INVITE_SECRET_LEN], uint64_t now_s, bool *guest) MUST_USE;

#endif
