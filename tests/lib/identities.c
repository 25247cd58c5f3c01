/* identities.c -- of two hosts, which lie nowhere. */
#include "identities.h"

#include "scratch.h"

struct identity *id, *other;

static int make(struct identity **made)
{
    struct scratch s;
    scratch_open(&s);
    int r = identity_load(made, s.dir, s.why, sizeof s.why);
    scratch_close(&s);
    return r;
}

int identities_setup(void **state)
{
    (void)state;
    return make(&id) < 0 || make(&other) < 0 ? -1 : 0;
}

int identities_teardown(void **state)
{
    (void)state;
    identity_free(id);
    identity_free(other);
    return 0;
}
