/* world.c -- virtual time, events in order, chance from one seed, the trace, and how a run
 * breaks off. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRACE_LINES = 40, TRACE_WIDTH = 200, STEPS_MAX = 60 * 1000 * 1000 };

struct event {
    uint64_t at, order, b;
    uint32_t a;
    enum event_kind kind;
};

struct world w;
struct node *here;
static struct event *heap;
static size_t n_heap, max_heap;
static uint64_t order;
static char line[TRACE_LINES][TRACE_WIDTH];
static uint64_t lines;

uint64_t mix(uint64_t a, uint64_t b)
{
    struct prng p = {a ^ b * 0xff51afd7ed558ccdu};
    return prng_next(&p);
}

void *grown(void *array, size_t n, size_t *max, size_t size)
{
    if (n < *max)
        return array;
    *max = *max ? *max * 2 : 8;
    array = realloc(array, *max * size);
    ASSERT(array);
    return array;
}

void world_reset(uint64_t seed)
{
    bool tracing = w.tracing, echo = w.echo, quiet = w.quiet;
    memset(&w, 0, sizeof w);
    w.seed = w.digest = seed;
    w.tracing = tracing;
    w.echo = echo;
    w.quiet = quiet;
    w.prng.s = mix(seed, 1);
    w.evicted = NODES_MAX;
    w.n_rooms = ROOMS;
    n_heap = 0;
    order = 0;
    lines = 0;
    here = NULL;
}

void world_free(void)
{
    people_free();
    net_reset();
    nodes_free();
    socks_reset();
}

uint64_t chance(uint64_t n)
{
    return prng_below(&w.prng, n);
}

bool one_in(uint64_t n)
{
    return chance(n) == 0;
}

uint64_t about(uint64_t mean)
{
    uint64_t x = chance(mean) + chance(mean); /* a triangle, and now and then much more */
    return one_in(8) ? x * 4 : x;
}

void digest(uint64_t v)
{
    w.digest = mix(w.digest, v);
}

/* ---- events ---- */

static bool before(const struct event *x, const struct event *y)
{
    return x->at != y->at ? x->at < y->at : x->order < y->order;
}

void at(uint64_t when, enum event_kind kind, uint32_t a, uint64_t b)
{
    heap = grown(heap, n_heap, &max_heap, sizeof *heap);
    struct event e = {max_u64(when, w.now), ++order, b, a, kind};
    size_t i = n_heap++;
    for (; i > 0 && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
}

static struct event take_first(void)
{
    struct event first = heap[0], last = heap[--n_heap];
    size_t i = 0;
    for (size_t c; (c = 2 * i + 1) < n_heap; i = c) {
        if (c + 1 < n_heap && before(&heap[c + 1], &heap[c]))
            c++;
        if (!before(&heap[c], &last))
            break;
        heap[i] = heap[c];
    }
    heap[i] = last;
    return first;
}

static void run(const struct event *e)
{
    switch (e->kind) {
    case EV_HUB:
        if (w.node[e->a]->hub_turn.due == e->at)
            node_hub_turn(w.node[e->a]);
        return;
    case EV_KEEPER:
        if (w.node[e->a]->keeper_turn.due == e->at)
            node_keeper_turn(w.node[e->a]);
        return;
    case EV_TICK:
        if (w.node[e->a]->life == e->b)
            node_tick(w.node[e->a]);
        return;
    case EV_CHUNK:
        net_chunk(e->a, e->b);
        return;
    case EV_SYN:
        net_syn(e->a, e->b);
        return;
    case EV_CLIENT:
        people_turn(e->a);
        return;
    case EV_FAULT:
        faults_turn();
        return;
    case EV_BOOT:
        if (w.node[e->a]->life == e->b && !w.node[e->a]->up)
            node_boot(w.node[e->a]);
        return;
    case EV_EDGE:
        faults_edge(e->a);
        return;
    case EV_PLANNED:
        faults_planned(e->a);
        return;
    case EV_SAMPLE:
    default:
        return;
    }
}

bool world_event(void)
{
    if (n_heap == 0)
        return false;
    struct event e = take_first();
    w.now = e.at;
    if (++w.step > STEPS_MAX && !w.measured)
        broken("I12: the run does not end");
    w.digest = mix(w.digest, e.at ^ (uint64_t)e.kind << 56 ^ (uint64_t)e.a << 40);
    run(&e);
    here = NULL;
    w.stats.events++;
    return true;
}

/* ---- trace ---- */

void trace(const char *fmt, ...)
{
    va_list args;
    if (!w.tracing)
        return;
    char *to = line[lines++ % TRACE_LINES];
    int n = snprintf(to, TRACE_WIDTH, "[%5llu.%03llu] %-4s", (unsigned long long)(w.now / S),
                     (unsigned long long)(w.now / MS % 1000), here ? node_name(here->id) : "");
    va_start(args, fmt);
    vsnprintf(to + n, TRACE_WIDTH - (size_t)n, fmt, args);
    va_end(args);
    if (w.echo)
        puts(to);
}

void trace_show(void)
{
    uint64_t from = lines > TRACE_LINES ? lines - TRACE_LINES : 0;
    for (uint64_t i = from; !w.echo && i < lines; i++)
        printf("#   %s\n", line[i % TRACE_LINES]);
}

void broken(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(w.verdict, sizeof w.verdict, fmt, args);
    va_end(args);
    trace("BROKEN: %s", w.verdict);
    longjmp(w.broken, 1);
}

/* ---- tables ---- */

static struct map_key *place(const struct map *m, uint64_t origin, uint64_t epoch,
                             uint64_t room)
{
    for (uint64_t i = mix(origin ^ epoch * 3, room);; i++) {
        struct map_key *k = &m->slot[i & (m->max - 1)];
        if (!k->used || (k->origin == origin && k->epoch == epoch && k->room == room))
            return k;
    }
}

uint32_t *map_find(const struct map *m, uint64_t origin, uint64_t epoch, uint64_t room)
{
    struct map_key *k = m->max ? place(m, origin, epoch, room) : NULL;
    return k && k->used ? &k->value : NULL;
}

uint32_t *map_add(struct map *m, uint64_t origin, uint64_t epoch, uint64_t room, uint32_t value)
{
    if (m->n * 2 >= m->max) {
        struct map more = {.max = m->max ? m->max * 2 : 64};
        more.slot = calloc(more.max, sizeof *more.slot);
        ASSERT(more.slot);
        for (uint32_t i = 0; i < m->max; i++)
            if (m->slot[i].used)
                *place(&more, m->slot[i].origin, m->slot[i].epoch, m->slot[i].room) =
                    m->slot[i];
        more.n = m->n;
        free(m->slot);
        *m = more;
    }
    struct map_key *k = place(m, origin, epoch, room);
    m->n += !k->used;
    *k = (struct map_key){origin, epoch, room, value, true};
    return &k->value;
}

void map_free(struct map *m)
{
    free(m->slot);
    *m = (struct map){0};
}
