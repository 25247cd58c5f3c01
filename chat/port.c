/* port.c -- one session with a relay, begun again whenever the relay went away. */
#include "port_inside.h"

#include "base/sys.h"
#include "ipc/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* find -- a relay that is ready, and its queue and rendezvous directory opened. */
static int find(struct port *p)
{
    struct finder *f = &p->finder;
    int r = finder_find(f, p->origin != 0);
    if (r < 0)
        return r;
    mq_shut(&p->queue);
    close_fd(&p->rendezvous);
    p->rendezvous = open(f->inst.fifo, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->rendezvous < 0)
        return -errno;
    return mq_attach_writer(&p->queue, f->gen.queue[p->client % f->gen.n_queues], f->gen.owner);
}

void port_go_away(struct port *p)
{
    if (p->away)
        return;
    stream_close(&p->main);
    stream_close(&p->answer);
    stream_close(&p->watch);
    p->fetching = 0;
    p->away = true;
    p->away_since = now_ms();
    p->retry_at = p->away_since + prng_below(&p->prng, RETRY_MS);
}

/* ---- hello ---- */

static int say_hello(struct port *p)
{
    struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
    uint8_t f[FRAME_MAX];
    const uint8_t *got;
    struct welcome w;
    stream_close(&p->main);
    os_random(h.nonce, sizeof h.nonce);
    p->main.fd = fifo_make(p->rendezvous, h.fifo);
    if (p->main.fd < 0)
        return p->main.fd;
    p->session = 0;
    memset(p->secret, 0, SECRET_LEN);
    int n = write_hello(f, &h, p->client);
    int r = n < 0 ? n : port_put(p, f, (size_t)n, p->hello_ms);
    if (r == 0 && !stream_readable(p->main.fd, (int)p->hello_ms))
        r = -ETIMEDOUT;
    if (r < 0) {
        fifo_abandon(p->rendezvous, h.fifo);
        stream_close(&p->main);
        p->hello_ms = (unsigned)min_size(p->hello_ms * 2, HELLO_MAX_MS);
        return r;
    }
    p->hello_ms = HELLO_MS;
    r = stream_next(&p->main, &got);
    struct reasoned why;
    if (r == 1 && frame_type(got) == FRAME_REFUSED && read_reasoned(got, &why) == 0) {
        snprintf(p->end_text, sizeof p->end_text, "%.*s", (int)why.text.len, why.text.p);
        return why.reason == REASON_VERSION ? -EPROTO : why.reason == REASON_BUSY ? -EBUSY : -EACCES;
    }
    if (r != 1 || frame_type(got) != FRAME_WELCOME || read_welcome(got, &w) < 0 || memcmp(w.nonce, h.nonce, NONCE_LEN) != 0)
        return -EPIPE; /* not ours: somebody else's bytes */
    p->session = w.session;
    memcpy(p->secret, w.secret, SECRET_LEN);
    p->window = w.window;
    p->origin = frame_origin(got);
    snprintf(p->user, sizeof p->user, "%.*s", (int)w.user.len, w.user.p);
    port_know_host(p, p->origin, w.host);
    p->next_seq = p->next_seq > frame_client_seq(got) ? p->next_seq : frame_client_seq(got);
    p->sent = p->unacked.start;
    while (p->sent < p->unacked.end && frame_client_seq(p->unacked.p + p->sent) <= frame_client_seq(got))
        p->sent += frame_stride(p->unacked.p + p->sent);
    return 0;
}

/* hear_hosts -- what came behind the welcome: what the other hosts are called. */
static void hear_hosts(struct port *p)
{
    const uint8_t *f;
    while (stream_next(&p->main, &f) == 1)
        if (port_consider(p, f) && buffer_add(&p->pending, f, frame_stride(f)) < 0)
            return;
}

static int come_back(struct port *p)
{
    int r = find(p);
    if (r == 0) {
        port_only_said(p);
        r = say_hello(p);
    }
    if (r < 0)
        return r;
    hear_hosts(p);
    finder_found(&p->finder);
    p->away = false;
    for (size_t i = 0; i < p->n_rooms; i++)
        p->room[i].opened = p->room[i].joined = false;
    for (size_t i = 0; i < p->n_rooms; i++)
        if (p->room[i].wanted && (r = port_change_room(p, FRAME_JOIN, &p->room[i], true)) < 0)
            return r;
    if (p->watching)
        port_watch_again(p);
    return port_flush(p);
}

/* pause_after -- how long to wait after an attempt that ended so. */
static unsigned pause_after(struct port *p, int r)
{
    unsigned ms = r == -EBUSY ? BUSY_MS : RETRY_MS;
    return ms + (unsigned)prng_below(&p->prng, ms);
}

int port_try_again(struct port *p)
{
    uint64_t now = now_ms();
    if (now < p->retry_at)
        return 0;
    int r = come_back(p);
    if (r == -EACCES || r == -EPROTO)
        return r;
    if (r < 0 && now_ms() - p->away_since > p->o.timeout_ms)
        return -ENOENT;
    if (r < 0) {
        stream_close(&p->main);
        p->away = true;
    }
    p->retry_at = now_ms() + pause_after(p, r);
    return 0;
}

