/* scale.c -- networks of different sizes in which equally much is said: what a link, a host and a cut of an hour cost. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

enum { SETTLING_S = 15, PEOPLE_S = 20, FEED_STREAMS_MIN = 256 };

struct sums {
    uint64_t bytes, frames, links, most_bytes;
};

static void until(uint64_t when)
{
    while (w.now < when && world_event())
        ;
}

static bool across(unsigned a, unsigned b)
{
    return (a < w.n_nodes / 2) != (b < w.n_nodes / 2);
}

static void forget_sums(void)
{
    w.tally = (struct tally){0};
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < w.n_nodes; b++)
            w.edge[a][b].bytes = w.edge[a][b].frames = 0;
}

/* sums -- of all links, or of those only that were cut; both ways together. */
static struct sums sums(bool only_cut)
{
    struct sums s = {0};
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < a; b++) {
            const struct edge *x = &w.edge[a][b], *y = &w.edge[b][a];
            if (!x->exists || (only_cut && !across(a, b)))
                continue;
            s.links++;
            s.bytes += x->bytes + y->bytes;
            s.frames += x->frames + y->frames;
            s.most_bytes = max_u64(s.most_bytes, x->bytes + y->bytes);
        }
    return s;
}

static void cut(uint64_t for_us)
{
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < a; b++)
            if (w.edge[a][b].exists && across(a, b))
                faults_cut(b, a, for_us);
}

static uint64_t all_bytes(void)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < TALLY_KINDS; k++)
        n += w.tally.bytes[k];
    return n;
}

/* vectors -- bytes of memory for how far the streams are: at this host, and for each of its links at the peer. */
static uint64_t vectors(const struct node *n)
{
    uint32_t feed = FEED_STREAMS_MIN;
    uint64_t links = 0;
    while (feed < n->hub->core.ours.n)
        feed *= 2;
    for (unsigned i = 0; i < LINK_PEERS_MAX; i++)
        links += n->hub->core.peer[i].phase == LINK_OPEN;
    return have_size(n->hub->core.ours.max) + links * have_size(feed);
}

static void show_costs(uint64_t entries)
{
    const struct tally *t = &w.tally;
    struct sums s = sums(false);
    double total = (double)all_bytes();
    printf("  said: %llu entries; each host got %.0f KiB of segments that were new to it\n", (unsigned long long)entries,
           (double)t->bytes[TALLY_NEW] / w.n_nodes / 1024);
    printf("  a link: %.0f frames and segments, %.0f KiB (the busiest %.0f); a host: %.0f KiB, %.2f times what was new\n",
           (double)s.frames / (double)s.links, (double)s.bytes / (double)s.links / 1024, (double)s.most_bytes / 1024,
           total / w.n_nodes / 1024, total / (double)t->bytes[TALLY_NEW]);
    printf("  of that: segments new %.0f %%, segments again %.0f %%, HAVE %.0f %%, people %.0f %%, other %.0f %%\n",
           100 * (double)t->bytes[TALLY_NEW] / total, 100 * (double)t->bytes[TALLY_OLD] / total,
           100 * (double)t->bytes[TALLY_HAVE] / total, 100 * (double)t->bytes[TALLY_PEOPLE] / total,
           100 * (double)t->bytes[TALLY_OTHER] / total);
}

static void show_memory(void)
{
    const struct node *n = w.node[w.n_nodes / 2];
    printf("  memory of a host: %.0f KiB for %u streams here and at its peers, %.0f KiB for %u rows of who is where\n",
           (double)vectors(n) / 1024, n->hub->core.ours.n,
           (double)(n->hub->core.presence.n * sizeof(struct presence_entry)) / 1024, n->hub->core.presence.n);
}

/* people -- some seconds in which who is where is told, and nothing else happens. */
static void people(void)
{
    forget_sums();
    until(w.now + PEOPLE_S * S);
    struct sums s = sums(false);
    printf("%u hosts, %llu links (%.1f of a host)\n", w.n_nodes, (unsigned long long)s.links, 2.0 * (double)s.links / w.n_nodes);
    printf("  people: %.1f frames, %.0f bytes a second on a link\n",
           (double)w.tally.frames[TALLY_PEOPLE] / PEOPLE_S / (double)s.links,
           (double)w.tally.bytes[TALLY_PEOPLE] / PEOPLE_S / (double)s.links);
}

int scale(unsigned hosts, uint64_t cut_s, uint64_t pace_us)
{
    world_reset(1);
    if (setjmp(w.broken) != 0) {
        printf("%s\n", w.verdict);
        return EXIT_FAILURE;
    }
    w.n_rooms = 1;
    w.measured = true;
    faults_near(hosts, pace_us ? pace_us : hosts * CLIENTS_PER_NODE * S);
    people_reset();
    for (unsigned i = 0; i < hosts; i++)
        at(0, EV_BOOT, i, 0);
    until(SETTLING_S * S);
    people();
    w.no_beats = true; /* their cost is known by now */
    forget_sums();
    uint64_t entries = w.stats.entries;
    cut(cut_s * S);
    until(w.now + cut_s * S - 1);
    show_costs(w.stats.entries - entries);
    forget_sums();
    w.calm = true;
    uint64_t from = w.now;
    do
        until(w.now + 10 * MS);
    while (!check_same(false) && w.now < from + 3600 * S);
    struct sums s = sums(true);
    printf("  healed: the same everywhere after %.2f s; over each of the %llu links %.0f frames and segments, %.0f KiB (most %.0f)\n",
           (double)(w.now - from) / 1e6, (unsigned long long)s.links, (double)s.frames / (double)s.links,
           (double)s.bytes / (double)s.links / 1024, (double)s.most_bytes / 1024);
    check_end();
    show_memory();
    fflush(stdout);
    world_free();
    return 0;
}
