/* text.c -- the rules for names and text. */
#include "base/text.h"

#include <errno.h>

/* lead -- what the first byte of a character of more than one byte says: how many bytes follow,
 * and between which bounds the second must lie.  The bounds are what excludes overlong forms
 * (after E0 and F0), surrogates (after ED) and values above U+10FFFF (after F4): table 3-7 of
 * the Unicode Standard, "Well-Formed UTF-8 Byte Sequences". */
struct lead {
    uint8_t follow, low, high;
};

static struct lead lead(uint8_t c)
{
    if (c >= 0xc2 && c <= 0xdf)
        return (struct lead){1, 0x80, 0xbf};
    if (c >= 0xe0 && c <= 0xef)
        return (struct lead){2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    if (c >= 0xf0 && c <= 0xf4)
        return (struct lead){3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    return (struct lead){0};
}

size_t text_char(struct text t, uint32_t *code)
{
    const uint8_t *p = (const uint8_t *)t.p;
    if (t.len == 0)
        return 0;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    struct lead l = lead(p[0]);
    if (l.follow == 0 || t.len <= l.follow || p[1] < l.low || p[1] > l.high)
        return 0;
    uint32_t v = p[0] & (0x3fu >> l.follow);
    for (size_t i = 1; i <= l.follow; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    *code = v;
    return (size_t)l.follow + 1;
}

/* ascii_run -- how many bytes at the head are surely 01..7F, eight at a time.  Taking one from
 * each byte sets its high bit if it is zero; a borrow can only come from a zero byte, so no
 * good byte is called bad. */
static size_t ascii_run(const char *p, size_t len)
{
    size_t n = 0;
    while (len - n >= 8) {
        uint64_t v;
        memcpy(&v, p + n, sizeof v);
        if ((v | (v - 0x0101010101010101u)) & 0x8080808080808080u)
            break;
        n += 8;
    }
    return n;
}

/* is_begun -- could more bytes make a character of these? */
static bool is_begun(struct text t)
{
    const uint8_t *p = (const uint8_t *)t.p;
    struct lead l = t.len > 0 ? lead(p[0]) : (struct lead){0};
    if (t.len > l.follow || (t.len > 1 && (p[1] < l.low || p[1] > l.high)))
        return false;
    return t.len > 0 && (t.len < 3 || (p[2] & 0xc0) == 0x80);
}

size_t text_utf8_run(struct text t, bool *begun)
{
    size_t at = 0;
    for (size_t n; at < t.len; at += n) {
        struct text rest = {t.p + at, t.len - at};
        uint32_t code;
        if ((n = ascii_run(rest.p, rest.len)) == 0 && ((n = text_char(rest, &code)) == 0 || code == 0))
            break;
    }
    *begun = is_begun((struct text){t.p + at, t.len - at});
    return at;
}

bool text_utf8_ok(struct text t)
{
    bool begun;
    return text_utf8_run(t, &begun) == t.len;
}

size_t text_utf8_cut(struct text t, size_t max)
{
    if (t.len <= max)
        return t.len;
    size_t n = max;
    while (n > 0 && max - n < 3 && ((uint8_t)t.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* consists -- 1..max characters, each a small letter, a digit or one of `others`. */
static bool consists(struct text t, size_t max, const char *others)
{
    if (t.len < 1 || t.len > max)
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (!is_small(t.p[i]) && !is_digit(t.p[i]) && (t.p[i] == 0 || !strchr(others, t.p[i])))
            return false;
    return true;
}

static bool is_alnum(char c)
{
    return is_small(c) || is_digit(c);
}

bool text_user_ok(struct text t)
{
    return consists(t, USER_NAME_MAX, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") && t.p[0] != '-' &&
           t.p[0] != '.';
}

bool text_host_ok(struct text t)
{
    return consists(t, HOST_NAME_MAX_LEN, ".-") && is_alnum(t.p[0]) && is_alnum(t.p[t.len - 1]);
}

bool text_room_ok(struct text t)
{
    return consists(t, ROOM_NAME_MAX, "._/-") && is_alnum(t.p[0]) && t.p[t.len - 1] != '/' &&
           !memmem(t.p, t.len, "//", 2);
}

int text_room_from_user(const char *typed, char *to)
{
    if (*typed == '#')
        typed++;
    size_t len = strnlen(typed, ROOM_NAME_MAX + 1);
    if (len > ROOM_NAME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < len; i++)
        to[i] = is_capital(typed[i]) ? (char)(typed[i] - 'A' + 'a') : typed[i];
    to[len] = '\0';
    return text_room_ok((struct text){to, len}) ? 0 : -EINVAL;
}

void text_hex(const uint8_t *bytes, size_t len, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    to[2 * len] = '\0';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_unhex(struct text t, uint8_t *to, size_t len)
{
    if (t.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(t.p[2 * i]), low = hex_value(t.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
