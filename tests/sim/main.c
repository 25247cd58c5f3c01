/* main.c -- run seeds, look for what is broken, add up.
 *
 *   sim [-n SEEDS] [-s FIRST] [-h HOSTS] [-j PROCESSES] [-t]   t: show what happens
 *   sim -m [-n SEEDS]                                          the seeded bugs
 *   sim -u [-n SEEDS]                                          as a unit test (TAP)
 *   sim -c SECONDS -h HOSTS [-p MS] [-t]                       one cut, and what it costs; p: between two messages of a person */
#include "sim.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N(x) (unsigned long long)(x)

unsigned mutant;

enum { SOON = 20 }; /* seeds: what `make check` sees of a bug in seconds */
enum { SETTLE_S = 180, LEASE_S = PRESENCE_LEASE_MS / 1000, GONE_S = LEASE_S + 3 };

static bool comes_true(bool (*what)(bool loud), uint64_t within_s)
{
    uint64_t end = w.now + within_s * S, look = w.now;
    bool good = what(false);
    while (!good && w.now < end && world_event()) {
        if (w.now < look)
            continue;
        look = w.now + S / 2;
        good = what(false);
    }
    return good;
}

/* die -- one host, in some of the runs: its people are gone when its lease is over. */
static void die(void)
{
    struct node *n = w.node[chance(w.n_nodes)];
    uint64_t end = w.now + GONE_S * S;
    if (!one_in(4) || !counts(n))
        return;
    w.stats.deaths++;
    node_stop(n, one_in(2) ? STOP_POWER : STOP_KILL);
    while (w.now < end && world_event())
        ;
    (void)check_gone(n, true);
}

static void settle(void)
{
    uint64_t from = w.now, end = from + SETTLE_S * S, look = w.now;
    faults_end();
    while (world_event()) {
        if (w.now < look)
            continue;
        look = w.now + 100 * MS;
        if (w.now >= from + LATE_S * S && check_same(false))
            break;
        if (w.now > end) {
            (void)check_same(true);
            broken("I7: not everybody has everything %d s after all faults ended", SETTLE_S);
        }
    }
    w.stats.converge_us = w.stats.converge_max_us = w.now - from;
    check_end();
    if (!comes_true(check_told, SETTLE_S))
        (void)check_told(true);
    if (!comes_true(check_present, GONE_S))
        (void)check_present(true);
    die();
}

/* run -- one seed; returns true when all held. */
static bool run(uint64_t seed, unsigned hosts)
{
    volatile bool good = false;
    world_reset(seed);
    check_reset();
    words_reset();
    present_reset();
    evil_reset();
    if (setjmp(w.broken) == 0) {
        faults_plan(hosts);
        people_reset();
        gone_plan();
        for (unsigned i = 0; i < w.n_nodes; i++)
            at(chance(500 * MS), EV_BOOT, i, 0);
        at(S, EV_FAULT, 0, 0);
        while (w.now < w.chaos_us && world_event())
            ;
        settle();
        good = true;
    }
    w.stats.sim_us = w.now;
    w.stats.runs = 1;
    return good;
}

static void add(struct stats *to, const struct stats *s)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)s;
    uint64_t slowest = max_u64(to->converge_max_us, s->converge_max_us);
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
    to->converge_max_us = slowest;
}

static void show_broken(uint64_t seed, unsigned hosts)
{
    bool was = w.tracing;
    printf("# seed %llu is broken at step %llu: %s\n", (unsigned long long)seed,
           (unsigned long long)w.step, w.verdict);
    world_free();
    if (!was) {
        w.tracing = true;
        (void)run(seed, hosts); /* the same again, to see how it came */
        w.tracing = was;
    }
    trace_show();
    printf("#   %s\n# replay: make sim SEED=%llu TRACE=1", w.verdict, N(seed));
    if (hosts)
        printf(" HOSTS=%u", hosts);
    putchar('\n');
}

