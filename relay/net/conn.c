/* conn.c -- a TLS stream, a splitter and a buffer, woken by epoll. */
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void on_socket(struct loop_source *s, uint32_t events)
{
    struct conn *c = s->arg;
    c->broken = events & (EPOLLERR | EPOLLHUP);
    c->ready(c);
}

static bool known(void *arg, const uint8_t pin[KEY_PIN_LEN])
{
    struct conn *c = arg;
    return c->known(c, pin);
}

int conn_open(struct conn *c, struct loop *loop, struct tls_identity *id, int fd, bool server,
              bool (*who)(struct conn *c, const uint8_t pin[KEY_PIN_LEN]), void (*ready)(struct conn *c), void *arg)
{
    *c = (struct conn){.src = {fd, on_socket, c}, .loop = loop, .server = server, .known = who, .ready = ready, .arg = arg};
    int r = tls_new(&c->tls, id, fd, server, known, c);
    if (r < 0) {
        close(fd);
        return r;
    }
    c->events = tls_wants(c->tls);
    r = loop_add(loop, &c->src, c->events);
    if (r < 0)
        tls_free(c->tls);
    return r;
}

void conn_close(struct conn *c)
{
    loop_remove(c->loop, &c->src);
    tls_free(c->tls);
    free(c->buf);
    buffer_free(&c->out);
    c->tls = NULL;
    c->buf = NULL;
}

/* wish -- tell epoll what we wait for, when that has changed. */
static void wish(struct conn *c)
{
    uint32_t events = tls_wants(c->tls);
    if (c->deaf)
        events &= ~(uint32_t)EPOLLIN;
    if (events == c->events)
        return;
    c->events = events;
    if (loop_change(c->loop, &c->src, events) < 0)
        c->events = 0; /* try again next time */
}

enum tls_event conn_pump(struct conn *c)
{
    enum tls_event e = tls_pump(c->tls);
    wish(c);
    return e;
}

int conn_next(struct conn *c, const uint8_t **frame, const uint8_t **frames, size_t *len)
{
    if (!c->buf) {
        c->buf = malloc(WIRE_BUFFER);
        if (!c->buf)
            return -ENOMEM;
        wire_init(&c->in, c->buf);
    }
    while (!c->deaf) {
        int r = wire_next(&c->in, frame, frames, len);
        if (r != 0)
            return r;
        size_t room;
        uint8_t *to = wire_room(&c->in, &room);
        ssize_t n = tls_recv(c->tls, to, room);
        if (n < 0)
            return n == -EAGAIN ? 0 : (int)n;
        wire_fed(&c->in, (size_t)n);
        c->came += (size_t)n;
    }
    return 0;
}

void conn_rest(struct conn *c)
{
    c->deaf = true;
    wish(c);
}

void conn_back(struct conn *c, const uint8_t *frame)
{
    wire_back(&c->in, frame);
    conn_rest(c);
}

void conn_listen(struct conn *c)
{
    c->deaf = false;
    wish(c);
}

int conn_say(struct conn *c, const void *p, size_t len)
{
    return buffer_add(&c->out, p, len);
}

void conn_flush(struct conn *c)
{
    do {
        ssize_t n = tls_send(c->tls, buffer_data(&c->out), buffer_len(&c->out));
        if (n < 0)
            break; /* conn_pump() will say how it ended */
        if (n > 0)
            buffer_take(&c->out, (size_t)n);
        if (buffer_len(&c->out) > 0 && (tls_pump(c->tls), tls_wants(c->tls) & EPOLLOUT))
            break; /* the socket is full */
    } while (buffer_len(&c->out) > 0);
    (void)tls_pump(c->tls);
    wish(c);
}

size_t conn_waiting(const struct conn *c)
{
    return buffer_len(&c->out);
}
