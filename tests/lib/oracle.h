/* oracle.h -- a second opinion on rendered text, which shares no code and no tables with the
 * renderer. */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* oracle_objects -- why these bytes must not reach a terminal; NULL when they may.
 *
 * utf8     false: only ASCII may
 * lines    true: a newline may */
const char *oracle_objects(const char *p, size_t len, bool utf8, bool lines);

/* oracle_encode -- `code` in UTF-8, surrogates and all; the bytes written, 1..4. */
size_t oracle_encode(uint32_t code, char to[4]);

#endif
