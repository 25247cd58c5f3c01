/* port.c -- one session with a relay, kept up across everything that can happen to the relay. */
#include "port.h"

#include "finder.h"
#include "seen.h"
#include "stream.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "base/prng.h"
#include "base/sys.h"
#include "base/text.h"
#include "ipc/fifo.h"
#include "ipc/mq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    HELLO_MS = 250,       /* for the relay's welcome, then hello again, waiting twice as long ... */
    HELLO_MAX_MS = 2000,  /* ... up to this */
    SEND_MS = 2000,       /* for room in the queue, then look whether the relay is still there */
    RETRY_MS = 40,        /* between attempts to find it again, and as much again by chance */
    BUSY_MS = 1000,       /* after the relay said that we come too often, and as much again by chance */
    ANSWER_MS = 2000,     /* without a byte of an answer, then ask again */
};

struct room {
    char name[DIRECT_NAME_MAX + 1]; /* everywhere */
    char called[CALLED_MAX + 1];    /* here */
    uint64_t id;
    uint64_t cursor;  /* everything of this room before it was handed out; 0: nothing yet */
    uint32_t history; /* wanted on the first join */
    bool wanted;      /* we are, or want to be, in it */
    uint32_t join_seq; /* the number of our last JOIN */
    bool joined;      /* our own JOIN came by: what follows it in the session's FIFO is live */
    bool spoken;      /* we said something in it ... */
    bool opened;      /* ... and this relay knows that it exists */
};

struct host {
    uint64_t id;
    char name[HOST_NAME_MAX_LEN + 1];
};

struct port {
    struct port_options o;
    struct finder finder;
    int rendezvous;
    struct mq queue;
    struct stream main, answer, watch;
    struct query watch_query;
    uint64_t watch_room;
    bool watching;
    size_t fetching; /* room + 1 whose history comes through `answer` */
    struct query fetch_query;
    uint64_t fetch_deadline;
    uint64_t client, origin, cursor;
    uint32_t session, next_seq, acked, window;
    unsigned hello_ms;
    uint8_t secret[SECRET_LEN];
    char user[USER_NAME_MAX + 1];
    struct buffer unacked; /* frames sent or to be sent, until acknowledged */
    size_t sent;          /* of them, up to here */
    uint32_t n_unacked;
    struct buffer pending; /* frames for the user that came while something else was waited for */
    uint8_t handed[FRAME_MAX];
    struct room *room;
    size_t n_rooms;
    size_t inbox; /* room + 1; 0: not asked for */
    struct host *host;
    size_t n_hosts;
    struct seen seen;
    bool away;
    uint64_t away_since, retry_at;
    struct prng prng;
    char end_text[512];
};

/* ---- small things ---- */

static struct room *find_room(const struct port *p, uint64_t id)
{
    for (size_t i = 0; i < p->n_rooms; i++)
        if (p->room[i].id == id)
            return &p->room[i];
    return NULL;
}

static struct person me(const struct port *p)
{
    return (struct person){port_user(p), port_host(p, p->origin)};
}

void port_call(const struct port *p, struct text name, char *called)
{
    struct direct d;
    char other[PERSON_MAX + 2];
    if (direct_read(name, &d) && d.n == 2)
        name = (struct text){other, direct_inbox(direct_other(&d, me(p)), other)};
    snprintf(called, CALLED_MAX + 1, "%.*s", (int)name.len, name.p);
}

/* full_name -- of what is called so, "@bob", "@bob@beta" or "lobby", the name it has everywhere. */
static void full_name(const struct port *p, const char *called, char *name)
{
    char with_host[CALLED_MAX + 1];
    struct direct d;
    struct text host = port_host(p, p->origin);
    snprintf(with_host, sizeof with_host, strchr(called + 1, '@') ? "%s" : "%s@%.*s", called, (int)host.len, host.p);
    if (*called == '@' && direct_read(text_of(with_host), &d) && d.n == 1)
        direct_name(me(p), d.who[0], name);
    else
        snprintf(name, DIRECT_NAME_MAX + 1, "%s", called);
}

static struct room *add_room(struct port *p, const char *name)
{
    uint64_t id = room_id(text_of(name));
    struct room *r = find_room(p, id);
    if (r)
        return r;
    struct room *all = realloc(p->room, (p->n_rooms + 1) * sizeof *all);
    if (!all)
        return NULL;
    p->room = all;
    r = &all[p->n_rooms++];
    *r = (struct room){.id = id};
    snprintf(r->name, sizeof r->name, "%s", name);
    port_call(p, text_of(name), r->called);
    return r;
}

