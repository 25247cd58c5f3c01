/* send.c -- what goes out: numbered, packed, and kept until the relay has it on disk. */
#include "port_inside.h"

#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

/* step_back -- who fills the queue shall not take the core from the worker, who empties it, for each message that fits again: that
 * is what SCHED_BATCH says.  What a relay that we start inherits is what we were. */
static void step_back(struct port *p)
{
    if (!p->stepped_back && sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &(struct sched_param){0});
    p->stepped_back = true;
}

int port_put(struct port *p, const uint8_t *frames, size_t len, unsigned timeout_ms)
{
    uint8_t message[QUEUE_MESSAGE_MAX];
    struct envelope e = {.session = p->session};
    memcpy(e.secret, p->secret, SECRET_LEN);
    write_envelope(message, &e);
    memcpy(message + ENVELOPE_LEN, frames, len);
    int r = mq_put(&p->queue, message, ENVELOPE_LEN + len, 0);
    if (r != -EAGAIN || timeout_ms == 0)
        return r;
    step_back(p);
    return mq_put(&p->queue, message, ENVELOPE_LEN + len, timeout_ms);
}

/* open_rooms -- before anything is said in a room, also when the relay forgot everything, it must exist.  Not numbered:
 * it may be said any number of times. */
static void open_rooms(struct port *p)
{
    uint8_t f[FRAME_MAX];
    for (size_t i = 0; !p->away && i < p->n_rooms; i++) {
        struct room *r = &p->room[i];
        struct room_change c = {text_of(p->user), text_of(r->name)};
        if (!r->spoken || r->opened)
            continue;
        int n = write_room_change(f, FRAME_OPEN, &c, r->id, p->client, 0);
        int e = n < 0 ? n : port_put(p, f, (size_t)n, SEND_MS);
        r->opened = e == 0;
        if (e < 0)
            port_go_away(p);
    }
}

int port_flush(struct port *p)
{
    open_rooms(p);
    size_t max = min_size(p->queue.message_max, QUEUE_MESSAGE_MAX) - ENVELOPE_LEN;
    while (!p->away && p->sent < p->unacked.end) {
        size_t len = 0;
        while (p->sent + len < p->unacked.end) {
            size_t n = frame_stride(p->unacked.p + p->sent + len);
            if (len + n > max)
                break;
            len += n;
        }
        int r = port_put(p, p->unacked.p + p->sent, len, SEND_MS);
        if (r == 0)
            p->sent += len;
        else if (r != -ETIMEDOUT || !generation_alive(&p->finder.inst))
            port_go_away(p);
    }
    return 0;
}

int port_keep(struct port *p, uint8_t *f)
{
    size_t sent = p->sent - p->unacked.start;
    frame_set_client(f, p->client);
    frame_set_client_seq(f, ++p->next_seq);
    int r = buffer_add(&p->unacked, f, frame_stride(f));
    p->sent = p->unacked.start + sent;
    p->n_unacked += r == 0;
    return r;
}

void port_on_ack(struct port *p, uint32_t seq)
{
    struct buffer *u = &p->unacked;
    while (u->start < u->end && frame_client_seq(u->p + u->start) <= seq) {
        u->start += frame_stride(u->p + u->start);
        p->n_unacked--;
    }
    if (p->sent < u->start)
        p->sent = u->start;
    if (seq > p->acked)
        p->acked = seq;
}

int port_change_room(struct port *p, enum frame_type type, struct room *r, bool quiet)
{
    uint8_t f[FRAME_MAX];
    struct room_change c = {text_of(p->user), text_of(r->name)};
    int n = write_room_change(f, type, &c, r->id, 0, 0);
    if (n < 0)
        return n;
    frame_set_flags(f, quiet ? FRAME_SELF : 0);
    n = port_keep(p, f);
    if (type == FRAME_JOIN)
        r->join_seq = p->next_seq;
    return n;
}

static int wait_for_window(struct port *p)
{
    uint64_t deadline = now_ms() + p->o.timeout_ms;
    while (p->unacked.end - p->unacked.start > p->window) {
        int r = port_flush(p);
        r = r < 0 ? r : port_wait_some(p, 100);
        if (r < 0)
            return r;
        if (now_ms() > deadline)
            return -ETIMEDOUT;
    }
    return 0;
}

int64_t port_say(struct port *p, const char *name, struct text text, bool action)
{
    uint8_t f[FRAME_MAX];
    struct room *r = port_know_room(p, name);
    if (text.len == 0 || text.len > TEXT_MESSAGE_MAX)
        return -EMSGSIZE;
    if (!text_utf8_ok(text))
        return -EILSEQ;
    int e = r ? wait_for_window(p) : -ENOMEM;
    if (e == 0)
        r->spoken = true;
    for (size_t at = 0; e >= 0 && at < text.len;) {
        struct text rest = {text.p + at, text.len - at};
        struct say s = {text_of(p->user), {rest.p, text_utf8_cut(rest, TEXT_PART_MAX)}};
        uint8_t flags = (uint8_t)((at > 0 ? FRAME_CONT : 0) | (action ? FRAME_ACTION : 0));
        at += s.text.len;
        e = write_say(f, &s, r->id, 0, 0, (uint8_t)(flags | (at < text.len ? FRAME_MORE : 0)));
        if (e > 0)
            e = port_keep(p, f);
    }
    if (e >= 0 && p->unacked.end - p->sent >= QUEUE_MESSAGE_MAX)
        e = port_flush(p);
    return e < 0 ? e : (int64_t)p->next_seq;
}

int64_t port_act(struct port *p, const char *name, const struct room_act *act)
{
    uint8_t f[FRAME_MAX];
    struct room_act a = *act;
    struct room *r = port_know_room(p, name);
    int e = r ? wait_for_window(p) : -ENOMEM;
    if (e < 0)
        return e;
    a.user = text_of(p->user);
    e = write_room_act(f, &a, r->id, 0, 0);
    if (e == -EMSGSIZE)
        return e;
    r->spoken |= a.act == ACT_OWN; /* the others need a room that is there */
    e = port_keep(p, f);
    return e < 0 ? e : (int64_t)p->next_seq;
}

uint32_t port_unacked(const struct port *p)
{
    return p->n_unacked;
}

uint32_t port_acked(const struct port *p)
{
    return p->acked;
}

void port_only_said(struct port *p)
{
    struct buffer all = p->unacked;
    p->unacked = (struct buffer){0};
    p->n_unacked = 0;
    for (size_t at = all.start; at < all.end; at += frame_stride(all.p + at)) {
        const uint8_t *f = all.p + at;
        if (!port_is_shown(f))
            continue;
        if (buffer_add(&p->unacked, f, frame_stride(f)) == 0)
            p->n_unacked++;
    }
    free(all.p);
    p->sent = 0;
}
