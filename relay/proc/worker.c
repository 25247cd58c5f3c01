/* worker.c -- one shard of the clients: their inbox queue, and the FIFOs they read. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "ipc/fifo.h"
#include "ipc/mq.h"
#include "rules/pace.h"
#include "rules/rules.h"
#include "shard/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BATCH_MESSAGES = 32, /* queue messages taken in before the lock is taken once */
    BATCH_FRAMES = BATCH_MESSAGES * (QUEUE_MESSAGE_MAX / FRAME_HEAD),
    LINGER_MS = 10 * 1000, /* a client that lost its FIFO is still in its rooms for so long */
    TICK_MS = 1000,
    NAMES = 256, /* user names remembered */
    GONE_MAX = 64, /* sessions detached, or out of their rooms, in one section */
    MANY = 256, /* writes of one turn: half a millisecond */
    GATHER_MS = 3,
};

/* A frame that passed rules_check(), or is to be refused. */
struct item {
    uint8_t *frame;
    uint64_t client; /* whose session it was then; the slot may be somebody else's by the time there is room */
    uint32_t session;
    unsigned refuse; /* enum reason, 0: apply */
};

/* Somebody who said hello, and is who he is: who owns the FIFO. */
struct caller {
    struct hello h;
    uint64_t client;
    int fd;
    uid_t uid;
    char user[USER_NAME_MAX + 1]; /* "": nobody knows him */
    uint32_t session;             /* as attach() says */
};

struct change {
    uint32_t session, room;
    bool joined;
};

struct worker {
    struct proc proc;
    struct shard *shard;
    struct rules rules;
    struct pace pace; /* of hellos */
    struct mq inbox;
    struct loop_source inbox_src;
    uid_t self;
    int rendezvous;
    struct fifo_place place; /* of this batch */
    struct caller caller[BATCH_MESSAGES];
    unsigned n_callers;
    struct {
        uint32_t session;
        bool goodbye; /* he said so */
    } gone[GONE_MAX]; /* have no FIFO any more, and are attached still */
    unsigned n_gone;
    uint8_t message[BATCH_MESSAGES][QUEUE_MESSAGE_MAX];
    unsigned n_messages;
    struct item item[BATCH_FRAMES];
    unsigned n_items, done; /* items [done, n_items) wait for room in the journal */
    struct change change[BATCH_FRAMES];
    unsigned n_changes;
    struct {
        uid_t uid;
        char name[USER_NAME_MAX + 1];
    } name[NAMES];
    bool lingering;   /* somebody may be */
    uint64_t durable; /* as acknowledged last */
    uint64_t delivered_ms; /* when the last turn of the shard ended */
};

static bool is_ours(const struct worker *w, const struct session *s, unsigned state)
{
    return s->state == state && s->worker == w->proc.args.self;
}

/* ---- hello ---- */

/* user_name -- what the account database calls this user; the relay's own user needs no entry there. */
static const char *user_name(struct worker *w, uid_t uid)
{
    unsigned slot = (unsigned)uid % NAMES;
    if (w->name[slot].name[0] && w->name[slot].uid == uid)
        return w->name[slot].name;
    const struct passwd *pw = getpwuid(uid);
    char made_up[USER_NAME_MAX + 1];
    if (!pw && uid != w->self)
        return NULL;
    snprintf(made_up, sizeof made_up, "uid%u", (unsigned)uid);
    const char *name = pw && text_user_ok(text_of(pw->pw_name)) ? pw->pw_name : made_up;
    w->name[slot].uid = uid;
    snprintf(w->name[slot].name, sizeof w->name[slot].name, "%s", name);
    return w->name[slot].name;
}

/* turn_away -- one sentence into a FIFO that gets no session. */
static void turn_away(int fd, uint64_t client, unsigned reason, const char *why)
{
    uint8_t buf[FRAME_MAX];
    struct reasoned r = {(uint8_t)reason, text_of(why)};
    int n = write_reasoned(buf, FRAME_REFUSED, &r, client, 0);
    if (n > 0 && write(fd, buf, (size_t)n) < 0)
        log_debug("a client that was turned away did not wait to hear why");
    close(fd);
}

