/* pairs.c -- who talks with whom alone, and I8: nobody else gets it, nor hears that it is. */
#include "sim.h"

#include "base/direct.h"
#include "base/hash.h"

#include <stdio.h>

struct pair {
    uint64_t room;
    const struct node *one, *other;
    char name[DIRECT_NAME_MAX + 1];
};

static struct pair pair[ALONE_MAX];
static uint32_t n_pairs;
static struct map by_room; /* to a number of `pair` */

/* partner -- somebody on a host that there is a line to: nobody else carries it. */
static unsigned partner(unsigned client)
{
    unsigned from = client / CLIENTS_PER_NODE, to = (unsigned)chance(w.n_nodes);
    while (to == from || !w.edge[from][to].exists)
        to = (unsigned)chance(w.n_nodes);
    return to * CLIENTS_PER_NODE + (unsigned)chance(CLIENTS_PER_NODE);
}

void pairs_reset(void)
{
    map_free(&by_room);
    n_pairs = 0;
    for (unsigned i = 0; i < w.n_clients; i++) {
        unsigned k = partner(i);
        char user[2][16], host[2][16];
        struct person who[2];
        struct pair p = {.one = w.client[i].node, .other = w.client[k].node};
        for (unsigned j = 0; j < 2; j++) {
            snprintf(user[j], sizeof user[j], "u%u", j ? k : i);
            snprintf(host[j], sizeof host[j], "%s", node_name(j ? p.other->id : p.one->id));
            who[j] = (struct person){text_of(user[j]), text_of(host[j])};
        }
        p.room = room_id((struct text){p.name, direct_name(who[0], who[1], p.name)});
        uint32_t *there = map_find(&by_room, p.room, 0, 0);
        if (!there) {
            pair[n_pairs] = p;
            there = map_add(&by_room, p.room, 0, 0, n_pairs++);
        }
        w.client[i].pair = *there;
    }
}

const char *pair_name(uint32_t i)
{
    return pair[i].name;
}

uint64_t pair_room(uint32_t i)
{
    return pair[i % n_pairs].room;
}

bool pair_is(uint64_t room)
{
    return map_find(&by_room, room, 0, 0) != NULL;
}

bool pair_may(uint64_t room, const struct node *n)
{
    const uint32_t *i = map_find(&by_room, room, 0, 0);
    return !i || n == pair[*i].one || n == pair[*i].other;
}

void pair_check(uint64_t room, const struct node *n, const char *what)
{
    if (!pair_may(room, n))
        broken("I8: %s %s of two others", node_name(n->id), what);
}

bool pairs_each(bool (*same)(const struct node *one, const struct node *other, uint64_t room))
{
    for (uint32_t i = 0; i < n_pairs; i++)
        if (counts(pair[i].one) && counts(pair[i].other) && !same(pair[i].one, pair[i].other, pair[i].room))
            return false;
    return true;
}
