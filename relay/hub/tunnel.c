/* tunnel.c -- bytes of a connection, cut into frames, over the links of others. */
#include "hub/tunnel.h"

#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TUNNELS_MAX = 64,
    SAME_BRINGER_MAX = 16,       /* whom one peer brought and who have not shown who they are: nobody fills all places */
    TUNNEL_WINDOW = 64 * 1024,   /* less than a socket pair holds */
    TUNNEL_HOPS = 16,
    TUNNEL_DIAL_MS = 5000,
    PASSING_MAX = 256 * 1024,    /* waiting for one link, before what is passed on is lost */
};

/* One end of a tunnel. */
struct tunnel {
    struct loop_source src; /* our side of the pair; fd -1: free */
    struct hub *hub;
    uint64_t far, id;
    uint32_t window; /* bytes the far end still takes */
    uint32_t taken;  /* bytes from there that it has no credit back for */
    bool listening;  /* to the pair */
};

struct tunnels {
    struct tunnel tunnel[TUNNELS_MAX];
};

struct tunnels *tunnels_new(struct hub *h)
{
    struct tunnels *t = calloc(1, sizeof *t);
    for (size_t i = 0; t && i < TUNNELS_MAX; i++)
        t->tunnel[i] = (struct tunnel){.src.fd = -1, .hub = h};
    return t;
}

/* toward -- the link over which this host is nearer, with room for more; NULL: none. */
static struct link *toward(struct hub *h, uint64_t host)
{
    uint64_t next = topology_toward(&h->core.topology, host);
    for (size_t i = 0; next != 0 && i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (link_is_up(l) && !l->through && l->line->peer.host == next && h->core.peer[l->peer].phase == LINK_OPEN)
            return conn_waiting(&l->c) < PASSING_MAX ? l : NULL;
    }
    return NULL;
}

/* send_part -- returns false when there is no way, or no room on it. */
static bool send_part(struct hub *h, const struct tunnel_part *p, uint64_t origin)
{
    uint8_t frame[FRAME_MAX];
    struct link *l = toward(h, p->to);
    int n = l ? write_tunnel(frame, p, origin) : 0;
    if (n <= 0 || conn_say(&l->c, frame, (size_t)n) < 0)
        return false;
    conn_flush(&l->c);
    return true;
}

static bool say(struct tunnel *t, enum tunnel_op op, const void *bytes, size_t len)
{
    struct tunnel_part p = {.to = t->far, .id = t->id, .op = (uint8_t)op, .hops = TUNNEL_HOPS, .bytes = bytes, .len = len};
    return send_part(t->hub, &p, t->hub->core.self);
}

static void drop(struct tunnel *t)
{
    loop_remove(t->hub->loop, &t->src);
    close(t->src.fd);
    *t = (struct tunnel){.src.fd = -1, .hub = t->hub};
}

static void end(struct tunnel *t)
{
    (void)say(t, TUNNEL_CLOSE, NULL, 0);
    drop(t);
}

void tunnels_free(struct tunnels *t)
{
    for (size_t i = 0; t && i < TUNNELS_MAX; i++)
        if (t->tunnel[i].src.fd >= 0)
            drop(&t->tunnel[i]);
    free(t);
}

static void listen_to(struct tunnel *t, bool on)
{
    if (t->listening != on && loop_change(t->hub->loop, &t->src, on ? EPOLLIN : 0) == 0)
        t->listening = on;
}

/* give_credit -- for what our connection has read of that. */
static void give_credit(struct tunnel *t)
{
    int unread;
    uint8_t credit[4];
    if (t->taken == 0 || ioctl(t->src.fd, SIOCOUTQ, &unread) < 0 || unread > TUNNEL_WINDOW / 2)
        return;
    put_u32(credit, t->taken);
    if (say(t, TUNNEL_CREDIT, credit, sizeof credit))
        t->taken = 0;
}

/* pump -- what our connection has written, into frames, as much as the far end takes and the way has room for. */
static void pump(struct tunnel *t)
{
    uint8_t bytes[TUNNEL_BYTES_MAX];
    while (t->window > 0 && toward(t->hub, t->far)) {
        ssize_t n = read(t->src.fd, bytes, min_size(sizeof bytes, t->window));
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            listen_to(t, true);
            return;
        }
        if (n <= 0 || !say(t, TUNNEL_BYTES, bytes, (size_t)n)) {
            end(t);
            return;
        }
        t->window -= (uint32_t)n;
    }
    listen_to(t, false); /* until there is credit, or at the tick room on the way */
}