/* detach_gone -- all of them in one section: thousands may go at once. */
static void detach_gone(struct worker *w)
{
    struct proc *p = &w->proc;
    const struct roster *r = &p->st.seg->roster;
    uint64_t wall = wall_ms();
    if (w->n_gone == 0)
        return;
    proc_take(p);
    for (unsigned i = 0; i < w->n_gone; i++)
        if (is_ours(w, &r->session[w->gone[i].session], SESSION_ATTACHED) && !shard_serves(w->shard, w->gone[i].session))
            roster_detach(&p->st.edit, w->gone[i].session, w->gone[i].goodbye ? 0 : wall); /* 0: no need to linger */
    state_give(&p->st);
    w->n_gone = 0;
    w->lingering = true;
    proc_tick(p, TICK_MS);
}

/* lose -- to be detached before anybody is attached again. */
static void lose(struct worker *w, uint32_t session, bool goodbye)
{
    if (w->n_gone == GONE_MAX)
        detach_gone(w);
    w->gone[w->n_gone].session = session;
    w->gone[w->n_gone++].goodbye = goodbye;
}

static void on_lost(void *arg, uint32_t session)
{
    lose(arg, session, false);
}

/* attach -- in a section: returns the session, or as roster_attach().  A session that another worker serves stays there: two
 * FIFOs of one session would be two secrets for it, and the one that outlives the other good for whoever gets its slot. */
static uint32_t attach(struct worker *w, const struct caller *c)
{
    struct proc *p = &w->proc;
    const struct roster *r = &p->st.seg->roster;
    uint32_t limit = c->uid == w->self ? 0 : p->st.seg->shape.sessions_per_user;
    const struct session *now = &r->session[roster_client(r, c->client)];
    if (now->state == SESSION_ATTACHED && !is_ours(w, now, SESSION_ATTACHED))
        return UINT32_MAX;
    if (limit != 0 && roster_uid_sessions(r, c->uid) >= limit)
        return 0;
    return roster_attach(&p->st.edit, c->client, c->uid, text_of(c->user), p->args.self, false);
}

/* greet -- WELCOME and the names of the hosts, as many as the FIFO takes in one write.  Host slots are only ever added. */
static size_t greet(struct worker *w, uint8_t *buf, size_t size, const struct hello *h, uint32_t session,
                    const uint8_t secret[SECRET_LEN])
{
    const struct segment *seg = w->proc.st.seg;
    const struct session *s = &seg->roster.session[session];
    struct welcome wel = {.session = session,
                          .window = (uint32_t)min_u64(seg->shape.ring_size / 8, 4u << 20),
                          .user = {s->user, s->user_len},
                          .host = text_of(seg->shape.host)};
    memcpy(wel.nonce, h->nonce, NONCE_LEN);
    memcpy(wel.secret, secret, SECRET_LEN);
    int n = write_welcome(buf, &wel, s->client, s->last_seq, seg->shape.origin, shard_cursor(w->shard));
    ASSERT(n > 0);
    size_t len = (size_t)n;
    for (uint32_t i = 1; i <= seg->roster.n_hosts && size - len >= FRAME_MAX; i++) {
        const struct host *host = &seg->roster.host[i];
        n = write_host(buf + len, host->id, (struct text){host->name, host->name_len});
        if (n > 0)
            len += (size_t)n;
    }
    return len;
}

static void welcome(struct worker *w, const struct caller *c, const uint8_t secret[SECRET_LEN])
{
    static uint8_t buf[32 * 1024];
    int pipe = fcntl(c->fd, F_GETPIPE_SZ); /* users who have many get small ones */
    size_t size = min_size(sizeof buf, pipe > 0 ? (size_t)pipe : PIPE_BUF);
    if (c->session == 0 || c->session == UINT32_MAX) {
        turn_away(c->fd, c->client, c->session == 0 ? REASON_LIMIT : REASON_DENIED,
                  c->session == 0 ? "Too many sessions; close some and try again."
                  : c->user[0]    ? "This client number is in use; start chat again."
                                  : "This relay does not know who you are: your user is not in its account database.");
        return;
    }
    if (shard_add(w->shard, c->session, c->fd, secret, buf, greet(w, buf, size, &c->h, c->session, secret)) < 0)
        lose(w, c->session, false);
    else if (w->proc.st.seg->roster.session[c->session].last_seq != 0 && shard_expect_ack(w->shard, c->session) < 0)
        log_error("out of memory");
}

