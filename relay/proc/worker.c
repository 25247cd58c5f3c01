/* worker.c -- one shard of the clients: their inbox queue, and the FIFOs they read. */
#include "base/log.h"
#include "base/sys.h"
#include "ipc/mq.h"
#include "proc/door.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
    BATCH_MESSAGES = DOOR_CALLERS, /* queue messages taken in before the lock is taken once */
    BATCH_FRAMES = BATCH_MESSAGES * (QUEUE_MESSAGE_MAX / FRAME_HEAD),
    MANY = 256, /* writes of one turn: half a millisecond */
    GATHER_TURNS = 2,
    GATHER_MS = 12, /* at most: the turn may have been long because the machine is busy */
};

/* A frame that passed rules_check(), or is to be refused. */
struct item {
    uint8_t *frame;
    uint64_t client; /* whose session it was then; the slot may be somebody else's by the time there is room */
    uint32_t session;
    unsigned refuse; /* enum reason, 0: apply */
};

struct change {
    uint32_t session, room;
    bool joined;
};

struct worker {
    struct proc proc;
    struct shard *shard;
    struct rules rules;
    struct door door;
    struct mq inbox;
    struct loop_source inbox_src;
    uint8_t message[BATCH_MESSAGES][QUEUE_MESSAGE_MAX];
    unsigned n_messages;
    struct item item[BATCH_FRAMES];
    unsigned n_items, done; /* items [done, n_items) wait for room in the journal */
    struct change change[BATCH_FRAMES];
    unsigned n_changes;
    uint64_t durable; /* as acknowledged last */
    uint64_t delivered_ms, turn_ms; /* when the last turn of the shard ended, and how long it took */
};

/* ---- intake ---- */

static void goodbye(struct worker *w, uint32_t session)
{
    shard_drop(w->shard, session);
    door_lose(&w->door, session, true);
}

static void check_frame(struct worker *w, uint32_t session, uint8_t *f)
{
    int r = rules_check(&w->proc.st.seg->roster.session[session], f);
    if (r == -EALREADY)
        return;
    uint64_t client = w->proc.st.seg->roster.session[session].client;
    w->item[w->n_items++] = (struct item){f, client, session, (unsigned)r};
}

/* split -- the frames of one queue message. */
static void split(struct worker *w, uint8_t *message, size_t len)
{
    struct envelope e;
    if (read_envelope(message, len, &e) < 0)
        return;
    bool stranger = e.session == 0;
    if (!stranger && !shard_knows(w->shard, e.session, e.secret))
        return;
    for (size_t at = ENVELOPE_LEN; at < len;) {
        int n = frame_check(message + at, len - at);
        if (n <= 0)
            return;
        if (stranger) {
            door_knock(&w->door, message + at);
            return;
        }
        check_frame(w, e.session, message + at);
        at += (size_t)n;
    }
}

static void receive(struct worker *w)
{
    w->n_messages = w->n_items = w->done = 0;
    while (w->n_messages < BATCH_MESSAGES) {
        uint8_t *to = w->message[w->n_messages];
        ssize_t n = mq_get(&w->inbox, to, QUEUE_MESSAGE_MAX);
        if (n < 0)
            break;
        w->n_messages++;
        split(w, to, (size_t)n);
    }
    door_let_in(&w->door);
}

static bool is_goodbye(const struct item *it)
{
    return !it->refuse && frame_type(it->frame) == FRAME_BYE;
}

/* is_there -- is its sender still there?  It may have said goodbye, or died, while its frames waited for room. */
static bool is_there(const struct worker *w, const struct item *it)
{
    const struct session *s = &w->proc.st.seg->roster.session[it->session];
    return s->client == it->client && door_owns(&w->door, s, SESSION_ATTACHED);
}

/* apply_some -- one section; returns false when it had to stop early. */
static bool apply_some(struct worker *w)
{
    struct proc *p = &w->proc;
    uint64_t wall = wall_ms();
    int r = 0;
    w->n_changes = 0;
    proc_take(p);
    rules_section(&w->rules, wall);
    for (; w->done < w->n_items; w->done++) {
        const struct item *it = &w->item[w->done];
        uint32_t room = 0;
        if (is_goodbye(it) || !is_there(w, it))
            continue;
        r = it->refuse ? rules_refuse(&w->rules, it->session, it->frame, it->refuse)
                       : rules_apply(&w->rules, it->session, it->frame, &room);
        if (r < 0)
            break;
        if (r != RULES_NOTHING)
            w->change[w->n_changes++] = (struct change){it->session, room, r == RULES_JOINED};
    }
    state_publish(&p->st);
    state_give(&p->st);
    return r >= 0;
}

