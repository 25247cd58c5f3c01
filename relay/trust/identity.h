/* identity.h -- who this host is: an Ed25519 key, made at the first start and kept for ever. */
#ifndef TRUST_IDENTITY_H
#define TRUST_IDENTITY_H

#include "base/key.h"

struct identity; /* the private key, in memory */

/* identity_load -- read DIR/identity.key (PEM, must be 0600 and ours), or make it when it is missing.
 *
 * why      on failure, one sentence that says what to do
 * Returns  0 or -errno: -EPERM wrong owner or mode, -EBADMSG not such a key */
int identity_load(struct identity **id, int state_dirfd, char *why, size_t why_size) MUST_USE;
/* identity_next -- make a new key, in DIR/identity.next, or take the one that was made and not used; identity_change -- it is this host's from now on, the one before
 * is kept as identity.key.old.  Both return 0 or -errno. */
int identity_next(struct identity **id, int state_dirfd, char *why, size_t why_size) MUST_USE;
int identity_change(int state_dirfd) MUST_USE;

void identity_free(struct identity *id);

/* identity_key -- the raw public key; identity_host -- the host's number: first 8 bytes of SHA-256 of
 * the SubjectPublicKeyInfo (little-endian); host_of_key -- the same for any public key. */
const uint8_t *identity_key(const struct identity *id);
uint64_t identity_host(const struct identity *id);
uint64_t host_of_key(const uint8_t key[KEY_LEN]);

/* identity_issue_leaf -- a fresh TLS key and a certificate for it, signed by the identity and valid for
 * `days` from a day ago; written to DIR as LEAF_FILE: key, leaf, self-signed identity certificate; mode 0600.  One file,
 * so that key and certificate belong together whoever else writes one in the same moment, and after a crash.
 * Returns  0 or -errno; -EINVAL when the name is no host name or `days` more than a century */
#define LEAF_FILE "tls.pem"
int identity_issue_leaf(const struct identity *id, int dirfd, const char *host_name, unsigned days)
    MUST_USE;

/* identity_sign -- Ed25519 over `len` bytes. */
void identity_sign(const struct identity *id, const void *p, size_t len, uint8_t signature[64]);

/* key_verify -- is `signature` that of `key` over these bytes? */
bool key_verify(const uint8_t key[KEY_LEN], const void *p, size_t len, const uint8_t signature[64])
    MUST_USE;

#endif
