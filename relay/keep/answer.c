/* answer.c -- one piece of memory per open answer, made by one of past.c, present.c and those here, emptied into a FIFO. */
#include "keep/answer_inside.h"

#include "base/hash.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int answers_open(struct answers **out, struct state *st, struct history *h, struct feeds *fs, const struct folds *folds,
                 const struct forks *forks, struct loop *loop, int rendezvous)
{
    struct answers *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct answers){st, h, fs, folds, forks, loop, rendezvous, NULL};
    *out = a;
    return 0;
}

static void drop(struct answer *w)
{
    struct answer **p = &w->all->first;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    loop_remove(w->all->loop, &w->src);
    close(w->src.fd);
    buffer_free(&w->out);
    page_free(&w->page);
    free(w);
}

void answers_close(struct answers *a)
{
    while (a->first)
        drop(a->first);
    free(a);
}

/* ---- who asks ---- */

/* ask_who -- the user of the session, for what he may know of. */
static void ask_who(struct answer *w)
{
    char name[PERSON_MAX + 2];
    w->who = asker_of(w->all->st, w->client, w->q.uid);
    struct person asker = {asker_user(&w->who), text_of(w->all->st->seg->shape.host)};
    w->inbox = asker.user.len > 0 && w->room == room_id((struct text){name, direct_inbox(asker, name)});
}

bool answer_sees(const struct answer *w, uint64_t room)
{
    return asker_sees(w->all->st, &w->who, room);
}

/* ---- what he asks ---- */

void answer_put(struct answer *w, const uint8_t *f, int n)
{
    if (n <= 0)
        return;
    if (buffer_add(&w->out, f, (size_t)n) < 0) {
        w->error = -ENOMEM;
        return;
    }
    w->count++;
}

static void trace_row(void *arg, const uint8_t *frame)
{
    answer_put(arg, frame, (int)frame_stride(frame));
}

static int traced(struct answer *w)
{
    struct answers *a = w->all;
    w->trace.entry = (struct have_row){w->q.key.origin, w->q.key.epoch, w->room, w->q.key.seq, {0}};
    w->trace.wanted = w->q.limit;
    int r = trace_look(&w->trace, a->st->seg, a->h, a->feeds, trace_row, w);
    w->whole = r != 0 || w->q.limit == 0;
    return r < 0 ? r : 0;
}

static int probed(struct answer *w)
{
    uint8_t buf[FRAME_MAX];
    struct hops hops;
    w->whole = probe_look(&w->probe, &w->q, w->all->feeds, &hops);
    if (w->whole)
        answer_put(w, buf, write_hops(buf, &hops));
    return 0;
}

static const struct kind {
    int (*make)(struct answer *w);
    bool of_room; /* is about one room */
} kinds[] = {
    [QUERY_CATCHUP] = {past_catchup, true}, [QUERY_NEWEST] = {past_newest, true},    [QUERY_SINCE] = {past_since, true},
    [QUERY_SAID] = {past_said, true},       [QUERY_STATE] = {present_facts, true},   [QUERY_WHO] = {present_who, true},
    [QUERY_TRACE] = {traced, true},         [QUERY_ROOMS] = {present_rooms, false},  [QUERY_PROBE] = {probed, false},
};

/* may_ask -- of a room he may not know of, he gets what he gets of one that does not exist: nothing.  But who is in a room of
 * other hosts in which nothing was said yet is known from presence, and that is of ordinary rooms only. */
static bool may_ask(const struct answer *w)
{
    bool none = roster_room(&w->all->st->seg->roster, w->room) == 0;
    return !kinds[w->q.kind].of_room || (w->q.kind == QUERY_WHO && none) || answer_sees(w, w->room);
}

/* ---- the stream ---- */

