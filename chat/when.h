/* when.h -- times that people type. */
#ifndef CHAT_WHEN_H
#define CHAT_WHEN_H

#include "base/base.h"

/* when_from_text -- "-90s", "-30m", "-1h", "-2d", "14:05", "2025-01-31", "2025-01-31T14:05[:09]" (local time) into
 * milliseconds since 1970.
 *
 * now_wall  the time to count back from
 * Returns   0 or -EINVAL */
int when_from_text(const char *text, uint64_t now_wall, uint64_t *ms) MUST_USE;

#endif
