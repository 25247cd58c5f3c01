/* raw.c -- a client that keeps no rule. */
#include "raw.h"

#include "base/hash.h"
#include "base/sys.h"
#include "ipc/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

void raw_find(struct raw_relay *relay, const char *instance)
{
    struct generation *g = &relay->gen;
    if (instance_system(&relay->inst, instance) < 0 || !generation_alive(&relay->inst) ||
        generation_read(&relay->inst, g) < 0 || !g->system)
        if (instance_user(&relay->inst, instance) < 0 || !generation_alive(&relay->inst) ||
            generation_read(&relay->inst, g) < 0)
            die("no relay of instance %s", instance);
    relay->rendezvous = open(relay->inst.fifo, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (relay->rendezvous < 0)
        die("cannot open %s", relay->inst.fifo);
    for (unsigned q = 0; q < g->n_queues; q++)
        if (mq_attach_writer(&relay->queue[q], g->queue[q], g->owner) < 0)
            die("cannot open the queue %s", g->queue[q]);
}

void raw_put(struct raw_relay *relay, unsigned queue, const void *p, size_t len)
{
    int r = mq_put(&relay->queue[queue], p, len, RAW_MS);
    if (r < 0)
        die("the queue takes nothing: %s", strerror(-r));
}

size_t raw_max(const struct raw_relay *relay, unsigned queue)
{
    return min_size(relay->queue[queue].message_max, QUEUE_MESSAGE_MAX);
}

uint64_t raw_client(const struct raw_relay *relay, unsigned queue)
{
    uint64_t n = relay->gen.n_queues;
    return (os_random_u64() >> 8) * n + n + queue;
}

int raw_next(struct raw *c, const uint8_t **f, int wait_ms)
{
    uint64_t deadline = now_ms() + (uint64_t)wait_ms;
    for (;;) {
        int r = splitter_next(&c->split, f);
        if (r < 0)
            die("bytes in the FIFO that are no frame");
        if (r == 1)
            return 1;
        uint64_t now = now_ms();
        struct pollfd p = {c->fifo, POLLIN, 0};
        if (poll(&p, 1, now < deadline ? (int)(deadline - now) : 0) == 0)
            return 0;
        size_t room;
        uint8_t *to = splitter_room(&c->split, &room);
        ssize_t n = read(c->fifo, to, room);
        if (n == 0)
            return -EPIPE;
        if (n > 0)
            splitter_fed(&c->split, (size_t)n);
    }
}

int raw_hello(struct raw *c, struct raw_relay *relay, unsigned queue, uint64_t client,
              int wait_ms)
{
    uint8_t f[FRAME_MAX], message[QUEUE_MESSAGE_MAX];
    struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
    struct reasoned refused;
    struct welcome w;
    const uint8_t *got;
    *c = (struct raw){.relay = relay, .queue = queue, .client = client};
    splitter_init(&c->split, c->buf, sizeof c->buf);
    os_random(h.nonce, sizeof h.nonce);
    c->fifo = fifo_make(relay->rendezvous, h.fifo);
    int n = write_hello(f, &h, client);
    if (c->fifo < 0 || n < 0)
        die("cannot make a FIFO");
    raw_put(relay, queue, message, raw_envelope(message, 0, c->secret, f, (size_t)n));
    int r = raw_next(c, &got, wait_ms);
    if (r <= 0) {
        fifo_abandon(relay->rendezvous, h.fifo);
        return -ETIMEDOUT;
    }
    if (read_reasoned(got, &refused) == 0 && frame_type(got) == FRAME_REFUSED)
        return -(int)refused.reason;
    if (frame_type(got) != FRAME_WELCOME || read_welcome(got, &w) < 0)
        die("no welcome");
    if (memcmp(w.nonce, h.nonce, NONCE_LEN) != 0)
        die("the welcome of somebody else");
    c->session = w.session;
    c->seq = frame_client_seq(got);
    memcpy(c->secret, w.secret, SECRET_LEN);
    snprintf(c->user, sizeof c->user, "%.*s", (int)w.user.len, w.user.p);
    snprintf(c->host, sizeof c->host, "%.*s", (int)w.host.len, w.host.p);
    return 0;
}

size_t raw_envelope(uint8_t *to, uint32_t session, const uint8_t secret[SECRET_LEN],
                    const uint8_t *frames, size_t len)
{
    struct envelope e = {.session = session};
    memcpy(e.secret, secret, SECRET_LEN);
    write_envelope(to, &e);
    memcpy(to + ENVELOPE_LEN, frames, len);
    return ENVELOPE_LEN + len;
}

void raw_send(struct raw *c, const uint8_t *frames, size_t len)
{
    uint8_t message[QUEUE_MESSAGE_MAX];
    raw_put(c->relay, c->queue, message,
            raw_envelope(message, c->session, c->secret, frames, len));
}

static size_t stride(int n)
{
    if (n < 0)
        die("a frame that cannot be written");
    return (size_t)n;
}

size_t raw_say(struct raw *c, uint8_t *f, const char *room, const char *text)
{
    struct say s = {text_of(c->user), text_of(text)};
    return stride(write_say(f, &s, room_id(text_of(room)), c->client, ++c->seq, 0));
}

size_t raw_room(struct raw *c, uint8_t *f, enum frame_type type, const char *room)
{
    struct room_change r = {text_of(c->user), text_of(room)};
    uint32_t seq = type == FRAME_OPEN ? 0 : ++c->seq;
    size_t n = stride(write_room_change(f, type, &r, room_id(text_of(room)), c->client, seq));
    frame_set_flags(f, FRAME_SELF);
    return n;
}

static bool own(const struct raw *c, const uint8_t *f)
{
    return frame_client(f) == c->client;
}

/* note -- a frame that came before the one that was waited for. */
static void note(struct raw *c, const uint8_t *f)
{
    struct reasoned r;
    if (frame_type(f) == FRAME_REFUSED && own(c, f) && read_reasoned(f, &r) == 0) {
        c->refused[r.reason % REASONS]++;
        c->refused_all++;
    } else if (frame_type(f) != FRAME_ACK && frame_type(f) != FRAME_HOST &&
               frame_type(f) != FRAME_CREATE && !(frame_type(f) == FRAME_JOIN && own(c, f))) {
        c->strange++;
        c->strangest = frame_type(f);
    }
}

void raw_settle(struct raw *c, const char *room, const char *text)
{
    uint8_t f[FRAME_MAX];
    const uint8_t *got;
    size_t n = raw_say(c, f, room, text);
    uint32_t seq = c->seq, acked = 0;
    bool said = false;
    memset(c->refused, 0, sizeof c->refused);
    c->refused_all = c->strange = 0;
    frame_set_flags(f, 0xff & ~(FRAME_MORE | FRAME_CONT | FRAME_ACTION));
    frame_set_pos(f, UINT64_MAX); /* what only the relay may stamp */
    frame_set_origin(f, UINT64_MAX);
    frame_set_epoch(f, UINT64_MAX);
    frame_set_seq(f, UINT64_MAX);
    frame_set_hlc(f, UINT64_MAX);
    raw_send(c, f, n);
    while (!said || acked < seq) {
        int r = raw_next(c, &got, RAW_MS);
        if (r <= 0)
            die("\"%s\" was %s, session %s", text, said ? "not acknowledged" : "not said",
                r < 0 ? "lost" : "kept");
        if (frame_type(got) == FRAME_ACK && own(c, got))
            acked = frame_client_seq(got);
        else if (frame_type(got) == FRAME_SAY && own(c, got) && frame_client_seq(got) == seq)
            said = true;
        else
            note(c, got);
    }
}

void raw_close(struct raw *c)
{
    close_fd(&c->fifo);
}
