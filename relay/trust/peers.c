/* peers.c -- the file `peers`: parsed by line, changed by line, so that comment lines survive; and `revoked`, like it.
 *
 * In `peers` a name and a key stand for each other: neither occurs twice. */
#include "trust/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "base/text.h"

#define PEERS_FILE   "peers"
#define REVOKED_FILE "revoked"

enum { FILE_MAX = 65536, LINE_MAX_LEN = 255 };

static const char spaces[] = " \t\r\n";

/* ---- one line ------------------------------------------------------------ */

/* next_word -- cut the next word off `rest`; empty at the end. */
static struct text next_word(const char **rest)
{
    const char *p = *rest + strspn(*rest, spaces);
    size_t len = strcspn(p, spaces);
    *rest = p + len;
    return (struct text){p, len};
}

/* keep_word -- as a string, when it fits. */
static bool keep_word(struct text word, char *to, size_t size)
{
    if (word.len >= size)
        return false;
    memcpy(to, word.p, word.len);
    to[word.len] = '\0';
    return true;
}

static bool port_ok(const char *p)
{
    unsigned long port = 0;
    size_t n = strspn(p, "0123456789");
    for (size_t i = 0; i < n && i < 5; i++)
        port = port * 10 + (unsigned long)(p[i] - '0');
    return n <= 5 && p[n] == '\0' && port >= 1 && port <= 65535;
}

