/* knock.c -- how long a frame takes to another host's link process and back. */
#include "hub/hub.h"

#include "base/sys.h"

static struct link *link_to(struct hub *h, uint64_t host)
{
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (link_is_up(l) && h->core.peer[l->peer].phase == LINK_OPEN && l->line->peer.host == host)
            return l;
    }
    return NULL;
}

/* say -- at once, or not at all: what waits in a queue measures the queue, and a peer that knocks without listening must
 * not fill our memory.  Returns whether it went out. */
static bool say(struct link *l, const uint8_t *frame, int n)
{
    ASSERT(n > 0);
    if (conn_waiting(&l->c) >= FRAME_MAX || conn_say(&l->c, frame, (size_t)n) < 0)
        return false;
    conn_flush(&l->c);
    return true;
}

static void tell_keeper(struct hub *h, const struct echo *e)
{
    uint8_t frame[FRAME_MAX];
    int n = write_echo(frame, e);
    ASSERT(n > 0);
    keeper_line_say(&h->keeper, frame, (size_t)n);
}

void hub_on_knock(void *arg, const uint8_t *knock)
{
    struct hub *h = arg;
    uint8_t frame[FRAME_MAX];
    struct echo e = {.sent_us = 0};
    struct link *l = link_to(h, frame_origin(knock));
    if (read_knock(knock, &e.number) < 0)
        return;
    uint64_t now = now_us(), i = e.number % KNOCKS_MAX;
    h->knock[i].number = e.number;
    h->knock[i].host = frame_origin(knock);
    h->knock[i].sent_us = now;
    if (!l || !say(l, frame, write_knock(frame, e.number, 0)))
        tell_keeper(h, &e);
}

/* on_echo -- believed of the host that was asked, once. */
static void on_echo(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    struct echo e;
    if (read_echo(frame, &e) < 0)
        return;
    uint64_t i = e.number % KNOCKS_MAX;
    if (h->knock[i].number != e.number || h->knock[i].host != l->line->peer.host)
        return;
    h->knock[i].host = 0;
    e.sent_us = h->knock[i].sent_us;
    e.back_us = now_us();
    tell_keeper(h, &e);
}

void link_knock(struct link *l, const uint8_t *frame)
{
    uint8_t back[FRAME_MAX];
    struct echo e = {.sent_us = 0};
    if (frame_type(frame) == FRAME_ECHO)
        on_echo(l, frame);
    else if (read_knock(frame, &e.number) == 0)
        (void)say(l, back, write_echo(back, &e));
}
