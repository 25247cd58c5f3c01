/* conf.c -- settings from relay.conf into a struct, by table. */
#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setting {
    const char *name;
    enum { TEXT, NUMBER, SIZE, AMOUNT } kind; /* SIZE: a power of two */
    size_t offset, len; /* of TEXT: its array */
    uint64_t min, max;
};

#define TEXT_OF(field)             TEXT, offsetof(struct conf, field), sizeof(((struct conf *)0)->field), 0, 0
#define NUMBER_OF(field, min, max) NUMBER, offsetof(struct conf, field), 0, min, max
static const struct setting settings[] = {
    {"name", TEXT_OF(name)},
    {"user", TEXT_OF(user)},
    {"group", TEXT_OF(group)},
    {"workers", NUMBER_OF(workers, 1, 8)},
    {"sessions", NUMBER_OF(sessions, 16, 100000)},
    {"sessions_per_user", NUMBER_OF(sessions_per_user, 0, 100000)},
    {"journal", SIZE, offsetof(struct conf, journal), 0, 1 << 20, 1u << 30},
    {"keep_days", AMOUNT, offsetof(struct conf, keep_days), 0, 0, 36500},
    {"keep_bytes", AMOUNT, offsetof(struct conf, keep_bytes), 0, 0, UINT64_C(1) << 60},
    {"listen", TEXT_OF(listen)},
    {"address", TEXT_OF(address)},
    {"log", TEXT_OF(log)},
};

static void host_name(char *to, size_t size)
{
    char name[256] = "";
    (void)gethostname(name, sizeof name - 1);
    name[strcspn(name, ".")] = '\0';
    size_t n = 0;
    for (const char *p = name; *p && n + 1 < size; p++)
        if (isalnum((unsigned char)*p) || (*p == '-' && n > 0))
            to[n++] = (char)tolower((unsigned char)*p);
    to[n] = '\0';
    if (n == 0)
        snprintf(to, size, "localhost");
}

static void defaults(struct conf *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *c = (struct conf){.workers = cores < 4 ? 1 : cores > 8 ? 4 : (unsigned)cores / 2, /* the keeper and the clients need the rest */
                       .sessions = 10000,
                       .sessions_per_user = 256,
                       .journal = 16u << 20};
    host_name(c->name, sizeof c->name);
    snprintf(c->log, sizeof c->log, "info");
}

static bool number(const char *text, uint64_t *v)
{
    char *end;
    errno = 0;
    *v = strtoull(text, &end, 10);
    if (*end == 'K' || *end == 'M' || *end == 'G') {
        unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
        if (*v > UINT64_MAX >> shift)
            return false;
        *v <<= shift;
        end++;
    }
    return errno == 0 && end != text && *end == '\0' && isdigit((unsigned char)text[0]);
}

static bool set(struct conf *c, const struct setting *s, const char *value)
{
    uint8_t *at = (uint8_t *)c + s->offset;
    uint64_t v;
    if (s->kind == TEXT) {
        if (strlen(value) >= s->len)
            return false;
        memcpy(at, value, strlen(value) + 1);
        return true;
    }
    if (!number(value, &v) || v < s->min || v > s->max)
        return false;
    if (s->kind != NUMBER) {
        memcpy(at, &v, sizeof v);
        return s->kind == AMOUNT || (v & (v - 1)) == 0;
    }
    unsigned n = (unsigned)v;
    memcpy(at, &n, sizeof n);
    return true;
}

static int on_line(void *arg, const char *section, const char *name, const char *value)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if ((*section == '\0' || strcmp(section, "relay") == 0) && strcmp(settings[i].name, name) == 0)
            return set(arg, &settings[i], value);
    return 0;
}

int conf_load(struct conf *c, const char *path, bool must, char *why, size_t why_size)
{
    defaults(c);
    int line = path ? ini_parse(path, on_line, c) : 0;
    if (line == -1 && !must && access(path, F_OK) < 0)
        line = 0;
    if (line == -1) {
        snprintf(why, why_size, "cannot read the configuration %s: %s", path, strerror(errno));
        return -ENOENT;
    }
    if (line != 0) {
        snprintf(why, why_size, "%s, line %d: no such setting, or a value that it cannot have; see relay.conf(5)", path, line);
        return -EINVAL;
    }
    return 0;
}