/* know_room -- by what it is called first: an id is a hash, and costs more than all the rest of saying something. */
static struct room *know_room(struct port *p, const char *called)
{
    char name[DIRECT_NAME_MAX + 1];
    for (size_t i = 0; i < p->n_rooms; i++)
        if (i + 1 != p->inbox && strcmp(p->room[i].called, called) == 0)
            return &p->room[i];
    full_name(p, called, name);
    return add_room(p, name);
}

/* learn -- a CREATE: what a room is called of which something is about to come. */
static void learn(struct port *p, const uint8_t *f)
{
    char name[DIRECT_NAME_MAX + 1];
    struct room_change c;
    if (read_room_change(f, &c) < 0)
        return;
    snprintf(name, sizeof name, "%.*s", (int)c.room.len, c.room.p);
    (void)add_room(p, name); /* out of memory: it has no name, but is shown */
}

static void know_host(struct port *p, uint64_t id, struct text name)
{
    struct host *h = NULL;
    for (size_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].id == id)
            h = &p->host[i];
    if (!h) {
        struct host *all = realloc(p->host, (p->n_hosts + 1) * sizeof *all);
        if (!all)
            return;
        p->host = all;
        h = &all[p->n_hosts++];
    }
    h->id = id;
    snprintf(h->name, sizeof h->name, "%.*s", (int)name.len, name.p);
}


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
static int keep(struct port *p, uint8_t *f)
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
    n = keep(p, f);
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
    know_host(p, p->origin, w.host);
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

/* is_shown -- what people said and did in a room. */
static bool is_shown(const uint8_t *f)
{
    return frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE;
}

/* only_said -- after a reconnection questions are asked and rooms joined anew; what was said and done stays. */
static void only_said(struct port *p)
{
    struct buffer all = p->unacked;
    p->unacked = (struct buffer){0};
    p->n_unacked = 0;
    for (size_t at = all.start; at < all.end; at += frame_stride(all.p + at)) {
        const uint8_t *f = all.p + at;
        if (!is_shown(f))
            continue;
        if (buffer_add(&p->unacked, f, frame_stride(f)) == 0)
            p->n_unacked++;
    }
    free(all.p);
    p->sent = 0;
}

static void watch(struct port *p);

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
        watch(p);
    return port_flush(p);
}

/* ---- history ---- */

static int ask(struct port *p, struct stream *into, uint64_t room, struct query *q)
{
    uint8_t f[FRAME_MAX];
    stream_close(into);
    into->fd = fifo_make(p->rendezvous, q->fifo);
    if (into->fd < 0)
        return into->fd;
    if (q->kind == QUERY_PROBE)
        q->since = now_us();
    int n = write_query(f, q, room, 0, 0);
    int r = n < 0 ? n : keep(p, f);
    return r < 0 ? r : port_flush(p);
}

static int fetch(struct port *p, const struct room *r, uint64_t joined_at)
{
    struct query q = {.kind = r->cursor ? QUERY_CATCHUP : QUERY_NEWEST, .limit = r->history, .after = r->cursor, .before = joined_at};
    p->fetch_query = q;
    p->fetching = (size_t)(r - p->room) + 1;
    p->fetch_deadline = now_ms() + ANSWER_MS;
    return ask(p, &p->answer, r->id, &p->fetch_query);
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
    if (ask(p, &p->answer, p->room[p->fetching - 1].id, &p->fetch_query) < 0)
        go_away(p);
}

/* ---- receiving ---- */

/* listening -- where we hear a room: in it, or in the inbox. */
static struct room *listening(const struct port *p, uint64_t room)
{
    struct room *r = find_room(p, room);
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
            know_host(p, frame_origin(f), name);
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
        learn(p, f);
        return false;
    case FRAME_SAY:
    case FRAME_STATE:
        if (!r || !r->wanted || !r->joined || frame_pos(f) < r->cursor)
            return false;
        r->cursor = frame_pos(f) + frame_stride(f);
        return seen_first(&p->seen, f);
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
            learn(p, *f);
        if (is_shown(*f) && seen_first(&p->seen, *f))
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

/* wait_some -- for acknowledgements, keeping what comes for the user.  Returns at once when some are there: they may be
 * the last that will come. */
static int wait_some(struct port *p, int ms)
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
    if (!p || stream_init(&p->main) < 0 || stream_init(&p->answer) < 0 || stream_init(&p->watch) < 0)
        return -ENOMEM;
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
    close_fd(&p->main.fd);
    close_fd(&p->answer.fd);
    close_fd(&p->watch.fd);
    close_fd(&p->rendezvous);
    mq_shut(&p->queue);
    free(p->main.buf);
    free(p->answer.buf);
    free(p->watch.buf);
    free(p->unacked.p);
    free(p->pending.p);
    free(p->room);
    free(p->host);
    seen_free(&p->seen);
    free(p);
}

