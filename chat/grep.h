/* grep.h -- searching what was said. */
#ifndef CHAT_GREP_H
#define CHAT_GREP_H

#include "port.h"

/* grep_query -- what is typed (base/wanted.h; it must stay) as a query for the newest n messages.
 * why      on failure, one sentence
 * Returns  0 or -EINVAL */
int grep_query(const char *typed, uint32_t n, struct query *q, char *why, size_t size) MUST_USE;

#endif
