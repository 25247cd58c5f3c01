/* keeper.c -- the only process that opens the store: commits, signs, says what is durable, answers. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"
#include "keep/answer.h"
#include "keep/commit.h"
#include "keep/feed.h"
#include "keep/fold.h"
#include "keep/gone.h"
#include "keep/lag.h"
#include "keep/parked.h"
#include "keep/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK_MS = 500,
    PRUNE_MS = 60 * 1000, /* from when nothing more is to be deleted until it is looked again */
    LEAF_DAYS = 90,
    LEAF_RENEW_DAYS = 30,
};

struct keeper {
    struct proc proc;
    struct history *h;
    struct identity *id;
    struct folds *folds;
    struct commit *commit;
    struct answers *answers;
    struct feeds *feeds;
    struct lag *lag;
    struct forks *forks;
    struct parked parked;
    struct prune prune;
    struct gone_lines gone;
    uint64_t pruned_ms; /* when it was looked last */
    bool pruning;       /* there is more to delete */
    bool cramped;       /* ... and the disk had no room to note that it is */
    int state_dir;
    uint64_t news; /* of the feeds, as looked at last */
    bool failing; /* the store takes nothing: try again each tick */
};

/* pass_on -- a search is another process's work; when that has too much of it, who asked asks again. */
static void pass_on(const struct keeper *k, const uint8_t *frame)
{
    if (write(k->proc.args.questions, frame, frame_stride(frame)) < 0)
        log_debug("a search is not passed on: %s", strerror(errno));
}

static void on_query(void *arg, const uint8_t *frame)
{
    struct keeper *k = arg;
    struct query q;
    if (read_query(frame, &q) == 0 && q.kind == QUERY_SEARCH)
        pass_on(k, frame);
    else
        answers_begin(k->answers, frame);
}

static void say_store(struct keeper *k, enum reason reason)
{
    _Atomic uint32_t *now = &k->proc.st.seg->store_reason;
    if (atomic_exchange(now, reason) == (uint32_t)reason)
        return;
    if (reason == REASON_OK)
        log_info("the store takes messages again");
    else
        log_error("the disk of the store is full: nothing new is accepted until there is room");
}

static void on_said(void *arg, uint64_t host, uint64_t entries)
{
    struct keeper *k = arg;
    lag_said(k->lag, host, entries);
}

static _Noreturn void open_again(int r)
{
    /* A failed write leaves it open what is on disk: leave, open again, look. */
    log_error("the store failed (%s); opening it again", strerror(-r));
    exit(EXIT_FAILURE);
}

/* commit -- returns true when there may be more to do at once. */
static bool commit(struct keeper *k)
{
    int r = commit_some(k->commit, on_query, k);
    if (r == -ENOSPC) {
        k->failing = true;
        say_store(k, REASON_DISK_FULL);
        commit_queries(k->commit, on_query, k);
        return false;
    }
    if (r < 0)
        open_again(r);
    k->failing = false;
    lag_stored(k->lag, commit_own(k->commit));
    say_store(k, REASON_OK);
    return r > 0;
}

/* prune -- a piece.  Returns true when there is more to do at once. */
static bool prune(struct keeper *k)
{
    bool empty = atomic_load(&k->proc.st.seg->kept_since_ms) == 0; /* as far as was looked */
    unsigned wait_ms = k->cramped || k->failing ? TICK_MS : empty ? 0 : PRUNE_MS;
    if (!k->pruning && now_ms() - k->pruned_ms < wait_ms)
        return false;
    int r = prune_some(&k->prune, wall_ms());
    k->pruned_ms = now_ms();
    k->pruning = r > 0;
    k->cramped = r == -ENOSPC;
    if (r < 0 && r != -ENOSPC)
        open_again(r);
    return k->pruning;
}

/* tick_ms -- how often on_tick() is needed now. */
static unsigned tick_ms(const struct keeper *k)
{
    const struct segment *seg = k->proc.st.seg;
    if (k->failing || k->cramped || k->gone.n > 0 || feeds_hold(k->feeds) || forks_wait(k->forks) || parked_waits(&k->parked))
        return TICK_MS;
    return seg->shape.keep_ms || seg->shape.keep_bytes ? PRUNE_MS : 0;
}

static void on_tick(void *arg)
{
    struct keeper *k = arg;
    uint64_t until = parked_horizon();
    while (commit(k))
        ;
    if (!k->failing && parked_release(&k->parked, until) < 0)
        log_error("what has become due cannot be read from the store");
    forks_retry(k->forks);
    gone_tell(&k->gone, now_ms());
}

