/* faults.c -- who is connected with whom, and what goes wrong meanwhile. */
#include "sim.h"

#include <stdlib.h>

enum fault {
    F_KILL,
    F_POWER,
    F_ROLLBACK,
    F_SNAPSHOT,
    F_LINK_PROCESS,
    F_KEEPER,
    F_COMMIT,
    F_CUT,
    F_BREAK,
    F_PARTITION,
    F_SLOW,
    F_CLOCK,
    F_PAUSE,
    F_FULL,
    F_MEMBER,
    F_SWIZZLE,
    F_SLOW_DISK,
    F_TORN,
    F_UPGRADE,
    FAULTS,
};

static struct edge *edge(unsigned a, unsigned b)
{
    return &w.edge[a][b];
}

static void both(unsigned a, unsigned b, const struct edge *e)
{
    struct edge *x[2] = {edge(a, b), edge(b, a)};
    for (unsigned i = 0; i < 2; i++) {
        struct edge old = *x[i];
        *x[i] = *e;
        x[i]->bytes = old.bytes;
        x[i]->frames = old.frames;
    }
}

static void connect_two(unsigned a, unsigned b)
{
    static const uint64_t delay[] = {200, MS, 10 * MS, 40 * MS, 150 * MS},
                          rate[] = {100000000, 10000000, 1000000};
    struct edge e = {.exists = true,
                     .delay_us = delay[chance(ARRAY_LEN(delay))],
                     .bytes_per_s = rate[chance(ARRAY_LEN(rate))]};
    e.jitter_us = e.delay_us / 4;
    if (a != b && !edge(a, b)->exists)
        both(a, b, &e);
}

/* topology -- over the hosts listed, connected whatever it is. */
static void topology(const unsigned *host, unsigned n)
{
    unsigned kind = (unsigned)chance(5);
    for (unsigned i = 1; i < n; i++) {
        if (kind == 0 || kind == 1) /* chain, ring */
            connect_two(host[i - 1], host[i]);
        else if (kind == 2) /* star */
            connect_two(host[0], host[i]);
        else /* tree, then more of it; or all with all */
            connect_two(host[i], host[chance(i)]);
        for (unsigned k = 0; kind == 4 && n <= 8 && k < i; k++)
            connect_two(host[i], host[k]);
    }
    if (kind == 1)
        connect_two(host[0], host[n - 1]);
    for (unsigned i = 0; kind == 3 && i < n; i++)
        connect_two(host[chance(n)], host[chance(n)]);
}

static struct hosts everybody(void)
{
    struct hosts all = {0};
    for (unsigned i = 0; i < w.n_nodes; i++)
        hosts_put(&all, i, true);
    return all;
}

/* liars -- none, one, or up to all but two, who may know each other's keys.  Returns how many are honest, and lists them. */
static unsigned liars(unsigned *honest)
{
    unsigned n = 0, evil = w.n_nodes >= 3 && one_in(2);
    if (evil && w.n_nodes >= 4 && one_in(2))
        evil = 2 + (unsigned)chance(w.n_nodes - 3);
    w.stats.evil_runs = evil > 0;
    w.stats.gangs = evil > 1;
    w.stats.colluding = evil > 1 && one_in(2);
    for (unsigned left = evil; left > 0;) {
        struct node *e = w.node[chance(w.n_nodes)];
        left -= !e->evil;
        e->evil = true;
    }
    for (unsigned i = 0; i < w.n_nodes; i++)
        if (!w.node[i]->evil)
            honest[n++] = i;
    return n;
}

/* between -- one host, and the only way between two halves of the others; everybody hears him, and not all that he hears.  By a chance
 * of its own: what else happens in a run is as without. */
static bool between(void)
{
    struct prng own = {mix(w.seed, 17)};
    if (w.n_nodes < 3 || w.stats.evil_runs || prng_below(&own, 4) != 0)
        return false;
    unsigned half[2][NODES_MAX], n[2] = {0, 0}, liar = (unsigned)chance(w.n_nodes);
    for (unsigned i = 0; i < w.n_nodes; i++)
        if (i != liar) {
            unsigned side = n[0] == 0 ? 0 : n[1] == 0 ? 1 : (unsigned)chance(2);
            half[side][n[side]++] = i;
        }
    for (unsigned side = 0; side < 2; side++) {
        topology(half[side], n[side]);
        connect_two(liar, half[side][chance(n[side])]);
    }
    w.node[liar]->evil = true;
    w.node[liar]->evil_modes = EVIL_QUESTIONS;
    w.stats.evil_runs = w.stats.between = 1;
    return true;
}

