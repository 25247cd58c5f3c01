/* wanted.c -- from left to right, one word, phrase or condition after the other. */
#include "base/wanted.h"

#include "base/base.h"

#include <string.h>

/* is_in_word -- letters, digits, and whatever could be one in some script: dashes, arrows and pictures are not. */
static bool is_in_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c >= 0xc0 && !(c >= 0x2000 && c <= 0x2bff) && !(c >= 0x3000 && c <= 0x303f) && !(c >= 0x1f000 && c <= 0x1ffff);
}

static bool has_word(struct text t)
{
    uint32_t c;
    for (size_t n; (n = text_char(t, &c)) > 0; t.p += n, t.len -= n)
        if (is_in_word(c))
            return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* take -- the first `n` bytes of what is left. */
static struct text take(struct text *left, size_t n)
{
    struct text t = {left->p, n};
    left->p += n;
    left->len -= n;
    return t;
}

/* add_term -- what holds no word at all is not looked for: a dash between two words. */
static const char *add_term(struct wanted *w, struct text t, bool begins)
{
    if (!has_word(t))
        return NULL;
    if (w->n_terms == WANTED_TERMS_MAX)
        return "too many words; 16 words and phrases are enough for one search";
    w->term[w->n_terms++] = (struct wanted_term){t, begins};
    return NULL;
}

static const char *take_phrase(struct wanted *w, struct text *left)
{
    (void)take(left, 1);
    const char *end = memchr(left->p, '"', left->len);
    if (!end)
        return "a phrase that begins with \" must end with \"";
    struct text phrase = take(left, (size_t)(end - left->p));
    (void)take(left, 1);
    bool begins = left->len > 0 && left->p[0] == '*';
    (void)take(left, begins);
    return add_term(w, phrase, begins);
}

static const char *set_from(struct wanted *w, struct text v)
{
    const char *at = memchr(v.p, '@', v.len);
    w->user = (struct text){v.p, at ? (size_t)(at - v.p) : v.len};
    w->host = at ? (struct text){at + 1, (size_t)(v.p + v.len - at - 1)} : (struct text){"", 0};
    return text_user_ok(w->user) && (!at || text_host_ok(w->host)) ? NULL : "from: is followed by a user, from:bob or from:bob@beta";
}

static const char *set_in(struct wanted *w, struct text v)
{
    if (w->n_rooms == WANTED_ROOMS_MAX)
        return "too many rooms; name up to 16, or none for all";
    w->room[w->n_rooms++] = v;
    return v.len > 0 ? NULL : "in: is followed by a room, in:build or in:@bob";
}

static const char *set_since(struct wanted *w, struct text v)
{
    w->since = v;
    return v.len > 0 ? NULL : "since: is followed by a time, since:-1h or since:2025-01-31";
}

static const char *set_until(struct wanted *w, struct text v)
{
    w->until = v;
    return v.len > 0 ? NULL : "until: is followed by a time, until:-1h or until:2025-01-31";
}

static const struct condition {
    const char *name;
    const char *(*set)(struct wanted *w, struct text value);
} conditions[] = {{"from:", set_from}, {"in:", set_in}, {"since:", set_since}, {"until:", set_until}};

static const char *take_word(struct wanted *w, struct text *left)
{
    size_t n = 0;
    while (n < left->len && !is_space(left->p[n]))
        n++;
    struct text word = take(left, n);
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        size_t len = strlen(conditions[i].name);
        if (n >= len && memcmp(word.p, conditions[i].name, len) == 0)
            return conditions[i].set(w, (struct text){word.p + len, n - len});
    }
    bool begins = word.p[n - 1] == '*';
    return add_term(w, (struct text){word.p, n - begins}, begins);
}

const char *wanted_read(struct text typed, struct wanted *w)
{
    const char *why = NULL;
    *w = (struct wanted){.n_terms = 0};
    if (typed.len > WANTED_MAX)
        return "that is too long to search for; 1024 bytes at most";
    if (!text_utf8_ok(typed))
        return "that is not valid UTF-8; check your locale";
    while (!why) {
        while (typed.len > 0 && is_space(typed.p[0]))
            (void)take(&typed, 1);
        if (typed.len == 0)
            break;
        why = typed.p[0] == '"' ? take_phrase(w, &typed) : take_word(w, &typed);
    }
    if (!why && w->n_terms == 0 && w->user.len == 0)
        why = "nothing to search for; write a word, a \"phrase\", or from:USER";
    return why;
}
