/* lines.c -- to whom there is a connection, and who may have one. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_MS = 5000,      /* for a stranger to show who it is */
    TURNS = 12,            /* handshakes begun per tick: some 50 a second, a few per cent of a core */
    DIAL_MS = 400,         /* for an attempt, then twice as long, ... */
    DIAL_DOUBLINGS = 4,    /* ... up to this, and anew: what vanishes on the way must not cost a second */
    RETRY_MS = 250,        /* between attempts, ... */
    RETRY_LATER_MS = 2000, /* ... after a minute without success */
    THROUGH_MS = 3000,     /* without a link before a peer is dialled through others, and between such attempts */
    SILENT_MS = 1500,      /* a link silent for so long gives way to a new connection */
    LOST_MS = 2000,        /* without a link before people are told */
};

void hub_sweep(struct hub *h)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (h->link[i].over) {
            conn_close(&h->link[i].c);
            h->link[i] = (struct link){0};
        }
}

/* ---- two connections with one peer ---- */

/* better -- should `l` take the place of the link that its line has?  Of two, both hosts keep the one that the
 * smaller of them dialled, but rather a direct one; one that is silent gives way to anything. */
static bool better(const struct hub *h, const struct link *l)
{
    const struct link *now = l->line->link;
    if (!now || now_ms() - h->core.peer[now->peer].heard_ms >= SILENT_MS)
        return true;
    if (l->through != now->through)
        return now->through;
    bool we_are_smaller = h->core.self < l->line->peer.host;
    return l->c.server == now->c.server || l->c.server != we_are_smaller;
}

static void linked(struct link *l)
{
    struct hub *h = hub_of(l);
    struct line *ln = l->line;
    if (!better(h, l)) {
        link_end(l, "there is a link already");
        return;
    }
    if (ln->link)
        link_end(ln->link, "a new connection took its place");
    l->peer = link_up(&h->core, ln->peer.host, os_random_u64(), now_ms());
    if (l->peer < 0) {
        link_end(l, "too many links");
        return;
    }
    if (ln->dialing == l)
        ln->dialing = NULL;
    if (ln->through == l)
        ln->through = NULL;
    h->core.peer[l->peer].through = l->through;
    ln->link = l;
    link_speak(l);
}

static void on_ready(struct conn *c)
{
    struct link *l = (struct link *)c; /* its first member */
    if (l->over)
        return;
    if (c->deaf && c->broken) { /* nobody will read what it says, and epoll will say it again and again */
        link_end(l, "the connection broke");
        return;
    }
    if (c->server && !l->begun) {
        l->waits = true;
        conn_rest(c);
        return;
    }
    enum tls_event e = conn_pump(c);
    if (e == TLS_READY && !l->stranger)
        linked(l);
    if (l->over)
        return;
    if (e == TLS_FAILED || (e == TLS_CLOSED && l->peer < 0)) {
        link_end(l, tls_why(c->tls));
        return;
    }
    if (l->peer >= 0) {
        link_hear(l);
        link_speak(l);
    } else if (l->stranger) {
        hub_of(l)->enrol(l);
    }
}

static struct line *line_of(struct hub *h, const struct peer *p)
{
    for (size_t i = 0; p && i < h->n_lines; i++)
        if (h->line[i].known && h->line[i].peer.host == p->host)
            return &h->line[i];
    return NULL;
}

/* known -- whoever dials us must be one of our peers or may have an invitation; whom we dial must be the one we meant. */
static bool known(struct conn *c, const uint8_t pin[KEY_PIN_LEN])
{
    struct link *l = (struct link *)c;
    struct hub *h = hub_of(l);
    struct line *ln = line_of(h, peers_by_pin(&h->peers, pin));
    l->stranger = !ln && c->server && h->invites && h->invites(h);
    if (l->stranger)
        return true;
    if (!ln || (l->line && l->line != ln))
        return false;
    l->line = ln;
    return true;
}

