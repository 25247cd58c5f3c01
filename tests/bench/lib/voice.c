/* voice.c -- a port of the client library, or a socket and a buffer. */
#include "voice.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sys.h"
#include "bench.h"
#include "crew.h"
#include "port.h"

enum { BUFFER = 64 * 1024, HEADS = CREW_ROOMS_MAX };

struct voice {
    struct port *port; /* NULL: at a peer */
    const char *const *room;
    int fd;
    size_t len;
    char head[HEADS][PEER_WORD_MAX], buf[BUFFER];
};

static struct voice *voice_new(void)
{
    struct voice *v = calloc(1, sizeof *v);
    if (!v)
        bench_fail("no memory for a sender");
    return v;
}

struct voice *voice_at_relay(const char *instance, const char *const *room)
{
    struct voice *v = voice_new();
    v->port = crew_open(instance);
    v->room = room;
    return v;
}

struct voice *voice_at_peer(const struct peer *p, unsigned number, unsigned first, unsigned rooms)
{
    struct voice *v = voice_new();
    v->fd = peer_connect(p, number);
    peer_greeted(p, v->fd);
    for (unsigned i = 0; i < rooms; i++)
        (void)peer_word(v->head[i], sizeof v->head[i], p->kind->head, first + i, "");
    return v;
}

static void put(struct voice *v, const char *p, size_t len)
{
    memcpy(v->buf + v->len, p, len);
    v->len += len;
}

void voice_say(struct voice *v, unsigned room, const char text[MESSAGE_LEN])
{
    if (v->port) {
        if (port_say(v->port, v->room[room], (struct text){text, MESSAGE_LEN}, false) < 0)
            bench_fail("cannot send a message");
        return;
    }
    if (v->len + PEER_WORD_MAX + MESSAGE_LEN + strlen("\r\n") > sizeof v->buf)
        voice_flush(v);
    put(v, v->head[room], strlen(v->head[room]));
    put(v, text, MESSAGE_LEN);
    put(v, "\r\n", strlen("\r\n"));
}

void voice_flush(struct voice *v)
{
    if (v->port ? port_flush(v->port) < 0 : write_all(v->fd, v->buf, v->len) < 0)
        bench_fail("cannot send: %s", strerror(errno));
    v->len = 0;
}

uint32_t voice_unacked(const struct voice *v)
{
    return v->port ? port_unacked(v->port) : 0;
}

/* take_in -- Returns false when there is nothing to wait for. */
static bool take_in(struct voice *v)
{
    uint32_t unacked = voice_unacked(v);
    const uint8_t *f;
    int r;
    while ((r = port_next(v->port, &f)) == 1)
        if (frame_type(f) == FRAME_REFUSED)
            bench_fail("the relay refused a message");
    if (r < 0 || port_fd(v->port) < 0)
        bench_fail("the relay went away");
    return voice_unacked(v) == unacked;
}

/* throw_away -- what a peer answers the sender: nothing that counts. */
static bool throw_away(const struct voice *v)
{
    static char answer[BUFFER];
    ssize_t n;
    while ((n = recv(v->fd, answer, sizeof answer, MSG_DONTWAIT)) > 0)
        ;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        bench_fail("the peer cut off the sender");
    return true;
}

void voice_pump(struct voice *v, int other, int ms)
{
    bool quiet = v->port ? take_in(v) : throw_away(v);
    struct pollfd fds[] = {{v->port ? port_fd(v->port) : v->fd, POLLIN, 0}, {other, POLLIN, 0}};
    if (ms != 0 && quiet)
        poll(fds, 2, ms);
}