/* mend -- who lied about questions passes on everything from now on, over new connections. */
static void mend(void)
{
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < w.n_nodes && w.node[a]->evil_modes & EVIL_QUESTIONS; b++)
            if (edge(a, b)->exists)
                net_break(w.node[a], w.node[b]);
}

/* corrupt -- how it lies, and to whom: to an honest one at least. */
static void corrupt(struct node *e, const unsigned *honest, unsigned n)
{
    e->evil_modes = chance(256);
    if (one_in(2))
        e->evil_modes |= EVIL_FORK;
    if (one_in(3))
        e->evil_modes |= EVIL_PEOPLE;
    e->skew_ms = e->evil_modes & EVIL_CLOCK ? 3600 * 1000 : e->skew_ms;
    connect_two(e->n, honest[chance(n)]);
    for (unsigned i = (unsigned)chance(3); i > 0; i--)
        connect_two(e->n, one_in(3) ? (unsigned)chance(w.n_nodes) : honest[chance(n)]);
}

/* two_faced -- in some of the runs with one liar he says two things.  Either those who get the first version get no more than its
 * beginning, and their disks are full for most of the time, so that what contradicts it comes before it is stored; or the others are
 * cut off from each other until he has started again, so that of the run in which he did there are only digests when they meet.  By
 * chance of its own: what else happens is as without. */
static void two_faced(void)
{
    struct prng own = {mix(w.seed, 16)};
    uint64_t how = prng_below(&own, 8), until = 20 * S + prng_below(&own, 40 * 1000) * MS;
    if (w.stats.evil_runs == 0 || w.stats.gangs || w.stats.between || how > 1)
        return;
    w.one_sided = how == 0;
    for (unsigned a = 0; a < w.n_nodes; a++) {
        struct node *n = w.node[a];
        if (n->evil) {
            n->evil_modes |= EVIL_FORK;
            if (how == 1)
                at(until - 5 * S, EV_PLANNED, a, 0);
        }
        if (!n->evil && w.one_sided && !evil_second(a))
            at(prng_below(&own, 20 * 1000) * MS, EV_PLANNED, a, 0);
        for (unsigned b = 0; b < a && how == 1; b++)
            if (!n->evil && !w.node[b]->evil && edge(a, b)->exists)
                faults_cut(a, b, until);
    }
}

void faults_plan(unsigned n_nodes)
{
    static const uint64_t mean[] = {S, 3 * S, 10 * S, 30 * S}, pace[] = {300 * MS, S, 3 * S};
    static const uint64_t commit[] = {2 * MS, 5 * MS, 20 * MS};
    unsigned honest[NODES_MAX] = {0};
    w.n_nodes = n_nodes ? n_nodes : 2 + (unsigned)(chance(3) + chance(4));
    for (unsigned i = 0; i < w.n_nodes; i++) {
        w.node[i] = node_new(i);
        w.node[i]->knows = everybody();
        w.node[i]->skew_ms = (int64_t)chance(20 * 1000) - 10 * 1000;
        w.node[i]->commit_us = commit[chance(ARRAY_LEN(commit))];
    }
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < w.n_nodes; b++)
            *edge(a, b) = (struct edge){.bytes_per_s = 1000000, .delay_us = MS};
    unsigned n = liars(honest);
    bool parted = between();
    if (!parted)
        topology(honest, n);
    for (unsigned i = 0; i < w.n_nodes && !parted; i++)
        if (w.node[i]->evil)
            corrupt(w.node[i], honest, n);
    w.faults = (uint32_t)(chance(1 << FAULTS) | chance(1 << FAULTS));
    w.fault_mean_us = mean[chance(ARRAY_LEN(mean))];
    w.pace_us = pace[chance(ARRAY_LEN(pace))];
    w.chaos_us = MINUTE + chance(4 * MINUTE);
    two_faced();
}

/* near -- would the relay link these two, were their numbers in this order? */
static bool near(unsigned a, unsigned b)
{
    unsigned one_way = a > b ? a - b : b - a, other_way = w.n_nodes - one_way;
    return a != b && (w.n_nodes <= 16 || (one_way & (one_way - 1)) == 0 || (other_way & (other_way - 1)) == 0);
}

void faults_near(unsigned n_nodes, uint64_t pace_us)
{
    w.n_nodes = n_nodes;
    w.pace_us = pace_us;
    for (unsigned i = 0; i < n_nodes; i++) {
        w.node[i] = node_new(i);
        w.node[i]->knows = everybody();
        w.node[i]->commit_us = 2 * MS;
        for (unsigned k = 0; k < n_nodes; k++)
            *edge(i, k) = (struct edge){.exists = near(i, k), .delay_us = 5 * MS, .bytes_per_s = 10000000};
    }
}

