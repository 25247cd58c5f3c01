/* render.c -- an allowlist over Unicode, written for a terminal that believes everything. */
#include "render.h"

#include "base/text.h"

#include <stdio.h>
#include <utf8proc.h>

enum {
    ZWNJ = 0x200c,
    ZWJ = 0x200d,
    BRAILLE_BLANK = 0x2800, /* a symbol by its category, a blank by its looks */
    AS_TEXT = 0xfe0e,       /* variation selectors: draw what precedes as text or as emoji */
    AS_EMOJI = 0xfe0f,
    KEYCAP = 0x20e3,
};

enum { NAME = 1 << 8 }; /* beside RENDER_UTF8 and RENDER_LINES: only what names consist of */

/* What is being written, and what the next character would be joined with. */
struct pen {
    char *out;
    size_t size, len;
    size_t col;     /* since the start of the line */
    unsigned how;   /* RENDER_UTF8 ... */
    unsigned marks; /* on the base */
    uint32_t base;  /* 0: nothing a mark could sit on */
    uint32_t last;  /* the last character, 0 after a marker, a space or a new line */
    bool full;      /* something did not fit: nothing more is written */
};

static const utf8proc_property_t *property(uint32_t c)
{
    return utf8proc_get_property((utf8proc_int32_t)c);
}

static bool is_skin_tone(uint32_t c)
{
    return c >= 0x1f3fb && c <= 0x1f3ff;
}

static bool is_pictograph(uint32_t c)
{
    return property(c)->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

/* is_mark -- is it drawn into the cell of what precedes it?  The vowels and finals of
 * decomposed Hangul are letters to Unicode, but terminals stack them like marks. */
static bool is_mark(const utf8proc_property_t *p)
{
    return p->category == UTF8PROC_CATEGORY_MN || p->category == UTF8PROC_CATEGORY_ME ||
           p->boundclass == UTF8PROC_BOUNDCLASS_V || p->boundclass == UTF8PROC_BOUNDCLASS_T;
}

/* is_cursive -- a letter or mark of a script in which the joiners change the shape of letters:
 * Arabic to Sinhala, Khmer and Mongolian. */
static bool is_cursive(uint32_t c)
{
    if ((c < 0x600 || c > 0xdff) && (c < 0x1780 || c > 0x18af))
        return false;
    int category = property(c)->category;
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_MC;
}

/* stands -- may `c`, no joiner and no selector, be shown behind what is written so far? */
static bool stands(const struct pen *p, uint32_t c)
{
    const utf8proc_property_t *of = property(c);
    if (of->ignorable || c == BRAILLE_BLANK)
        return false;
    if (is_mark(of))
        return p->base != 0 && p->marks < RENDER_MARKS_MAX;
    if (of->category == UTF8PROC_CATEGORY_MC)
        return p->base != 0;
    return of->category >= UTF8PROC_CATEGORY_LU && of->category <= UTF8PROC_CATEGORY_ZS;
}

/* joins -- does this joiner stand where it has something to join? */
static bool joins(const struct pen *p, uint32_t joiner, uint32_t next)
{
    if (is_cursive(p->last) && is_cursive(next))
        return stands(p, next);
    return joiner == ZWJ && (is_pictograph(p->base) || is_skin_tone(p->base)) &&
           is_pictograph(next);
}

/* selects -- does this variation selector stand where it selects something that can be seen? */
static bool selects(const struct pen *p, uint32_t selector, uint32_t next)
{
    if (p->last != p->base)
        return false;
    if (is_pictograph(p->base))
        return true;
    return selector == AS_EMOJI && next == KEYCAP && p->base != 0 && p->base < 0x80;
}

/* passes -- may `c`, not ASCII, be shown as it is? */
static bool passes(const struct pen *p, uint32_t c, uint32_t next)
{
    if (c == ZWJ || c == ZWNJ)
        return joins(p, c, next);
    if (c == AS_TEXT || c == AS_EMOJI)
        return selects(p, c, next);
    return stands(p, c);
}

/* columns -- how far `c` moves the cursor when it follows `last`. */
static size_t columns(uint32_t last, uint32_t c)
{
    if (c < 0x80)
        return c >= 0x20;
    const utf8proc_property_t *of = property(c);
    if (c == AS_EMOJI) /* a narrow pictograph becomes a wide one */
        return is_pictograph(last) && property(last)->charwidth == 1;
    if (is_mark(of) || (last == ZWJ && is_pictograph(c)) ||
        (is_skin_tone(c) && is_pictograph(last)))
        return 0;
    return of->category == UTF8PROC_CATEGORY_MC ? 1 : of->charwidth;
}

/* put -- all of it or, from the first that does not fit, nothing more; a joiner that waits for
 * it is taken back, lest it join with what the caller writes next. */
static void put(struct pen *p, const char *bytes, size_t len)
{
    if (p->full)
        return;
    if (p->size - p->len <= len) {
        p->full = true;
        if (p->last == ZWJ || p->last == ZWNJ)
            p->len -= strlen("\u200d");
        return;
    }
    memcpy(p->out + p->len, bytes, len);
    p->len += len;
}

/* put_apart -- bytes of ours; nothing joins with them, before or behind. */
static void put_apart(struct pen *p, const char *bytes, size_t len)
{
    put(p, bytes, len);
    p->col += len;
    p->base = p->last = 0;
}

static void put_marker(struct pen *p, uint32_t c)
{
    char marker[16];
    put_apart(p, marker, (size_t)snprintf(marker, sizeof marker, "<U+%04X>", c));
}

static void put_bad_byte(struct pen *p, char byte)
{
    char marker[16];
    put_apart(p, marker,
              (size_t)snprintf(marker, sizeof marker, "<\\x%02X>", (unsigned char)byte));
}

static void put_char(struct pen *p, const char *bytes, size_t len, uint32_t c)
{
    const utf8proc_property_t *of = property(c);
    put(p, bytes, len);
    p->col += columns(p->last, c);
    p->last = c;
    if (of->category == UTF8PROC_CATEGORY_ZS) {
        p->base = p->last = 0;
    } else if (is_mark(of)) {
        p->marks++;
    } else if (of->category != UTF8PROC_CATEGORY_MC && c != ZWJ && c != ZWNJ) {
        p->base = c;
        p->marks = 0;
    }
}

static bool starts_with(struct text t, const char *s)
{
    size_t len = strlen(s);
    return t.len >= len && memcmp(t.p, s, len) == 0;
}

/* forges -- could what begins here be taken for a marker of ours? */
static bool forges(struct text t)
{
    return starts_with(t, "<U+") || starts_with(t, "<\\x");
}

static bool in_names(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && c < 0x80 && strchr("._/-@#", (int)c));
}

