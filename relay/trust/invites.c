/* invites.c -- the file `invites`: "HASH USES EXPIRES [guest]" lines, HASH the SHA-256 of a secret that is kept nowhere. */
#include "trust/invites.h"

#include "base/hash.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define INVITES_FILE "invites"
#define NETWORK_FILE "network"

enum { HASH_HEX = 2 * SHA256_LEN, SECRET_HEX = 2 * INVITE_SECRET_LEN, FILE_MAX = INVITES_MAX * 128 };

struct entry {
    char hash[HASH_HEX + 1];
    unsigned uses;
    uint64_t expires_s;
    bool guest;
};

struct table {
    struct entry entry[INVITES_MAX];
    size_t n;
};

void invite_to_line(const struct invite *i, char line[INVITE_LINE_MAX])
{
    char key[KEY_TEXT_LEN + 1], secret[SECRET_HEX + 1];
    key_to_text(i->host.key, key);
    text_hex(i->secret, INVITE_SECRET_LEN, secret);
    snprintf(line, INVITE_LINE_MAX, "%s@%s/%s/%016llx/%s/%llu", i->host.name, i->host.address, key,
             (unsigned long long)i->network, secret, (unsigned long long)i->expires_s);
}

int invite_from_line(const char *line, struct invite *i, char *why, size_t why_size)
{
    char peer[INVITE_LINE_MAX], name[65], address[129], key[64], secret[64], end;
    unsigned long long expires, network;
    *i = (struct invite){0};
    if (sscanf(line, "%64[^@/ ]@%128[^/ ]/%63[^/ ]/%16llx/%63[^/ ]/%llu%c", name, address, key, &network, secret, &expires, &end) != 6 ||
        !text_unhex(text_of(secret), i->secret, INVITE_SECRET_LEN)) {
        snprintf(why, why_size, "that is not a whole invitation; copy all of the line that `relay invite` printed");
        return -EINVAL;
    }
    i->expires_s = expires;
    i->network = network;
    snprintf(peer, sizeof peer, "%s %s %s", name, address, key);
    return peer_from_line(peer, &i->host, why, why_size);
}

/* ---- the file ---- */

static int load(int dirfd, struct table *t)
{
    char text[FILE_MAX + 1], *save = NULL;
    t->n = 0;
    ssize_t n = read_file(dirfd, INVITES_FILE, text, sizeof text);
    if (n < 0)
        return n == -ENOENT ? 0 : (int)n;
    for (char *line = strtok_r(text, "\n", &save); line && t->n < INVITES_MAX; line = strtok_r(NULL, "\n", &save)) {
        struct entry *e = &t->entry[t->n];
        unsigned long long expires;
        char guest[8] = "";
        if (sscanf(line, "%64[0-9a-f] %u %llu %7s", e->hash, &e->uses, &expires, guest) < 3)
            continue;
        e->expires_s = expires;
        e->guest = strcmp(guest, "guest") == 0;
        t->n++;
    }
    return 0;
}

/* keep -- write those that can still be used, or tell of their end to one who comes a day late. */
static int keep(int dirfd, const struct table *t, uint64_t now_s)
{
    char text[FILE_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct entry *e = &t->entry[i];
        if (e->uses > 0 && e->expires_s + 86400 > now_s)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s %u %llu%s\n", e->hash, e->uses,
                                    (unsigned long long)e->expires_s, e->guest ? " guest" : "");
    }
    return replace_file(dirfd, INVITES_FILE, text, len, 0600);
}

int network_load(int dirfd, uint64_t *network)
{
    char text[32];
    *network = 0;
    ssize_t n = read_file(dirfd, NETWORK_FILE, text, sizeof text);
    if (n < 0)
        return n == -ENOENT ? 0 : (int)n;
    *network = strtoull(text, NULL, 16);
    return 0;
}

int network_keep(int dirfd, uint64_t network)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%016llx\n", (unsigned long long)network);
    return replace_file(dirfd, NETWORK_FILE, text, (size_t)n, 0600);
}

static void hash_of(const uint8_t secret[INVITE_SECRET_LEN], char hex[HASH_HEX + 1])
{
    uint8_t hash[SHA256_LEN];
    sha256(secret, INVITE_SECRET_LEN, NULL, 0, hash);
    text_hex(hash, sizeof hash, hex);
}

/* lock -- relay and `relay invite` may both write; the directory itself is what they lock. */
static int lock(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    int e = errno;
    close_fd(&fd);
    return -e;
}

int invites_add(int dirfd, const struct invite *i, unsigned uses)
{
    struct table t;
    int fd = lock(dirfd);
    int r = fd < 0 ? fd : load(dirfd, &t);
    if (r == 0 && t.n == INVITES_MAX)
        r = -ENOSPC;
    if (r == 0) {
        struct entry *e = &t.entry[t.n++];
        hash_of(i->secret, e->hash);
        e->uses = uses;
        e->expires_s = i->expires_s;
        e->guest = i->host.guest;
        r = keep(dirfd, &t, wall_ms() / 1000);
    }
    close_fd(&fd);
    return r;
}

bool invites_open(int dirfd, uint64_t now_s)
{
    struct table t;
    if (load(dirfd, &t) < 0)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (t.entry[i].uses > 0 && t.entry[i].expires_s + 86400 > now_s)
            return true;
    return false;
}

int invites_use(int dirfd, const uint8_t secret[INVITE_SECRET_LEN], uint64_t now_s, bool *guest)
{
    struct table t;
    char hash[HASH_HEX + 1];
    int fd = lock(dirfd);
    int r = fd < 0 ? fd : load(dirfd, &t);
    hash_of(secret, hash);
    if (r == 0)
        r = -ENOENT;
    for (size_t i = 0; r == -ENOENT && i < t.n; i++) {
        struct entry *e = &t.entry[i];
        if (e->uses == 0 || strcmp(e->hash, hash) != 0) /* of hashes: how long it takes tells nothing */
            continue;
        if (e->expires_s <= now_s) {
            r = -ETIMEDOUT;
        } else {
            e->uses--;
            *guest = e->guest;
            r = keep(dirfd, &t, now_s);
        }
    }
    close_fd(&fd);
    return r;
}