/* v6_ok -- [v6]:port; `end` is at the last colon. */
static bool v6_ok(const char *address, const char *end)
{
    char literal[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    if (end - address < 3 || end[-1] != ']')
        return false;
    return keep_word((struct text){address + 1, (size_t)(end - address) - 2}, literal,
                     sizeof literal) &&
           inet_pton(AF_INET6, literal, &v6) == 1;
}

bool peer_address_ok(const char *address)
{
    static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-_";
    if (strcmp(address, "-") == 0)
        return true;
    const char *colon = strrchr(address, ':');
    if (!colon || !port_ok(colon + 1))
        return false;
    if (address[0] == '[')
        return v6_ok(address, colon);
    return colon > address && strspn(address, host_chars) == (size_t)(colon - address);
}

int peer_from_line(const char *line, struct peer *p, char *why, size_t why_size)
{
    char key[KEY_TEXT_LEN + 1];
    struct text word = next_word(&line);
    const char *wrong = NULL;
    *p = (struct peer){0};
    if (!text_host_ok(word) || !keep_word(word, p->name, sizeof p->name))
        wrong = "the first word must be a host's name: small letters, digits, '.' and '-'";
    word = next_word(&line);
    if (!wrong && (!keep_word(word, p->address, sizeof p->address) || !peer_address_ok(p->address)))
        wrong = "the second word must be an address: HOST:PORT, [V6]:PORT, or - for none";
    word = next_word(&line);
    if (!wrong && (!keep_word(word, key, sizeof key) || !key_from_text(key, p->key)))
        wrong = "the third word must be the 43 characters of a key, as `relay id` prints it";
    word = next_word(&line);
    p->guest = text_eq(word, text_of("guest"));
    if (!wrong && ((word.len > 0 && !p->guest) || next_word(&line).len > 0))
        wrong = "behind the key nothing may stand but the word guest";
    if (wrong) {
        snprintf(why, why_size, "%s", wrong);
        return -EINVAL;
    }
    p->host = host_of_key(p->key);
    return 0;
}

void peer_to_line(const struct peer *p, char *line, size_t size)
{
    char key[KEY_TEXT_LEN + 1];
    key_to_text(p->key, key);
    snprintf(line, size, "%s %s %s%s", p->name, p->address, key, p->guest ? " guest" : "");
}

/* ---- the file ------------------------------------------------------------ */

/* next_line -- the line at *at as a string, without what '#' starts.
 *
 * Returns  1; 0 at the end; -EINVAL when it is too long or holds a NUL. */
static int next_line(struct text file, size_t *at, char line[LINE_MAX_LEN + 1])
{
    if (*at == file.len)
        return 0;
    const char *p = file.p + *at, *nl = memchr(p, '\n', file.len - *at);
    size_t len = nl ? (size_t)(nl - p) : file.len - *at;
    *at += len + (nl ? 1 : 0);
    const char *comment = memchr(p, '#', len);
    if (comment)
        len = (size_t)(comment - p);
    if (len > LINE_MAX_LEN || memchr(p, '\0', len))
        return -EINVAL;
    memcpy(line, p, len);
    line[len] = '\0';
    return 1;
}

static const struct peer *by_name(const struct peers *ps, const char *name)
{
    for (size_t i = 0; i < ps->n; i++)
        if (strcmp(ps->peer[i].name, name) == 0)
            return &ps->peer[i];
    return NULL;
}

/* add_line -- one line of the file into the table. */
static int add_line(struct peers *ps, const char *line, char *why, size_t why_size)
{
    struct peer p;
    if (line[strspn(line, spaces)] == '\0')
        return 0;
    int err = peer_from_line(line, &p, why, why_size);
    if (err < 0)
        return err;
    if (by_name(ps, p.name) || peers_by_host(ps, p.host)) {
        snprintf(why, why_size, "this name or this key was there before");
        return -EEXIST;
    }
    if (ps->n == PEERS_MAX) {
        snprintf(why, why_size, "no more than %d peers", PEERS_MAX);
        return -ENOSPC;
    }
    ps->peer[ps->n++] = p;
    return 0;
}

static int parse(struct peers *ps, struct text file, char *why, size_t why_size)
{
    char line[LINE_MAX_LEN + 1], reason[128] = "not a line of text";
    size_t at = 0;
    int r;
    ps->n = 0;
    for (unsigned n = 1; (r = next_line(file, &at, line)) != 0; n++) {
        if (r > 0)
            r = add_line(ps, line, reason, sizeof reason);
        if (r < 0) {
            snprintf(why, why_size, PEERS_FILE ", line %u: %s", n, reason);
            return r;
        }
    }
    return 0;
}

/* read_peers -- the whole file, empty when there is none, and what it says. */
static int read_peers(struct peers *ps, int dirfd, char *buf, struct text *file, char *why,
                      size_t why_size)
{
    ssize_t n = read_file(dirfd, PEERS_FILE, buf, FILE_MAX);
    if (n < 0 && n != -ENOENT) {
        snprintf(why, why_size, PEERS_FILE " cannot be read: %s", strerror((int)-n));
        return (int)n;
    }
    *file = (struct text){buf, n < 0 ? 0 : (size_t)n};
    return parse(ps, *file, why, why_size);
}

int peers_load(struct peers *ps, int state_dirfd, char *why, size_t why_size)
{
    char buf[FILE_MAX];
    struct text file;
    return read_peers(ps, state_dirfd, buf, &file, why, why_size);
}

/* allowed -- would the table still be one with `p` in it? */
static int allowed(const struct peers *ps, const struct peer *p, char *why, size_t why_size)
{
    const struct peer *same_name = by_name(ps, p->name);
    const struct peer *same_key = peers_by_host(ps, p->host);
    if (same_name && same_name != same_key) {
        snprintf(
            why, why_size,
            "%s stands for another key here; if that host really has a new one, remove its "
            "line from " PEERS_FILE " first",
            p->name);
        return -EEXIST;
    }
    if (same_key && same_key != same_name) {
        snprintf(why, why_size, "this key is that of %s already", same_key->name);
        return -EEXIST;
    }
    if (!same_name && ps->n == PEERS_MAX) {
        snprintf(why, why_size, "no more than %d peers", PEERS_MAX);
        return -ENOSPC;
    }
    return 0;
}

/* rewrite -- the file with the line of p's name replaced, or a line more; -EMSGSIZE. */
static int rewrite(struct text file, const struct peer *p, struct wr *out)
{
    char line[LINE_MAX_LEN + 1], mine[LINE_MAX_LEN + 2];
    bool written = false;
    size_t at = 0, start = 0;
    peer_to_line(p, mine, sizeof mine - 1);
    memcpy(mine + strlen(mine), "\n", 2);
    while (next_line(file, &at, line) > 0) {
        const char *rest = line;
        if (text_eq(next_word(&rest), text_of(p->name))) {
            wr_bytes(out, mine, strlen(mine));
            written = true;
        } else {
            wr_bytes(out, file.p + start, at - start);
        }
        start = at;
    }
    if (!written && file.len > 0 && file.p[file.len - 1] != '\n')
        wr_u8(out, '\n');
    if (!written)
        wr_bytes(out, mine, strlen(mine));
    return wr_done(out) ? 0 : -EMSGSIZE;
}

int peers_add(int state_dirfd, const struct peer *p, char *why, size_t why_size)
{
    struct peers ps;
    struct text file;
    char old[FILE_MAX], new[FILE_MAX - 1]; /* what read_file() takes back */
    struct wr out = wr_to(new, sizeof new);
    int err = read_peers(&ps, state_dirfd, old, &file, why, why_size);
    if (err == 0)
        err = allowed(&ps, p, why, why_size);
    if (err < 0)
        return err;
    err = rewrite(file, p, &out);
    if (err == 0)
        err = replace_file(state_dirfd, PEERS_FILE, new, wr_len(&out), 0600);
    if (err < 0)
        snprintf(why, why_size, "cannot write " PEERS_FILE ": %s", strerror(-err));
    return err;
}

/* copy_without -- all lines but that of the host. */
static int copy_without(struct text file, uint64_t host, struct wr *out)
{
    char line[LINE_MAX_LEN + 1], why[128];
    size_t at = 0, start = 0;
    for (struct peer p; next_line(file, &at, line) > 0; start = at)
        if (peer_from_line(line, &p, why, sizeof why) < 0 || p.host != host)
            wr_bytes(out, file.p + start, at - start);
    return wr_done(out) ? 0 : -EMSGSIZE;
}

int peers_remove(int state_dirfd, uint64_t host)
{
    struct peers ps;
    struct text file;
    char old[FILE_MAX], new[FILE_MAX - 1], why[256];
    struct wr out = wr_to(new, sizeof new);
    int err = read_peers(&ps, state_dirfd, old, &file, why, sizeof why);
    if (err < 0 || !peers_by_host(&ps, host))
        return err;
    err = copy_without(file, host, &out);
    return err < 0 ? err : replace_file(state_dirfd, PEERS_FILE, new, wr_len(&out), 0600);
}

int revoked_load(struct peers *ps, int state_dirfd)
{
    char buf[FILE_MAX], line[LINE_MAX_LEN + 1], why[128];
    ssize_t n = read_file(state_dirfd, REVOKED_FILE, buf, sizeof buf);
    struct text file = {buf, n < 0 ? 0 : (size_t)n};
    ps->n = 0;
    for (size_t at = 0; at < file.len && ps->n < PEERS_MAX;)
        if (next_line(file, &at, line) > 0 && peer_from_line(line, &ps->peer[ps->n], why, sizeof why) == 0)
            ps->n++;
    return n < 0 && n != -ENOENT ? (int)n : 0;
}

int revoked_add(int state_dirfd, const struct peer *p)
{
    char text[FILE_MAX], line[LINE_MAX_LEN + 1];
    ssize_t n = read_file(state_dirfd, REVOKED_FILE, text, sizeof text);
    struct wr out = wr_to(text, sizeof text);
    if (n < 0 && n != -ENOENT)
        return (int)n;
    (void)wr_room(&out, n < 0 ? 0 : (size_t)n);
    peer_to_line(p, line, sizeof line);
    wr_bytes(&out, line, strlen(line));
    wr_u8(&out, '\n');
    return wr_done(&out) ? replace_file(state_dirfd, REVOKED_FILE, text, wr_len(&out), 0600) : -ENOSPC;
}

int peers_check(int state_dirfd, const struct peer *p, char *why, size_t why_size)
{
    struct peers ps;
    int err = peers_load(&ps, state_dirfd, why, why_size);
    return err < 0 ? err : allowed(&ps, p, why, why_size);
}

bool peers_have(int state_dirfd, const struct peer *p)
{
    struct peers ps;
    char why[128];
    const struct peer *same = peers_load(&ps, state_dirfd, why, sizeof why) < 0 ? NULL : peers_by_host(&ps, p->host);
    return same && strcmp(same->name, p->name) == 0 && strcmp(same->address, p->address) == 0;
}

const struct peer *peers_by_pin(const struct peers *ps, const uint8_t pin[KEY_PIN_LEN])
{
    uint8_t known[KEY_PIN_LEN];
    for (size_t i = 0; i < ps->n; i++) {
        key_pin(ps->peer[i].key, known);
        if (memcmp(known, pin, KEY_PIN_LEN) == 0)
            return &ps->peer[i];
    }
    return NULL;
}

const struct peer *peers_by_host(const struct peers *ps, uint64_t host)
{
    for (size_t i = 0; i < ps->n; i++)
        if (ps->peer[i].host == host)
            return &ps->peer[i];
    return NULL;
}
