/* message.h -- the text of every message: its number and when it was sent, 200 bytes in all.
 *
 *   "0000002a 00000f3c9a2b1e44 xxxx..."    number (1, 2, ... of its sender), bench_ns(),
 * filling
 *
 * Fixed places, so that the reader's check costs a few nanoseconds: it must not be what is
 * measured. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include "frame/frame.h"

#include <string.h>

enum { MESSAGE_LEN = 200, MESSAGE_NUMBER = 8, MESSAGE_TIME = 16 };

static inline void message_put_hex(char *to, unsigned digits, uint64_t v)
{
    for (unsigned i = digits; i > 0; v >>= 4)
        to[--i] = "0123456789abcdef"[v & 15];
}

static inline uint64_t message_get_hex(const char *from, unsigned digits)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < digits; i++)
        v = v << 4 | (uint64_t)((from[i] & 15) + 9 * (from[i] >> 6));
    return v;
}

/* message_init -- the filling; message_stamp -- what differs. */
static inline void message_init(char text[MESSAGE_LEN])
{
    memset(text, 'x', MESSAGE_LEN);
    text[MESSAGE_NUMBER] = text[MESSAGE_NUMBER + 1 + MESSAGE_TIME] = ' ';
}

static inline void message_stamp(char text[MESSAGE_LEN], uint32_t number, uint64_t ns)
{
    message_put_hex(text, MESSAGE_NUMBER, number);
    message_put_hex(text + MESSAGE_NUMBER + 1, MESSAGE_TIME, ns);
}

/* message_text -- where it is in a SAY frame: at its end. NULL when this is no such frame. */
static inline const char *message_text(const uint8_t *f)
{
    if (frame_type(f) != FRAME_SAY || frame_body_len(f) < MESSAGE_LEN)
        return NULL;
    return (const char *)f + frame_len(f) - MESSAGE_LEN;
}

/* message_ends -- is one at the end of this line (or lines) of n bytes, with CR LF behind it? */
static inline bool message_ends(const char *line, size_t n)
{
    const char *text = line + n - MESSAGE_LEN - 2;
    return n >= MESSAGE_LEN + 2 && line[n - 1] == '\n' && line[n - 2] == '\r' && text[MESSAGE_LEN - 1] == 'x' &&
           text[MESSAGE_NUMBER] == ' ' && text[MESSAGE_NUMBER + 1 + MESSAGE_TIME] == ' ';
}

static inline uint32_t message_number(const char *text)
{
    return (uint32_t)message_get_hex(text, MESSAGE_NUMBER);
}

static inline uint64_t message_time(const char *text)
{
    return message_get_hex(text + MESSAGE_NUMBER + 1, MESSAGE_TIME);
}

#endif
