/* log.c -- one line per event, to standard error, in one write. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_MAX = 128,    /* time, name, pid, level */
    MESSAGE_MAX = 960, /* longer ones are cut */
    LINE_MAX_LEN =
        HEAD_MAX + 4 * MESSAGE_MAX + 1 /* < PIPE_BUF: lines of several processes never mix */
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *own_name;
static char name_buf[48];
static enum log_level threshold = LOG_INFO;

void log_open(const char *name, enum log_level level)
{
    snprintf(name_buf, sizeof name_buf, "%s", name);
    own_name = name_buf;
    threshold = level;
}

int log_level_from(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (strcmp(name, level_names[i]) == 0)
            return (int)i;
    return -EINVAL;
}

/* head -- "2025-01-02T03:04:05.678 worker/0[4711] warn: "; its length. */
static size_t head(char *to, enum log_level level)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    size_t n = strftime(to, HEAD_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(to + n, HEAD_MAX - n, ".%03ld %s[%d] %s: ", now.tv_nsec / 1000000,
                        own_name ? own_name : program_invocation_short_name, (int)getpid(),
                        level_names[level]);
    return more < 0 ? n : min_size(n + (size_t)more, HEAD_MAX - 1);
}

/* harmless -- copy a string with everything but printable ASCII as \xNN; the length written. */
static size_t harmless(char *to, const char *from)
{
    static const char digits[] = "0123456789abcdef";
    char *p = to;
    for (; *from; from++) {
        unsigned char c = (unsigned char)*from;
        if (c >= 0x20 && c < 0x7f) {
            *p++ = (char)c;
        } else {
            *p++ = '\\';
            *p++ = 'x';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }
    return (size_t)(p - to);
}

PRINTF_LIKE(2, 0) static void log_line(enum log_level level, const char *fmt, va_list args)
{
    if (level > threshold)
        return;
    int saved = errno;
    char message[MESSAGE_MAX + 1], line[LINE_MAX_LEN];
    if (vsnprintf(message, sizeof message, fmt, args) < 0)
        message[0] = '\0';
    size_t n = head(line, level);
    n += harmless(line + n, message);
    line[n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, n);
    (void)written; /* there is nobody left to tell */
    errno = saved;
}

#define LOG_FUNCTION(function, level)                                                          \
    void function(const char *fmt, ...)                                                        \
    {                                                                                          \
        va_list args;                                                                          \
        va_start(args, fmt);                                                                   \
        log_line(level, fmt, args);                                                            \
        va_end(args);                                                                          \
    }

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)

void assert_failed(const char *file, int line, const char *expr)
{
    log_error("%s:%d: assertion failed: %s", file, line, expr);
    abort();
}
