/* tell.c -- what people of this host are told of others: a line, names, the rows of `relay status`. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/sys.h"

#include <stdarg.h>
#include <stdio.h>

/* publish -- one frame without a room: every client gets it. */
static void publish(struct hub *h, const uint8_t *frame)
{
    struct state *st = h->st;
    hub_take_lock(h);
    if (state_room_for(st, FRAME_MAX) == 0)
        state_put(st, frame);
    state_publish(st);
    state_give(st);
    state_ring_all(st);
}

void hub_tell(struct hub *h, enum reason reason, const char *fmt, ...)
{
    char text[SENTENCE_MAX + 1];
    uint8_t frame[FRAME_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct reasoned r = {(uint8_t)reason, text_of(text)};
    int n = write_reasoned(frame, FRAME_NOTICE, &r, 0, 0);
    ASSERT(n > 0);
    publish(h, frame);
}

void hub_name(struct hub *h, const struct peer *p)
{
    uint8_t frame[FRAME_MAX];
    hub_take_lock(h);
    bool fits = roster_host_open(&h->st->edit, p->host, text_of(p->name)) != 0;
    state_give(h->st);
    if (!fits)
        log_error("no room for the name of another host");
    if (write_host(frame, p->host, text_of(p->name)) > 0)
        publish(h, frame);
    h->named = journal_head(&h->st->seg->journal);
}

const char *hub_called(const struct hub *h, uint64_t host)
{
    const struct peer *p = peers_by_host(&h->peers, host);
    return p ? p->name : h->st->seg->shape.host;
}

void hub_show(struct hub *h, const struct line *ln)
{
    struct link_row *row = &h->st->seg->link[ln - h->line];
    const struct link_peer *p = ln->link ? &h->core.peer[ln->link->peer] : NULL;
    uint32_t up = !p || p->phase < LINK_VECTOR ? LINK_IS_DOWN : p->through ? LINK_IS_INDIRECT : LINK_IS_UP;
    bool fresh = atomic_load(&row->host) != ln->peer.host;
    if (fresh || atomic_load(&row->up) != up)
        atomic_store(&row->since_ms, fresh && !up ? 0 : wall_ms());
    if (fresh) {
        atomic_store(&row->heard_ms, 0);
        atomic_store(&row->early, 0);
    }
    atomic_store(&row->host, ln->peer.host);
    atomic_store(&row->up, up);
    if (up) {
        atomic_store(&row->rtt_ms, p->rtt_ms);
        atomic_store(&row->heard_ms, wall_ms() - (now_ms() - p->heard_ms));
    }
}