struct link *hub_open_link(struct hub *h, int fd, struct line *ln, uint64_t patience_ms)
{
    struct link *l = NULL;
    for (size_t i = 0; i < CONNS_MAX && !l; i++)
        if (!h->link[i].c.tls)
            l = &h->link[i];
    if (!l) {
        close(fd);
        return NULL;
    }
    *l = (struct link){.line = ln, .since = now_ms(), .peer = -1};
    l->deadline = l->since + patience_ms;
    if (conn_open(&l->c, h->loop, h->tls, fd, ln == NULL, known, on_ready, h) < 0) {
        *l = (struct link){0};
        return NULL;
    }
    return l;
}

/* ---- accept and dial ---- */

/* oldest_stranger -- of those who dialled, from `source` or (0) from anywhere, and have not shown who they are; how
 * many there are. */
static struct link *oldest_stranger(struct hub *h, uint64_t source, unsigned *n)
{
    struct link *oldest = NULL;
    *n = 0;
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!l->c.tls || l->over || l->peer >= 0 || !l->c.server || (source && l->source != source))
            continue;
        ++*n;
        oldest = !oldest || l->since < oldest->since ? l : oldest;
    }
    return oldest;
}

unsigned hub_strangers(struct hub *h, uint64_t source)
{
    unsigned n;
    (void)oldest_stranger(h, source, &n);
    return n;
}

/* make_room -- who floods us pushes himself out. */
static void make_room(struct hub *h, uint64_t source)
{
    unsigned n;
    struct link *oldest = oldest_stranger(h, source, &n);
    if (n < SAME_SOURCE_MAX || !source) {
        oldest = oldest_stranger(h, 0, &n);
        if (n < HALF_OPEN_MAX)
            return;
    }
    link_end(oldest, "too many strangers at once");
    hub_sweep(h);
}

static void on_listener(struct loop_source *s, uint32_t events)
{
    struct hub *h = s->arg;
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    uint64_t source = address_source(fd);
    hub_sweep(h);
    make_room(h, source);
    address_tune(fd);
    struct link *l = hub_open_link(h, fd, NULL, ACCEPT_MS);
    if (l)
        l->source = source;
}

bool hub_admit(struct hub *h)
{
    struct link *next = NULL;
    unsigned waiting = 0;
    for (size_t i = 0; h->turns > 0 && i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!l->c.tls || l->over || !l->waits)
            continue;
        waiting++;
        next = !next || l->since < next->since ? l : next;
    }
    if (!next)
        return false;
    h->turns--;
    next->waits = false;
    next->begun = true;
    conn_listen(&next->c);
    return waiting > 1;
}

/* retry_in -- soon, and after a while without success more rarely; never all of a net at once. */
static uint64_t retry_in(struct hub *h, const struct line *ln)
{
    uint64_t wait = now_ms() - ln->down_since < 60 * 1000 ? RETRY_MS : RETRY_LATER_MS;
    return wait + prng_below(&h->prng, wait / 4);
}

static void failed(struct hub *h, struct line *ln, const char *why)
{
    if (strcmp(ln->why, why) != 0)
        log_info("cannot dial %s (%s): %s", ln->peer.name, ln->peer.address, why);
    snprintf(ln->why, sizeof ln->why, "%s", why);
    ln->retry_at = now_ms() + retry_in(h, ln);
}

static void dial(struct hub *h, struct line *ln)
{
    const struct addrinfo *to;
    int r = lookup_next(&ln->lookup, &to);
    if (r == -EAGAIN)
        return;
    if (r < 0) {
        failed(h, ln, "there is no such host name");
        return;
    }
    int fd = address_connect(to);
    if (fd < 0) {
        failed(h, ln, strerror(-fd));
        return;
    }
    ln->retry_at = now_ms() + retry_in(h, ln);
    ln->dialing = hub_open_link(h, fd, ln, (uint64_t)DIAL_MS << (ln->tries++ % DIAL_DOUBLINGS));
}

