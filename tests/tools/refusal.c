/* refusal.c -- a member with whom every link is refused: how often is it dialled?
 *
 * usage: refusal refuses|refused DIR PORT_FILE SECONDS
 *
 * Listens, writes the port, and when a relay has linked, says goodbye as to one of another version (refuses), or something
 * that the relay ends the link for (refused).  Prints how many links there were in so many seconds from the first. */
#include "base/sys.h"
#include "raw.h"
#include "rough.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_MS = 20 * 1000, SILENT_MS = 5000 };

static const char *dir;
static uint64_t us;
static struct rough r;

/* greets -- is this a relay that takes us for its peer?  It may have given up dialling since. */
static bool greets(int fd)
{
    const uint8_t *f;
    rough_begin(&r, fd, dir);
    r.us = us;
    return rough_shake(&r, true, SILENT_MS) && rough_next(&r, &f, SILENT_MS) == 1 && frame_type(f) == FRAME_GREETING;
}

static void refuse(void)
{
    uint8_t f[FRAME_MAX];
    struct reasoned why = {REASON_VERSION, text_of("The two relays have no version in common.")};
    int n = write_reasoned(f, FRAME_FAREWELL, &why, 0, 0);
    if (n < 0 || !rough_send(&r, f, (size_t)n))
        die("cannot say goodbye");
}

static void be_refused(void)
{
    if (!rough_greet(&r, r.them)) /* its key says that it is somebody else */
        die("cannot greet");
}

/* await_end -- whatever it says before. */
static void await_end(void)
{
    const uint8_t *f;
    int n;
    while ((n = rough_next(&r, &f, SILENT_MS)) == 1)
        ;
    if (n == 0)
        die("the link is not ended");
}

/* next_call -- the next attempt to dial us; -1: none until then. */
static int next_call(int listener, uint64_t until)
{
    struct pollfd p = {listener, POLLIN, 0};
    uint64_t now = now_ms();
    return now < until && poll(&p, 1, (int)(until - now)) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

int main(int argc, char **argv)
{
    bool refuses = argc == 5 && strcmp(argv[1], "refuses") == 0;
    if (argc != 5 || (!refuses && strcmp(argv[1], "refused") != 0)) {
        fprintf(stderr, "usage: refusal refuses|refused DIR PORT_FILE SECONDS\n");
        return 2;
    }
    dir = argv[2];
    signal(SIGPIPE, SIG_IGN);
    us = rough_certificate(dir, 90);
    unsigned links = 0;
    uint64_t until = now_ms() + FIRST_MS;
    int listener = rough_listen(argv[3]);
    for (int fd; (fd = next_call(listener, until)) >= 0; rough_close(&r)) {
        if (!greets(fd))
            continue;
        refuses ? refuse() : be_refused();
        await_end();
        if (links++ == 0)
            until = now_ms() + strtoull(argv[4], NULL, 10) * 1000;
    }
    printf("%u links in %s s\n", links, argv[4]);
    return 0;
}
