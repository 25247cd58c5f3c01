/* search.c -- keeps the index of what was said, and answers searches in it; looks at the store, beside the keeper.
 *
 * Nobody waits for it but who searches: it is no part of what has to happen before something is acknowledged.  Searches come from
 * the keeper through a pipe of whole frames.  It rests after each piece of work, and longer while others are busy. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"
#include "search/build.h"
#include "search/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SETTLE_MS = 500,  /* for what is new to become more, before it is indexed */
    RETRY_MS = 10000, /* after the index could not be written */
    TIDY_MS = 6 * 3600 * 1000, /* between two looks whether it is worth its place */
    REST_BYTES = 128, /* that were said meanwhile: a millisecond of rest more */
    REST_MORE = 15,   /* times as long as the work took, at most */
};

struct search {
    struct proc proc;
    struct history *h;
    struct builder *b;
    struct replies *replies;
    struct finder finder;
    char store[INSTANCE_PATH_MAX + 16], index[INSTANCE_PATH_MAX + 16];
    struct loop_source questions;
    uint64_t rest_until, tidy_at; /* now_ms() */
    bool failing;        /* was said in the log */
};

static void on_question(struct loop_source *src, uint32_t events)
{
    struct search *s = src->arg;
    uint8_t frame[FRAME_MAX];
    (void)events;
    ssize_t n = read(src->fd, frame, sizeof frame); /* one, whole: the pipe keeps them apart */
    if (n <= 0 || frame_check(frame, (size_t)n) != n)
        return;
    s->finder.range = s->b ? *builder_range(s->b) : (struct index_range){.low = 0};
    reply_to(s->replies, &s->finder, frame);
}

static uint64_t durable(const struct search *s)
{
    return journal_durable(&s->proc.st.seg->journal);
}

static void fail(struct search *s, int error)
{
    if (!s->failing)
        log_error("the index for searches cannot be written: %s; what is new is searched without it", strerror(-error));
    s->failing = true;
    s->rest_until = now_ms() + RETRY_MS;
}

static void make_anew(struct search *s)
{
    builder_close(s->b);
    s->b = NULL;
    index_remove(s->index);
}

/* tidy -- messages that are not kept any more leave words behind. */
static void tidy(struct search *s)
{
    if (!s->b || now_ms() < s->tidy_at)
        return;
    s->tidy_at = now_ms() + TIDY_MS;
    if (!builder_outlived(s->b))
        return;
    log_info("the index for searches is made anew: most of it was of messages that are not kept any more");
    make_anew(s);
}

/* work -- one step; then a rest as long as it took, and the longer the more is said meanwhile: others have to work, too. */
static bool work(struct search *s)
{
    uint64_t begin = now_ms(), head = journal_head(&s->proc.st.seg->journal);
    int r = s->b ? 0 : builder_open(&s->b, s->index, s->h, durable(s));
    r = r < 0 ? r : builder_step(s->b, durable(s));
    if (r == -EBADMSG && s->b)
        make_anew(s);
    if (r < 0) {
        fail(s, r);
        return false;
    }
    s->failing = false;
    if (r == 0)
        tidy(s);
    uint64_t now = now_ms(), took = now - begin, said = journal_head(&s->proc.st.seg->journal) - head;
    s->rest_until = now + (r == 0 ? SETTLE_MS : took + min_u64(REST_MORE * took, said / REST_BYTES));
    return r > 0;
}

static bool is_done(const struct search *s)
{
    return s->b && builder_range(s->b)->high >= durable(s) && builder_range(s->b)->low == 0;
}

static bool idle(void *arg)
{
    return is_done(arg);
}

static void on_tick(void *arg)
{
    (void)arg;
}

static void open_all(struct search *s)
{
    struct proc *p = &s->proc;
    int rendezvous = open(p->args.inst.fifo, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(s->store, sizeof s->store, "%s/history.db", p->args.inst.state);
    snprintf(s->index, sizeof s->index, "%s/index.db", p->args.inst.state);
    int r = rendezvous < 0 ? -errno : history_open_reader(&s->h, s->store);
    r = r < 0 ? r : replies_open(&s->replies, &p->loop, rendezvous);
    s->finder = (struct finder){.st = &p->st, .h = s->h, .index = s->index};
    s->questions = (struct loop_source){p->args.questions, on_question, s};
    r = r < 0 ? r : loop_add(&p->loop, &s->questions, EPOLLIN);
    if (r < 0) {
        log_error("cannot search: %s", strerror(-r));
        exit(EXIT_FAILURE);
    }
}

int search_main(const struct proc_args *args)
{
    static struct search search;
    struct search *s = &search;
    proc_start(&s->proc, args, on_tick, s);
    open_all(s);
    proc_ready(&s->proc);
    while (!s->proc.stop) {
        uint64_t now = now_ms();
        if (now < s->rest_until)
            loop_wait(&s->proc.loop, (int)(s->rest_until - now));
        else if (is_done(s)) {
            proc_rest(&s->proc, idle);
            s->rest_until = is_done(s) ? 0 : now_ms() + SETTLE_MS;
        } else
            (void)work(s);
    }
    replies_close(s->replies);
    if (s->b)
        builder_close(s->b);
    history_close(s->h);
    return 0;
}