/* ---- one fault ---- */

static struct node *some_node(void)
{
    return w.node[chance(w.n_nodes)];
}

static bool some_edge(unsigned *a, unsigned *b)
{
    for (unsigned i = 0; i < 50; i++) {
        *a = (unsigned)chance(w.n_nodes);
        *b = (unsigned)chance(w.n_nodes);
        if (edge(*a, *b)->exists)
            return true;
    }
    return false;
}

void faults_cut(unsigned a, unsigned b, uint64_t for_us)
{
    edge(a, b)->cut = edge(b, a)->cut = true;
    w.stats.cuts++;
    trace("link h%u - h%u cut", a, b);
    at(w.now + for_us, EV_EDGE, a * NODES_MAX + b, 0);
}

void faults_edge(uint32_t ab)
{
    unsigned a = ab / NODES_MAX, b = ab % NODES_MAX;
    if (!edge(a, b)->cut)
        return;
    edge(a, b)->cut = edge(b, a)->cut = false;
    trace("link h%u - h%u healed", a, b);
    net_edge(a, b);
    net_edge(b, a);
}

static void down(struct node *n, enum stop how, uint64_t for_us)
{
    if (!n->up)
        return;
    w.stats.crashes++;
    w.stats.power_cuts += how == STOP_POWER;
    w.stats.process_kills += how == STOP_KILL;
    node_stop(n, how);
    at(w.now + for_us, EV_BOOT, n->n, n->life);
}

/* faults_planned -- of two_faced(): the liar starts again; the disk of another is full for most of the time. */
void faults_planned(uint32_t i)
{
    struct node *n = w.node[i];
    if (w.calm)
        return;
    if (n->evil) {
        down(n, STOP_KILL, S);
        return;
    }
    n->cramped = !n->cramped;
    disk_full(n->disk, n->cramped);
    at(w.now + (n->cramped ? 3 * S : S / 2), EV_PLANNED, i, 0);
}

static void partition(bool one_by_one)
{
    uint64_t side = chance(UINT64_MAX); /* decides of each host on which side it is */
    uint64_t longest = one_by_one ? 10 * S : 5 * S + chance(60 * S);
    for (unsigned a = 0; a < w.n_nodes; a++)
        for (unsigned b = 0; b < a; b++)
            if (edge(a, b)->exists && !edge(a, b)->cut &&
                (one_by_one || ((mix(side, a) ^ mix(side, b)) & 1)))
                faults_cut(a, b, one_by_one ? S + chance(longest) : longest + chance(MS));
}

static void slow(void)
{
    unsigned a, b;
    if (!some_edge(&a, &b))
        return;
    struct edge e = *edge(a, b);
    e.faulty = !e.faulty;
    e.delay_us = e.faulty ? 100 * MS + chance(S) : 10 * MS;
    e.jitter_us = e.faulty ? chance(S) : MS;
    e.bytes_per_s = e.faulty ? 5000 + chance(50000) : 1000000;
    both(a, b, &e);
}

static void membership(struct node *n)
{
    unsigned other = (unsigned)chance(w.n_nodes);
    if (other == n->n)
        return;
    hosts_put(&n->knows, other, !hosts_have(&n->knows, other));
    w.node[other]->disputed = true;
    w.stats.membership++;
    here = n;
    trace(hosts_have(&n->knows, other) ? "h%u is a peer again" : "h%u is a peer no more", other);
    node_load(n);
}

static void pause_some(struct node *n)
{
    struct turn *t = one_in(2) ? &n->hub_turn : &n->keeper_turn;
    w.stats.pauses++;
    t->until = max_u64(t->until, w.now + 50 * MS + chance(one_in(3) ? 10 * S : S));
}

static void clock_jump(struct node *n)
{
    int64_t most = one_in(3) ? 600 * 1000 : 5000;
    w.stats.clock_jumps++;
    n->skew_ms += (int64_t)chance((uint64_t)(2 * most)) - most;
    n->skew_ms = n->skew_ms > 3600 * 1000 ? 0 : n->skew_ms < -3600 * 1000 ? 0 : n->skew_ms;
    here = n;
    trace("clock jumps to %+lld ms", (long long)n->skew_ms);
    if (n->up)
        check_clock(n);
}

