/* cable.c -- a TCP cable between two relays, to be cut.
 *
 * usage: cable PORT_FILE TARGET       TARGET: 127.0.0.1:PORT
 *
 * Listens on 127.0.0.1, writes the port into PORT_FILE, forwards every connection to TARGET.
 * Commands on standard input, each answered with `ok`:
 *
 *     cut       reset both sides of all connections, and every new one
 *     hole      nothing comes through any more and nobody is told; new connections are accepted
 * and lead nowhere half      reset the sides that dialled; the others are not told; new
 * connections are forwarded slow N    at most N bytes a second each way heal      forward
 * again; connections that a hole swallowed are reset
 *
 * End of input: it ends. */
#include "base/bytes.h"
#include "base/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRES_MAX = 64, CHUNK = 16384, TICK_MS = 20 };

enum mode { HEALED, CUT, HOLE };

/* One direction: what was read at one end and not yet written at the other. */
struct flow {
    uint8_t buf[CHUNK];
    size_t start, end;
    bool eof;
};

/* A connection: [0] the side that dialled, [1] towards the target; -1: reset or never made. */
struct wire {
    int fd[2];
    struct flow flow[2]; /* [i]: what came from fd[i] */
    bool used, dead;     /* dead: a hole swallowed of it; it carries nothing any more */
};

static struct wire wires[WIRES_MAX];
static enum mode mode;
static uint64_t rate;         /* bytes a second, 0: no limit */
static uint64_t allowance[2]; /* what may still go in this tick, each way */
static struct sockaddr_in target;

/* reset -- the other end gets ECONNRESET. */
static void reset(int *fd)
{
    struct linger now = {.l_onoff = 1};
    if (*fd < 0)
        return;
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_fd(fd);
}

static void drop(struct wire *w)
{
    reset(&w->fd[0]);
    reset(&w->fd[1]);
    w->used = false;
}

static void take_new(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct wire *w = NULL;
    for (size_t i = 0; i < WIRES_MAX && !w; i++)
        if (!wires[i].used)
            w = &wires[i];
    if (fd < 0)
        return;
    if (mode == CUT || !w) {
        reset(&fd);
        return;
    }
    *w = (struct wire){.fd = {fd, -1}, .used = true, .dead = mode == HOLE};
    if (w->dead)
        return;
    w->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(w->fd[1], (struct sockaddr *)&target, sizeof target) < 0 &&
        errno != EINPROGRESS)
        drop(w);
}

/* carry -- one direction, as far as it goes.  Returns false when the connection is over. */
static bool carry(struct wire *w, int from)
{
    struct flow *f = &w->flow[from];
    int to = 1 - from;
    for (;;) {
        if (f->start == f->end && !f->eof) {
            ssize_t n = read(w->fd[from], f->buf, sizeof f->buf);
            if (n < 0)
                return errno == EAGAIN;
            f->eof = n == 0;
            f->start = 0;
            f->end = (size_t)n;
        }
        if (f->start == f->end) {
            if (f->eof)
                (void)shutdown(w->fd[to], SHUT_WR);
            return true;
        }
        size_t len = rate ? min_size(f->end - f->start, allowance[from]) : f->end - f->start;
        if (len == 0)
            return true; /* the next tick goes on */
        ssize_t n = send(w->fd[to], f->buf + f->start, len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == ENOTCONN;
        f->start += (size_t)n;
        allowance[from] -= rate ? (size_t)n : 0;
    }
}

static void carry_all(void)
{
    for (size_t i = 0; i < WIRES_MAX; i++) {
        struct wire *w = &wires[i];
        if (!w->used || w->dead)
            continue;
        if (!carry(w, 0) || !carry(w, 1) || (w->flow[0].eof && w->flow[1].eof))
            drop(w);
    }
}

/* ---- commands ---- */

static void end_all(const char *how)
{
    for (size_t i = 0; i < WIRES_MAX; i++) {
        struct wire *w = &wires[i];
        if (!w->used)
            continue;
        w->dead = true;
        if (strcmp(how, "half") == 0)
            reset(&w->fd[0]);
        else if (strcmp(how, "hole") != 0)
            drop(w);
    }
}

static bool obey(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "slow ", 5) == 0) {
        rate = strtoull(line + 5, NULL, 10);
    } else if (strcmp(line, "cut") == 0) {
        end_all(line);
        mode = CUT;
    } else if (strcmp(line, "hole") == 0) {
        end_all(line);
        mode = HOLE;
    } else if (strcmp(line, "half") == 0) {
        end_all(line);
    } else if (strcmp(line, "heal") == 0) {
        mode = HEALED;
        rate = 0;
        for (size_t i = 0; i < WIRES_MAX; i++)
            if (wires[i].used && wires[i].dead)
                drop(&wires[i]);
    } else {
        return false;
    }
    return true;
}

/* ---- the program ---- */

static int listen_at(const char *file)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FILE *f;
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0 || !(f = fopen(file, "we")))
        return -1;
    fprintf(f, "%u\n", ntohs(at.sin_port));
    return fclose(f) == 0 ? fd : -1;
}

/* wait_for_something -- a command, a new connection, or anything that can be carried; with a
 * limit, for the next tick. */
static void wait_for_something(int listener, struct pollfd *command)
{
    struct pollfd p[2 + 2 * WIRES_MAX] = {{0, POLLIN, 0}, {listener, POLLIN, 0}};
    nfds_t n = 2;
    for (size_t i = 0; i < WIRES_MAX; i++) {
        const struct wire *w = &wires[i];
        for (int side = 0; side < 2 && w->used && !w->dead && !rate; side++) {
            const struct flow *in = &w->flow[side], *out = &w->flow[1 - side];
            short events = (short)((in->start == in->end && !in->eof ? POLLIN : 0) |
                                   (out->start < out->end ? POLLOUT : 0));
            if (events)
                p[n++] = (struct pollfd){w->fd[side], events, 0};
        }
    }
    (void)poll(p, n, rate ? TICK_MS : -1);
    if (p[1].revents)
        take_new(listener);
    *command = p[0];
}

int main(int argc, char **argv)
{
    char line[64];
    const char *colon = argc == 3 ? strrchr(argv[2], ':') : NULL;
    if (!colon) {
        fprintf(stderr, "usage: cable PORT_FILE 127.0.0.1:PORT\n");
        return 2;
    }
    target = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    int listener = listen_at(argv[1]);
    if (listener < 0) {
        perror("cable");
        return 1;
    }
    setvbuf(stdin, NULL, _IONBF, 0);
    for (uint64_t tick = now_ms();;) {
        struct pollfd command;
        wait_for_something(listener, &command);
        if (command.revents) {
            if (!fgets(line, sizeof line, stdin))
                return 0;
            puts(obey(line) ? "ok" : "no such command");
            fflush(stdout);
        }
        uint64_t now = now_ms();
        for (int way = 0; way < 2; way++)
            allowance[way] = min_u64(allowance[way] + rate * (now - tick) / 1000, rate);
        if (rate * (now - tick) / 1000 > 0)
            tick = now;
        carry_all();
    }
}
