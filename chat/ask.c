/* ask.c -- questions to the relay, asked again when it dies on the way; and the message that is watched. */
#include "port_inside.h"

#include "base/sys.h"
#include "ipc/fifo.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int port_ask(struct port *p, struct stream *into, uint64_t room, struct query *q)
{
    uint8_t f[FRAME_MAX];
    stream_close(into);
    into->fd = fifo_make(p->rendezvous, q->fifo);
    if (into->fd < 0)
        return into->fd;
    if (q->kind == QUERY_PROBE)
        q->since = now_us();
    int n = write_query(f, q, room, 0, 0);
    int r = n < 0 ? n : port_keep(p, f);
    return r < 0 ? r : port_flush(p);
}

/* A question on its way. */
struct asking {
    uint64_t room, deadline;
    struct query *q;
    bool grows;        /* its answer may pause: nothing but its end ends it */
    struct buffer all; /* the answer so far, if it does not grow: told when it is whole; otherwise told as it comes */
    bool (*each)(void *arg, const uint8_t *frame);
    void *arg;
    struct end *end;
};

/* patience -- how long to wait for more of an answer, in ms. */
static int patience(const struct port *p, const struct asking *a)
{
    uint64_t now = now_ms();
    if (!a->grows || !p->answer.opened)
        return ANSWER_MS;
    return (int)min_u64(a->deadline > now ? a->deadline - now : 0, INT_MAX);
}

/* answer_ended -- returns as read_answer(). */
static int answer_ended(struct port *p, const struct asking *a, const uint8_t *f)
{
    if (read_end(f, a->end) < 0)
        return 0;
    snprintf(p->end_text, sizeof p->end_text, "%.*s", (int)a->end->text.len, a->end->text.p);
    a->end->text = text_of(p->end_text);
    return a->end->reason != REASON_BUSY || now_ms() > a->deadline;
}

/* read_answer -- until END.  Returns 1 whole; 0 broken off, or the relay is busy: ask again. */
static int read_answer(struct port *p, struct asking *a)
{
    const uint8_t *f;
    for (;;) {
        int r = stream_next(&p->answer, &f);
        if (r < 0 || (r == 0 && !stream_readable(p->answer.fd, patience(p, a))))
            return 0;
        if (r == 0)
            continue;
        if (frame_type(f) == FRAME_END)
            return answer_ended(p, a, f);
        if (!a->grows && buffer_add(&a->all, f, frame_stride(f)) < 0)
            return -ENOMEM;
        if (a->grows && !a->each(a->arg, f))
            return -ECANCELED;
    }
}

static int tell(struct port *p, const struct buffer *all, bool (*each)(void *arg, const uint8_t *frame), void *arg)
{
    for (size_t at = 0; at < all->end; at += frame_stride(all->p + at)) {
        if (frame_type(all->p + at) == FRAME_CREATE)
            port_learn(p, all->p + at);
        if (port_is_shown(all->p + at))
            (void)seen_first(&p->seen, all->p + at);
        if (!each(arg, all->p + at))
            return -ECANCELED;
    }
    return 0;
}

/* ask_until -- asked again, from the start, when a relay process died on the way.  Returns 1 or -errno. */
static int ask_until(struct port *p, struct asking *a)
{
    int r = 0;
    while (r == 0) {
        a->all.end = 0;
        *a->end = (struct end){0};
        r = p->away ? 0 : port_ask(p, &p->answer, a->room, a->q);
        if (r == 0 && !p->away)
            r = read_answer(p, a);
        stream_close(&p->answer);
        if (r == 0) {
            fifo_abandon(p->rendezvous, a->q->fifo);
            r = now_ms() > a->deadline ? -ETIMEDOUT : port_wait_some(p, a->end->reason == REASON_BUSY ? BUSY_MS : RETRY_MS);
        }
    }
    return r;
}

int port_query(struct port *p, const char *name, struct query *q, bool (*each)(void *arg, const uint8_t *frame), void *arg,
               struct end *end)
{
    struct room *about = name ? port_know_room(p, name) : NULL;
    if (name && !about)
        return -ENOMEM;
    if (about && q->kind == QUERY_WHO && direct_is(text_of(about->name)))
        about->spoken = true; /* is he there?  That may be asked before anything is said */
    struct asking a = {about ? about->id : 0, now_ms() + p->o.timeout_ms, q, false, {0}, each, arg, end};
    int r = ask_until(p, &a);
    if (r == 1)
        r = tell(p, &a.all, each, arg);
    free(a.all.p);
    return r;
}

int port_follow(struct port *p, uint64_t room, struct query *q, unsigned timeout_ms,
                bool (*each)(void *arg, const uint8_t *frame), void *arg, struct end *end)
{
    struct asking a = {room, now_ms() + timeout_ms, q, true, {0}, each, arg, end};
    int r = ask_until(p, &a);
    return r == 1 ? 0 : r;
}

/* ---- the watch ---- */

void port_unwatch(struct port *p)
{
    if (p->watch.fd >= 0 && !p->watch.opened)
        fifo_abandon(p->rendezvous, p->watch_query.fifo);
    stream_close(&p->watch);
    p->watching = false;
}

void port_watch_again(struct port *p)
{
    if (port_ask(p, &p->watch, p->watch_room, &p->watch_query) < 0)
        port_unwatch(p);
}

void port_watch(struct port *p, const struct have_row *id)
{
    port_unwatch(p);
    p->watch_query = (struct query){
        .kind = QUERY_TRACE, .limit = UINT32_MAX, .key = {.origin = id->origin, .epoch = id->epoch, .seq = id->seq}};
    p->watch_room = id->room;
    p->watching = true;
    if (!p->away)
        port_watch_again(p);
}

bool port_watched(struct port *p, const uint8_t **f)
{
    int r = p->watching && p->watch.fd >= 0 ? stream_next(&p->watch, f) : 0;
    if (r < 0) /* the keeper died: once more, from the start */
        port_watch_again(p);
    if (r == 1 && frame_type(*f) == FRAME_END)
        port_unwatch(p);
    return r == 1;
}

int port_watch_fd(const struct port *p)
{
    return p->watching ? p->watch.fd : -1;
}