/* reaches -- is there a way to this host, if not a link?  Looked for only when something changed. */
static bool reaches(const struct hub *h, struct line *ln)
{
    if (ln->asked != h->core.topology.clock) {
        ln->asked = h->core.topology.clock;
        ln->reached = topology_toward(&h->core.topology, ln->peer.host) != 0;
    }
    return ln->reached;
}

/* call -- a peer without a link, or with one that others carry: over a socket if there is an address, through others if
 * there is not or that has gone on for a while.  The latter the smaller host does. */
static void call(struct hub *h, struct line *ln, uint64_t now)
{
    bool can_dial = strcmp(ln->peer.address, "-") != 0;
    if (!ln->dialing && can_dial && now >= ln->retry_at)
        dial(h, ln);
    if (!ln->link && !ln->through && h->tunnels && h->core.self < ln->peer.host && now - ln->down_since >= THROUGH_MS &&
        now >= ln->through_at && reaches(h, ln)) {
        ln->through_at = now + THROUGH_MS;
        h->tunnel_open(h, ln);
    }
}

static void look_after(struct hub *h, struct line *ln, uint64_t now)
{
    if (!ln->known)
        return;
    if ((!ln->link || ln->link->through) && h->tls)
        call(h, ln, now);
    bool reached = ln->link || reaches(h, ln);
    if (ln->lost && reached) {
        hub_tell(h, REASON_LINK_UP, "%s is back.", ln->peer.name);
        ln->lost = false;
    }
    if (!reached && ln->met && !ln->lost && now - ln->down_since >= LOST_MS) {
        unsigned people = hub_guests_of(h, ln->peer.host);
        ln->lost = true;
        hub_tell(h, REASON_LINK_DOWN, "The link to %s is lost: %u %s out of reach; what is said meanwhile comes when it is back.",
                 ln->peer.name, people, people == 1 ? "person" : "people");
    }
    hub_show(h, ln);
}

/* tell_early -- answers without what they answer: for the log, and `relay doctor`.  Not while a link is not read: what is missing may
 * be in what waits there. */
static void tell_early(struct hub *h, uint64_t now)
{
    const struct link_early *e;
    if (hub_waits(h))
        link_early_anew(&h->core, now);
    while ((e = link_kept_back(&h->core, now)) != NULL) {
        const char *by = hub_called(h, e->by), *author = hub_called(h, e->author);
        log_warn("%s passed on an answer of %s to %s, and nobody brings what it answers: %s or a host before it keeps that back, or %s "
                 "answers what there is not", by, author, hub_called(h, e->missing.origin), by, author);
        for (size_t i = 0; i < h->n_lines; i++)
            if (h->line[i].known && h->line[i].peer.host == e->by)
                atomic_fetch_add(&h->st->seg->link[i].early, 1);
    }
}

void hub_tick(struct hub *h)
{
    struct link_update up;
    uint64_t now = now_ms();
    h->turns = TURNS;
    hub_people_tick(h);
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!l->c.tls || l->over)
            continue;
        if (l->peer < 0) {
            if (now >= l->deadline)
                link_end(l, "no answer");
            continue;
        }
        if (l->c.deaf && address_answers(l->c.src.fd, 2 * LINK_PING_MS))
            link_stirs(&h->core, (unsigned)l->peer, now);
        link_tick(&h->core, (unsigned)l->peer, now, &up);
        if (up.reason != REASON_OK)
            link_farewell(l, up.reason, up.why);
        else
            link_speak(l);
    }
    for (size_t i = 0; i < h->n_lines; i++)
        look_after(h, &h->line[i], now);
    tell_early(h, now);
}

/* ---- who the peers are ---- */

/* recall -- what people were told of it by the link process before this one. */
static void recall(const struct hub *h, struct line *ln)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        const struct link_row *row = &h->st->seg->link[i];
        uint64_t since = atomic_load(&row->since_ms);
        if (atomic_load(&row->host) != ln->peer.host || since == 0)
            continue;
        ln->met = true;
        ln->lost = !atomic_load(&row->up) && wall_ms() - since >= LOST_MS;
    }
}