/* welcome_all -- who came in this batch, in one section. */
static void welcome_all(struct worker *w)
{
    uint8_t secret[BATCH_MESSAGES][SECRET_LEN];
    if (w->n_callers == 0)
        return;
    detach_gone(w);
    os_random(secret, w->n_callers * sizeof secret[0]);
    proc_take(&w->proc);
    for (unsigned i = 0; i < w->n_callers; i++) {
        struct caller *c = &w->caller[i];
        c->session = c->user[0] && c->client ? attach(w, c) : UINT32_MAX;
    }
    state_give(&w->proc.st);
    for (unsigned i = 0; i < w->n_callers; i++)
        welcome(w, &w->caller[i], secret[i]);
    OPENSSL_cleanse(secret, sizeof secret);
    w->n_callers = 0;
    detach_gone(w); /* who did not wait for his welcome */
}

/* on_hello -- he is let in with the others of this batch, if he may come at all. */
static void on_hello(struct worker *w, const uint8_t *f)
{
    struct caller *c = &w->caller[w->n_callers];
    if (frame_type(f) != FRAME_HELLO || read_hello(f, &c->h) < 0)
        return;
    if (w->n_callers == 0 && fifo_look(w->rendezvous, &w->place) < 0)
        return;
    c->client = frame_client(f);
    c->fd = fifo_open_in(&w->place, c->h.fifo, &c->uid);
    if (c->fd < 0) {
        log_debug("hello refused: %s", strerror(-c->fd));
        return;
    }
    const char *user = user_name(w, c->uid);
    snprintf(c->user, sizeof c->user, "%s", user ? user : "");
    if (c->h.version_min > PROTOCOL_VERSION || c->h.version_max < PROTOCOL_VERSION)
        turn_away(c->fd, c->client, REASON_VERSION, "This relay speaks another version; update chat and relay.");
    else if (c->uid != w->self && !pace_take(&w->pace, c->uid, now_ms()))
        turn_away(c->fd, c->client, REASON_BUSY, "Too many new sessions at once; wait a second.");
    else
        w->n_callers++;
}

/* ---- intake ---- */

static void goodbye(struct worker *w, uint32_t session)
{
    shard_drop(w->shard, session);
    lose(w, session, true);
}

static void check_frame(struct worker *w, uint32_t session, uint8_t *f)
{
    int r = rules_check(&w->proc.st.seg->roster.session[session], f);
    if (r == -EALREADY)
        return;
    uint64_t client = w->proc.st.seg->roster.session[session].client;
    w->item[w->n_items++] = (struct item){f, client, session, (unsigned)r};
}

/* split -- the frames of one queue message. */
static void split(struct worker *w, uint8_t *message, size_t len)
{
    struct envelope e;
    if (read_envelope(message, len, &e) < 0)
        return;
    bool stranger = e.session == 0;
    if (!stranger && !shard_knows(w->shard, e.session, e.secret))
        return;
    for (size_t at = ENVELOPE_LEN; at < len;) {
        int n = frame_check(message + at, len - at);
        if (n <= 0)
            return;
        if (stranger) {
            on_hello(w, message + at);
            return;
        }
        check_frame(w, e.session, message + at);
        at += (size_t)n;
    }
}

static void receive(struct worker *w)
{
    w->n_messages = w->n_items = w->done = 0;
    while (w->n_messages < BATCH_MESSAGES) {
        uint8_t *to = w->message[w->n_messages];
        ssize_t n = mq_get(&w->inbox, to, QUEUE_MESSAGE_MAX);
        if (n < 0)
            break;
        w->n_messages++;
        split(w, to, (size_t)n);
    }
    welcome_all(w);
}

