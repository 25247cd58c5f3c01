/* contest.c -- each contestant is a process that has a server and a crew. */
#include "contest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "floor.h"
#include "linked.h"
#include "stats.h"

enum {
    READY_S = 60,
    ORDER_S = 60,
    FIRST = 400,   /* messages, to learn how fast it is; this and all others of bursts: multiples of */
    MULTIPLE = 100 /* what the floor writes at once */
};

static const double burst_s = 0.4;

/* ---- in the contestant ---- */

static void quantiles_of(uint32_t *sample, size_t n, struct quantiles *q)
{
    static const double at[QUANTILES] = {0.5, 0.99, 0.999};
    for (size_t i = 0; n > 0 && i < QUANTILES; i++)
        q->ns[i] = percentile(sample, n, at[i]);
}

/* last_of -- into the first `messages` places: the latest reader of each message. */
static void last_of(uint32_t *sample, size_t messages, size_t readers)
{
    for (size_t m = 0; m < messages; m++) {
        uint32_t last = 0;
        for (size_t i = 0; i < readers; i++)
            last = (uint32_t)max_u64(last, sample[m * readers + i]);
        sample[m] = last;
    }
}

static void measure(struct crew *crew, struct order o, struct score *s)
{
    static uint32_t sample[SAMPLES_MAX];
    size_t readers = crew->shape.readers, messages = min_size(o.count, SAMPLES_MAX / readers);
    bool sampling = o.how == ORDER_PACED;
    atomic_store(&crew->board->sampling, sampling);
    crew_begin(crew, o);
    s->result = crew_finish(crew);
    s->tally = board_tally(crew->board);
    if (!sampling)
        return;
    memcpy(sample, crew->board->sample, messages * readers * sizeof *sample);
    quantiles_of(sample, messages * readers, &s->any);
    memcpy(sample, crew->board->sample, messages * readers * sizeof *sample);
    last_of(sample, messages, readers);
    quantiles_of(sample, messages, &s->last);
}

/* obey -- until the contest ends. */
static void obey(struct hand *self, struct crew *crew, struct score *score)
{
    for (;;) {
        hand_done(self);
        struct order o = hand_next(self);
        if (o.how == ORDER_END)
            return;
        measure(crew, o, score);
    }
}

static void leave(struct hand *self)
{
    hand_done(self);
    (void)hand_next(self); /* until the parent hangs up */
}

static void start_site(const struct contestant *c, struct site *site)
{
    char name[32];
    if (!c->settings) {
        site_start(site, c->contest->name);
        return;
    }
    snprintf(name, sizeof name, "%s-%u", c->contest->name, (unsigned)(c - c->contest->list));
    site_start_with(site, name, c->contest->bench->dir, c->settings);
}

static void relay_body(struct hand *self, void *arg)
{
    const struct contestant *c = arg;
    struct site site;
    struct crew crew;
    start_site(c, &site);
    crew_start_shape(&crew, &site, c->contest->shape);
    obey(self, &crew, c->score);
    crew_end(&crew);
    site_stop(&site);
    leave(self);
}

static void peer_body(struct hand *self, void *arg)
{
    const struct contestant *c = arg;
    struct peer peer;
    struct crew crew;
    peer_start(&peer, c->kind, c->contest->bench->dir);
    crew_start_peer(&crew, &peer, c->contest->shape);
    obey(self, &crew, c->score);
    crew_end(&crew);
    peer_stop(&peer);
    leave(self);
}

static void linked_body(struct hand *self, void *arg)
{
    const struct contestant *c = arg;
    static struct linked l;
    struct crew crew;
    linked_start(&l, c->kind, c->contest->bench->dir);
    crew_start_peers(&crew, &l.near, &l.far, c->contest->shape);
    obey(self, &crew, c->score);
    crew_end(&crew);
    linked_stop(&l);
    leave(self);
}

