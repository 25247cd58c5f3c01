/* scene.h -- a rendezvous directory in /tmp, the relay beside it, and people who come to it. */
#ifndef SCENE_H
#define SCENE_H

#include "some.h"

#include <stdbool.h>
#include <sys/types.h>

/* The people of the play; none of them has an account. */
enum { RELAY = 65531, ALICE = 65532, MALLORY = 65533 };

struct scene {
    char top[64], path[80];
    int dir; /* the rendezvous directory */
    bool shared;
};

/* become -- see the file system as that user; only root can, and it can always come back. */
void become(uid_t uid);

/* scene_open_private, scene_open_shared, scene_close -- setup and teardown for cmocka: *state
 * is a struct scene.  private: one user, mode 0700.  shared: RELAY's, mode 3733; needs root,
 * without it *state is NULL and the test must skip.  What blocks for a minute is killed. */
int scene_open_private(void **state);
int scene_open_shared(void **state);
int scene_close(void **state);

/* scene_fifo -- make a FIFO as that user (in a private scene as ourselves); the reading end. */
int scene_fifo(struct scene *s, uid_t uid, char name[33]);

/* scene_refuses -- with which error the relay refuses that name. */
int scene_refuses(struct scene *s, const char *name);

/* scene_has -- is there anything of that name? */
bool scene_has(struct scene *s, const char *name);

/* scene_assert_works -- what the relay writes arrives, and its end is seen; closes both. */
void scene_assert_works(int reader, int writer);

#endif
