/* patience.h -- how long tests wait where all is slow: $PATIENCE times as long. */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdlib.h>

/* patience -- in milliseconds, as is `ms`. */
static inline int patience(int ms)
{
    const char *p = getenv("PATIENCE");
    return ms * (p ? atoi(p) : 1);
}

#endif
