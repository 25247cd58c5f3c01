/* os.c -- what the processes of a relay ask of the system: clocks, log, chance, loop, sockets
 * to each other.  File descriptors are numbers no real one has. */
#include "sim.h"

#include "base/log.h"
#include "base/sys.h"
#include "seam.h"

#undef close
#undef read
#undef send
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FD_FIRST = 1 << 20, FDS_MAX = NODES_MAX * 128, SOCK_BYTES = 128 * 1024, POLLS_MAX = 1000 };
#define START_MS UINT64_C(1735689600000)

struct fd {
    enum fd_kind kind;
    struct node *node;
    void *what;
    struct loop_source *source;
    uint32_t events;
    struct turn *turn;
};

/* One end of a stream between link process and keeper. */
struct sock {
    struct sock *other; /* NULL: it is closed */
    struct node *node;
    int fd;
    bool accepted;
    size_t start, end;
    uint8_t buf[SOCK_BYTES]; /* to be read here */
};

static struct fd fds[FDS_MAX];
static unsigned fd_hint, polls;

/* ---- file descriptors ---- */

static struct fd *fd_of(int fd)
{
    ASSERT(fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX && fds[fd - FD_FIRST].kind != FD_FREE);
    return &fds[fd - FD_FIRST];
}

int fd_new(enum fd_kind kind, struct node *n, void *what)
{
    for (unsigned i = 0; i < FDS_MAX; i++) {
        unsigned k = (fd_hint + i) % FDS_MAX;
        if (fds[k].kind != FD_FREE)
            continue;
        fd_hint = k + 1;
        fds[k] = (struct fd){.kind = kind, .node = n, .what = what};
        return (int)(FD_FIRST + k);
    }
    broken("I12: file descriptors leak");
}

void *fd_what(int fd, enum fd_kind kind)
{
    return fd >= FD_FIRST && fd_of(fd)->kind == kind ? fd_of(fd)->what : NULL;
}

static void sock_close(struct sock *s)
{
    if (s->other) {
        s->other->other = NULL;
        turn_wake(&s->node->hub_turn, 0);
        turn_wake(&s->node->keeper_turn, 0);
    }
    free(s);
}

int sim_close(int fd)
{
    struct fd *f = fd_of(fd);
    if (f->kind == FD_SOCK && f->what)
        sock_close(f->what);
    if (f->kind == FD_END && f->what)
        tls_free(f->what); /* nobody made a stream of it */
    else
        *f = (struct fd){0};
    return 0;
}

void close_fd(int *fd)
{
    if (*fd >= FD_FIRST)
        sim_close(*fd);
    *fd = -1;
}

void fd_forget(int fd)
{
    *fd_of(fd) = (struct fd){0};
}

static void forget(struct fd *f)
{
    if (f->kind == FD_SOCK && f->what)
        sock_close(f->what);
    *f = (struct fd){0};
}

void fds_drop(struct node *n)
{
    for (unsigned i = 0; i < FDS_MAX; i++)
        if (fds[i].kind != FD_FREE && fds[i].node == n)
            forget(&fds[i]);
}

void fds_drop_turn(struct turn *t)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->fd[i] >= FD_FIRST && fds[t->fd[i] - FD_FIRST].turn == t)
            forget(&fds[t->fd[i] - FD_FIRST]);
    t->n = 0;
}

void socks_reset(void)
{
    for (unsigned i = 0; i < FDS_MAX; i++)
        if (fds[i].kind != FD_FREE)
            fds[i] = (struct fd){0};
    fd_hint = 0;
}

/* ---- the loop ---- */

int loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
    struct turn *t = l->arg;
    struct fd *f = fd_of(s->fd);
    f->source = s;
    f->events = events;
    f->turn = t;
    ASSERT(t->n < TURN_FDS);
    t->fd[t->n++] = s->fd;
    turn_wake(t, 0);
    return 0;
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
    struct turn *t = l->arg;
    fd_of(s->fd)->events = events;
    if (!t->runs) /* else it is looked at when this turn is over: what was asked for may not be any more by then */
        turn_wake(t, 0);
    return 0;
}

void loop_remove(struct loop *l, struct loop_source *s)
{
    struct turn *t = l->arg;
    for (unsigned i = 0; i < t->n; i++)
        if (t->fd[i] == s->fd) {
            t->fd[i] = t->fd[--t->n];
            return;
        }
}

static uint32_t ready(const struct fd *f)
{
    const struct sock *s = f->what;
    switch (f->kind) {
    case FD_LISTENER:
        return net_waiting(f->node) ? EPOLLIN : 0;
    case FD_SOCK:
        return s->end > s->start || !s->other ? EPOLLIN : 0;
    case FD_END:
        return (end_readable(f->what) ? EPOLLIN : 0) | (end_writable(f->what) ? EPOLLOUT : 0) |
               (end_reset(f->what) ? EPOLLERR : 0);
    case FD_FEED:
        return f->what ? EPOLLIN : 0;
    case FD_FREE:
    case FD_DIR:
    default:
        return 0;
    }
}

void turn_sources(struct turn *t)
{
    int fd[TURN_FDS];
    unsigned n = t->n;
    memcpy(fd, t->fd, n * sizeof *fd);
    for (unsigned i = 0; i < n; i++) {
        struct fd *f = &fds[fd[i] - FD_FIRST];
        uint32_t e = f->kind != FD_FREE && f->turn == t ? ready(f) & (f->events | EPOLLERR) : 0;
        if (e)
            f->source->ready(f->source, e);
    }
}