static bool is_goodbye(const struct item *it)
{
    return !it->refuse && frame_type(it->frame) == FRAME_BYE;
}

/* is_there -- is its sender still there?  It may have said goodbye, or died, while its frames waited for room. */
static bool is_there(const struct worker *w, const struct item *it)
{
    const struct session *s = &w->proc.st.seg->roster.session[it->session];
    return s->client == it->client && is_ours(w, s, SESSION_ATTACHED);
}

/* apply_some -- one section; returns false when it had to stop early. */
static bool apply_some(struct worker *w)
{
    struct proc *p = &w->proc;
    uint64_t wall = wall_ms();
    int r = 0;
    w->n_changes = 0;
    proc_take(p);
    rules_section(&w->rules, wall);
    for (; w->done < w->n_items; w->done++) {
        const struct item *it = &w->item[w->done];
        uint32_t room = 0;
        if (is_goodbye(it) || !is_there(w, it))
            continue;
        r = it->refuse ? rules_refuse(&w->rules, it->session, it->frame, it->refuse)
                       : rules_apply(&w->rules, it->session, it->frame, &room);
        if (r < 0)
            break;
        if (r != RULES_NOTHING)
            w->change[w->n_changes++] = (struct change){it->session, room, r == RULES_JOINED};
    }
    state_publish(&p->st);
    state_give(&p->st);
    return r >= 0;
}

static void after_section(struct worker *w, unsigned from)
{
    for (unsigned i = 0; i < w->n_changes; i++) {
        const struct change *c = &w->change[i];
        if (!c->joined)
            shard_leave(w->shard, c->session, c->room);
        else if (shard_join(w->shard, c->session, c->room) < 0)
            log_error("out of memory");
    }
    for (unsigned i = from; i < w->done; i++) {
        const struct item *it = &w->item[i];
        if (!is_there(w, it))
            continue;
        if (is_goodbye(it))
            goodbye(w, it->session);
        else if (shard_expect_ack(w->shard, it->session) < 0)
            log_error("out of memory");
    }
    detach_gone(w);
    state_ring_all(&w->proc.st);
}

/* take_in -- what waits from before, or else what is in the queue.  Returns true when anything was taken. */
static bool take_in(struct worker *w)
{
    bool any = false;
    if (w->done == w->n_items)
        receive(w);
    while (w->done < w->n_items) {
        unsigned from = w->done;
        bool all = apply_some(w);
        after_section(w, from);
        any |= w->done > from;
        if (!all && w->done == from)
            break; /* no room until more is durable: the keeper rings */
    }
    return any || w->n_messages > 0;
}

/* behind -- who took in faster than he delivers would be overtaken by the ring, and lose all his clients. */
static bool behind(const struct worker *w)
{
    const struct journal *j = &w->proc.st.seg->journal;
    return journal_head(j) - shard_cursor(w->shard) > j->size / 16;
}

/* ---- deliver ---- */

static void acknowledge(struct worker *w)
{
    w->durable = journal_durable(&w->proc.st.seg->journal);
    shard_acknowledge(w->shard);
}

/* gather -- a write costs the same for one message as for twenty: after a turn of many writes, the next one begins only when it
 * brings a lot, nothing more comes, or GATHER_MS are over.  Who had nothing to do is never held up. */
static void gather(struct worker *w)
{
    const struct journal *j = &w->proc.st.seg->journal;
    uint64_t head = shard_cursor(w->shard), enough = head + j->size / 32;
    while (shard_writes(w->shard) >= MANY && journal_head(j) != head && journal_head(j) < enough &&
           now_ms() - w->delivered_ms < GATHER_MS) {
        head = journal_head(j);
        loop_wait(&w->proc.loop, 1);
        (void)take_in(w);
        acknowledge(w);
    }
}

