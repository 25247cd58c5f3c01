/* topology.c -- rows of links, versions, and shortest ways through them; no I/O. */
#include "link/topology.h"

#include <errno.h>

void topology_init(struct topology *t, uint64_t self)
{
    memset(t, 0, sizeof *t);
    t->row[0] = (struct topology_row){.host = self, .from = self};
    t->n = 1;
}

static void changed(struct topology *t, struct topology_row *r, uint64_t from)
{
    r->from = from;
    r->stamp = ++t->clock;
}

void topology_set(struct topology *t, uint64_t epoch, const uint64_t *link, size_t n)
{
    struct topology_row *us = &t->row[0];
    n = min_size(n, LINKS_ROW_MAX);
    if (us->version != 0 && us->n == n && memcmp(us->link, link, n * sizeof *link) == 0)
        return;
    memcpy(us->link, link, n * sizeof *link);
    us->n = n;
    us->epoch = epoch;
    us->version++;
    changed(t, us, us->host);
}

const struct topology_row *topology_row(const struct topology *t, uint64_t host)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->row[i].host == host)
            return &t->row[i];
    return NULL;
}

/* row_of -- made when it is new; a row that is empty makes room when the table is full. */
static struct topology_row *row_of(struct topology *t, uint64_t host)
{
    const struct topology_row *there = topology_row(t, host);
    struct topology_row *r = there ? &t->row[there - t->row] : NULL;
    for (size_t i = 1; !r && t->n == TOPOLOGY_HOSTS_MAX && i < t->n; i++)
        if (t->row[i].n == 0)
            r = &t->row[i];
    if (!r && t->n < TOPOLOGY_HOSTS_MAX)
        r = &t->row[t->n++];
    if (r && r->host != host)
        *r = (struct topology_row){.host = host};
    return r;
}

int topology_heard(struct topology *t, uint64_t from, const uint8_t *f)
{
    struct links_row row;
    if (read_links(f, &row) < 0)
        return -EBADMSG;
    struct topology_row *r = frame_origin(f) == t->row[0].host ? NULL : row_of(t, frame_origin(f));
    if (!r || frame_epoch(f) < r->epoch || (frame_epoch(f) == r->epoch && frame_seq(f) <= r->version))
        return 0;
    r->epoch = frame_epoch(f);
    r->version = frame_seq(f);
    r->n = row.n;
    for (size_t i = 0; i < row.n; i++)
        r->link[i] = get_u64(row.link + 8 * i);
    changed(t, r, from);
    return 0;
}

int topology_next(struct topology *t, uint64_t *told, uint64_t to, uint8_t *f)
{
    while (*told != t->clock) {
        const struct topology_row *next = NULL;
        for (size_t i = 0; i < t->n; i++)
            if (t->row[i].stamp > *told && (!next || t->row[i].stamp < next->stamp))
                next = &t->row[i];
        if (!next) {
            *told = t->clock;
            break;
        }
        *told = next->stamp;
        if (next->host != to && next->from != to)
            return write_links(f, next->host, next->epoch, next->version, next->link, next->n);
    }
    return 0;
}

bool topology_says(const struct topology_row *r, uint64_t host)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->link[i] == host)
            return true;
    return false;
}

/* Rows by number, and who is linked with whom: the next-door rows of each. */
struct net {
    uint16_t door[TOPOLOGY_HOSTS_MAX][LINKS_ROW_MAX];
    uint8_t n_doors[TOPOLOGY_HOSTS_MAX];
};

static void net_of(const struct topology *t, struct net *net)
{
    memset(net->n_doors, 0, sizeof net->n_doors);
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->row[i].n; k++) {
            const struct topology_row *r = topology_row(t, t->row[i].link[k]);
            if (r && topology_says(r, t->row[i].host))
                net->door[i][net->n_doors[i]++] = (uint16_t)(r - t->row);
        }
}

/* A tree of shortest ways from one row: over which row each is reached; itself for the root, NOWHERE for one that is not. */
enum { NOWHERE = UINT16_MAX };
struct tree {
    uint16_t by[TOPOLOGY_HOSTS_MAX], far[TOPOLOGY_HOSTS_MAX];
};

static void tree_from(const struct topology *t, const struct net *net, size_t root, struct tree *tree)
{
    uint16_t queue[TOPOLOGY_HOSTS_MAX];
    size_t head = 0, tail = 0;
    memset(tree->by, 0xff, sizeof tree->by);
    tree->by[root] = (uint16_t)root;
    tree->far[root] = 0;
    for (queue[tail++] = (uint16_t)root; head < tail; head++) {
        uint16_t at = queue[head];
        for (size_t k = 0; k < net->n_doors[at]; k++) {
            uint16_t next = net->door[at][k];
            if (tree->by[next] == NOWHERE) {
                tree->by[next] = at;
                tree->far[next] = (uint16_t)(tree->far[at] + 1);
                queue[tail++] = next;
            } else if (tree->far[next] == tree->far[at] + 1 && t->row[at].host < t->row[tree->by[next]].host) {
                tree->by[next] = at;
            }
        }
    }
}

/* first_door -- the neighbour of a row that has the smallest number. */
static size_t first_door(const struct topology *t, const struct net *net, size_t row)
{
    size_t first = 0;
    for (size_t k = 0; k < net->n_doors[row]; k++)
        if (k == 0 || t->row[net->door[row][k]].host < t->row[first].host)
            first = net->door[row][k];
    return first;
}

void topology_others(const struct topology *t, const uint64_t *peer, size_t n_peers, const uint64_t *origin, size_t n_origins,
                     uint64_t others[][TOPOLOGY_WORDS])
{
    struct net net;
    struct tree tree;
    net_of(t, &net);
    memset(others, 0, n_peers * sizeof *others);
    for (size_t o = 0; o < min_size(n_origins, TOPOLOGY_HOSTS_MAX); o++) {
        const struct topology_row *from = topology_row(t, origin[o]);
        memset(tree.by, 0xff, sizeof tree.by);
        if (from)
            tree_from(t, &net, (size_t)(from - t->row), &tree);
        for (size_t p = 0; p < n_peers; p++) {
            const struct topology_row *to = topology_row(t, peer[p]);
            size_t row = to ? (size_t)(to - t->row) : 0;
            if (!to || net.n_doors[row] == 0)
                continue; /* its row is on the way */
            size_t by = tree.by[row] != NOWHERE ? tree.by[row] : first_door(t, &net, row);
            if (by != 0)
                others[p][o / 64] |= UINT64_C(1) << (o % 64);
        }
    }
}

uint64_t topology_toward(const struct topology *t, uint64_t host)
{
    struct net net;
    struct tree tree;
    const struct topology_row *to = topology_row(t, host);
    if (!to || to == t->row)
        return 0;
    net_of(t, &net);
    tree_from(t, &net, 0, &tree);
    size_t at = (size_t)(to - t->row);
    if (tree.by[at] == NOWHERE)
        return 0;
    while (tree.by[at] != 0)
        at = tree.by[at];
    return t->row[at].host;
}
