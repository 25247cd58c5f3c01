/* node.c -- one host: how it starts and stops, and the turns of its link process and its keeper
 * (as proc/link.c and proc/keeper.c have them). */
#include "sim.h"

#include "base/log.h"
#include "base/sys.h"
#include "store/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS_MIN = 8, TICK_MS = 250, PRUNE_S = 5 };

static struct map by_id;

struct node *node_new(unsigned n)
{
    struct node *x = calloc(1, sizeof *x);
    ASSERT(x);
    x->n = n;
    for (unsigned i = 0; i < KEY_LEN / 8; i++)
        put_u64(x->identity.key + 8 * i, mix(n + 1, i));
    x->identity.node = x->tls.node = x;
    x->id = host_of_key(x->identity.key);
    x->hub_turn.node = x->keeper_turn.node = x;
    x->hub_loop.arg = &x->hub_turn;
    x->keeper_loop.arg = &x->keeper_turn;
    x->disk = disk_new(x);
    x->powered = true;
    map_add(&by_id, x->id, 0, 0, n);
    return x;
}

struct node *node_by_id(uint64_t id)
{
    const uint32_t *n = map_find(&by_id, id, 0, 0);
    return n ? w.node[*n] : NULL;
}

const char *node_name(uint64_t id)
{
    static char name[4][16];
    static unsigned k;
    const struct node *n = node_by_id(id);
    char *to = name[k++ % 4];
    snprintf(to, sizeof name[0], n ? "h%u" : "?", n ? n->n : 0);
    return to;
}

/* ---- the link process ---- */

void node_peers(struct node *n)
{
    struct peers ps = {0};
    struct hub *h = n->hub;
    here = n;
    for (unsigned i = 0; i < w.n_nodes; i++) {
        if (i == n->n || !hosts_have(&n->knows, i))
            continue;
        struct peer *p = &ps.peer[ps.n++];
        p->far = w.n_nodes > LINK_PEERS_MAX && !w.edge[n->n][i].exists;
        snprintf(p->name, sizeof p->name, "h%u", i);
        bool dials =
            w.edge[n->n][i].exists && (n->n < i || mix(w.seed, n->n * 1024 + i) % 3 != 0);
        snprintf(p->address, sizeof p->address, dials ? "h%u:1" : "-", i);
        memcpy(p->key, w.node[i]->identity.key, KEY_LEN);
        p->host = w.node[i]->id;
    }
    hub_set_peers(h, &ps);
}

static void hub_free(struct hub *h)
{
    for (unsigned i = 0; h && i < CONNS_MAX; i++) {
        free(h->link[i].c.buf);
        buffer_free(&h->link[i].c.out);
    }
    if (h) {
        buffer_free(&h->keeper.out);
        free(h->keeper.buf);
        free(h->core.ours.entry);
    }
    free(h);
}

static void hub_start(struct node *n)
{
    struct have ours;
    char name[16];
    void *memory = malloc(have_size(STREAMS_MIN));
    struct hub *h = calloc(1, sizeof *h);
    ASSERT(memory && h);
    here = n;
    have_init(&ours, memory, STREAMS_MIN);
    n->hub = h;
    n->hub_life++;
    h->st = &n->st;
    h->loop = &n->hub_loop;
    h->listener.fd = -1;
    h->prng.s = os_random_u64();
    h->tls = &n->tls;
    snprintf(name, sizeof name, "h%u", n->n);
    link_init(&h->core, n->id, n->st.seg->shape.epoch, text_of(name), ours);
    h->core.may_hear = hub_may_hear;
    h->core.is_private = hub_is_private;
    h->core.arg = h;
    presence_init(&h->core.presence, n->id, wall_ms() << 16 | (os_random_u64() & 0xffff));
    h->core.presence.row_signed = hub_row_signed;
    h->core.presence.beat_signed = hub_beat_signed;
    h->core.presence.arg = h;
    hub_people_begin(h);
    int r = keeper_line_open(&h->keeper, h->loop, "", h->st, &h->core, hub_on_fed, h);
    if (r < 0)
        broken("I12: the link process cannot reach the keeper: %s", strerror(-r));
    r = hub_listen(h, fd_new(FD_LISTENER, n, NULL));
    ASSERT(r == 0);
    n->linked = true;
    node_peers(n);
    turn_wake(&n->hub_turn, 0);
}

static void hub_stop(struct node *n, bool silent)
{
    n->linked = false;
    net_vanish(n, silent);
    fds_drop_turn(&n->hub_turn);
    hub_free(n->hub);
    n->hub = NULL;
}

void node_hub_restart(struct node *n)
{
    if (!n->up)
        return;
    trace("link process killed");
    hub_stop(n, false);
    hub_start(n);
}