/* on_leaf -- the certificate of the links: a fresh one every month, good for three. */
static void on_leaf(void *arg)
{
    struct keeper *k = arg;
    struct stat st;
    uint64_t month_ms = (uint64_t)LEAF_RENEW_DAYS * 24 * 3600 * 1000;
    if (fstatat(k->state_dir, LEAF_FILE, &st, 0) == 0 && (uint64_t)st.st_mtime * 1000 + month_ms > wall_ms())
        return;
    int r = identity_issue_leaf(k->id, k->state_dir, k->proc.st.seg->shape.host, LEAF_DAYS);
    if (r < 0)
        log_error("cannot write the certificate for links: %s", strerror(-r));
}

static bool idle(void *arg)
{
    struct keeper *k = arg;
    const struct journal *j = &k->proc.st.seg->journal;
    return k->failing || journal_head(j) == journal_durable(j);
}

static _Noreturn void cannot(const char *why)
{
    log_error("%s", why);
    exit(EXIT_CONFIG);
}

/* open_store -- while the supervisor still makes what is shared. */
static void open_store(struct keeper *k, const struct instance *inst)
{
    char path[INSTANCE_PATH_MAX + 16], why[256] = "cannot open the store";
    k->state_dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/history.db", inst->state);
    if (k->state_dir < 0 || history_open(&k->h, path, why, sizeof why) < 0)
        cannot(why);
}

static void open_all(struct keeper *k)
{
    struct proc *p = &k->proc;
    char why[256] = "cannot open the directory of FIFOs";
    int rendezvous = open(p->args.inst.fifo, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rendezvous < 0 || identity_load(&k->id, k->state_dir, why, sizeof why) < 0)
        cannot(why);
    if (forks_open(&k->forks, k->h) < 0 || folds_open(&k->folds, &p->st, k->h, k->forks) < 0 ||
        commit_open(&k->commit, &p->st, k->h, k->id, k->folds) < 0 || lag_open(&k->lag, p->st.seg, commit_own(k->commit)) < 0)
        cannot("out of memory");
    forks_on_point(k->forks, folds_fork, k->folds);
    k->parked = (struct parked){&p->st, k->h, k->forks};
    k->prune = (struct prune){.st = &p->st, .h = k->h};
    k->gone.st = &p->st;
    commit_on_gap(k->commit, gone_note, &k->gone);
    if (feeds_open(&k->feeds, k->h, p->st.seg, k->forks, &p->loop, p->args.listener, on_leaf, k) < 0)
        cannot("cannot wait for the link process");
    feeds_sign(k->feeds, k->id);
    feeds_ask_rooms(k->feeds, k->folds);
    feeds_on_said(k->feeds, p->st.seg->shape.origin, on_said, k);
    if (answers_open(&k->answers, &p->st, k->h, k->feeds, k->folds, k->forks, &p->loop, rendezvous) < 0)
        cannot("out of memory");
    bool fresh = !atomic_load(&p->st.seg->ready);
    if ((fresh && (commit_restore(k->commit) < 0 || parked_restore(&k->parked) < 0)) || folds_restore(k->folds) < 0)
        cannot("the store cannot be read; see: relay doctor");
    atomic_store(&p->st.seg->ready, 1);
}

int keeper_main(const struct proc_args *args)
{
    static struct keeper keeper;
    struct keeper *k = &keeper;
    open_store(k, &args->inst);
    proc_start(&k->proc, args, on_tick, k);
    open_all(k);
    proc_ready(&k->proc);
    history_begin_log(k->h); /* while the others take what is in the tables */
    while (!k->proc.stop) {
        bool more = !k->failing && commit(k);
        more |= feeds_pump(k->feeds);
        more |= prune(k);
        proc_tick(&k->proc, tick_ms(k));
        if (k->news != feeds_news(k->feeds))
            answers_go_on(k->answers);
        k->news = feeds_news(k->feeds);
        if (more)
            loop_wait(&k->proc.loop, 0);
        else
            proc_rest(&k->proc, idle);
    }
    while (!k->failing && commit(k)) /* what was taken in last */
        ;
    answers_close(k->answers);
    feeds_close(k->feeds);
    lag_close(k->lag);
    commit_close(k->commit);
    folds_close(k->folds);
    forks_close(k->forks);
    history_close(k->h);
    identity_free(k->id);
    return 0;
}
