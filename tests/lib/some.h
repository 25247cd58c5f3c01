/* some.h -- what a test needs some of, whatever it is. */
#ifndef SOME_H
#define SOME_H

#include "base/text.h"

#include <string.h>

/* A name for a FIFO, of the right form. */
#define SOME_FIFO "0123456789abcdef0123456789abcdef"

/* some_text -- of that length, up to 4096; good for a name, too. */
static inline struct text some_text(size_t len)
{
    static char a[4096];
    memset(a, 'a', sizeof a);
    return (struct text){a, len};
}

#endif