void node_hub_turn(struct node *n)
{
    struct turn *t = &n->hub_turn;
    t->due = 0;
    if (!n->up)
        return;
    if (w.now < t->until) {
        turn_wake(t, 0);
        return;
    }
    here = n;
    t->runs = true;
    turn_sources(t);
    bool more = hub_go_on(n->hub);
    hub_sweep(n->hub);
    t->runs = false;
    more |= turn_ready(t);
    check_journal(n);
    if (journal_head(&n->st.seg->journal) != journal_durable(&n->st.seg->journal))
        turn_wake(&n->keeper_turn, n->commit_us / 2 + chance(n->commit_us));
    if (!keeper_line_flush(&n->hub->keeper)) {
        node_hub_restart(n);
        return;
    }
    if (more)
        turn_wake(t, 50);
}

void node_tick(struct node *n)
{
    here = n;
    if (w.now >= n->hub_turn.until) {
        hub_tick(n->hub);
        hub_sweep(n->hub);
        turn_wake(&n->hub_turn, 0);
    }
    if (n->room_us && w.now >= n->room_us) {
        n->room_us = 0;
        disk_full(n->disk, false);
    }
    if ((n->keep_ms || n->keep_bytes) && w.now >= n->prune_us)
        turn_wake(&n->keeper_turn, 0);
    check_clock(n);
    check_shown(n);
    at(w.now + TICK_MS * MS, EV_TICK, n->n, n->life);
}

/* ---- the keeper ---- */

static void on_leaf(void *arg)
{
    (void)arg;
}

static void on_query(void *arg, const uint8_t *frame)
{
    (void)arg;
    (void)frame;
}

static void keeper_start(struct node *n)
{
    here = n;
    int r = forks_open(&n->forks, n->disk);
    r = r < 0 ? r : folds_open(&n->folds, &n->st, n->disk, n->forks);
    r = r < 0 ? r : commit_open(&n->commit, &n->st, n->disk, &n->identity, n->folds);
    r = r < 0 ? r : feeds_open(&n->feeds, n->disk, n->st.seg, n->forks, &n->keeper_loop, feeds_listen(-1), on_leaf, n);
    ASSERT(r == 0);
    forks_on_point(n->forks, folds_fork, n->folds);
    feeds_sign(n->feeds, &n->identity);
    feeds_ask_rooms(n->feeds, n->folds);
    n->prune = (struct prune){.st = &n->st, .h = n->disk};
    n->prune_us = w.now;
}

static void keeper_stop(struct node *n)
{
    here = n;
    feeds_close(n->feeds);
    commit_close(n->commit);
    folds_close(n->folds);
    forks_close(n->forks);
    fds_drop_turn(&n->keeper_turn);
    n->feeds = NULL;
    n->commit = NULL;
    n->folds = NULL;
}

void node_keeper_restart(struct node *n)
{
    if (!n->up)
        return;
    trace("keeper killed");
    keeper_stop(n);
    keeper_start(n);
    n->parked.forks = n->forks;
    if (folds_restore(n->folds) < 0)
        broken("I12: the keeper cannot fold what is in its store");
    turn_wake(&n->keeper_turn, 0);
    turn_wake(&n->hub_turn, 0);
}

void node_pump_feed(struct node *n)
{
    struct node *was = here;
    here = n;
    turn_sources(&n->keeper_turn);
    (void)feeds_pump(n->feeds);
    check_believed(n);
    here = was;
}

/* lost_power -- in the middle of a commit. */
static bool lost_power(struct node *n)
{
    if (!n->torn)
        return false;
    n->torn = false;
    w.stats.torn++;
    node_stop(n, STOP_POWER);
    at(w.now + S + chance(5 * S), EV_BOOT, n->n, n->life);
    return true;
}

/* prune -- a piece, when it is time.  Returns false when the keeper is gone. */
static bool prune(struct node *n, bool *more)
{
    if ((n->keep_ms == 0 && n->keep_bytes == 0) || w.now < n->prune_us)
        return true;
    int r = prune_some(&n->prune, wall_ms());
    n->prune_us = w.now + (r > 0 ? 0 : PRUNE_S * S);
    *more |= r > 0;
    if (lost_power(n))
        return false;
    if (r < 0 && r != -ENOSPC) {
        node_keeper_restart(n);
        return false;
    }
    return true;
}

