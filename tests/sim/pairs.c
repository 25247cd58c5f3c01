/* pairs.c -- who talks with whom alone, who is invited to whose private room, and I8: nobody else gets it, nor hears that it is. */
#include "sim.h"

#include "base/direct.h"
#include "base/hash.h"
#include "state/scope.h"

#include <stdio.h>

enum { GUESTS = 2 };

struct pair {
    uint64_t room;
    const struct node *one, *other, *third; /* third: of a private room, or NULL; one is its owner's */
    bool is_private;
    unsigned guest[GUESTS], n_guests; /* clients who are to be invited */
    char name[DIRECT_NAME_MAX + 1];
};

static struct pair pair[2 * ALONE_MAX];
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

static uint32_t note(const struct pair *p)
{
    uint32_t *there = map_find(&by_room, p->room, 0, 0);
    if (there)
        return *there;
    pair[n_pairs] = *p;
    map_add(&by_room, p->room, 0, 0, n_pairs);
    return n_pairs++;
}

/* make_private -- a room of this client, for two others on hosts with a line to his. */
static void make_private(unsigned owner)
{
    struct pair p = {.one = w.client[owner].node, .is_private = true, .n_guests = 1};
    char user[16];
    snprintf(user, sizeof user, "u%u", owner);
    p.room = room_id((struct text){p.name, private_name((struct person){text_of(user), text_of(node_name(p.one->id))},
                                                        text_of("plans"), p.name)});
    p.guest[0] = partner(owner);
    p.other = w.client[p.guest[0]].node;
    for (unsigned tries = 0; tries < 4 && p.n_guests < GUESTS; tries++) {
        unsigned k = partner(owner);
        if (w.client[k].node == p.other)
            continue;
        p.guest[p.n_guests++] = k;
        p.third = w.client[k].node;
    }
    w.client[owner].own = note(&p);
    for (unsigned i = 0; i < p.n_guests; i++) {
        w.client[p.guest[i]].guest = w.client[owner].own;
        w.client[p.guest[i]].invited = true;
    }
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
        w.client[i].pair = note(&p);
    }
    for (unsigned i = 0; i < w.n_clients; i++)
        make_private(i);
}

/* lacks -- a guest whom the owner's host has not invited, as far as its rules know; NULL: none. */
static const struct client *lacks(const struct pair *p, const struct roster *r, uint32_t slot)
{
    for (unsigned i = 0; i < p->n_guests; i++) {
        const struct client *c = &w.client[p->guest[i]];
        char user[16];
        snprintf(user, sizeof user, "u%u", p->guest[i]);
        if (!(roster_role(r, slot, c->node->id, text_of(user)) & ROLE_MEMBER))
            return c;
    }
    return NULL;
}

int pair_act(uint32_t i, const struct client *c, struct text user, uint32_t seq, uint8_t *frame)
{
    const struct pair *p = &pair[i];
    const struct roster *r = &p->one->st.seg->roster;
    uint32_t slot = roster_room(r, p->room);
    struct room_act a = {.user = user, .target = text_of(""), .topic = text_of("")};
    char name[16];
    if (!p->is_private || c->own != i || slot == 0)
        return 0;
    const struct client *guest = lacks(p, r, slot);
    a.act = r->room[slot].flags & ROOM_OWNED ? ACT_INVITE : ACT_OWN;
    if (a.act == ACT_INVITE && !guest)
        return 0;
    if (a.act == ACT_INVITE) {
        snprintf(name, sizeof name, "u%u", (unsigned)(guest - w.client));
        a.target = text_of(name);
        a.host = guest->node->id;
    }
    return write_room_act(frame, &a, p->room, c->id, seq);
}

bool pair_is_private(uint64_t room)
{
    const uint32_t *i = map_find(&by_room, room, 0, 0);
    return i && pair[*i].is_private;
}

bool pair_is_told(uint64_t room, const struct node *from, const struct node *to)
{
    return pair_may(room, to) && (!pair_is_private(room) || (scope_host(from->st.seg, room, to->id) &&
                                                             scope_host(to->st.seg, room, from->id)));
}

/* is_in -- has the owner's host invited somebody of that one?  That one may know it alone, if the owner's disk was set back. */
static bool is_in(const struct pair *p, const struct node *n)
{
    return n && counts(p->one) && counts(n) &&
           (scope_host(p->one->st.seg, p->room, n->id) || (n->up && scope_host(n->st.seg, p->room, n->id)));
}

bool pair_keeps(uint32_t i, const struct node *n)
{
    return pair[i].is_private ? is_in(&pair[i], n) : pair_may(pair[i].room, n);
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
    return !i || n == pair[*i].one || n == pair[*i].other || n == pair[*i].third;
}

/* leaks -- a liar who is in a private room may tell whom he likes: what its owner sealed proves itself, and is taken. */
static bool leaks(const struct pair *p)
{
    return p->is_private && (p->one->evil || p->other->evil || (p->third && p->third->evil));
}

void pair_check(uint64_t room, const struct node *n, const char *what)
{
    const uint32_t *i = map_find(&by_room, room, 0, 0);
    if (!pair_may(room, n) && !leaks(&pair[*i]))
        broken("I8: %s %s of two others", node_name(n->id), what);
}

bool pairs_each(bool (*same)(const struct node *one, const struct node *other, uint64_t room))
{
    for (uint32_t i = 0; i < n_pairs; i++) {
        const struct pair *p = &pair[i];
        if (!p->is_private && counts(p->one) && counts(p->other) && !same(p->one, p->other, p->room))
            return false;
        if (p->is_private && ((is_in(p, p->other) && !same(p->one, p->other, p->room)) ||
                              (is_in(p, p->third) && !same(p->one, p->third, p->room))))
            return false;
    }
    return true;
}
