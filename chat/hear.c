/* hear.c -- what comes in: of history and of what is live, what the user has not seen yet, in order. */
#include "port_inside.h"

#include "base/sys.h"
#include "ipc/fifo.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

bool port_is_shown(const uint8_t *f)
{
    return frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE;
}

/* is_new -- for the user, and not shown yet?  That something is gone is said as often as it comes. */
static bool is_new(struct port *p, const uint8_t *f)
{
    return frame_type(f) == FRAME_GONE || (port_is_shown(f) && seen_first(&p->seen, f));
}

/* ---- history ---- */

static int fetch(struct port *p, const struct room *r, uint64_t joined_at)
{
    struct query q = {.kind = r->cursor ? QUERY_CATCHUP : QUERY_NEWEST, .limit = r->history, .after = r->cursor, .before = joined_at};
    p->fetch_query = q;
    p->fetching = (size_t)(r - p->room) + 1;
    p->fetch_deadline = now_ms() + ANSWER_MS;
    return port_ask(p, &p->answer, r->id, &p->fetch_query);
}

static void fetched(struct port *p)
{
    struct room *r = &p->room[p->fetching - 1];
    r->cursor = p->fetch_query.before;
    p->fetching = 0;
    stream_close(&p->answer);
}

/* again -- the answer broke off: ask for all of it once more; what came already is dropped as seen. */
static void again(struct port *p)
{
    struct query q = p->fetch_query;
    fifo_abandon(p->rendezvous, q.fifo);
    p->fetch_deadline = now_ms() + ANSWER_MS;
    if (port_ask(p, &p->answer, p->room[p->fetching - 1].id, &p->fetch_query) < 0)
        port_go_away(p);
}

/* ---- live ---- */

/* listening -- where we hear a room: in it, or in the inbox. */
static struct room *listening(const struct port *p, uint64_t room)
{
    struct room *r = port_find_room(p, room);
    bool between_two = !r || (direct_is(text_of(r->name)) && !r->wanted);
    return between_two && p->inbox ? &p->room[p->inbox - 1] : r;
}

void port_out(struct room *r)
{
    r->wanted = r->joined = false;
    r->cursor = 0;
}

bool port_consider(struct port *p, const uint8_t *f)
{
    struct room *r = listening(p, frame_room(f));
    bool own = frame_client(f) == p->client;
    struct text name;
    switch (frame_type(f)) {
    case FRAME_ACK:
        port_on_ack(p, frame_client_seq(f));
        return false;
    case FRAME_HOST:
        if (read_host(f, &name) == 0)
            port_know_host(p, frame_origin(f), name);
        return false;
    case FRAME_JOIN:
        if (own && r)
            r->joined = true;
        if (own && r && r->wanted && (r->cursor || r->history)) {
            if (fetch(p, r, frame_pos(f)) < 0)
                port_go_away(p);
        } else if (own && r) {
            r->cursor = frame_pos(f);
        }
        return r && r->wanted && (!own || !(frame_flags(f) & FRAME_SELF));
    case FRAME_LEAVE:
        if (!r || !r->wanted)
            return false;
        if (own && frame_flags(f) & FRAME_FORCED)
            port_out(r);
        return true;
    case FRAME_CREATE:
        port_learn(p, f);
        return false;
    case FRAME_SAY:
    case FRAME_STATE:
        if (!r || !r->wanted || !r->joined || frame_pos(f) < r->cursor)
            return false;
        r->cursor = frame_pos(f) + frame_stride(f);
        return seen_first(&p->seen, f);
    case FRAME_GONE:
        return r && r->wanted && r->joined;
    case FRAME_REFUSED:
        if (r && frame_client_seq(f) == r->join_seq)
            port_out(r);
        return true;
    case FRAME_NOTICE:
        return true;
    default:
        return false;
    }
}