static struct line *new_line(struct hub *h, const struct peer *p)
{
    struct line *ln = NULL;
    for (size_t i = 0; i < h->n_lines && !ln; i++)
        if (!h->line[i].known)
            ln = &h->line[i];
    if (!ln && h->n_lines < ARRAY_LEN(h->line))
        ln = &h->line[h->n_lines++];
    if (ln) {
        *ln = (struct line){.known = true, .peer = *p, .down_since = now_ms()};
        recall(h, ln);
    }
    return ln;
}

/* know -- take a host's streams, know its name. */
static int know(struct hub *h, const struct peer *p, const struct peer *before)
{
    h->others |= !link_knows(&h->core, p->host) || (before && strcmp(before->name, p->name) != 0); /* a name decides what it may have */
    int r = link_know(&h->core, p->host);
    if (r < 0)
        log_error("too many hosts: the streams of %s are not taken", p->name);
    else if (!before || strcmp(before->name, p->name) != 0)
        hub_name(h, p);
    return r;
}

/* meet -- have a line with this peer: dial it, where it is now. */
static void meet(struct hub *h, const struct peer *p)
{
    struct line *ln = line_of(h, p);
    if (ln && strcmp(ln->peer.address, p->address) == 0) {
        ln->peer = *p;
        return;
    }
    if (!ln)
        ln = new_line(h, p);
    if (!ln) {
        log_error("too many links: none with %s", p->name);
        return;
    }
    lookup_free(&ln->lookup);
    ln->peer = *p;
    lookup_init(&ln->lookup, p->address);
    ln->retry_at = 0;
}

static void part(struct hub *h, struct line *ln, bool for_good)
{
    if (ln->link)
        link_farewell(ln->link, REASON_DENIED, "You are not among my peers any more.");
    if (ln->dialing)
        link_end(ln->dialing, "not a peer any more");
    if (ln->through)
        link_end(ln->through, "not a peer any more");
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (h->link[i].c.tls && h->link[i].line == ln)
            link_end(&h->link[i], "not a peer any more");
    hub_sweep(h);
    lookup_free(&ln->lookup);
    if (for_good) {
        link_forget(&h->core, ln->peer.host);
        h->others = true;
    }
    atomic_store(&h->st->seg->link[ln - h->line].host, 0);
    *ln = (struct line){0};
}

static void keep_only(struct hub *h, const struct peers *ps)
{
    for (size_t i = 0; i < h->n_lines; i++) {
        const struct peer *p = peers_by_host(ps, h->line[i].peer.host);
        if (h->line[i].known && (!p || p->far))
            part(h, &h->line[i], !p);
    }
}

static void greet_anew(struct hub *h)
{
    for (size_t i = 0; h->others && i < CONNS_MAX; i++)
        if (link_is_up(&h->link[i]) && !MUTANT(NOT_ANEW))
            link_farewell(&h->link[i], REASON_OK, "The list of my peers has changed; I greet anew.");
    hub_sweep(h);
    h->others = false;
}

void hub_set_peers(struct hub *h, const struct peers *ps)
{
    keep_only(h, ps);
    for (size_t i = 0; i < ps->n; i++) {
        const struct peer *p = &ps->peer[i];
        if (p->host != h->core.self && know(h, p, peers_by_host(&h->peers, p->host)) == 0 && !p->far)
            meet(h, p);
    }
    h->peers = *ps;
    greet_anew(h);
    hub_tick(h);
}

int hub_listen(struct hub *h, int fd)
{
    h->listener = (struct loop_source){fd, on_listener, h};
    return loop_add(h->loop, &h->listener, EPOLLIN);
}

void hub_close(struct hub *h)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (link_is_up(&h->link[i]))
            link_farewell(&h->link[i], REASON_STOPPING, "The relay is going away.");
        else if (h->link[i].c.tls)
            link_end(&h->link[i], "the relay is going away");
    hub_sweep(h);
}