static void report(const struct stats *s, double seconds)
{
    printf("%llu runs (%llu with liars, %llu with several, %llu of these in league), %.1f simulated hours in %.1f s (%.0fx), "
           "%llu events\n",
           N(s->runs), N(s->evil_runs), N(s->gangs), N(s->colluding), (double)s->sim_us / 3.6e9, seconds,
           (double)s->sim_us / 1e6 / (seconds > 0 ? seconds : 1), N(s->events));
    printf("entries %llu, acknowledged %llu, segments stored %llu, frames %llu, bytes %llu, "
           "links made %llu\n",
           N(s->entries), N(s->acked), N(s->segments), N(s->frames), N(s->bytes), N(s->links));
    printf("crashes %llu (power %llu), rollbacks %llu, breaks %llu, cuts %llu, clock jumps "
           "%llu, pauses %llu, disk full %llu, "
           "membership changes %llu, commits torn %llu, upgrades %llu\n",
           N(s->crashes), N(s->power_cuts), N(s->rollbacks), N(s->breaks), N(s->cuts),
           N(s->clock_jumps), N(s->pauses), N(s->disk_full), N(s->membership), N(s->torn), N(s->upgrades));
    printf("forgeries %llu, replays %llu, withheld %llu, equivocations %llu in %llu runs, "
           "lies about people %llu, other lies %llu, forks proven %llu, parked %llu\n",
           N(s->forgeries), N(s->replays), N(s->withheld), N(s->equivocations), N(s->forks),
           N(s->people_lies), N(s->lies), N(s->proofs), N(s->parked));
    printf("acknowledged and lost with the only disk that had it %llu, answers before what "
           "they answer (withheld) %llu, of these noted %llu, told %llu, in %llu runs with a liar between\n",
           N(s->lost_by_rollback), N(s->reordered), N(s->early), N(s->kept_back), N(s->between));
    printf("acts upon rooms folded in the end %llu, facts in force %llu\n", N(s->acts), N(s->facts));
    printf("segments deleted %llu in %llu runs, gaps taken %llu\n", N(s->dropped), N(s->prune_runs), N(s->gaps));
    printf("people came or went %llu times, hosts died at the end %llu\n", N(s->moves), N(s->deaths));
    printf("all the same again after %.1f s on average, %.1f s at most\n",
           (double)s->converge_us / 1e6 / (double)max_u64(1, s->runs),
           (double)s->converge_max_us / 1e6);
}

/* seeds -- run [first, first + n) in `jobs` processes; what they counted comes together.
 * Returns how many broke. */