static void end_it(struct answer *w, int r)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.pos = journal_durable(&w->all->st->seg->journal),
                    .count = w->count,
                    .more = w->more,
                    .reason = r < 0 ? REASON_STORE : REASON_OK,
                    .text = text_of(r < 0 ? "The store could not be read; see the relay's log." : "")};
    if (r == 0 && w->no_room) {
        e.reason = REASON_NO_ROOM;
        e.text = text_of("There is no such room.");
    }
    if (w->q.kind == QUERY_CATCHUP && w->q.before < UINT64_MAX)
        e.pos = w->q.before;
    int n = write_end(buf, &e, w->client, w->client_seq);
    ASSERT(n > 0);
    answer_put(w, buf, n);
    w->whole = true;
}

static void produce(struct answer *w)
{
    w->error = 0;
    w->whole = !may_ask(w);
    w->no_room = w->whole && w->q.kind == QUERY_STATE; /* in any other, there is nothing */
    int r = w->whole ? 0 : kinds[w->q.kind].make(w);
    if (r == 0)
        r = w->error;
    if (r < 0)
        log_warn("an answer could not be completed: %s", strerror(-r));
    if (r < 0 || w->whole)
        end_it(w, r);
}

/* go_on -- returns false when the answer is over, one way or the other. */
static bool go_on(struct answer *w)
{
    for (;;) {
        if (buffer_len(&w->out) == 0) {
            if (w->whole)
                return false;
            produce(w);
            if (buffer_len(&w->out) == 0)
                return true; /* it waits for other hosts */
        }
        ssize_t n = write(w->src.fd, buffer_data(&w->out), buffer_len(&w->out));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&w->out, (size_t)n);
    }
}

static void on_room(struct loop_source *s, uint32_t events)
{
    struct answer *w = s->arg;
    if (events & EPOLLERR || !go_on(w))
        drop(w);
}

static bool waits(const struct query *q)
{
    return (q->kind == QUERY_TRACE && q->limit > 0) || q->kind == QUERY_PROBE;
}

/* too_many -- why this one is not answered now, or NULL. */
static const char *too_many(const struct answers *a, const struct query *q)
{
    unsigned same_kind = 0, same_user = 0;
    for (const struct answer *w = a->first; w; w = w->next)
        if (waits(&w->q) == waits(q)) {
            same_kind++;
            same_user += w->q.uid == q->uid;
        }
    if (same_user >= ANSWERS_PER_USER && q->uid != geteuid())
        return "You have asked the relay too much at once; ask again when some of it is answered.";
    if (same_kind >= (waits(q) ? WAITS_MAX : ANSWERS_MAX))
        return "The relay is asked too much at once; ask again in a moment.";
    return NULL;
}

static void turn_away(int fd, const uint8_t *query, const char *why)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.reason = REASON_BUSY, .text = text_of(why)};
    int n = write_end(buf, &e, frame_client(query), frame_client_seq(query));
    if (n > 0 && write(fd, buf, (size_t)n) < 0)
        log_debug("one who asked too much did not wait to hear so");
    close(fd);
}

void answers_begin(struct answers *a, const uint8_t *frame)
{
    struct query q;
    if (read_query(frame, &q) < 0 || q.kind >= ARRAY_LEN(kinds) || !kinds[q.kind].make)
        return;
    int fd = asker_fifo(a->rendezvous, &q);
    if (fd < 0) {
        log_debug("query not answered: %s", strerror(-fd));
        return;
    }
    const char *why = too_many(a, &q);
    if (why) {
        turn_away(fd, frame, why);
        return;
    }
    struct answer *w = calloc(1, sizeof *w);
    if (!w) {
        close(fd);
        return;
    }
    *w = (struct answer){.src = {fd, on_room, w}, .all = a, .next = a->first, .q = q, .room = frame_room(frame),
                         .client = frame_client(frame), .client_seq = frame_client_seq(frame)};
    a->first = w;
    ask_who(w);
    if (loop_add(a->loop, &w->src, EPOLLOUT | EPOLLET) < 0 || !go_on(w))
        drop(w);
}

void answers_go_on(struct answers *a)
{
    for (struct answer *w = a->first, *next; w; w = next) {
        next = w->next;
        if (waits(&w->q) && !go_on(w))
            drop(w);
    }
}
