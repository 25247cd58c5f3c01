/* direct.c -- names of conversations of two and of private rooms, made and taken apart. */
#include "base/direct.h"

static bool same(struct person a, struct person b)
{
    return text_eq(a.user, b.user) && text_eq(a.host, b.host);
}

/* order -- of two texts by their bytes, as for memcmp(). */
static int order(struct text a, struct text b)
{
    int r = memcmp(a.p, b.p, min_size(a.len, b.len));
    return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* read_person -- "user@host". */
static bool read_person(struct text t, struct person *who)
{
    const char *at = memchr(t.p, '@', t.len);
    if (!at)
        return false;
    who->user = (struct text){t.p, (size_t)(at - t.p)};
    who->host = (struct text){at + 1, t.len - who->user.len - 1};
    return text_user_ok(who->user) && text_host_ok(who->host);
}

bool direct_read(struct text name, struct direct *d)
{
    if (!direct_is(name) || name.len > DIRECT_NAME_MAX)
        return false;
    struct text first = {name.p + 1, name.len - 1}, second;
    const char *comma = memchr(first.p, ',', first.len);
    d->n = 1;
    if (!comma)
        return read_person(first, &d->who[0]);
    second = (struct text){comma + 1, first.len - (size_t)(comma - first.p) - 1};
    first.len = (size_t)(comma - first.p);
    d->n = 2;
    return order(first, second) <= 0 && read_person(first, &d->who[0]) && read_person(second, &d->who[1]);
}

bool direct_has(const struct direct *d, struct person who)
{
    for (unsigned i = 0; i < d->n; i++)
        if (same(d->who[i], who))
            return true;
    return false;
}

bool direct_has_host(const struct direct *d, struct text host)
{
    for (unsigned i = 0; i < d->n; i++)
        if (text_eq(d->who[i].host, host))
            return true;
    return false;
}

struct person direct_other(const struct direct *d, struct person who)
{
    return d->who[d->n == 2 && same(d->who[0], who)];
}

/* put -- "user@host" behind one character.  Returns the length. */
static size_t put(char *to, char before, struct person who)
{
    char *at = to;
    *at++ = before;
    memcpy(at, who.user.p, who.user.len);
    at += who.user.len;
    *at++ = '@';
    memcpy(at, who.host.p, who.host.len);
    at += who.host.len;
    *at = '\0';
    return (size_t)(at - to);
}

size_t direct_inbox(struct person who, char *to)
{
    return put(to, '@', who);
}

size_t direct_name(struct person a, struct person b, char *to)
{
    char one[PERSON_MAX + 2], other[PERSON_MAX + 2];
    struct text x = {one, put(one, '@', a)}, y = {other, put(other, '@', b)};
    bool sorted = order(x, y) <= 0;
    size_t n = put(to, '@', sorted ? a : b);
    return n + put(to + n, ',', sorted ? b : a);
}

bool private_read(struct text name, struct person *owner, struct text *room)
{
    const char *slash = private_is(name) ? memchr(name.p, '/', name.len) : NULL;
    if (!slash)
        return false;
    size_t len = (size_t)(slash - name.p);
    *room = (struct text){slash + 1, name.len - len - 1};
    return read_person((struct text){name.p, len}, owner) && text_room_ok(*room);
}

size_t private_name(struct person owner, struct text room, char *to)
{
    char name[PERSON_MAX + 2];
    size_t n = direct_inbox(owner, name) - 1;
    memcpy(to, name + 1, n);
    to[n++] = '/';
    memcpy(to + n, room.p, room.len);
    to[n + room.len] = '\0';
    return n + room.len;
}

bool direct_room_ok(struct text name)
{
    struct direct d;
    struct person owner;
    struct text room;
    return direct_is(name) ? direct_read(name, &d) : private_is(name) ? private_read(name, &owner, &room) : text_room_ok(name);
}