/* good -- may `c`, which stands at the head of `in`, be shown as it is? */
static bool good(const struct pen *p, uint32_t c, struct text in, struct text behind)
{
    uint32_t next;
    if (p->how & NAME)
        return in_names(c);
    if (c < 0x80)
        return c >= 0x20 && c < 0x7f && !forges(in);
    if (text_char(behind, &next) == 0)
        next = 0;
    return (p->how & RENDER_UTF8) && passes(p, c, next);
}

/* step -- write what stands at the head of `in`; the bytes it took. */
static size_t step(struct pen *p, struct text in)
{
    static const char spaces[] = "        ";
    _Static_assert(sizeof spaces == RENDER_TAB + 1, "from a stop to the next");
    uint32_t c;
    size_t n = text_char(in, &c);
    if (n == 0) {
        put_bad_byte(p, in.p[0]);
        return 1;
    }
    if ((p->how & RENDER_LINES) && (c == '\n' || starts_with(in, "\r\n"))) {
        put_apart(p, "\n", 1);
        p->col = 0;
        return c == '\n' ? 1 : 2;
    }
    if (c == '\t' && !(p->how & NAME))
        put_apart(p, spaces, RENDER_TAB - p->col % RENDER_TAB);
    else if (good(p, c, in, (struct text){in.p + n, in.len - n}))
        put_char(p, in.p, n, c);
    else
        put_marker(p, c);
    return n;
}

static size_t render(struct text in, unsigned how, char *out, size_t size)
{
    ASSERT(size > 0);
    struct pen p = {.out = out, .size = size, .how = how};
    while (in.len > 0 && !p.full) {
        size_t n = step(&p, in);
        in.p += n;
        in.len -= n;
    }
    out[p.len] = '\0';
    return p.len;
}

size_t render_text(struct text in, unsigned how, char *out, size_t size)
{
    return render(in, how & (RENDER_UTF8 | RENDER_LINES), out, size);
}

size_t render_name(struct text in, char *out, size_t size)
{
    return render(in, NAME, out, size);
}

size_t render_width(struct text rendered)
{
    size_t width = 0;
    uint32_t last = 0, c = 0;
    for (size_t n; (n = text_char(rendered, &c)) > 0; last = c) {
        width += columns(last, c);
        rendered.p += n;
        rendered.len -= n;
    }
    return width;
}

/* is_settled -- all terminals draw this character as wide as columns() says, and put a wide one whole into the next row. */
static bool is_settled(uint32_t c, size_t width)
{
    bool cjk = (c >= 0x3041 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3);
    return (width == 1 && c < 0x1100) || (width == 2 && cjk);
}

size_t render_rows(struct text rendered, size_t terminal_columns)
{
    size_t rows = 1, at = 0;
    uint32_t last = 0, c = 0;
    bool settled = true;
    for (size_t n; (n = text_char(rendered, &c)) > 0; last = c) {
        size_t width = columns(last, c);
        if (at + width > terminal_columns) {
            rows++;
            at = 0;
        }
        at += width;
        settled &= is_settled(c, width);
        rendered.p += n;
        rendered.len -= n;
    }
    return at >= terminal_columns || (rows > 1 && !settled) ? 0 : rows;
}