/* commit -- returns false when the keeper is gone. */
static bool commit(struct node *n, bool *more)
{
    uint64_t before = journal_durable(&n->st.seg->journal);
    int r = commit_some(n->commit, on_query, NULL);
    n->failing = r == -ENOSPC;
    atomic_store(&n->st.seg->store_reason, n->failing ? REASON_DISK_FULL : REASON_OK);
    if (lost_power(n))
        return false;
    if (r < 0 && !n->failing) {
        node_keeper_restart(n);
        people_durable(n);
        return false;
    }
    if (journal_durable(&n->st.seg->journal) != before) {
        turn_wake(&n->hub_turn, chance(MS));
        people_durable(n);
    }
    *more |= r > 0;
    return true;
}

void node_keeper_turn(struct node *n)
{
    bool more = false;
    uint64_t until;
    n->keeper_turn.due = 0;
    if (!n->up)
        return;
    if (w.now < n->keeper_turn.until) {
        turn_wake(&n->keeper_turn, 0);
        return;
    }
    here = n;
    turn_sources(&n->keeper_turn);
    until = parked_horizon();
    if (!commit(n, &more))
        return;
    if (parked_waits(&n->parked) && !n->failing) {
        int r = parked_release(&n->parked, until);
        ASSERT(r == 0);
        check_journal(n);
        turn_wake(&n->keeper_turn, S);
    }
    forks_retry(n->forks);
    more |= feeds_pump(n->feeds);
    check_believed(n);
    if (!prune(n, &more))
        return;
    if (more)
        turn_wake(&n->keeper_turn, 50);
    else if (n->failing || feeds_hold(n->feeds) || forks_wait(n->forks))
        turn_wake(&n->keeper_turn, 500 * MS);
}

/* ---- the host ---- */

void node_load(struct node *n)
{
    if (n->up && n->linked)
        node_peers(n);
}

void node_boot(struct node *n)
{
    char name[16], why[128];
    static uint64_t last_epoch[NODES_MAX];
    here = n;
    snprintf(name, sizeof name, "h%u", n->n);
    n->life++;
    struct state_options o = {.generation = n->life,
                              .origin = n->id,
                              .epoch = wall_ms() << 16 | (os_random_u64() & 0xffff),
                              .host = name,
                              .workers = 1,
                              .sessions_max = 2 * CLIENTS_PER_NODE + 2,
                              .ring_size = RING_SIZE,
                              .keep_ms = n->keep_ms,
                              .keep_bytes = n->keep_bytes};
    if (MUTANT(OWN_EPOCH_KEPT) && n->life > 1)
        o.epoch = last_epoch[n->n];
    last_epoch[n->n] = o.epoch;
    int r = state_create(name, &o);
    r = r < 0 ? r : state_attach(&n->st, name, 0, PROC_LINK, true, why, sizeof why);
    ASSERT(r == 0);
    n->up = n->powered = true;
    n->hub_turn.due = n->keeper_turn.due = n->hub_turn.until = n->keeper_turn.until = 0;
    keeper_start(n);
    r = commit_restore(n->commit);
    r = r < 0 ? r : folds_restore(n->folds);
    ASSERT(r == 0);
    n->parked = (struct parked){&n->st, n->disk, n->forks};
    r = parked_restore(&n->parked);
    ASSERT(r == 0);
    atomic_store(&n->st.seg->ready, 1);
    r = rules_open(&n->rules, &n->st);
    ASSERT(r == 0);
    check_boot(n);
    trace("started, run %llx", (unsigned long long)o.epoch);
    hub_start(n);
    at(w.now + chance(TICK_MS * MS), EV_TICK, n->n, n->life);
}

void node_stop(struct node *n, enum stop how)
{
    if (!n->up)
        return;
    here = n;
    trace(how == STOP_POWER ? "power lost" : "all its processes killed");
    n->life++;
    n->up = false;
    n->powered = how != STOP_POWER;
    hub_stop(n, how == STOP_POWER);
    keeper_stop(n);
    fds_drop(n);
    free(n->rules.session_saved);
    n->rules.session_saved = NULL;
    state_detach(&n->st);
    check_stop(n);
}

void node_rollback(struct node *n)
{
    if (n->up || !n->snapshot)
        return;
    here = n;
    disk_free(n->disk);
    n->disk = disk_copy(n->snapshot);
    n->incarnation++;
    w.stats.rollbacks++;
    check_restored(n);
    trace("disk restored from a snapshot");
}

static void node_free(struct node *n)
{
    n->life++;
    if (n->up) {
        hub_stop(n, true);
        keeper_stop(n);
        fds_drop(n);
        free(n->rules.session_saved);
    }
    check_free(n);
    disk_free(n->disk);
    disk_free(n->snapshot);
    free(n);
}

void nodes_free(void)
{
    for (unsigned i = 0; i < w.n_nodes; i++)
        node_free(w.node[i]);
    w.n_nodes = 0;
    map_free(&by_id);
}
