/* many.c -- thousands of clients. */
#include "many.h"

#include "base/hash.h"
#include "base/sys.h"
#include "ipc/fifo.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, AGAIN_MS = 500, READ_MAX = 64 * 1024 };

struct many_one {
    uint64_t client, asked_ms;
    int fifo;
    uint32_t session, seq, heard;
    enum { OUT, ASKED, JOINING, IN } state;
    uint8_t secret[SECRET_LEN], nonce[NONCE_LEN];
    char name[33];
    uint8_t *rest; /* the beginning of a frame */
    size_t n_rest;
};

void many_open(struct many *m, const char *instance, unsigned n, unsigned rooms, const char *room)
{
    *m = (struct many){.n = n, .rooms = rooms, .room = room, .text = ""};
    m->one = calloc(n, sizeof *m->one);
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!m->one || m->epoll < 0)
        die("no memory for %u clients", n);
    raw_find(&m->relay, instance);
    for (unsigned i = 0; i < n; i++)
        m->one[i] = (struct many_one){.fifo = -1, .client = raw_client(&m->relay, i % m->relay.gen.n_queues)};
}

static void send_frame(struct many *m, struct many_one *c, const uint8_t *f, int n)
{
    uint8_t message[QUEUE_MESSAGE_MAX];
    if (n < 0)
        die("a frame that cannot be written");
    raw_put(&m->relay, (unsigned)(c->client % m->relay.gen.n_queues), message, raw_envelope(message, c->session, c->secret, f, (size_t)n));
}

/* lost -- its FIFO is no good (any more). */
static void lost(struct many *m, struct many_one *c)
{
    m->asking -= c->state == ASKED || c->state == JOINING;
    m->in -= c->state == IN;
    c->state = OUT;
    close_fd(&c->fifo);
    free(c->rest);
    c->rest = NULL;
    c->n_rest = 0;
}

static void hello(struct many *m, struct many_one *c)
{
    uint8_t f[FRAME_MAX];
    struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
    os_random(c->nonce, sizeof c->nonce);
    memcpy(h.nonce, c->nonce, sizeof h.nonce);
    c->fifo = fifo_make(m->relay.rendezvous, h.fifo);
    memcpy(c->name, h.fifo, sizeof c->name);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (c->fifo < 0 || epoll_ctl(m->epoll, EPOLL_CTL_ADD, c->fifo, &e) < 0)
        die("cannot make a FIFO: %s", strerror(errno));
    c->session = 0;
    memset(c->secret, 0, SECRET_LEN);
    c->asked_ms = now_ms();
    c->state = ASKED;
    m->asking++;
    send_frame(m, c, f, write_hello(f, &h, c->client));
}

static void join(struct many *m, struct many_one *c, const uint8_t *f)
{
    uint8_t to[FRAME_MAX];
    char name[64];
    struct welcome w;
    if (frame_type(f) != FRAME_WELCOME || read_welcome(f, &w) < 0 || memcmp(w.nonce, c->nonce, NONCE_LEN) != 0)
        die("no welcome, but a frame of type %d", frame_type(f));
    c->session = w.session;
    c->seq = frame_client_seq(f);
    c->state = JOINING;
    memcpy(c->secret, w.secret, SECRET_LEN);
    snprintf(m->user, sizeof m->user, "%.*s", (int)w.user.len, w.user.p);
    snprintf(name, sizeof name, "%s-%u", m->room, (unsigned)(c - m->one) % m->rooms);
    struct room_change r = {text_of(m->user), text_of(name)};
    send_frame(m, c, to, write_room_change(to, FRAME_JOIN, &r, room_id(r.room), c->client, ++c->seq));
}

static void on_said(struct many *m, struct many_one *c, const uint8_t *f)
{
    struct say s;
    if (read_say(f, &s) < 0 || !text_eq(s.text, text_of(m->text)))
        return;
    m->heard += c->heard == 0;
    m->doubled += c->heard == 1;
    c->heard++;
}

