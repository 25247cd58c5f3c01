/* tcp_floor.c -- epoll, one read, one write per member. */
#include "tcp_floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"

enum { ROOMS = 100, MEMBERS = 1024, READ_MAX = 64 * 1024, LINE_MAX_LEN = 512, HEAD = 3, EVENTS = 64, CONNECTIONS = 8192 };

struct room {
    unsigned n;
    int member[MEMBERS];
    size_t len; /* what is to be passed on */
    char text[READ_MAX + LINE_MAX_LEN];
};

/* The beginning of a line of which the rest has not come. */
struct rest {
    size_t len;
    char text[LINE_MAX_LEN];
};

static struct room rooms[ROOMS];
static struct rest *rests[CONNECTIONS];

static struct room *room_of(const char digits[2])
{
    unsigned room = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
    if (room >= ROOMS)
        bench_fail("the floor understands nobody");
    return &rooms[room];
}

static void take(int fd, const char *line, size_t len)
{
    struct room *r = room_of(line[0] == 'J' ? line + 1 : line);
    if (line[0] != 'J') {
        memcpy(r->text + r->len, line + HEAD, len - HEAD);
        r->len += len - HEAD;
    } else if (r->n < MEMBERS && write_all(fd, "+\r\n", strlen("+\r\n")) == 0)
        r->member[r->n++] = fd;
}

static void pass_on(void)
{
    for (struct room *r = rooms; r < rooms + ROOMS; r++) {
        for (unsigned i = 0; r->len > 0 && i < r->n; i++)
            if (r->member[i] >= 0 && write_all(r->member[i], r->text, r->len) < 0)
                r->member[i] = -1; /* he is gone */
        r->len = 0;
    }
}

static void serve(int fd)
{
    static char buf[LINE_MAX_LEN + READ_MAX];
    struct rest *rest = rests[fd];
    memcpy(buf, rest->text, rest->len);
    ssize_t n = read(fd, buf + rest->len, READ_MAX);
    if (n <= 0) {
        close(fd);
        return;
    }
    const char *line = buf, *end = buf + rest->len + n;
    for (const char *nl; (nl = memchr(line, '\n', (size_t)(end - line))) != NULL; line = nl + 1)
        take(fd, line, (size_t)(nl + 1 - line));
    rest->len = min_size((size_t)(end - line), sizeof rest->text);
    memcpy(rest->text, line, rest->len);
    pass_on();
}

static void let_in(int ep, int door)
{
    int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC), on = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || fd >= CONNECTIONS || !(rests[fd] = calloc(1, sizeof *rests[fd])))
        bench_fail("the floor is full");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0 || write_all(fd, "+\r\n", strlen("+\r\n")) < 0)
        close(fd);
}

_Noreturn void tcp_floor_serve(int door)
{
    struct epoll_event event[EVENTS], e = {.events = EPOLLIN, .data.fd = door};
    int ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, door, &e) < 0)
        bench_fail("the floor cannot wait");
    for (;;) {
        int n = epoll_wait(ep, event, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (event[i].data.fd == door)
                let_in(ep, door);
            else
                serve(event[i].data.fd);
        }
    }
}