static void on_pair(struct loop_source *s, uint32_t events)
{
    struct tunnel *t = s->arg;
    (void)events;
    pump(t);
    if (t->src.fd >= 0 && events & EPOLLHUP)
        end(t);
}

/* make -- returns the connection's end of the pair, or -1. */
static int make(struct hub *h, uint64_t far, uint64_t id)
{
    struct tunnel *t = NULL;
    int pair[2];
    for (size_t i = 0; i < TUNNELS_MAX && !t; i++)
        if (h->tunnels->tunnel[i].src.fd < 0)
            t = &h->tunnels->tunnel[i];
    if (!t || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    *t = (struct tunnel){.src = {pair[0], on_pair, t}, .hub = h, .far = far, .id = id, .window = TUNNEL_WINDOW, .listening = true};
    if (loop_add(h->loop, &t->src, EPOLLIN) == 0)
        return pair[1];
    close(pair[0]);
    close(pair[1]);
    t->src.fd = -1;
    return -1;
}

static struct tunnel *find(struct tunnels *ts, uint64_t far, uint64_t id)
{
    for (size_t i = 0; i < TUNNELS_MAX; i++) {
        struct tunnel *t = &ts->tunnel[i];
        if (t->src.fd >= 0 && t->far == far && t->id == id)
            return t;
    }
    return NULL;
}

void tunnel_open(struct hub *h, struct line *ln)
{
    uint64_t id = os_random_u64();
    if (!toward(h, ln->peer.host))
        return;
    int fd = make(h, ln->peer.host, id);
    struct link *l = fd < 0 ? NULL : hub_open_link(h, fd, ln, TUNNEL_DIAL_MS);
    struct tunnel *t = find(h->tunnels, ln->peer.host, id);
    if (l && t && say(t, TUNNEL_OPEN, NULL, 0)) {
        l->through = true;
        ln->through = l;
        return;
    }
    if (l)
        link_end(l, "there is no way to it");
    if (t)
        drop(t);
}

static void accept_one(struct hub *h, uint64_t by, uint64_t far, uint64_t id)
{
    bool refused = find(h->tunnels, far, id) || hub_strangers(h, by) >= SAME_BRINGER_MAX;
    int fd = refused ? -1 : make(h, far, id);
    struct link *l = fd < 0 ? NULL : hub_open_link(h, fd, NULL, TUNNEL_DIAL_MS);
    if (l) {
        l->through = true;
        l->source = by;
    }
}

/* arrived -- a part that is for us, and which peer brought it. */
static void arrived(struct hub *h, uint64_t by, uint64_t far, const struct tunnel_part *p)
{
    struct tunnel *t = find(h->tunnels, far, p->id);
    if (p->op == TUNNEL_OPEN) {
        accept_one(h, by, far, p->id);
        return;
    }
    if (!t)
        return;
    if (p->op == TUNNEL_CREDIT) {
        t->window = (uint32_t)min_u64((uint64_t)t->window + get_u32(p->bytes), TUNNEL_WINDOW);
        pump(t);
    } else if (p->op == TUNNEL_CLOSE) {
        drop(t);
    } else if (send(t->src.fd, p->bytes, p->len, MSG_NOSIGNAL) == (ssize_t)p->len) {
        t->taken += (uint32_t)p->len;
        give_credit(t);
    } else {
        end(t); /* more than it had credit for */
    }
}

void tunnel_heard(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    struct tunnel_part p;
    if (read_tunnel(frame, &p) < 0) {
        link_farewell(l, REASON_MALFORMED, "What a peer sent through a tunnel cannot be read.");
        return;
    }
    if (p.to == h->core.self)
        arrived(h, l->line->peer.host, frame_origin(frame), &p);
    else if (p.hops > 0 && toward(h, p.to) != l) {
        p.hops--;
        (void)send_part(h, &p, frame_origin(frame)); /* or it is lost */
    }
}

void tunnels_tick(struct hub *h)
{
    for (size_t i = 0; i < TUNNELS_MAX; i++) {
        struct tunnel *t = &h->tunnels->tunnel[i];
        if (t->src.fd >= 0 && !t->listening)
            pump(t);
        if (t->src.fd >= 0)
            give_credit(t);
    }
}