static void on_frame(struct many *m, struct many_one *c, const uint8_t *f)
{
    bool own = frame_client(f) == c->client;
    if (c->state == ASKED) {
        join(m, c, f);
    } else if (frame_type(f) == FRAME_ACK && c->state == JOINING) {
        c->state = IN;
        m->asking--;
        m->in++;
    } else if (frame_type(f) == FRAME_SAY) {
        on_said(m, c, f);
    } else if (frame_type(f) == FRAME_REFUSED) {
        die("refused");
    } else if (frame_type(f) == FRAME_JOIN || frame_type(f) == FRAME_LEAVE) {
        m->others += !own;
    }
}

/* on_bytes -- what is not a whole frame yet is kept. */
static void on_bytes(struct many *m, struct many_one *c)
{
    static uint8_t buf[READ_MAX + FRAME_MAX];
    memcpy(buf, c->rest ? c->rest : buf, c->n_rest);
    ssize_t n = read(c->fifo, buf + c->n_rest, READ_MAX);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            lost(m, c);
        return;
    }
    size_t len = c->n_rest + (size_t)n, at = 0;
    int stride;
    while (at < len && (stride = frame_check(buf + at, len - at)) > 0 && c->fifo >= 0) {
        on_frame(m, c, buf + at);
        at += (size_t)stride;
    }
    free(c->rest);
    c->n_rest = len - at;
    c->rest = c->n_rest > 0 ? malloc(c->n_rest) : NULL;
    if (c->n_rest > 0 && !c->rest)
        die("no memory");
    if (c->rest)
        memcpy(c->rest, buf + at, c->n_rest);
}

int many_pump(struct many *m, int ms)
{
    struct epoll_event e[EVENTS];
    int n = epoll_wait(m->epoll, e, EVENTS, ms);
    for (int i = 0; i < n; i++)
        on_bytes(m, e[i].data.ptr);
    return n;
}

/* again -- a hello that a killed worker took with it is not answered. */
static void again(struct many *m)
{
    uint64_t now = now_ms();
    for (unsigned i = 0; i < m->n; i++) {
        struct many_one *c = &m->one[i];
        if (c->state != ASKED || now - c->asked_ms < AGAIN_MS)
            continue;
        fifo_abandon(m->relay.rendezvous, c->name);
        lost(m, c);
    }
}

void many_come(struct many *m, unsigned at_once, unsigned timeout_ms)
{
    uint64_t deadline = now_ms() + timeout_ms, look = now_ms() + AGAIN_MS;
    while (many_pump(m, 0) > 0) /* whose worker was killed is not in, and may not know it yet */
        ;
    while (m->in < m->n) {
        for (unsigned i = 0; i < m->n && m->asking < at_once && m->in + m->asking < m->n; i++, m->next++)
            if (m->one[m->next % m->n].state == OUT)
                hello(m, &m->one[m->next % m->n]);
        many_pump(m, 10);
        if (now_ms() > deadline)
            die("after %u ms only %u of %u are in their rooms", timeout_ms, m->in, m->n);
        if (now_ms() > look) {
            again(m);
            look = now_ms() + AGAIN_MS;
        }
    }
}

void many_listen(struct many *m, const char *text)
{
    m->text = text;
    m->heard = m->doubled = 0;
    for (unsigned i = 0; i < m->n; i++)
        m->one[i].heard = 0;
}

void many_bye(struct many *m)
{
    uint8_t f[FRAME_MAX];
    for (unsigned i = 0; i < m->n; i++) {
        struct wr w = frame_begin(f, FRAME_BYE);
        int n = frame_end(f, &w);
        frame_set_client(f, m->one[i].client);
        if (m->one[i].state == IN)
            send_frame(m, &m->one[i], f, n);
    }
}

void many_close(struct many *m)
{
    for (unsigned i = 0; i < m->n; i++)
        lost(m, &m->one[i]);
    close_fd(&m->epoll);
    free(m->one);
    m->one = NULL;
}