static void after_section(struct worker *w, unsigned from)
{
    for (unsigned i = 0; i < w->n_changes; i++) {
        const struct change *c = &w->change[i];
        if (!c->joined)
            shard_leave(w->shard, c->session, c->room);
        else if (shard_join(w->shard, c->session, c->room) < 0)
            log_error("out of memory");
    }
    for (unsigned i = from; i < w->done; i++) {
        const struct item *it = &w->item[i];
        if (!is_there(w, it))
            continue;
        if (is_goodbye(it))
            goodbye(w, it->session);
        else if (shard_expect_ack(w->shard, it->session) < 0)
            log_error("out of memory");
    }
    door_see_off(&w->door);
    state_ring_workers(&w->proc.st);
}

/* take_in -- what waits from before, or else what is in the queue.  Returns true when anything was taken. */
static bool take_in(struct worker *w)
{
    bool any = false;
    if (w->done == w->n_items)
        receive(w);
    while (w->done < w->n_items) {
        unsigned from = w->done;
        bool all = apply_some(w);
        after_section(w, from);
        any |= w->done > from;
        if (!all && w->done == from)
            break; /* no room until more is durable: the keeper rings */
    }
    return any || w->n_messages > 0;
}

/* behind -- who took in faster than he delivers would be overtaken by the ring, and lose all his clients. */
static bool behind(const struct worker *w)
{
    const struct journal *j = &w->proc.st.seg->journal;
    return journal_head(j) - shard_cursor(w->shard) > j->size / 16;
}

/* ---- deliver ---- */

static void acknowledge(struct worker *w)
{
    w->durable = journal_durable(&w->proc.st.seg->journal);
    shard_acknowledge(w->shard);
}

/* gather -- a write costs the same for one message as for twenty: after a turn of many writes, the next one begins only when it
 * brings a lot, nothing more comes, or twice the time of that turn is over.  Who had nothing to do is never held up. */
static void gather(struct worker *w)
{
    const struct journal *j = &w->proc.st.seg->journal;
    uint64_t head = shard_cursor(w->shard), enough = head + j->size / 8, until = w->delivered_ms + min_u64(GATHER_TURNS * (w->turn_ms + 1), GATHER_MS);
    while (journal_head(j) != head && journal_head(j) < enough && now_ms() < until) {
        head = journal_head(j);
        loop_wait(&w->proc.loop, 1);
        (void)take_in(w);
        state_ring(&w->proc.st, PROC_KEEPER);
        acknowledge(w);
    }
}

/* deliver -- returns true when there is more to do at once.  The keeper hears of it behind a turn of few writes: it would take the core
 * that a reader wakes up on, and it needs longer than he does. */
static bool deliver(struct worker *w)
{
    if (shard_cursor(w->shard) == journal_head(&w->proc.st.seg->journal))
        return false;
    if (shard_writes(w->shard) >= MANY) {
        state_ring(&w->proc.st, PROC_KEEPER);
        gather(w);
    }
    uint64_t start = now_ms();
    bool more = shard_deliver(w->shard);
    w->delivered_ms = now_ms();
    w->turn_ms = w->delivered_ms - start;
    return more;
}

/* ---- the process ---- */

static void on_inbox(struct loop_source *s, uint32_t events)
{
    (void)s;
    (void)events; /* the main loop looks into the queue each turn */
}

static bool idle(void *arg)
{
    struct worker *w = arg;
    const struct journal *j = &w->proc.st.seg->journal;
    return w->door.n_gone == 0 && shard_cursor(w->shard) == journal_head(j) && w->durable == journal_durable(j);
}

static void on_tick(void *arg)
{
    struct worker *w = arg;
    door_tick(&w->door);
}

static void open_all(struct worker *w, unsigned self)
{
    struct proc *p = &w->proc;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    w->inbox_src = (struct loop_source){-1, on_inbox, w};
    if (self >= p->gen.n_queues || mq_attach_reader(&w->inbox, p->gen.queue[self]) < 0 ||
        w->inbox.message_max > QUEUE_MESSAGE_MAX || rules_open(&w->rules, &p->st) < 0 ||
        shard_open(&w->shard, &p->st, &p->loop, door_lost, &w->door) < 0 || door_open(&w->door, p, &w->rules, w->shard) < 0) {
        log_error("cannot open the queue or the rendezvous directory");
        exit(EXIT_RESET);
    }
    w->inbox_src.fd = mq_fd(&w->inbox);
    if (loop_add(&p->loop, &w->inbox_src, EPOLLIN) < 0)
        exit(EXIT_RESET);
}

int worker_main(const struct proc_args *args)
{
    static struct worker worker; /* half a megabyte: not for the stack */
    struct worker *w = &worker;
    proc_start(&w->proc, args, on_tick, w);
    open_all(w, args->self);
    proc_ready(&w->proc);
    while (!w->proc.stop) {
        door_see_off(&w->door);
        bool busy = behind(w) || take_in(w);
        busy |= deliver(w);
        state_ring(&w->proc.st, PROC_KEEPER);
        acknowledge(w);
        if (busy)
            loop_wait(&w->proc.loop, 0);
        else
            proc_rest(&w->proc, idle);
    }
    shard_close(w->shard);
    return 0;
}