static unsigned seeds(uint64_t first, uint64_t n, unsigned hosts, unsigned jobs,
                      struct stats *all)
{
    struct shared {
        struct stats stats;
        unsigned bad;
    } *s =
        mmap(NULL, jobs * sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(s != MAP_FAILED);
    for (unsigned j = 0; j < jobs; j++) {
        fflush(NULL);
        pid_t pid = jobs > 1 ? fork() : 0;
        if (pid > 0)
            continue;
        for (uint64_t i = j; i < n; i += jobs) {
            bool good = run(first + i, hosts);
            add(&s[j].stats, &w.stats);
            if (!good) {
                s[j].bad++;
                show_broken(first + i, hosts);
            }
            world_free();
        }
        if (jobs > 1) {
            fflush(NULL);
            _exit(0);
        }
    }
    while (jobs > 1 && wait(NULL) > 0)
        ;
    unsigned bad = 0;
    for (unsigned j = 0; j < jobs; j++) {
        add(all, &s[j].stats);
        bad += s[j].bad;
    }
    munmap(s, jobs * sizeof *s);
    return bad;
}

/* ---- mutants ---- */

static const struct {
    const char *name, *what;
} mutants[] = {
    {"", ""},
#define MUTATION(name, what) {#name, what},
#include "mutants.def"
#undef MUTATION
};

/* hunt -- in a process of its own: which seed finds it?  As a row of docs/TESTING.md.  Returns the seed; 0: none up to n. */
static uint64_t hunt(unsigned m, uint64_t n, unsigned hosts)
{
    uint64_t *found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(found != MAP_FAILED);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        mutant = m;
        for (uint64_t seed = 1; seed <= n && *found == 0; seed++) {
            *found = run(seed, hosts) ? 0 : seed;
            if (*found)
                printf("| %s | %s | %llu | %.*s |\n", mutants[m].name, mutants[m].what, N(seed),
                       (int)strcspn(w.verdict, ": "), w.verdict);
            world_free();
        }
        if (*found == 0)
            printf("| %s | %s | not in %llu | |\n", mutants[m].name, mutants[m].what, N(n));
        fflush(NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    uint64_t seed = *found;
    munmap(found, sizeof *found);
    return seed;
}

/* all_mutants -- the table of docs/TESTING.md, and the line above it. */
static int all_mutants(uint64_t n, unsigned hosts, unsigned only)
{
    unsigned hunted = 0, found = 0, soon = 0;
    printf("| mutant | what it does | first seed | as |\n|---|---|---|---|\n");
    for (unsigned m = only ? only : 1; m < ARRAY_LEN(mutants) && (!only || m == only); m++) {
        uint64_t seed = hunt(m, n, hosts);
        hunted++;
        found += seed != 0;
        soon += seed != 0 && seed <= SOON;
    }
    printf("\n%u of %u found in the first %llu seeds, %u of them in the first %d.\n", found, hunted, N(n), soon, SOON);
    return found == hunted ? 0 : EXIT_FAILURE;
}

/* ---- unit test ---- */

static int unit(uint64_t n, unsigned jobs)
{
    struct stats s = {0};
    printf("TAP version 13\n1..2\n");
    unsigned bad = seeds(1, n, 0, jobs, &s);
    printf("%sok 1 - %llu seeds, %.1f simulated hours\n", bad ? "not " : "", N(n),
           (double)s.sim_us / 3.6e9);
    bool same = true;
    for (uint64_t seed = 1; seed <= 5 && same; seed++) {
        (void)run(seed, 0);
        uint64_t before = w.digest;
        world_free();
        (void)run(seed, 0);
        same = w.digest == before;
        world_free();
    }
    printf("%sok 2 - a seed always runs the same way\n", same ? "" : "not ");
    return bad || !same ? EXIT_FAILURE : 0;
}

int main(int argc, char **argv)
{
    uint64_t n = 100, first = 1, cut_s = 0, pace_ms = 0;
    unsigned hosts = 0, jobs = 1;
    bool tap = false, hunting = false;
    struct stats all = {0};
    struct timespec t0, t1;
    for (int c; (c = getopt(argc, argv, "n:s:h:j:M:c:p:tmu")) != -1;) {
        switch (c) {
        case 'n':
            n = strtoull(optarg, NULL, 10);
            break;
        case 's':
            first = strtoull(optarg, NULL, 10);
            break;
        case 'h':
            hosts = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'j':
            jobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'M':
            mutant = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            w.tracing = w.echo = true;
            break;
        case 'c':
            cut_s = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            pace_ms = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            hunting = true;
            break;
        case 'u':
            tap = true;
            break;
        default:
            return EXIT_FAILURE;
        }
    }
    if (hosts > NODES_MAX || jobs < 1 || jobs > 64)
        return EXIT_FAILURE;
    if (cut_s > 0)
        return scale(hosts < 2 ? 2 : hosts, cut_s, pace_ms * MS);
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    if (hunting)
        return all_mutants(n, hosts, mutant);
    if (tap)
        return unit(n, jobs);
    clock_gettime(CLOCK_MONOTONIC, &t0);
    unsigned bad = seeds(first, n, hosts, jobs, &all);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    report(&all, (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
    if (n == 1)
        printf("digest %016llx\n", N(w.digest));
    printf("%u broken\n", bad);
    return bad ? EXIT_FAILURE : 0;
}