bool turn_ready(const struct turn *t)
{
    bool more = false;
    for (unsigned i = 0; i < t->n && !more; i++) {
        const struct fd *f = fd_of(t->fd[i]);
        more = (ready(f) & f->events) != 0;
    }
    return more;
}

void turn_wake(struct turn *t, uint64_t delay_us)
{
    uint64_t when = max_u64(w.now + delay_us + 1, t->until);
    if (!t->node->up || (t->due != 0 && t->due <= when))
        return;
    t->due = when;
    at(when, t == &t->node->hub_turn ? EV_HUB : EV_KEEPER, t->node->n, 0);
}

/* ---- streams between two processes of a host ---- */

int sim_socket(int domain, int type, int protocol)
{
    (void)domain;
    (void)type;
    (void)protocol;
    return fd_new(FD_SOCK, here, NULL);
}

int sim_bind(int fd, const struct sockaddr *name, socklen_t len)
{
    (void)name;
    (void)len;
    fd_of(fd)->kind = FD_FEED;
    return 0;
}

int sim_listen(int fd, int backlog)
{
    (void)fd;
    (void)backlog;
    return 0;
}

static struct fd *feed_listener(const struct node *n)
{
    for (unsigned i = 0; i < FDS_MAX; i++)
        if (fds[i].kind == FD_FEED && fds[i].node == n)
            return &fds[i];
    return NULL;
}

int sim_connect(int fd, const struct sockaddr *name, socklen_t len)
{
    struct fd *l = feed_listener(here);
    (void)name;
    (void)len;
    if (!l || l->what) {
        errno = ECONNREFUSED;
        return -1;
    }
    struct sock *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    ASSERT(a && b);
    *a = (struct sock){.other = b, .node = here, .fd = fd};
    *b = (struct sock){.other = a, .node = here, .fd = -1};
    fd_of(fd)->what = a;
    l->what = b;
    polls = 0;
    return 0;
}

int sim_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    struct fd *f = fd_of(fd);
    (void)from;
    (void)len;
    (void)flags;
    if (f->kind == FD_LISTENER)
        return net_accept(f->node);
    struct sock *s = f->what;
    if (!s) {
        errno = EAGAIN;
        return -1;
    }
    f->what = NULL;
    return s->fd = fd_new(FD_SOCK, f->node, s);
}

int sim_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct ucred who = {.uid = geteuid()};
    (void)fd;
    (void)level;
    (void)name;
    memcpy(value, &who, min_size(*len, sizeof who));
    return 0;
}

ssize_t sim_read(int fd, void *to, size_t len)
{
    struct sock *s = fd_what(fd, FD_SOCK);
    ASSERT(s);
    size_t n = min_size(len, s->end - s->start);
    if (n == 0 && s->other) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to, s->buf + s->start, n);
    s->start += n;
    if (s->start == s->end)
        s->start = s->end = 0;
    return (ssize_t)n;
}

ssize_t sim_send(int fd, const void *p, size_t len, int flags)
{
    struct sock *s = fd_what(fd, FD_SOCK);
    (void)flags;
    ASSERT(s);
    struct sock *to = s->other;
    if (!to) {
        errno = EPIPE;
        return -1;
    }
    size_t n = min_size(len, SOCK_BYTES - to->end);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to->buf + to->end, p, n);
    to->end += n;
    turn_wake(&s->node->hub_turn, 100);
    turn_wake(&s->node->keeper_turn, 100);
    return (ssize_t)n;
}

/* sim_poll -- the link process waits for the keeper: so it has its turn. */
int sim_poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
    (void)p;
    (void)timeout_ms;
    if (++polls > POLLS_MAX)
        broken("I12: the link process waits for the keeper in vain");
    if (n > 0)
        node_pump_feed(here);
    return 1;
}

int sim_open(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    return fd_new(FD_DIR, here, NULL);
}

int sim_unlinkat(int dirfd, const char *name, int flags)
{
    (void)dirfd;
    (void)name;
    (void)flags;
    return 0;
}

/* ---- time, chance, log ---- */

uint64_t wall_of(const struct node *n)
{
    return (uint64_t)((int64_t)(START_MS + w.now / MS) + n->skew_ms);
}

uint64_t now_ms(void)
{
    return 1000 * 1000 + w.now / MS;
}

uint64_t now_us(void)
{
    return 1000 * now_ms();
}

uint64_t wall_ms(void)
{
    return wall_of(here);
}

uint64_t os_random_u64(void)
{
    return prng_next(&w.prng);
}

PRINTF_LIKE(2, 0) static void say(const char *level, const char *fmt, va_list args)
{
    char text[160];
    if (!w.tracing && w.stats.evil_runs)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    check_log(text);
    if (w.tracing)
        trace("log    %s: %s", level, text);
}

#define LOG_AT(name)                                                                           \
    void log_##name(const char *fmt, ...)                                                      \
    {                                                                                          \
        va_list args;                                                                          \
        va_start(args, fmt);                                                                   \
        say(#name, fmt, args);                                                                 \
        va_end(args);                                                                          \
    }
LOG_AT(error)
LOG_AT(warn)
LOG_AT(info)
LOG_AT(debug)

void assert_failed(const char *file, int at_line, const char *expr)
{
    broken("ASSERT %s:%d: %s", file, at_line, expr);
}
