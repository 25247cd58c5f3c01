/* net.c -- connections between hosts: TLS as its users see it, addresses, and a network that
 * keeps the order of a connection until it breaks, and of nothing else. */
#include "sim.h"

#include "net/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS_MAX = 1 << 16, WINDOW = 96 * 1024 };

enum chunk_kind { CHUNK_DATA, CHUNK_SHAKE, CHUNK_FIN };
struct chunk {
    struct chunk *next;
    uint64_t at;
    size_t len, off;
    enum chunk_kind kind;
    uint8_t bytes[];
};

struct pair {
    struct tls end[2];  /* 0: who dialled */
    bool used, waiting; /* waiting: to be accepted */
    uint64_t life;      /* counts the connections that lay here: what was planned for another is void */
};

static struct pair pair[PAIRS_MAX];
static uint32_t n_pairs, spare[PAIRS_MAX], n_spare;
static unsigned n_waiting[NODES_MAX];
static struct addrinfo place[NODES_MAX];

static struct tls *other(const struct tls *t)
{
    return &pair[t->pair].end[1 - t->side];
}

struct node *end_peer(const struct tls *t)
{
    return other(t)->node;
}

static struct edge *edge_of(const struct tls *t)
{
    return &w.edge[t->node->n][end_peer(t)->n];
}