static void floor_body(struct hand *self, void *arg)
{
    const struct contestant *c = arg;
    const struct shape *shape = &c->contest->shape;
    struct floor floor;
    struct order o;
    floor_start(&floor, bench_runtime(c->contest->bench), shape->readers, shape->each);
    for (hand_done(self); (o = hand_next(self)).how != ORDER_END; hand_done(self)) {
        c->score->result = floor_run(&floor, o.count);
        c->score->tally = board_tally(floor.board);
    }
    floor_end(&floor);
    leave(self);
}

/* ---- in the parent ---- */

static void leave_out(struct contestant *c)
{
    if (c->ours)
        bench_fail("our own relay failed");
    fprintf(stderr, "bench: %s failed and is left out\n", c->name);
    hand_end(&c->hand);
    c->out = true;
}

static void enter(struct contest *contest, struct contestant as, void (*body)(struct hand *, void *))
{
    struct contestant *c = &contest->list[contest->n++];
    ASSERT(contest->n <= CONTESTANTS_MAX);
    *c = as;
    c->contest = contest;
    c->score = mmap(NULL, sizeof *c->score, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->score == MAP_FAILED)
        bench_fail("no memory");
    hand_launch(&c->hand, c->name, body, c);
    if (!hand_try(&c->hand, READY_S))
        leave_out(c);
}

/* name_missing -- once. */
static void name_missing(void)
{
    static bool named;
    for (const struct peer_kind *k = NULL; !named && (k = peer_missing(k)) != NULL;)
        fprintf(stderr, "bench: %s is not installed and is left out\n", k->name);
    named = true;
}

void contest_start(struct contest *c, const struct bench *b, const char *name, struct shape shape)
{
    *c = (struct contest){.bench = b, .name = name, .shape = shape};
    enter(c, (struct contestant){.name = "chat", .ours = true}, relay_body);
    if (shape.rooms <= 1)
        enter(c, (struct contestant){.name = "FIFO floor"}, floor_body);
    if (shape.each)
        return;
    name_missing();
    enter(c, (struct contestant){.name = peer_floor.name, .kind = &peer_floor}, peer_body);
    for (const struct peer_kind *k = NULL; (k = peer_next(k)) != NULL;)
        enter(c, (struct contestant){.name = k->name, .kind = k}, peer_body);
}

void contest_start_relays(struct contest *c, const struct bench *b, const char *name, struct shape shape, const struct entry *e, unsigned n)
{
    *c = (struct contest){.bench = b, .name = name, .shape = shape};
    for (unsigned i = 0; i < n; i++)
        enter(c, (struct contestant){.name = e[i].name, .settings = e[i].settings, .ours = true}, relay_body);
}

void contest_start_linked(struct contest *c, const struct bench *b)
{
    *c = (struct contest){.bench = b, .name = "linked", .shape = {.readers = 1}};
    name_missing();
    for (const struct peer_kind *k = NULL; (k = peer_next(k)) != NULL;)
        if (linked_can(k))
            enter(c, (struct contestant){.name = k->name, .kind = k}, linked_body);
}

void contest_end(struct contest *contest)
{
    for (struct contestant *c = contest->list; c < contest->list + contest->n; c++) {
        if (!c->out) {
            hand_order(&c->hand, (struct order){.how = ORDER_END});
            if (hand_try(&c->hand, ORDER_S))
                hand_end(&c->hand);
            else
                leave_out(c);
        }
        munmap(c->score, sizeof *c->score);
    }
}

bool contest_run(struct contestant *c, struct order o, struct score *s)
{
    if (c->out)
        return false;
    hand_order(&c->hand, o);
    if (!hand_try(&c->hand, ORDER_S)) {
        leave_out(c);
        return false;
    }
    *s = *c->score;
    c->rate = s->result.count / s->result.seconds;
    return true;
}

bool contest_burst(struct contestant *c, struct score *s)
{
    uint32_t count = c->rate > 0 ? (uint32_t)(c->rate * burst_s / MULTIPLE) * MULTIPLE : FIRST;
    return contest_run(c, (struct order){.how = ORDER_BURST, .count = (uint32_t)max_u64(count, FIRST)}, s);
}
