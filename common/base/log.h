/* log.h -- one line per event, to standard error. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* log_open -- `name` is what this process calls itself ("worker/0"); lines above `level` are dropped. */
void log_open(const char *name, enum log_level level);

/* log_* -- "2025-01-02T03:04:05.678 worker/0[4711] warn: ..."; one write(2) per line; text from others
 * is made harmless: bytes outside printable ASCII are shown as \xNN.
 * error: someone must act; warn: something was dropped; info: connect, join, restart. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* log_level_from -- "error", "warn", "info" or "debug"; -EINVAL when it is none. */
int log_level_from(const char *name) MUST_USE;

#endif