static void drop_chunks(struct tls *t)
{
    for (struct chunk *c = t->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    t->first = t->last = NULL;
    t->coming = 0;
}

static void close_end(struct tls *t)
{
    t->exists = false;
    drop_chunks(t);
    evil_end_free(t);
}

/* left -- an end is closed: when it was the last, another connection may lie here. */
static void left(uint32_t i)
{
    struct pair *p = &pair[i];
    if (!p->used || p->end[0].exists || p->end[1].exists)
        return;
    p->used = false;
    p->life++;
    spare[n_spare++] = i;
}

/* plan -- something arrives at this end. */
static void plan(uint64_t when, uint32_t i, unsigned side)
{
    at(when, EV_CHUNK, i, pair[i].life << 1 | side);
}

void net_reset(void)
{
    for (uint32_t i = 0; i < n_pairs; i++) {
        close_end(&pair[i].end[0]);
        close_end(&pair[i].end[1]);
        pair[i] = (struct pair){0};
    }
    n_pairs = n_spare = 0;
    memset(n_waiting, 0, sizeof n_waiting);
}

/* ---- moving ---- */

static void queue(struct tls *to, enum chunk_kind kind, const void *p, size_t len)
{
    const struct edge *e = edge_of(to);
    struct chunk *c = malloc(sizeof *c + len);
    ASSERT(c);
    uint64_t when = w.now + e->delay_us + (e->jitter_us ? chance(e->jitter_us) : 0) +
                    len * S / e->bytes_per_s;
    to->last_at = when = max_u64(when, to->last_at);
    *c = (struct chunk){.at = when, .len = len, .kind = kind};
    if (len > 0)
        memcpy(c->bytes, p, len);
    if (to->last)
        to->last->next = c;
    else
        to->first = c;
    to->last = c;
    to->coming += len;
    plan(when, to->pair, to->side);
}

void net_push(struct tls *from, const void *p, size_t len)
{
    struct edge *e = edge_of(from);
    e->bytes += len;
    w.stats.bytes += len;
    if (other(from)->exists)
        queue(other(from), CHUNK_DATA, p, len);
    else
        plan(w.now + e->delay_us, from->pair, 1 - from->side);
}

static void tell_reset(struct tls *t)
{
    if (!t->exists)
        return;
    t->reset = true;
    turn_wake(&t->node->hub_turn, 0);
}

/* net_chunk -- something arrived at this end, or would have. */
void net_chunk(uint32_t p, uint64_t side_and_life)
{
    struct tls *t = &pair[p].end[side_and_life & 1];
    if (!pair[p].used || pair[p].life != side_and_life >> 1 || edge_of(t)->cut)
        return; /* held: net_edge() looks again */
    if (t->exists)
        turn_wake(&t->node->hub_turn, one_in(16) ? chance(2 * MS) : 0);
    else if (t->node->powered && (t->first == NULL || t->first->at <= w.now))
        tell_reset(other(t));
}

void net_edge(unsigned a, unsigned b)
{
    for (uint32_t i = 0; i < n_pairs; i++)
        for (unsigned side = 0; side < 2 && pair[i].used; side++)
            if (pair[i].end[side].node->n == a && pair[i].end[1 - side].node->n == b &&
                pair[i].end[1 - side].exists) {
                plan(w.now + 1, i, side);
                plan(w.now + 1, i, 1 - side);
                if (side == 0 && !pair[i].end[1].exists)
                    at(w.now + 1, EV_SYN, i, pair[i].life);
            }
}

static bool arrived(const struct tls *t)
{
    return t->first && t->first->at <= w.now && !edge_of(t)->cut;
}

bool end_readable(const struct tls *t)
{
    return arrived(t) || t->reset || t->failed || t->fin;
}

bool end_reset(const struct tls *t)
{
    return t->reset && !t->failed;
}

bool end_writable(const struct tls *t)
{
    return t->want_out && other(t)->coming < WINDOW;
}

static void pop(struct tls *t)
{
    struct chunk *c = t->first;
    t->first = c->next;
    if (!t->first)
        t->last = NULL;
    free(c);
}

/* ---- the life of a connection ---- */

int address_connect(const struct addrinfo *to)
{
    unsigned n = (unsigned)(to - place);
    ASSERT(n_spare > 0 || n_pairs < PAIRS_MAX);
    uint32_t i = n_spare > 0 ? spare[--n_spare] : n_pairs++;
    pair[i] = (struct pair){.used = true, .life = pair[i].life};
    for (unsigned side = 0; side < 2; side++)
        pair[i].end[side] = (struct tls){.pair = i,
                                         .side = side,
                                         .node = side ? w.node[n] : here,
                                         .exists = !side,
                                         .why = "the connection broke"};
    struct edge *e = edge_of(&pair[i].end[0]);
    if (!e->cut)
        at(w.now + e->delay_us, EV_SYN, i, pair[i].life);
    int fd = fd_new(FD_END, here, &pair[i].end[0]);
    pair[i].end[0].fd = (uint32_t)fd;
    return fd;
}

void net_syn(uint32_t i, uint64_t life)
{
    struct pair *p = &pair[i];
    if (!p->used || p->life != life || !p->end[0].exists || p->end[1].exists || edge_of(&p->end[0])->cut)
        return;
    if (p->end[1].node->up && p->end[1].node->linked) {
        p->end[1].exists = p->waiting = true;
        n_waiting[p->end[1].node->n]++;
        turn_wake(&p->end[1].node->hub_turn, 0);
    } else if (p->end[1].node->powered) {
        tell_reset(&p->end[0]);
    }
}

bool net_waiting(const struct node *n)
{
    return n_waiting[n->n] > 0;
}

static void no_more_waiting(struct pair *p)
{
    n_waiting[p->end[1].node->n] -= p->waiting;
    p->waiting = false;
}

int net_accept(struct node *n)
{
    for (uint32_t i = 0; i < n_pairs; i++) {
        struct pair *p = &pair[i];
        if (!p->used || !p->waiting || p->end[1].node != n)
            continue;
        no_more_waiting(p);
        int fd = fd_new(FD_END, n, &p->end[1]);
        p->end[1].fd = (uint32_t)fd;
        return fd;
    }
    errno = EAGAIN;
    return -1;
}

void net_vanish(struct node *n, bool silent)
{
    for (uint32_t i = 0; i < n_pairs; i++)
        for (unsigned side = 0; side < 2 && pair[i].used; side++) {
            struct tls *t = &pair[i].end[side];
            if (t->node != n || !t->exists)
                continue;
            close_end(t);
            no_more_waiting(&pair[i]);
            if (!silent && !edge_of(t)->cut)
                tell_reset(other(t));
            left(i);
        }
}

void net_break(struct node *a, struct node *b)
{
    for (uint32_t i = 0; i < n_pairs; i++)
        if (pair[i].used && ((pair[i].end[0].node == a && pair[i].end[1].node == b) ||
                             (pair[i].end[0].node == b && pair[i].end[1].node == a))) {
            tell_reset(&pair[i].end[0]);
            tell_reset(&pair[i].end[1]);
        }
}

/* ---- as TLS ---- */

int tls_new(struct tls **out, struct tls_identity *id, int fd, bool server,
            bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]), void *arg)
{
    struct tls *t = fd_what(fd, FD_END);
    (void)id;
    t->server = server;
    t->known = known;
    t->arg = arg;
    *out = t;
    if (server && other(t)->exists)
        queue(other(t), CHUNK_SHAKE, NULL, 0);
    return 0;
}

