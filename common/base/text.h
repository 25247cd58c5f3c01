/* text.h -- what names and text may consist of, judged where they enter. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

enum { USER_NAME_MAX = 32, HOST_NAME_MAX_LEN = 64, ROOM_NAME_MAX = 64 }; /* bytes */

/* text_char -- decode the first character, strictly: no overlong forms, surrogates, or values above
 * U+10FFFF.
 *
 * code     filled on success only; may be 0
 * Returns  its length, 1..4; 0 when `t` is empty or does not begin with a character */
size_t text_char(struct text t, uint32_t *code) MUST_USE;

/* text_utf8_ok -- nothing but characters as above, and no NUL; empty text is good.
 * Other control characters pass: they are stored as sent (they are signed) and made harmless by the
 * client's renderer. */
bool text_utf8_ok(struct text t);

/* text_utf8_run -- how many bytes at its head are such.
 * begun    is the rest not wrong so far, but a character that is cut off? */
size_t text_utf8_run(struct text t, bool *begun);

/* text_utf8_cut -- the longest prefix of at most `max` bytes that ends between characters. */
size_t text_utf8_cut(struct text t, size_t max);

/* text_user_ok -- a user name we can show: 1..32 of [A-Za-z0-9._-], not starting with '-' or '.'. */
bool text_user_ok(struct text t);

/* text_host_ok -- a host name: 1..64 of [a-z0-9.-], starting and ending with a letter or digit. */
bool text_host_ok(struct text t);

/* text_room_ok -- a room name without '#': 1..64 of [a-z0-9._/-], starting with a letter or digit,
 * no "//", not ending in '/'. */
bool text_room_ok(struct text t);

/* text_room_from_user -- what people type to what is stored: one leading '#' is dropped, ASCII
 * letters become small.
 *
 * to       ROOM_NAME_MAX + 1 bytes, terminated
 * Returns  0, or -EINVAL when it is not a room name */
int text_room_from_user(const char *typed, char *to) MUST_USE;

/* text_hex -- `len` bytes as 2*len small hex digits and a NUL. */
void text_hex(const uint8_t *bytes, size_t len, char *to);

/* text_unhex -- exactly 2*len hex digits back to bytes; false when it is anything else. */
bool text_unhex(struct text t, uint8_t *to, size_t len) MUST_USE;

#endif