/* deliver -- returns true when there is more to do at once. */
static bool deliver(struct worker *w)
{
    if (shard_cursor(w->shard) == journal_head(&w->proc.st.seg->journal))
        return false;
    gather(w);
    bool more = shard_deliver(w->shard);
    w->delivered_ms = now_ms();
    return more;
}

/* ---- lingering ---- */

/* leave_rooms -- these are gone for good.  Returns how many are out of all their rooms. */
static unsigned leave_rooms(struct worker *w, const uint32_t *session, unsigned n)
{
    struct proc *p = &w->proc;
    unsigned out = 0;
    proc_take(p);
    rules_section(&w->rules, wall_ms());
    while (out < n && rules_leave_all(&w->rules, session[out]) == 0)
        out++;
    state_publish(&p->st);
    state_give(&p->st);
    return out;
}

static void on_tick(void *arg)
{
    struct worker *w = arg;
    struct roster *r = &w->proc.st.seg->roster;
    uint64_t wall = wall_ms();
    bool left = false, still = false;
    uint32_t due[GONE_MAX], n = 0;
    for (uint32_t i = 1; w->lingering && i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        bool lingers = is_ours(w, s, SESSION_DETACHED) && roster_next_room(r, s, 1) != 0;
        if (lingers && (s->detached_ms + LINGER_MS <= wall || s->detached_ms > wall))
            due[n++] = i;
        else
            still |= lingers;
        if (n == GONE_MAX || (n > 0 && i + 1 == r->unused_session)) {
            still |= leave_rooms(w, due, n) < n;
            left = true;
            n = 0;
        }
    }
    w->lingering = still;
    if (!still)
        proc_tick(&w->proc, 0);
    if (left)
        state_ring_all(&w->proc.st);
}

/* inherit -- what a predecessor that died left attached. */
static void inherit(struct worker *w)
{
    struct roster *r = &w->proc.st.seg->roster;
    for (uint32_t i = 1; i < r->unused_session; i++)
        if (is_ours(w, &r->session[i], SESSION_ATTACHED))
            lose(w, i, false);
    w->lingering = r->unused_session > 1; /* some may have been detached already */
    proc_tick(&w->proc, w->lingering ? TICK_MS : 0);
}

/* ---- the process ---- */

static void on_inbox(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events; /* the main loop looks into the queue each turn */
}

static bool idle(void *arg)
{
    struct worker *w = arg;
    const struct journal *j = &w->proc.st.seg->journal;
    return w->n_gone == 0 && shard_cursor(w->shard) == journal_head(j) && w->durable == journal_durable(j);
}

static void open_all(struct worker *w, unsigned self)
{
    struct proc *p = &w->proc;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    w->self = geteuid();
    w->rendezvous = open(p->args.inst.fifo, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->inbox_src = (struct loop_source){-1, on_inbox, w};
    if (w->rendezvous < 0 || self >= p->gen.n_queues || mq_attach_reader(&w->inbox, p->gen.queue[self]) < 0 ||
        w->inbox.message_max > QUEUE_MESSAGE_MAX || rules_open(&w->rules, &p->st) < 0 ||
        shard_open(&w->shard, &p->st, &p->loop, on_lost, w) < 0) {
        log_error("cannot open the queue or the rendezvous directory");
        exit(EXIT_RESET);
    }
    w->inbox_src.fd = mq_fd(&w->inbox);
    if (loop_add(&p->loop, &w->inbox_src, EPOLLIN) < 0)
        exit(EXIT_RESET);
}

int worker_main(const struct proc_args *args)
{
    static struct worker worker; /* half a megabyte: not for the stack */
    struct worker *w = &worker;
    proc_start(&w->proc, args, on_tick, w);
    open_all(w, args->self);
    inherit(w);
    proc_ready(&w->proc);
    while (!w->proc.stop) {
        detach_gone(w);
        bool busy = behind(w) || take_in(w);
        busy |= deliver(w);
        acknowledge(w);
        if (busy)
            loop_wait(&w->proc.loop, 0);
        else
            proc_rest(&w->proc, idle);
    }
    shard_close(w->shard);
    return 0;
}
