/* when.c -- so long ago, or at a time by the clock here. */
#include "when.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int ago(const char *text, uint64_t now_wall, uint64_t *ms)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    errno = 0;
    unsigned long n = strtoul(text + 1, &end, 10);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (end != text + 1 && end[0] == units[i].unit && end[1] == '\0' && errno == 0 && n <= now_wall / units[i].ms) {
            *ms = now_wall - n * units[i].ms;
            return 0;
        }
    return -EINVAL;
}

int when_from_text(const char *text, uint64_t now_wall, uint64_t *ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M",    "%Y-%m-%d",          "%H:%M:%S",         "%H:%M"};
    if (text[0] == '-')
        return ago(text, now_wall, ms);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        time_t now = (time_t)(now_wall / 1000);
        struct tm tm;
        localtime_r(&now, &tm);
        tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
        tm.tm_isdst = -1;
        const char *end = strptime(text, forms[i], &tm);
        time_t t = end && *end == '\0' ? mktime(&tm) : -1;
        if (t < 0)
            continue;
        *ms = (uint64_t)t * 1000;
        return 0;
    }
    return -EINVAL;
}
