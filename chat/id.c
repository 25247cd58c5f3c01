/* id.c -- four numbers and back. */
#include "id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void id_to_text(const uint8_t *f, char *to)
{
    snprintf(to, ID_TEXT_MAX + 1, "%016llx-%llx-%016llx-%llu", (unsigned long long)frame_origin(f),
             (unsigned long long)frame_epoch(f), (unsigned long long)frame_room(f), (unsigned long long)frame_seq(f));
}

/* number -- and what must follow it.  Returns what comes then, or NULL. */
static const char *number(const char *p, int base, char end, uint64_t *v)
{
    const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";
    char *rest;
    if (!p || !*p || !strchr(digits, *p))
        return NULL;
    errno = 0;
    *v = strtoull(p, &rest, base);
    return errno == 0 && *rest == end && strspn(p, digits) == (size_t)(rest - p) ? rest + (end != '\0') : NULL;
}

int id_from_text(const char *text, struct have_row *id)
{
    const char *p = number(text, 16, '-', &id->origin);
    p = number(p, 16, '-', &id->epoch);
    p = number(p, 16, '-', &id->room);
    p = number(p, 10, '\0', &id->seq);
    return p && id->seq > 0 ? 0 : -EINVAL;
}
