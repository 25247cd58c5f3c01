/* render.h -- the one door through which text from others reaches a terminal, or a pipe that
 * people read.
 *
 * What passes is an allowlist: letters, digits, punctuation, symbols, spaces, and marks on a
 * base. Everything else -- control characters, invalid bytes, what turns the direction of
 * writing, what has no shape of its own, what this version of Unicode does not know -- is shown
 * as a marker:
 *
 *     <U+202E>   a character, by its number
 *     <\xFF>     a byte that is no character
 *
 * A marker is never forged: where the text itself has "<U+" or "<\x", its "<" is shown as
 * <U+003C>. Nothing is dropped.  Text that was rendered twice is still safe, but its markers
 * are then markers of a marker: render once, at the end.  Right-to-left letters pass; end what
 * precedes a message on its line with left-to-right letters, as a name does, and they stay
 * behind it. */
#ifndef CHAT_RENDER_H
#define CHAT_RENDER_H

#include "base/bytes.h"

enum {
    RENDER_GROWTH = 8,    /* bytes of output for a byte of input, at most: <U+001B>, or a TAB */
    RENDER_MARKS_MAX = 4, /* on one base: more have crashed terminals (CVE-2021-27135) */
    RENDER_TAB = 8,       /* columns from stop to stop */
};

/* RENDER_SIZE -- room that is always enough for `len` bytes of input. */
#define RENDER_SIZE(len) ((size_t)(len)*RENDER_GROWTH + 1)

/* How; 0: one line of ASCII. */
enum {
    RENDER_UTF8 = 1, /* the reader's locale is UTF-8; otherwise its terminal may take parts of a
                      * character for control characters, and all but ASCII becomes markers */
    RENDER_LINES = 2, /* "\n" and "\r\n" pass as "\n"; the caller indents.  Otherwise markers */
};

/* render_text -- make a text safe to show.
 *
 * in       any bytes
 * out      `size` > 0 bytes; terminated.  Text that does not fit is cut between characters
 * Returns  bytes written, without the NUL
 * A TAB becomes spaces up to the next stop, counted from the start of its line in the text. */
size_t render_text(struct text in, unsigned how, char *out, size_t size);

/* render_name -- the same for the name of a user, a host or a room: only ASCII letters, digits
 * and any of "._/-@#" pass, so that no name looks like another or like two words. */
size_t render_name(struct text in, char *out, size_t size);

/* render_width -- columns that one line of rendered text takes on a terminal.  Terminals differ
 * on emoji joined into one; this counts what the newer ones draw. */
size_t render_width(struct text rendered);

/* render_rows -- rows that such a line takes on a terminal with so many columns; 0: terminals do not agree on it. */
size_t render_rows(struct text rendered, size_t terminal_columns);

#endif
