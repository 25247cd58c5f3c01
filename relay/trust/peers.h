/* peers.h -- hosts by name, address and pinned key, one line each: in the file `peers` those that this host vouches for and
 * dials, in the file `revoked` those that it wants nobody to link with any more. */
#ifndef TRUST_PEERS_H
#define TRUST_PEERS_H

#include "trust/identity.h"

enum { PEERS_MAX = HOSTS_MAX, PEER_NAME_MAX = 64, PEER_ADDRESS_MAX = 128 };

struct peer {
    char name[PEER_NAME_MAX + 1];
    char address[PEER_ADDRESS_MAX + 1]; /* host:port or [v6]:port; "-": it dials us, we cannot dial it */
    uint8_t key[KEY_LEN];
    uint64_t host; /* host_of_key(key) */
    bool guest;    /* may not invite or revoke */
    bool far;      /* its streams are taken from others, but there is no link with it; never so in a file */
};

struct peers {
    struct peer peer[PEERS_MAX];
    size_t n;
};

/* peer_address_ok -- HOST:PORT, [V6]:PORT, or - for none. */
bool peer_address_ok(const char *address);

/* peer_from_line -- "NAME ADDRESS KEY [guest]", as `relay id` prints it and `relay join` takes it.
 * Returns  0, or -EINVAL and a sentence in `why` */
int peer_from_line(const char *line, struct peer *p, char *why, size_t why_size) MUST_USE;

/* peer_to_line -- the inverse, without a newline; `size` >= 256. */
void peer_to_line(const struct peer *p, char *line, size_t size);

/* peers_load -- the file `peers` in the state directory; a missing one is empty; '#' starts a comment.
 * Returns  0 or -errno and a sentence with the line number. */
int peers_load(struct peers *ps, int state_dirfd, char *why, size_t why_size) MUST_USE;

/* peers_add -- replace the line of that name, or add one; written atomically, mode 0600.
 * Returns  0; -EEXIST when that name stands for another key; -ENOSPC; -errno */
int peers_add(int state_dirfd, const struct peer *p, char *why, size_t why_size) MUST_USE;

/* peers_check -- would peers_add() take it?  Changes nothing; returns the same. */
int peers_check(int state_dirfd, const struct peer *p, char *why, size_t why_size) MUST_USE;

/* peers_remove -- the line of that host, if there is one.  Returns 0 or -errno. */
int peers_remove(int state_dirfd, uint64_t host) MUST_USE;

/* revoked_add, revoked_load -- the file `revoked`.  Names may occur twice in it; lines that are none are skipped. */
int revoked_add(int state_dirfd, const struct peer *p) MUST_USE;
int revoked_load(struct peers *ps, int state_dirfd) MUST_USE;

/* peers_have -- is exactly this line there already? */
bool peers_have(int state_dirfd, const struct peer *p);

/* peers_by_pin, peers_by_host -- NULL when unknown.  `pin`: key_pin(). */
const struct peer *peers_by_pin(const struct peers *ps, const uint8_t pin[KEY_PIN_LEN]);
const struct peer *peers_by_host(const struct peers *ps, uint64_t host);

#endif
