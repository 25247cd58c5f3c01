/* identities.h -- of two hosts, which lie nowhere. */
#ifndef IDENTITIES_H
#define IDENTITIES_H

#include "trust/identity.h"

extern struct identity *id, *other;

/* identities_setup, identities_teardown -- for cmocka. */
int identities_setup(void **state);
int identities_teardown(void **state);

#endif