/* ---- the interface ---- */

static void explain(const struct port *p, int r, char *why, size_t size)
{
    if ((r == -EACCES || r == -EBUSY) && p->end_text[0])
        snprintf(why, size, "%s", p->end_text);
    else if (r == -EACCES || r == -EPERM)
        snprintf(why, size, "you may not use the relay of this host; ask its admin");
    else if (r == -EPROTO)
        snprintf(why, size, "%s", p->end_text);
    else if (r == -EINVAL)
        snprintf(why, size, "an instance name is 1 to 32 of a-z 0-9 _ -");
    else if (r == -ETIMEDOUT || r == -EPIPE)
        snprintf(why, size, "the relay does not answer; see: relay status");
    else if (r == -ECHILD)
        snprintf(why, size, "the relay of this host does not start, for the reason above");
    else if (strcmp(p->finder.inst.name, INSTANCE_DEFAULT) != 0)
        snprintf(why, size, "no relay of instance %s runs on this host; start it with: relay -i %s start", p->finder.inst.name, p->finder.inst.name);
    else
        snprintf(why, size, "no relay runs on this host; start one with: relay start");
}

/* is_final -- nothing to wait for. */
static bool is_final(int r)
{
    return r == -EACCES || r == -EPROTO || r == -EINVAL || r == -ENXIO || r == -ECHILD;
}

int port_open(struct port **out, const struct port_options *o, char *why, size_t why_size)
{
    struct port *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    stream_init(&p->main);
    stream_init(&p->answer);
    stream_init(&p->watch);
    (void)signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_DUMPABLE, 0); /* the session's secret */
    p->o = *o;
    p->finder = (struct finder){.instance = o->instance, .start = o->start};
    p->rendezvous = -1;
    p->queue.q = -1;
    p->away = true;
    p->hello_ms = HELLO_MS;
    p->away_since = now_ms();
    do
        p->client = os_random_u64();
    while (p->client == 0);
    p->prng.s = p->client;
    int r;
    do {
        r = come_back(p);
        if (r < 0 && !is_final(r) && now_ms() - p->away_since < o->timeout_ms &&
            (p->o.start || r != -ENOENT || generation_alive(&p->finder.inst)))
            poll(NULL, 0, (int)pause_after(p, r));
        else
            break;
    } while (r < 0);
    if (r < 0) {
        explain(p, r, why, why_size);
        p->away = true;
        port_close(p);
        return r == -EPIPE || r == -EBUSY ? -ETIMEDOUT : r == -EPERM ? -EACCES : r == -ENXIO || r == -ECHILD ? -ENOENT : r;
    }
    *out = p;
    return 0;
}

void port_close(struct port *p)
{
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BYE);
    int n = frame_end(f, &w);
    frame_set_client(f, p->client);
    if (!p->away && n > 0 && port_put(p, f, (size_t)n, SEND_MS) < 0)
        n = 0; /* the relay will notice by itself */
    stream_free(&p->main);
    stream_free(&p->answer);
    stream_free(&p->watch);
    close_fd(&p->rendezvous);
    mq_shut(&p->queue);
    free(p->unacked.p);
    free(p->pending.p);
    free(p->room);
    free(p->host);
    seen_free(&p->seen);
    free(p);
}

int port_join(struct port *p, const char *name, uint32_t history, uint64_t after)
{
    struct room *r = port_know_room(p, name);
    if (!r)
        return -ENOMEM;
    r->wanted = true;
    r->joined = false;
    r->history = history;
    r->cursor = after;
    int e = port_change_room(p, FRAME_JOIN, r, p->o.quiet);
    return e < 0 ? e : port_flush(p);
}

int port_leave(struct port *p, const char *name)
{
    struct room *r = port_know_room(p, name);
    if (!r)
        return -ENOMEM;
    int e = port_change_room(p, FRAME_LEAVE, r, p->o.quiet);
    port_out(r);
    return e < 0 ? e : port_flush(p);
}

int port_inbox(struct port *p)
{
    char name[PERSON_MAX + 2];
    direct_inbox(port_me(p), name);
    struct room *r = port_add_room(p, name);
    if (!r)
        return -ENOMEM;
    p->inbox = (size_t)(r - p->room) + 1;
    r->wanted = true;
    int e = port_change_room(p, FRAME_JOIN, r, p->o.quiet);
    return e < 0 ? e : port_flush(p);
}

bool port_is_in(const struct port *p, const char *name)
{
    for (size_t i = 0; i < p->n_rooms; i++)
        if (strcmp(p->room[i].called, name) == 0)
            return p->room[i].wanted;
    return false;
}

struct text port_user(const struct port *p)
{
    return text_of(p->user);
}

uint64_t port_origin(const struct port *p)
{
    return p->origin;
}

uint64_t port_client(const struct port *p)
{
    return p->client;
}
