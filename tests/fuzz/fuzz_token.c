/* fuzz_token.c -- any line where an invitation or a host's line is expected: what people paste into `relay join`, and
 * what a stranger says he is called.
 *
 * What is let in must be what the rest relies on -- a name that is one, an address that can be taken apart -- and
 * must come back the same when it is written and read again. */
#include "base/text.h"
#include "net/address.h"
#include "trust/invites.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

/* check_why -- a refusal says why, in one line. */
static void check_why(const char *why)
{
    check(why[0] != '\0' && !strpbrk(why, "\r\n\033"));
}

static void check_peer(const struct peer *p)
{
    struct lookup l;
    check(text_host_ok(text_of(p->name)));
    check(p->host != 0 && p->host == host_of_key(p->key));
    check(strlen(p->address) > 0 && !strpbrk(p->address, " \t\r\n/@#"));
    if (strcmp(p->address, "-") == 0)
        return;
    lookup_init(&l, p->address);
    unsigned long port = strtoul(l.port, NULL, 10);
    check(l.host[0] != '\0' && !strpbrk(l.host, "[]") && port > 0 && port < 65536);
    lookup_free(&l);
}

static bool same(const struct peer *a, const struct peer *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0 && a->host == b->host &&
           memcmp(a->key, b->key, KEY_LEN) == 0;
}

static void as_peer(const char *line)
{
    struct peer p, q;
    char why[128] = "", again[256];
    if (peer_from_line(line, &p, why, sizeof why) < 0) {
        check_why(why);
        return;
    }
    check_peer(&p);
    peer_to_line(&p, again, sizeof again);
    check(peer_from_line(again, &q, why, sizeof why) == 0 && same(&p, &q));
}

static void as_invite(const char *line)
{
    struct invite i, k;
    char why[128] = "", again[INVITE_LINE_MAX];
    if (invite_from_line(line, &i, why, sizeof why) < 0) {
        check_why(why);
        return;
    }
    check_peer(&i.host);
    invite_to_line(&i, again);
    check(invite_from_line(again, &k, why, sizeof why) == 0 && same(&i.host, &k.host) &&
          i.expires_s == k.expires_s && memcmp(i.secret, k.secret, INVITE_SECRET_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1); /* exact, for the sanitizer */
    if (!line)
        return 0;
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    as_peer(line);
    as_invite(line);
    struct lookup l;
    lookup_init(&l, line); /* whatever it is: nothing is looked up yet */
    lookup_free(&l);
    free(line);
    return 0;
}
