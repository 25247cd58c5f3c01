/* oracle.c -- what no terminal should get, written down from the Unicode charts by hand. */
#include "oracle.h"

#include <locale.h>
#include <wchar.h>

static const struct {
    uint32_t first, last;
    const char *why;
} never[] = {
    // clang-format off
    {0x00,    0x1f,    "C0 control"},       {0x7f,    0x9f,    "DEL or C1 control"},
    {0xad,    0xad,    "soft hyphen"},      {0x034f,  0x034f,  "grapheme joiner"},
    {0x061c,  0x061c,  "bidi control"},     {0x115f,  0x1160,  "Hangul filler"},
    {0x17b4,  0x17b5,  "invisible vowel"},  {0x180b,  0x180f,  "Mongolian selector"},
    {0x200b,  0x200b,  "zero width space"}, {0x200e,  0x200f,  "bidi mark"},
    {0x2028,  0x202e,  "line end or bidi"}, {0x2060,  0x206f,  "invisible operator"},
    {0x2800,  0x2800,  "blank braille"},    {0x3164,  0x3164,  "Hangul filler"},
    {0xd800,  0xdfff,  "surrogate"},        {0xe000,  0xf8ff,  "private use"},
    {0xfdd0,  0xfdef,  "noncharacter"},     {0xfe00,  0xfe0d,  "variation selector"},
    {0xfeff,  0xfeff,  "byte order mark"},  {0xffa0,  0xffa0,  "Hangul filler"},
    {0xfff0,  0xfffb,  "annotation"},       {0x1bca0, 0x1bca3, "shorthand control"},
    {0x1d173, 0x1d17a, "musical control"},  {0xe0000, 0x10ffff, "tag, selector, private use"},
    // clang-format on
};

/* decode -- one character; its length, or 0. */
static size_t decode(const char *s, size_t len, uint32_t *code)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > len)
        return 0;
    *code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | (p[i] & 0x3f);
    char again[4];
    if (oracle_encode(*code, again) != n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (again[i] != s[i])
            return 0;
    return n;
}

size_t oracle_encode(uint32_t code, char to[4])
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)((0xf00 >> n) | code);
    return n;
}

static const char *objects_to(uint32_t code, bool utf8, bool lines)
{
    if ((code >= 0x20 && code < 0x7f) || (code == '\n' && lines))
        return NULL;
    if (code >= 0x80 && !utf8)
        return "not ASCII";
    if ((code & 0xfffe) == 0xfffe)
        return "noncharacter";
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (code >= never[i].first && code <= never[i].last)
            return never[i].why;
    return NULL;
}

static bool is_glue(uint32_t code)
{
    return code == 0x200c || code == 0x200d || code == 0xfe0e || code == 0xfe0f;
}

const char *oracle_objects(const char *p, size_t len, bool utf8, bool lines)
{
    static const char *locale;
    if (!locale && !(locale = setlocale(LC_CTYPE, "C.UTF-8")))
        return "the oracle needs the locale C.UTF-8";
    bool base = false, glued = false;
    unsigned marks = 0;
    for (size_t n; len > 0; p += n, len -= n) {
        uint32_t code = 0;
        n = decode(p, len, &code);
        const char *why = n == 0 ? "not UTF-8" : objects_to(code, utf8, lines);
        if (why)
            return why;
        if (is_glue(code)) { /* one at a time, and on something */
            if (!base || glued)
                return "joiner or selector that joins nothing";
            glued = !(code >= 0xfe00 && code <= 0xfe0f);
            continue;
        }
        if (glued && code < 0x80)
            return "joiner before ASCII";
        glued = false;
        if (code >= 0x80 && wcwidth((wchar_t)code) == 0) {
            if (!base || ++marks > 4)
                return base ? "more than four marks" : "mark without a base";
            continue;
        }
        marks = 0;
        base = code != '\n' && code != ' ';
    }
    return glued ? "joiner at the end" : NULL;
}
