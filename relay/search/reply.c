/* reply.c -- one buffer per answer. */
#include "search/reply.h"

#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reply {
    struct loop_source src;
    struct replies *all;
    struct reply *next;
    uint32_t uid;
    struct buffer out;
};

struct replies {
    struct loop *loop;
    int rendezvous;
    struct reply *first;
};

int replies_open(struct replies **out, struct loop *loop, int rendezvous)
{
    struct replies *rs = calloc(1, sizeof *rs);
    if (!rs)
        return -ENOMEM;
    *rs = (struct replies){loop, rendezvous, NULL};
    *out = rs;
    return 0;
}

static void drop(struct reply *r)
{
    struct reply **p = &r->all->first;
    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    loop_remove(r->all->loop, &r->src);
    close(r->src.fd);
    buffer_free(&r->out);
    free(r);
}

void replies_close(struct replies *rs)
{
    while (rs->first)
        drop(rs->first);
    free(rs);
}

/* go_on -- false: all is written, or nobody reads it. */
static bool go_on(struct reply *r)
{
    while (buffer_len(&r->out) > 0) {
        ssize_t n = write(r->src.fd, buffer_data(&r->out), buffer_len(&r->out));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&r->out, (size_t)n);
    }
    return false;
}

static void on_room(struct loop_source *s, uint32_t events)
{
    struct reply *r = s->arg;
    if (events & EPOLLERR || !go_on(r))
        drop(r);
}

static bool too_many(const struct replies *rs, uint32_t uid)
{
    unsigned n = 0, same = 0;
    for (const struct reply *r = rs->first; r; r = r->next) {
        n++;
        same += r->uid == uid;
    }
    return n >= REPLIES_MAX || (same >= REPLIES_PER_USER && uid != geteuid());
}

static int add_end(struct reply *r, const struct finding *found, uint64_t pos, const uint8_t *query)
{
    uint8_t buf[FRAME_MAX];
    struct end e = {.pos = pos, .count = found->count, .reason = found->reason, .text = text_of(found->text)};
    int n = write_end(buf, &e, frame_client(query), frame_client_seq(query));
    return n < 0 ? n : buffer_add(&r->out, buf, (size_t)n);
}

static int fill(struct reply *r, const struct finder *f, const struct query *q, const uint8_t *frame)
{
    struct finding found = {.reason = REASON_BUSY, .text = "The relay is asked too much at once; ask again in a moment."};
    int error = 0;
    if (!too_many(r->all, q->uid)) {
        struct asker who = asker_of(f->st, frame_client(frame), q->uid);
        error = find(f, q, &who, &found);
    }
    if (error < 0) {
        log_warn("a search could not be completed: %s", strerror(-error));
        found = (struct finding){.reason = REASON_STORE, .text = "The store could not be read; see the relay's log."};
    }
    r->out = found.frames;
    return add_end(r, &found, journal_durable(&f->st->seg->journal), frame);
}

void reply_to(struct replies *rs, const struct finder *f, const uint8_t *frame)
{
    struct query q;
    if (read_query(frame, &q) < 0 || q.kind != QUERY_SEARCH)
        return;
    int fd = asker_fifo(rs->rendezvous, &q);
    struct reply *r = fd < 0 ? NULL : calloc(1, sizeof *r);
    if (!r) {
        log_debug("a search is not answered");
        close_fd(&fd);
        return;
    }
    *r = (struct reply){.src = {fd, on_room, r}, .all = rs, .uid = q.uid};
    int error = fill(r, f, &q, frame);
    r->next = rs->first;
    rs->first = r;
    if (loop_add(rs->loop, &r->src, EPOLLOUT | EPOLLET) < 0 || error < 0 || !go_on(r))
        drop(r);
}
