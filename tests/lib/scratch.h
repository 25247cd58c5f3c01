/* scratch.h -- an empty directory for one test, and nothing of it afterwards. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct scratch {
    char path[64];
    int dir;
    char why[200]; /* for what is called there to say why not; empty at first */
};

void scratch_open(struct scratch *s);
void scratch_close(struct scratch *s); /* removes the files in it, and fails when one is left */

/* scratch_setup, scratch_teardown -- for cmocka: `scratch` is open. */
extern struct scratch scratch;
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* scratch_put, scratch_get -- a whole text file; get returns its length, or -1 when it is missing. */
void scratch_put(struct scratch *s, const char *name, const char *content);
long scratch_get(struct scratch *s, const char *name, char *to, size_t size);

/* scratch_path -- the full name of a file in it. */
void scratch_path(struct scratch *s, const char *name, char *to, size_t size);

#endif
