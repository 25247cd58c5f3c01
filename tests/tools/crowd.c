/* crowd.c -- strangers by the thousand at a relay's port.
 *
 * usage: crowd ADDRESS open|hello|shake|same DIR NUMBER|SECONDSs PROCESSES
 *
 *   open   connect, from many addresses; every other one sends half a ClientHello; stay until closed
 *   hello  connect, from many addresses, send a whole ClientHello and go away with a reset
 *   same   connect, all from one address, send a whole ClientHello and hold on
 *   shake  handshakes of an identity that nobody knows, to the end
 *
 * So many, or for so long.  Prints how many connections were made, how many were told why they are
 * refused, and how many were still open when they should not be: then it fails. */
#include "base/sys.h"
#include "children.h"
#include "raw.h"
#include "rough.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD = 1024, SOURCES = 200, GONE_MS = 8000, ANSWER_MS = 2000, HELLO_MAX = 1024 };

static struct count {
    _Atomic unsigned made, told, failed, stayed;
} *count;

static const char *address, *dir;
static uint8_t hello[HELLO_MAX];
static size_t hello_len;

/* make_hello -- an honest one, for all. */
static void make_hello(void)
{
    struct rough r;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        die("no sockets");
    rough_begin(&r, pair[0], NULL);
    (void)rough_shake(&r, false, 0);
    ssize_t n = read(pair[1], hello, sizeof hello);
    if (n <= 0)
        die("no ClientHello");
    hello_len = (size_t)n;
    rough_close(&r);
    close(pair[1]);
}

static int dial(unsigned from)
{
    int fd = rough_dial(address, from);
    if (fd < 0)
        atomic_fetch_add(&count->failed, 1);
    else
        atomic_fetch_add(&count->made, 1);
    return fd;
}

/* ---- what each of them does ---- */

static int held[HELD];

static void stay(unsigned n)
{
    int fd = dial(2 + n % SOURCES), *place = &held[n % HELD];
    if (fd >= 0 && n % 2)
        (void)!send(fd, hello, hello_len / 2, MSG_NOSIGNAL);
    if (n >= HELD)
        close_fd(place);
    *place = fd;
}

static void hit(unsigned n)
{
    struct linger now = {.l_onoff = 1};
    int fd = dial(2 + n % SOURCES);
    if (fd < 0)
        return;
    (void)!send(fd, hello, hello_len, MSG_NOSIGNAL);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void hold_from_one(unsigned n)
{
    int fd = dial(2), *place = &held[n % HELD];
    if (fd >= 0)
        (void)!send(fd, hello, hello_len, MSG_NOSIGNAL);
    if (n >= HELD)
        close_fd(place);
    *place = fd;
}

static void shake(unsigned n)
{
    struct rough r;
    const uint8_t *f;
    int fd = dial(2 + n % SOURCES);
    if (fd < 0)
        return;
    rough_begin(&r, fd, dir);
    if (rough_shake(&r, false, ANSWER_MS) && rough_next(&r, &f, ANSWER_MS) == 1)
        die("a stranger was let in");
    if (strstr(r.why, "alert"))
        atomic_fetch_add(&count->told, 1);
    rough_close(&r);
}

/* see_them_gone -- those we still hold: each must be closed by the other side, in time. */
static void see_them_gone(unsigned n)
{
    uint64_t deadline = now_ms() + GONE_MS;
    for (unsigned i = 0; i < HELD && i < n; i++) {
        struct pollfd p = {held[i], POLLIN, 0};
        uint64_t now = now_ms();
        if (held[i] < 0)
            continue;
        if (poll(&p, 1, now < deadline ? (int)(deadline - now) : 0) != 1)
            atomic_fetch_add(&count->stayed, 1);
    }
}

/* ---- */

static const struct way {
    const char *name;
    void (*one)(unsigned n);
} ways[] = {{"open", stay}, {"hello", hit}, {"same", hold_from_one}, {"shake", shake}};

static int one_process(const struct way *w, unsigned process, unsigned processes, unsigned number, unsigned seconds)
{
    uint64_t end = now_ms() + seconds * UINT64_C(1000);
    unsigned n = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (; seconds ? now_ms() < end : n < number / processes; n++)
        w->one(n * processes + process);
    if (w->one == stay)
        see_them_gone(n);
    return 0;
}

int main(int argc, char **argv)
{
    const struct way *w = NULL;
    for (size_t i = 0; argc == 6 && i < ARRAY_LEN(ways); i++)
        if (strcmp(ways[i].name, argv[2]) == 0)
            w = &ways[i];
    if (!w) {
        fprintf(stderr, "usage: crowd ADDRESS open|hello|shake|same DIR NUMBER|SECONDSs PROCESSES\n");
        return 2;
    }
    address = argv[1];
    dir = argv[3];
    char *unit;
    unsigned number = (unsigned)strtoul(argv[4], &unit, 10), processes = (unsigned)strtoul(argv[5], NULL, 10);
    unsigned seconds = *unit == 's' ? number : 0;
    signal(SIGPIPE, SIG_IGN);
    rough_certificate(dir, 90);
    make_hello();
    count = children_board(sizeof *count);
    for (unsigned i = 0; i < processes; i++)
        if (fork() == 0)
            exit(one_process(w, i, processes, number, seconds));
    int bad = 0;
    for (int status; wait(&status) > 0;)
        bad |= status;
    printf("%u made, %u told why, %u failed, %u stayed\n", atomic_load(&count->made), atomic_load(&count->told),
           atomic_load(&count->failed), atomic_load(&count->stayed));
    return bad || atomic_load(&count->stayed) ? 1 : 0;
}