void tls_free(struct tls *t)
{
    int fd = (int)t->fd;
    if (other(t)->exists && !t->reset)
        queue(other(t), CHUNK_FIN, NULL, 0);
    close_end(t);
    no_more_waiting(&pair[t->pair]);
    left(t->pair);
    fd_forget(fd);
}

static void fail(struct tls *t, const char *why)
{
    t->failed = true;
    t->why = why;
    tell_reset(other(t));
}

static void shake(struct tls *t)
{
    uint8_t pin[KEY_PIN_LEN];
    key_pin(end_peer(t)->identity.key, pin);
    pop(t);
    if (!t->known(t->arg, pin)) {
        fail(t, "its key is not one of ours");
        return;
    }
    t->up = true;
    if (!t->server && other(t)->exists)
        queue(other(t), CHUNK_SHAKE, NULL, 0);
}

enum tls_event tls_pump(struct tls *t)
{
    if (!t->reset && !t->failed && !t->up && arrived(t) && t->first->kind == CHUNK_SHAKE)
        shake(t);
    if (!t->reset && arrived(t) && t->first->kind == CHUNK_FIN) {
        t->fin = true;
        t->why = "the other side closed the connection";
    }
    if (t->reset || t->failed) {
        drop_chunks(t);
        return TLS_FAILED;
    }
    if (t->fin)
        return TLS_CLOSED;
    if (t->up && !t->said) {
        t->said = true;
        w.stats.links += t->server;
        return TLS_READY;
    }
    return TLS_NOTHING;
}

uint32_t tls_wants(const struct tls *t)
{
    return EPOLLIN | (t->want_out ? EPOLLOUT : 0);
}

ssize_t tls_recv(struct tls *t, void *to, size_t size)
{
    if (t->reset || t->failed || (arrived(t) && t->first->kind == CHUNK_FIN))
        return -EPIPE;
    if (!t->up || !arrived(t) || t->first->kind != CHUNK_DATA)
        return -EAGAIN;
    struct chunk *c = t->first;
    size_t n = min_size(size, c->len - c->off);
    memcpy(to, c->bytes + c->off, n);
    c->off += n;
    t->coming -= n;
    if (c->off == c->len)
        pop(t);
    if (other(t)->want_out)
        turn_wake(&end_peer(t)->hub_turn, edge_of(t)->delay_us);
    return (ssize_t)n;
}

ssize_t tls_send(struct tls *t, const void *p, size_t len)
{
    if (t->reset || t->failed)
        return -EPIPE;
    if (!t->up || len == 0)
        return 0;
    if (t->node->evil)
        return (ssize_t)evil_send(t, p, len);
    size_t n = min_size(len, WINDOW - min_size(WINDOW, other(t)->coming));
    t->want_out = n < len;
    if (n > 0)
        net_push(t, p, n);
    return (ssize_t)n;
}

const char *tls_why(const struct tls *t)
{
    return t->why;
}

const uint8_t *tls_own_key(const struct tls_identity *id)
{
    return id->node->identity.key;
}

/* ---- addresses: "h3:1" is host 3 ---- */

void lookup_init(struct lookup *l, const char *address)
{
    *l = (struct lookup){0};
    snprintf(l->host, sizeof l->host, "%s", address);
}

void lookup_free(struct lookup *l)
{
    *l = (struct lookup){0};
}

int lookup_next(struct lookup *l, const struct addrinfo **to)
{
    if (!w.calm && one_in(20))
        return -EAGAIN;
    *to = &place[strtoul(l->host + 1, NULL, 10) % NODES_MAX];
    return 0;
}

void address_tune(int fd)
{
    (void)fd;
}

bool address_answers(int fd, unsigned within_ms)
{
    const struct tls *t = fd_what(fd, FD_END);
    (void)within_ms;
    return !t || !(edge_of(t)->cut || edge_of(other(t))->cut);
}

uint64_t address_source(int fd)
{
    const struct tls *t = fd_what(fd, FD_END);
    return t ? end_peer(t)->n + 1 : 0;
}

void address_remote(int fd, char *to, size_t size)
{
    const struct tls *t = fd_what(fd, FD_END);
    snprintf(to, size, "%s", t ? node_name(end_peer(t)->id) : "");
}
