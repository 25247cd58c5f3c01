/* door.c -- who comes in, and who goes. */
#include "proc/door.h"

#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINGER_MS = 10 * 1000, /* a client that lost its FIFO is still in its rooms for so long */
    TICK_MS = 1000,
};

/* ---- hello ---- */

/* user_name -- what the account database calls this user; the relay's own user needs no entry there. */
static const char *user_name(struct door *d, uid_t uid)
{
    unsigned slot = (unsigned)uid % DOOR_NAMES;
    if (d->name[slot].name[0] && d->name[slot].uid == uid)
        return d->name[slot].name;
    const struct passwd *pw = getpwuid(uid);
    char made_up[USER_NAME_MAX + 1];
    if (!pw && uid != d->self)
        return NULL;
    snprintf(made_up, sizeof made_up, "uid%u", (unsigned)uid);
    const char *name = pw && text_user_ok(text_of(pw->pw_name)) ? pw->pw_name : made_up;
    d->name[slot].uid = uid;
    snprintf(d->name[slot].name, sizeof d->name[slot].name, "%s", name);
    return d->name[slot].name;
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

/* Thousands may go at once. */
void door_see_off(struct door *d)
{
    struct proc *p = d->proc;
    const struct roster *r = &p->st.seg->roster;
    uint64_t wall = wall_ms();
    if (d->n_gone == 0)
        return;
    proc_take(p);
    for (unsigned i = 0; i < d->n_gone; i++)
        if (door_owns(d, &r->session[d->gone[i].session], SESSION_ATTACHED) && !shard_serves(d->shard, d->gone[i].session))
            roster_detach(&p->st.edit, d->gone[i].session, d->gone[i].goodbye ? 0 : wall); /* 0: no need to linger */
    state_give(&p->st);
    d->n_gone = 0;
    d->lingering = true;
    proc_tick(p, TICK_MS);
}

/* To be detached before anybody is attached again. */
void door_lose(struct door *d, uint32_t session, bool goodbye)
{
    if (d->n_gone == DOOR_GONE)
        door_see_off(d);
    d->gone[d->n_gone].session = session;
    d->gone[d->n_gone++].goodbye = goodbye;
}

void door_lost(void *door, uint32_t session)
{
    door_lose(door, session, false);
}

/* attach -- in a section: returns the session, or as roster_attach().  A session that another worker serves stays there: two
 * FIFOs of one session would be two secrets for it, and the one that outlives the other good for whoever gets its slot. */
static uint32_t attach(struct door *d, const struct caller *c)
{
    struct proc *p = d->proc;
    const struct roster *r = &p->st.seg->roster;
    uint32_t limit = c->uid == d->self ? 0 : p->st.seg->shape.sessions_per_user;
    const struct session *now = &r->session[roster_client(r, c->client)];
    if (now->state == SESSION_ATTACHED && !door_owns(d, now, SESSION_ATTACHED))
        return UINT32_MAX;
    if (limit != 0 && roster_uid_sessions(r, c->uid) >= limit)
        return 0;
    return roster_attach(&p->st.edit, c->client, c->uid, text_of(c->user), p->args.self, false);
}

/* greet -- WELCOME and the names of the hosts, as many as the FIFO takes in one write.  Host slots are only ever added. */
static size_t greet(struct door *d, uint8_t *buf, size_t size, const struct hello *h, uint32_t session,
                    const uint8_t secret[SECRET_LEN])
{
    const struct segment *seg = d->proc->st.seg;
    const struct session *s = &seg->roster.session[session];
    struct welcome wel = {.session = session,
                          .window = (uint32_t)min_u64(seg->shape.ring_size / 8, 4u << 20),
                          .user = {s->user, s->user_len},
                          .host = text_of(seg->shape.host)};
    memcpy(wel.nonce, h->nonce, NONCE_LEN);
    memcpy(wel.secret, secret, SECRET_LEN);
    int n = write_welcome(buf, &wel, s->client, s->last_seq, seg->shape.origin, shard_cursor(d->shard));
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

static void welcome(struct door *d, const struct caller *c, const uint8_t secret[SECRET_LEN])
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
    if (shard_add(d->shard, c->session, c->fd, secret, buf, greet(d, buf, size, &c->h, c->session, secret)) < 0)
        door_lose(d, c->session, false);
    else if (d->proc->st.seg->roster.session[c->session].last_seq != 0 && shard_expect_ack(d->shard, c->session) < 0)
        log_error("out of memory");
}

void door_let_in(struct door *d)
{
    uint8_t secret[DOOR_CALLERS][SECRET_LEN];
    if (d->n_callers == 0)
        return;
    door_see_off(d);
    os_random(secret, d->n_callers * sizeof secret[0]);
    proc_take(d->proc);
    for (unsigned i = 0; i < d->n_callers; i++) {
        struct caller *c = &d->caller[i];
        c->session = c->user[0] && c->client ? attach(d, c) : UINT32_MAX;
    }
    state_give(&d->proc->st);
    for (unsigned i = 0; i < d->n_callers; i++)
        welcome(d, &d->caller[i], secret[i]);
    OPENSSL_cleanse(secret, sizeof secret);
    d->n_callers = 0;
    door_see_off(d); /* who did not wait for his welcome */
}

/* He is let in with the others of this batch, if he may come at all. */
void door_knock(struct door *d, const uint8_t *f)
{
    struct caller *c = &d->caller[d->n_callers];
    if (frame_type(f) != FRAME_HELLO || read_hello(f, &c->h) < 0)
        return;
    if (d->n_callers == 0 && fifo_look(d->rendezvous, &d->place) < 0)
        return;
    c->client = frame_client(f);
    c->fd = fifo_open_in(&d->place, c->h.fifo, &c->uid);
    if (c->fd < 0) {
        log_debug("hello refused: %s", strerror(-c->fd));
        return;
    }
    const char *user = user_name(d, c->uid);
    snprintf(c->user, sizeof c->user, "%s", user ? user : "");
    if (c->h.version_min > PROTOCOL_VERSION || c->h.version_max < PROTOCOL_VERSION)
        turn_away(c->fd, c->client, REASON_VERSION, "This relay speaks another version; update chat and relay.");
    else if (c->uid != d->self && !pace_take(&d->pace, c->uid, now_ms()))
        turn_away(c->fd, c->client, REASON_BUSY, "Too many new sessions at once; wait a second.");
    else
        d->n_callers++;
}

/* ---- lingering ---- */

/* leave_rooms -- these are gone for good.  Returns how many are out of all their rooms. */
static unsigned leave_rooms(struct door *d, const uint32_t *session, unsigned n)
{
    struct proc *p = d->proc;
    unsigned out = 0;
    proc_take(p);
    rules_section(d->rules, wall_ms());
    while (out < n && rules_leave_all(d->rules, session[out]) == 0)
        out++;
    state_publish(&p->st);
    state_give(&p->st);
    return out;
}

void door_tick(struct door *d)
{
    struct roster *r = &d->proc->st.seg->roster;
    uint64_t wall = wall_ms();
    bool left = false, still = false;
    uint32_t due[DOOR_GONE], n = 0;
    for (uint32_t i = 1; d->lingering && i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        bool lingers = door_owns(d, s, SESSION_DETACHED) && roster_next_room(r, s, 1) != 0;
        if (lingers && (s->detached_ms + LINGER_MS <= wall || s->detached_ms > wall))
            due[n++] = i;
        else
            still |= lingers;
        if (n == DOOR_GONE || (n > 0 && i + 1 == r->unused_session)) {
            still |= leave_rooms(d, due, n) < n;
            left = true;
            n = 0;
        }
    }
    d->lingering = still;
    if (!still)
        proc_tick(d->proc, 0);
    if (left)
        state_ring_all(&d->proc->st);
}

/* inherit -- what a predecessor that died left attached. */
static void inherit(struct door *d)
{
    struct roster *r = &d->proc->st.seg->roster;
    for (uint32_t i = 1; i < r->unused_session; i++)
        if (door_owns(d, &r->session[i], SESSION_ATTACHED))
            door_lose(d, i, false);
    d->lingering = r->unused_session > 1; /* some may have been detached already */
    proc_tick(d->proc, d->lingering ? TICK_MS : 0);
}

int door_open(struct door *d, struct proc *proc, struct rules *rules, struct shard *shard)
{
    d->proc = proc;
    d->rules = rules;
    d->shard = shard;
    d->self = geteuid();
    d->rendezvous = open(proc->args.inst.fifo, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->rendezvous < 0)
        return -errno;
    inherit(d);
    return 0;
}
