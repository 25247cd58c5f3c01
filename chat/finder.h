/* finder.h -- which relay to talk to: the system's if there is one, else this user's, started if need be. */
#ifndef CHAT_FINDER_H
#define CHAT_FINDER_H

#include "instance/instance.h"

struct finder {
    const char *instance; /* its name; NULL: from $CHAT_INSTANCE, or the default */
    bool start;           /* start this user's relay when none runs */
    struct instance inst; /* as found last */
    struct generation gen;
    unsigned starts;      /* in vain, so far */
    uint64_t start_at;    /* now_ms(): not again before */
    bool started;         /* one was, by us */
};

/* finder_find -- fill in inst and gen of a relay that is ready.
 *
 * met      we had a session with it before: if it was stopped since, it stays stopped
 * Returns  0; -ENOENT there is none (yet); -ENXIO nor was there ever one of that name, so that none is started; -ECHILD it does not
 *          start, and said why; -EINVAL not an instance name; -errno */
int finder_find(struct finder *f, bool met) MUST_USE;

/* finder_found -- it does answer: the next failure is the first again. */
void finder_found(struct finder *f);

#endif