int port_join(struct port *p, const char *name, uint32_t history, uint64_t after)
{
    struct room *r = know_room(p, name);
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
    struct room *r = know_room(p, name);
    if (!r)
        return -ENOMEM;
    int e = change_room(p, FRAME_LEAVE, r, p->o.quiet);
    out(r);
    return e < 0 ? e : port_flush(p);
}

int port_inbox(struct port *p)
{
    char name[PERSON_MAX + 2];
    direct_inbox(me(p), name);
    struct room *r = add_room(p, name);
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
        r = r < 0 ? r : wait_some(p, 100);
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
    struct room *r = know_room(p, name);
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
            e = keep(p, f);
    }
    if (e >= 0 && p->unacked.end - p->sent >= QUEUE_MESSAGE_MAX)
        e = port_flush(p);
    return e < 0 ? e : (int64_t)p->next_seq;
}

int64_t port_act(struct port *p, const char *name, const struct room_act *act)
{
    uint8_t f[FRAME_MAX];
    struct room_act a = *act;
    struct room *r = know_room(p, name);
    int e = r ? wait_for_window(p) : -ENOMEM;
    if (e < 0)
        return e;
    a.user = text_of(p->user);
    e = write_room_act(f, &a, r->id, 0, 0);
    if (e == -EMSGSIZE)
        return e;
    r->spoken |= a.act == ACT_OWN; /* the others need a room that is there */
    e = keep(p, f);
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
        if (is_shown(all->p + at))
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
        r = p->away ? 0 : ask(p, &p->answer, a->room, a->q);
        if (r == 0 && !p->away)
            r = read_answer(p, a);
        stream_close(&p->answer);
        if (r == 0) {
            fifo_abandon(p->rendezvous, a->q->fifo);
            r = now_ms() > a->deadline ? -ETIMEDOUT : wait_some(p, a->end->reason == REASON_BUSY ? BUSY_MS : RETRY_MS);
        }
    }
    return r;
}

int port_query(struct port *p, const char *name, struct query *q, bool (*each)(void *arg, const uint8_t *frame), void *arg,
               struct end *end)
{
    struct room *about = name ? know_room(p, name) : NULL;
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

static void unwatch(struct port *p)
{
    if (p->watch.fd >= 0 && !p->watch.opened)
        fifo_abandon(p->rendezvous, p->watch_query.fifo);
    stream_close(&p->watch);
    p->watching = false;
}

static void watch(struct port *p)
{
    if (ask(p, &p->watch, p->watch_room, &p->watch_query) < 0)
        unwatch(p);
}

void port_watch(struct port *p, const struct have_row *id)
{
    unwatch(p);
    p->watch_query = (struct query){
        .kind = QUERY_TRACE, .limit = UINT32_MAX, .key = {.origin = id->origin, .epoch = id->epoch, .seq = id->seq}};
    p->watch_room = id->room;
    p->watching = true;
    if (!p->away)
        watch(p);
}

bool port_watched(struct port *p, const uint8_t **f)
{
    int r = p->watching && p->watch.fd >= 0 ? stream_next(&p->watch, f) : 0;
    if (r < 0) /* the keeper died: once more, from the start */
        watch(p);
    if (r == 1 && frame_type(*f) == FRAME_END)
        unwatch(p);
    return r == 1;
}

int port_watch_fd(const struct port *p)
{
    return p->watching ? p->watch.fd : -1;
}

struct text port_user(const struct port *p)
{
    return text_of(p->user);
}

struct text port_host(const struct port *p, uint64_t origin)
{
    for (size_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].id == origin)
            return text_of(p->host[i].name);
    return text_of("");
}

uint64_t port_host_called(const struct port *p, struct text name)
{
    for (size_t i = 0; i < p->n_hosts; i++)
        if (text_eq(text_of(p->host[i].name), name))
            return p->host[i].id;
    return 0;
}

bool port_has_others(const struct port *p)
{
    return p->n_hosts > 1;
}

uint64_t port_origin(const struct port *p)
{
    return p->origin;
}

uint64_t port_client(const struct port *p)
{
    return p->client;
}

struct text port_room_name(const struct port *p, uint64_t room)
{
    const struct room *r = find_room(p, room);
    return text_of(r ? r->called : "");
}

void port_name_room(struct port *p, const char *name)
{
    (void)know_room(p, name);
}

uint64_t port_cursor(const struct port *p)
{
    return p->cursor;
}