static void one_fault(enum fault f)
{
    struct node *n = some_node();
    unsigned a, b;
    switch (f) {
    case F_KILL:
        down(n, STOP_KILL, 50 * MS + chance(3 * S));
        return;
    case F_POWER:
        down(n, STOP_POWER, S + chance(one_in(4) ? MINUTE : 5 * S));
        return;
    case F_SNAPSHOT:
        disk_free(n->snapshot);
        n->snapshot = disk_copy(n->disk);
        return;
    case F_ROLLBACK:
        down(n, STOP_POWER, S + chance(5 * S));
        node_rollback(n);
        return;
    case F_LINK_PROCESS:
        node_hub_restart(n);
        return;
    case F_KEEPER:
        node_keeper_restart(n);
        return;
    case F_COMMIT:
        disk_fate(n->disk, one_in(2) ? FATE_LOST : FATE_UNKNOWN);
        return;
    case F_CUT:
        if (some_edge(&a, &b) && !edge(a, b)->cut)
            faults_cut(a, b, one_in(2) ? 100 * MS + chance(5 * S) : chance(MINUTE));
        return;
    case F_BREAK:
        w.stats.breaks++;
        if (some_edge(&a, &b))
            net_break(w.node[a], w.node[b]);
        return;
    case F_PARTITION:
        partition(false);
        return;
    case F_SWIZZLE:
        partition(true);
        return;
    case F_SLOW:
        slow();
        return;
    case F_CLOCK:
        clock_jump(n);
        return;
    case F_PAUSE:
        pause_some(n);
        return;
    case F_FULL:
        w.stats.disk_full++;
        disk_full(n->disk, one_in(3));
        return;
    case F_MEMBER:
        membership(n);
        return;
    case F_TORN:
        disk_fate(n->disk, FATE_TORN);
        return;
    case F_UPGRADE:
        n->newer = !n->newer;
        w.stats.upgrades++;
        down(n, STOP_KILL, 50 * MS + chance(3 * S));
        return;
    case F_SLOW_DISK:
        n->commit_us = one_in(3) ? 100 * MS + chance(2 * S) : 5 * MS;
        return;
    case FAULTS:
    default:
        return;
    }
}

void faults_turn(void)
{
    if (w.calm)
        return;
    at(w.now + about(w.fault_mean_us) + 1, EV_FAULT, 0, 0);
    enum fault f = (enum fault)chance(FAULTS);
    if (w.faults >> f & 1)
        one_fault(f);
}

/* joined_without -- are the honest hosts still connected when `out` is not there? */
static bool joined_without(unsigned out)
{
    unsigned todo[NODES_MAX], n = 0, honest = 0;
    struct hosts reached = {0};
    for (unsigned i = 0; i < w.n_nodes; i++) {
        if (i == out || w.node[i]->evil)
            continue;
        if (honest++ == 0)
            hosts_put(&reached, todo[n++] = i, true);
    }
    for (unsigned k = 0; k < n; k++)
        for (unsigned b = 0; b < w.n_nodes; b++)
            if (edge(todo[k], b)->exists && b != out && !w.node[b]->evil && !hosts_have(&reached, b))
                hosts_put(&reached, todo[n++] = b, true);
    return n == honest && honest > 0;
}

/* faults_end -- everything works again; what happened stays as it is. */
void faults_end(void)
{
    struct hosts all = everybody();
    w.calm = true;
    w.calm_us = w.now;
    trace("everything heals");
    mend();
    if (w.faults >> F_MEMBER & 1 && w.stats.membership && one_in(2) &&
        joined_without(w.evicted = (unsigned)chance(w.n_nodes)))
        hosts_put(&all, w.evicted, false);
    else
        w.evicted = NODES_MAX;
    for (unsigned a = 0; a < w.n_nodes; a++) {
        struct node *n = w.node[a];
        bool full = w.faults >> F_FULL & 1 && one_in(4); /* a moment longer than all else */
        disk_full(n->disk, full);
        n->room_us = full ? w.now + S + chance((LATE_S - 1) * S) : 0;
        disk_fate(n->disk, FATE_GOOD);
        n->hub_turn.until = n->keeper_turn.until = 0;
        n->commit_us = 5 * MS;
        n->knows = all;
        for (unsigned b = 0; b < a; b++) {
            faults_edge(a * NODES_MAX + b);
            struct edge e = *edge(a, b);
            e.delay_us = min_u64(e.delay_us, 150 * MS);
            e.jitter_us = min_u64(e.jitter_us, 50 * MS);
            e.bytes_per_s = max_u64(e.bytes_per_s, 1000000);
            both(a, b, &e);
        }
    }
    for (unsigned a = 0; a < w.n_nodes; a++) {
        struct node *n = w.node[a];
        if (n->up)
            node_load(n);
        else
            node_boot(n);
        turn_wake(&n->hub_turn, 0);
        turn_wake(&n->keeper_turn, 0);
    }
}