/* is_busy -- the end of an answer that was none: the relay has too many others to give. */
static bool is_busy(const uint8_t *f)
{
    struct end end;
    return frame_type(f) == FRAME_END && read_end(f, &end) == 0 && end.reason == REASON_BUSY;
}

/* next_fetched -- from the history that is coming in. */
static int next_fetched(struct port *p, const uint8_t **f)
{
    for (;;) {
        int r = p->answer.fd < 0 ? 0 : stream_next(&p->answer, f);
        if (r == 0 && stream_hung_up(p->main.fd)) {
            port_go_away(p); /* nobody will answer any more */
            return 0;
        }
        if (r == 0 && now_ms() > p->fetch_deadline)
            r = -EPIPE;
        if (r == 0)
            return 0;
        if (r < 0) {
            again(p);
            return 0;
        }
        p->fetch_deadline = now_ms() + ANSWER_MS;
        if (is_busy(*f)) {
            stream_close(&p->answer);
            p->fetch_deadline = now_ms() + BUSY_MS;
            return 0;
        }
        if (frame_type(*f) == FRAME_END) {
            fetched(p);
            return -EAGAIN;
        }
        if (frame_type(*f) == FRAME_CREATE)
            port_learn(p, *f);
        if (is_new(p, *f))
            return 1;
    }
}

/* next_live -- the next frame for the user off the FIFOs. */
static int next_live(struct port *p, const uint8_t **f)
{
    for (;;) {
        if (p->fetching) {
            int r = next_fetched(p, f);
            if (r != -EAGAIN)
                return r;
            continue;
        }
        int r = stream_next(&p->main, f);
        if (r < 0)
            port_go_away(p);
        if (r <= 0)
            return 0;
        if (port_consider(p, *f))
            return 1;
    }
}

static int hand_out(struct port *p, const uint8_t *f, const uint8_t **out)
{
    memcpy(p->handed, f, frame_stride(f));
    *out = p->handed;
    if (frame_pos(f) != 0 && frame_pos(f) + frame_stride(f) > p->cursor)
        p->cursor = frame_pos(f) + frame_stride(f);
    return 1;
}

/* ---- the interface ---- */

int port_next(struct port *p, const uint8_t **frame)
{
    if (p->pending.start < p->pending.end) {
        const uint8_t *f = p->pending.p + p->pending.start;
        p->pending.start += frame_stride(f);
        return hand_out(p, f, frame);
    }
    if (p->away) {
        int r = port_try_again(p);
        if (r < 0 || p->away)
            return r;
    }
    const uint8_t *f;
    int r = next_live(p, &f);
    return r == 1 ? hand_out(p, f, frame) : r;
}

int port_fd(const struct port *p)
{
    return p->away ? -1 : p->fetching ? p->answer.fd : p->main.fd;
}

int port_wait_ms(const struct port *p)
{
    if (p->pending.start < p->pending.end)
        return 0;
    if (p->away) {
        uint64_t now = now_ms();
        return p->retry_at > now ? (int)(p->retry_at - now) : 0;
    }
    return p->fetching ? 200 : -1;
}

int port_wait_some(struct port *p, int ms)
{
    const uint8_t *f;
    uint32_t acked = p->acked;
    struct buffer keep_pending = p->pending;
    p->pending = (struct buffer){0};
    int r = port_next(p, &f);
    if (r == 0 && p->acked != acked) {
        ms = 0;
    } else if (r == 0 && port_fd(p) >= 0) {
        int wait = port_wait_ms(p);
        stream_readable(port_fd(p), wait >= 0 && wait < ms ? wait : ms);
    } else if (r == 0) {
        poll(NULL, 0, min_size((size_t)port_wait_ms(p), (size_t)ms) == 0 ? 1 : port_wait_ms(p));
    }
    free(p->pending.p);
    p->pending = keep_pending;
    if (r == 1)
        r = buffer_add(&p->pending, f, frame_stride(f));
    return r < 0 ? r : 0;
}

uint64_t port_cursor(const struct port *p)
{
    return p->cursor;
}
