/* port.c -- one session with a relay, kept up across everything that can happen to the relay. */
#include "port_inside.h"

#include "base/sys.h"
#include "base/text.h"
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

/* ---- sending ---- */

static int put_message(struct port *p, const uint8_t *frames, size_t len, unsigned timeout_ms)
{
    uint8_t message[QUEUE_MESSAGE_MAX];
    struct envelope e = {.session = p->session};
    memcpy(e.secret, p->secret, SECRET_LEN);
    write_envelope(message, &e);
    memcpy(message + ENVELOPE_LEN, frames, len);
    return mq_put(&p->queue, message, ENVELOPE_LEN + len, timeout_ms);
}

static void go_away(struct port *p)
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
        int e = n < 0 ? n : put_message(p, f, (size_t)n, SEND_MS);
        r->opened = e == 0;
        if (e < 0)
            go_away(p);
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
        int r = put_message(p, p->unacked.p + p->sent, len, SEND_MS);
        if (r == 0)
            p->sent += len;
        else if (r != -ETIMEDOUT || !generation_alive(&p->finder.inst))
            go_away(p);
    }
    return 0;
}

/* keep -- queue a frame under the next number. */
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

static void on_ack(struct port *p, uint32_t seq)
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

static int change_room(struct port *p, enum frame_type type, struct room *r, bool quiet)
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
    int r = n < 0 ? n : put_message(p, f, (size_t)n, p->hello_ms);
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

static bool consider(struct port *p, const uint8_t *f);

/* hear_hosts -- what came behind the welcome: what the other hosts are called. */
static void hear_hosts(struct port *p)
{
    const uint8_t *f;
    while (stream_next(&p->main, &f) == 1)
        if (consider(p, f) && buffer_add(&p->pending, f, frame_stride(f)) < 0)
            return;
}

/* port_is_shown -- what people said and did in a room. */
bool port_is_shown(const uint8_t *f)
{
    return frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE;
}

/* is_new -- for the user, and not shown yet?  That something is gone is said as often as it comes. */
static bool is_new(struct port *p, const uint8_t *f)
{
    return frame_type(f) == FRAME_GONE || (port_is_shown(f) && seen_first(&p->seen, f));
}

/* only_said -- after a reconnection questions are asked and rooms joined anew; what was said and done stays. */
static void only_said(struct port *p)
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

static int come_back(struct port *p)
{
    int r = find(p);
    if (r == 0) {
        only_said(p);
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
        if (p->room[i].wanted && (r = change_room(p, FRAME_JOIN, &p->room[i], true)) < 0)
            return r;
    if (p->watching)
        port_watch_again(p);
    return port_flush(p);
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
        go_away(p);
}

/* ---- receiving ---- */

/* listening -- where we hear a room: in it, or in the inbox. */
static struct room *listening(const struct port *p, uint64_t room)
{
    struct room *r = port_find_room(p, room);
    bool between_two = !r || (direct_is(text_of(r->name)) && !r->wanted);
    return between_two && p->inbox ? &p->room[p->inbox - 1] : r;
}

/* out -- we are not in this room any more, and do not want to come back by ourselves. */
static void out(struct room *r)
{
    r->wanted = r->joined = false;
    r->cursor = 0;
}

/* consider -- a frame of the session's FIFO; true when it is for the user. */
static bool consider(struct port *p, const uint8_t *f)
{
    struct room *r = listening(p, frame_room(f));
    bool own = frame_client(f) == p->client;
    struct text name;
    switch (frame_type(f)) {
    case FRAME_ACK:
        on_ack(p, frame_client_seq(f));
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
                go_away(p);
        } else if (own && r) {
            r->cursor = frame_pos(f);
        }
        return r && r->wanted && (!own || !(frame_flags(f) & FRAME_SELF));
    case FRAME_LEAVE:
        if (!r || !r->wanted)
            return false;
        if (own && frame_flags(f) & FRAME_FORCED)
            out(r);
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
            out(r);
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
            go_away(p); /* nobody will answer any more */
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
            go_away(p);
        if (r <= 0)
            return 0;
        if (consider(p, *f))
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

/* pause_after -- how long to wait after an attempt that ended so. */
static unsigned pause_after(struct port *p, int r)
{
    unsigned ms = r == -EBUSY ? BUSY_MS : RETRY_MS;
    return ms + (unsigned)prng_below(&p->prng, ms);
}

static int try_again(struct port *p)
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

int port_next(struct port *p, const uint8_t **frame)
{
    if (p->pending.start < p->pending.end) {
        const uint8_t *f = p->pending.p + p->pending.start;
        p->pending.start += frame_stride(f);
        return hand_out(p, f, frame);
    }
    if (p->away) {
        int r = try_again(p);
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

/* port_wait_some -- for acknowledgements, keeping what comes for the user.  Returns at once when some are there: they may be
 * the last that will come. */
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

/* ---- the rest of the interface ---- */

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
    else
        snprintf(why, size, "no relay runs on this host; start one with: relay start");
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
        if (r < 0 && r != -EACCES && r != -EPROTO && r != -EINVAL && now_ms() - p->away_since < o->timeout_ms &&
            (p->o.start || r != -ENOENT || generation_alive(&p->finder.inst)))
            poll(NULL, 0, (int)pause_after(p, r));
        else
            break;
    } while (r < 0);
    if (r < 0) {
        explain(p, r, why, why_size);
        p->away = true;
        port_close(p);
        return r == -EPIPE || r == -EBUSY ? -ETIMEDOUT : r == -EPERM ? -EACCES : r;
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
    if (!p->away && n > 0 && put_message(p, f, (size_t)n, SEND_MS) < 0)
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
    int e = change_room(p, FRAME_JOIN, r, p->o.quiet);
    return e < 0 ? e : port_flush(p);
}

int port_leave(struct port *p, const char *name)
{
    struct room *r = port_know_room(p, name);
    if (!r)
        return -ENOMEM;
    int e = change_room(p, FRAME_LEAVE, r, p->o.quiet);
    out(r);
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
    int e = change_room(p, FRAME_JOIN, r, p->o.quiet);
    return e < 0 ? e : port_flush(p);
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

bool port_is_in(const struct port *p, const char *name)
{
    for (size_t i = 0; i < p->n_rooms; i++)
        if (strcmp(p->room[i].called, name) == 0)
            return p->room[i].wanted;
    return false;
}

uint32_t port_unacked(const struct port *p)
{
    return p->n_unacked;
}

uint32_t port_acked(const struct port *p)
{
    return p->acked;
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

uint64_t port_cursor(const struct port *p)
{
    return p->cursor;
}
