/* twin.c -- a member that has two connections with a relay at once: which one stays?
 *
 * usage: twin make smaller|larger DIR KEY     an identity in DIR whose host number is that beside KEY's; prints
 *                                             its line for `relay join`, but for the address
 *        twin play DIR PORT_FILE ADDRESS      listen, write the port, be dialled and dial ADDRESS, the relay
 *
 * Both hosts keep the connection that the smaller of them dialled, whichever came first; a link that is silent
 * gives way to anything. */
#include "base/sys.h"
#include "patience.h"
#include "raw.h"
#include "rough.h"
#include "trust/identity.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 8000, SILENT_MS = 1500 };

static const char *dir, *address;
static int listener;
static struct rough theirs, ours; /* the connection they dialled, the one we dialled */

/* ---- make ---- */

static int make(const char *which, const char *key)
{
    uint8_t raw[KEY_LEN];
    char text[KEY_TEXT_LEN + 1], why[256];
    if (!key_from_text(key, raw))
        die("%s is no key", key);
    (void)mkdir(dir, 0700);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (;;) {
        struct identity *id;
        if (identity_load(&id, fd, why, sizeof why) < 0)
            die("%s", why);
        bool smaller = identity_host(id) < host_of_key(raw);
        key_to_text(identity_key(id), text);
        identity_free(id);
        if (smaller == (strcmp(which, "smaller") == 0))
            break;
        if (unlinkat(fd, "identity.key", 0) < 0)
            die("cannot remove a key");
    }
    close(fd);
    puts(text);
    return 0;
}

/* ---- play ---- */

/* greeted -- does it take this connection for the link?  It says so, or ends it. */
static bool greeted(struct rough *r)
{
    const uint8_t *f;
    int n = rough_next(r, &f, patience(WAIT_MS));
    return n == 1 && frame_type(f) == FRAME_GREETING && rough_greet(r, r->us);
}

/* take_call -- its next attempt to dial us; those that it gave up meanwhile are over.  It is not answered yet. */
static int take_call(void)
{
    struct pollfd p = {listener, POLLIN, 0};
    int fd;
    for (bool over = true; over; over ? (void)close(fd) : (void)0) {
        if (poll(&p, 1, patience(WAIT_MS)) != 1)
            die("it does not dial");
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct pollfd hello = {fd, POLLIN | POLLRDHUP, 0};
        over = poll(&hello, 1, patience(WAIT_MS)) != 1 || (hello.revents & POLLRDHUP);
    }
    return fd;
}

static bool answer(int fd, uint64_t us)
{
    rough_begin(&theirs, fd, dir);
    theirs.us = us;
    return rough_shake(&theirs, true, patience(WAIT_MS)) && greeted(&theirs);
}

static bool dial(uint64_t us)
{
    rough_begin(&ours, rough_dial(address, 0), dir);
    ours.us = us;
    return rough_shake(&ours, false, patience(WAIT_MS)) && greeted(&ours);
}

/* lives -- it answers what we ask; false: it was ended. */
static bool lives(struct rough *r)
{
    uint8_t f[FRAME_MAX];
    const uint8_t *said;
    int n = write_ping(f, FRAME_PING, 1);
    if (n < 0 || !rough_send(r, f, (size_t)n))
        return false;
    while ((n = rough_next(r, &said, patience(WAIT_MS))) == 1)
        if (frame_type(said) == FRAME_PONG)
            return true;
    if (n == 0)
        die("neither an answer nor an end");
    return false;
}

static void must(bool right, const char *what)
{
    if (!right)
        die("%s", what);
    printf("%s: ok\n", what);
}

static void part(void)
{
    rough_close(&theirs);
    rough_close(&ours);
}

/* theirs_first -- it dialled, we are linked, and then we dial. */
static void theirs_first(bool smaller, uint64_t us)
{
    must(answer(take_call(), us), "its own connection is a link");
    bool second = dial(us);
    must(second == smaller, smaller ? "ours, the smaller one's, takes its place" : "ours, the larger one's, is refused");
    must(lives(&theirs) != smaller, smaller ? "the other one is ended" : "the other one stays");
    part();
}

/* ours_first -- it has dialled and waits for an answer; we dial and are linked; then we answer. */
static void ours_first(bool smaller, uint64_t us)
{
    int fd = take_call();
    must(dial(us), "ours is a link");
    bool second = answer(fd, us);
    must(second != smaller, smaller ? "its own, the larger one's, is refused" : "its own, the smaller one's, takes its place");
    must(lives(&ours) == smaller, smaller ? "ours stays" : "ours is ended");
    part();
}

/* silent_first -- a link over which nothing comes any more gives way, whoever dialled. */
static void silent_first(uint64_t us)
{
    must(answer(take_call(), us), "its own connection is a link");
    uint64_t until = now_ms() + SILENT_MS + 500; /* no word of ours; it gives up at 4,000 ms */
    const uint8_t *f;
    for (uint64_t now; (now = now_ms()) < until;)
        if (rough_next(&theirs, &f, (int)(until - now)) < 0)
            die("given up too early: %s", theirs.why);
    must(dial(us), "ours takes the place of a silent one");
    must(!lives(&theirs), "the silent one is ended");
    part();
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "make") == 0) {
        dir = argv[3];
        return make(argv[2], argv[4]);
    }
    if (argc != 5 || strcmp(argv[1], "play") != 0) {
        fprintf(stderr, "usage: twin make smaller|larger DIR KEY | twin play DIR PORT_FILE ADDRESS\n");
        return 2;
    }
    dir = argv[2];
    address = argv[4];
    uint64_t us = rough_certificate(dir, 90);
    listener = rough_listen(argv[3]);
    int fd = take_call();
    rough_begin(&theirs, fd, dir);
    if (!rough_shake(&theirs, true, patience(WAIT_MS)))
        die("no first call: %s", theirs.why);
    bool smaller = us < theirs.them;
    rough_close(&theirs);
    theirs_first(smaller, us);
    ours_first(smaller, us);
    silent_first(us);
    return 0;
}
