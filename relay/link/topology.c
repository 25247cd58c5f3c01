/* topology.c -- rows of links, versions, and shortest ways through them; no I/O. */
#include "link/topology.h"

#include <errno.h>

/* place -- in the hash table, where this host stands, or would. */
static size_t place(const struct topology *t, uint64_t host)
{
    size_t i = (host * 0x9e3779b97f4a7c15u >> 32) % ARRAY_LEN(t->by_host);
    while (t->by_host[i] != 0 && t->row[t->by_host[i] - 1].host != host)
        i = (i + 1) % ARRAY_LEN(t->by_host);
    return i;
}

/* number_of -- the row of a host, from 1; 0: there is none. */
static size_t number_of(const struct topology *t, uint64_t host)
{
    return t->by_host[place(t, host)];
}

/* find_rows -- the hash table anew. */
static void find_rows(struct topology *t)
{
    memset(t->by_host, 0, sizeof t->by_host);
    for (size_t i = 0; i < t->n; i++)
        t->by_host[place(t, t->row[i].host)] = (uint16_t)(i + 1);
}

void topology_init(struct topology *t, uint64_t self)
{
    memset(t, 0, sizeof *t);
    t->row[0] = (struct topology_row){.host = self, .from = self};
    t->n = 1;
    find_rows(t);
}

/* forget_old -- of the news those that something newer was said about. */
static void forget_old(struct topology *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_news; i++)
        if (t->row[t->news[i].row].stamp == t->news[i].stamp)
            t->news[n++] = t->news[i];
    t->n_news = n;
}

static void changed(struct topology *t, struct topology_row *r, uint64_t from)
{
    r->from = from;
    r->stamp = ++t->clock;
    if (t->n_news == ARRAY_LEN(t->news))
        forget_old(t);
    t->news[t->n_news].stamp = r->stamp;
    t->news[t->n_news++].row = (uint16_t)(r - t->row);
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
    size_t n = number_of(t, host);
    return n ? &t->row[n - 1] : NULL;
}

/* row_of -- made when it is new; a row that is empty makes room when the table is full. */
static struct topology_row *row_of(struct topology *t, uint64_t host)
{
    size_t n = number_of(t, host);
    struct topology_row *r = n ? &t->row[n - 1] : NULL;
    for (size_t i = 1; !r && t->n == TOPOLOGY_HOSTS_MAX && i < t->n; i++)
        if (t->row[i].n == 0)
            r = &t->row[i];
    if (!r && t->n < TOPOLOGY_HOSTS_MAX)
        r = &t->row[t->n++];
    if (!r || r->host == host)
        return r;
    *r = (struct topology_row){.host = host};
    find_rows(t);
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

/* news_after -- the first that is younger. */
static size_t news_after(const struct topology *t, uint64_t stamp)
{
    size_t low = 0, high = t->n_news;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (t->news[mid].stamp <= stamp)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int topology_next(struct topology *t, uint64_t *told, uint64_t to, uint8_t *f)
{
    if (*told == t->clock)
        return 0;
    for (size_t i = news_after(t, *told); i < t->n_news; i++) {
        const struct topology_row *r = &t->row[t->news[i].row];
        *told = t->news[i].stamp;
        if (r->stamp == t->news[i].stamp && r->host != to && r->from != to)
            return write_links(f, r->host, r->epoch, r->version, r->link, r->n);
    }
    *told = t->clock;
    return 0;
}

bool topology_says(const struct topology_row *r, uint64_t host)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->link[i] == host)
            return true;
    return false;
}

/* Who is linked with whom, as rows by number: the next-door rows of each. */
struct net {
    uint16_t door[TOPOLOGY_HOSTS_MAX][LINKS_ROW_MAX];
    uint8_t n_doors[TOPOLOGY_HOSTS_MAX];
};

static void net_of(const struct topology *t, struct net *net)
{
    memset(net, 0, sizeof *net);
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->row[i].n; k++) {
            size_t next = number_of(t, t->row[i].link[k]);
            if (next != 0 && topology_says(&t->row[next - 1], t->row[i].host))
                net->door[i][net->n_doors[i]++] = (uint16_t)(next - 1);
        }
}

enum { NOWHERE = UINT16_MAX };

/* How many links from one row to each other one; NOWHERE: there is no way. */
struct far {
    uint16_t to[TOPOLOGY_HOSTS_MAX];
};

static void far_from(const struct net *net, size_t row, struct far *far)
{
    uint16_t queue[TOPOLOGY_HOSTS_MAX];
    size_t head = 0, tail = 0;
    memset(far, 0xff, sizeof *far);
    far->to[row] = 0;
    for (queue[tail++] = (uint16_t)row; head < tail; head++)
        for (size_t k = 0; k < net->n_doors[queue[head]]; k++) {
            uint16_t next = net->door[queue[head]][k];
            if (far->to[next] != NOWHERE)
                continue;
            far->to[next] = (uint16_t)(far->to[queue[head]] + 1);
            queue[tail++] = next;
        }
}

/* A row's neighbours, in the order of their numbers, and how far each is from everybody. */
struct doors {
    uint16_t row[LINKS_ROW_MAX];
    struct far far[LINKS_ROW_MAX];
    size_t n;
};

static void doors_of(const struct topology *t, const struct net *net, size_t row, struct doors *d)
{
    d->n = 0;
    for (size_t k = 0; k < net->n_doors[row]; k++) {
        size_t at = d->n++;
        for (; at > 0 && t->row[d->row[at - 1]].host > t->row[net->door[row][k]].host; at--)
            d->row[at] = d->row[at - 1];
        d->row[at] = net->door[row][k];
    }
    for (size_t k = 0; k < d->n; k++)
        far_from(net, d->row[k], &d->far[k]);
}

/* door_to -- the neighbour that is nearest to a row; the first of those that are, or of all if there is no way. */
static size_t door_to(const struct doors *d, size_t row)
{
    size_t best = 0;
    for (size_t k = 1; k < d->n; k++)
        if (d->far[k].to[row] < d->far[best].to[row])
            best = k;
    return d->row[best];
}

void topology_others(const struct topology *t, const uint64_t *peer, size_t n_peers, const uint64_t *origin, size_t n_origins,
                     uint64_t others[][TOPOLOGY_WORDS])
{
    struct net net;
    struct doors doors;
    net_of(t, &net);
    memset(others, 0, n_peers * sizeof *others);
    for (size_t p = 0; p < n_peers; p++) {
        size_t row = number_of(t, peer[p]);
        doors.n = 0;
        if (row != 0)
            doors_of(t, &net, row - 1, &doors);
        for (size_t o = 0; o < min_size(n_origins, TOPOLOGY_HOSTS_MAX) && doors.n > 0; o++) { /* none: its row is on the way */
            size_t from = number_of(t, origin[o]);
            if ((from ? door_to(&doors, from - 1) : doors.row[0]) != 0)
                others[p][o / 64] |= UINT64_C(1) << (o % 64);
        }
    }
}

uint64_t topology_toward(const struct topology *t, uint64_t host)
{
    struct net net;
    struct doors doors;
    net_of(t, &net);
    size_t to = number_of(t, host);
    if (to <= 1)
        return 0;
    doors_of(t, &net, 0, &doors);
    size_t best = doors.n > 0 ? door_to(&doors, to - 1) : 0;
    for (size_t k = 0; k < doors.n; k++)
        if (doors.row[k] == best && doors.far[k].to[to - 1] != NOWHERE)
            return t->row[best].host;
    return 0;
}
