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

/* row_of -- made when it is new; a row that is empty makes room when the table is full. */
static struct topology_row *row_of(struct topology *t, uint64_t host)
{
    struct topology_row *r = NULL;
    for (size_t i = 0; !r && i < t->n; i++)
        if (t->row[i].host == host)
            r = &t->row[i];
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

static bool says(const struct topology_row *r, uint64_t host)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->link[i] == host)
            return true;
    return false;
}

uint64_t topology_toward(const struct topology *t, uint64_t host)
{
    uint64_t first[TOPOLOGY_HOSTS_MAX] = {0}; /* of the way to row i; 0: not reached */
    uint16_t queue[TOPOLOGY_HOSTS_MAX];
    size_t head = 0, tail = 0;
    queue[tail++] = 0;
    while (head < tail) {
        size_t at = queue[head++];
        for (size_t i = 1; i < t->n; i++) {
            if (first[i] != 0 || !says(&t->row[at], t->row[i].host) || !says(&t->row[i], t->row[at].host))
                continue;
            first[i] = at == 0 ? t->row[i].host : first[at];
            if (t->row[i].host == host)
                return first[i];
            queue[tail++] = (uint16_t)i;
        }
    }
    return 0;
}
