/* shard.c -- who of a worker's clients is there, in which rooms, and who waits for an acknowledgement. */
#include "shard/shard_inside.h"

#include "base/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

int shard_push(struct slots *s, uint32_t slot)
{
    if (s->n == s->size) {
        uint32_t size = s->size ? s->size * 2 : 64;
        uint32_t *p = realloc(s->slot, size * sizeof *p);
        if (!p)
            return -ENOMEM;
        s->slot = p;
        s->size = size;
    }
    s->slot[s->n++] = slot;
    return 0;
}

int shard_open(struct shard **out, struct state *st, struct loop *loop, void (*lost)(void *arg, uint32_t session),
               void *arg)
{
    struct shard *sh = calloc(1, sizeof *sh);
    size_t n = (size_t)st->seg->shape.sessions_max + 1;
    if (!sh)
        return -ENOMEM;
    *sh = (struct shard){.st = st, .loop = loop, .lost = lost, .arg = arg};
    sh->client = calloc(n, sizeof *sh->client); /* pages of slots never used stay untouched */
    if (!sh->client) {
        free(sh);
        return -ENOMEM;
    }
    stage_open(&sh->stage);
    sh->cursor = journal_head(&st->seg->journal);
    *out = sh;
    return 0;
}

void shard_close(struct shard *sh)
{
    for (uint32_t i = 1; i <= sh->st->seg->shape.sessions_max; i++)
        shard_drop(sh, i);
    for (uint32_t r = 0; r < ROOMS_MAX; r++) {
        if (sh->room[r]) {
            free(sh->room[r]->session);
            free(sh->room[r]->place);
        }
        free(sh->room[r]);
    }
    stage_close(&sh->stage);
    free(sh->place);
    free(sh->waiting.slot);
    free(sh->doomed.slot);
    free(sh->single.slot);
    free(sh->client);
    free(sh);
}

uint32_t shard_writes(const struct shard *sh)
{
    return sh->writes;
}

uint64_t shard_cursor(const struct shard *sh)
{
    return sh->cursor;
}

/* ---- clients come and go ---- */

static void leave_all(struct shard *sh, uint32_t session)
{
    const struct client *c = &sh->client[session];
    while (c->places != 0)
        shard_leave(sh, session, sh->place[c->places].room);
}

void shard_drop(struct shard *sh, uint32_t session)
{
    struct client *c = &sh->client[session];
    if (!shard_is_open(c))
        return;
    leave_all(sh, session);
    loop_remove(sh->loop, &c->src);
    close(c->src.fd);
    OPENSSL_cleanse(c->secret, sizeof c->secret);
    c->live = false;
    c->sh = NULL;
}

void shard_doom(struct client *c)
{
    if (c->doomed)
        return;
    c->doomed = true;
    c->live = false;
    if (shard_push(&c->sh->doomed, c->session) < 0)
        log_error("out of memory");
}

void shard_bury(struct shard *sh)
{
    for (uint32_t i = 0; i < sh->doomed.n; i++) {
        uint32_t session = sh->doomed.slot[i];
        shard_drop(sh, session);
        sh->client[session].doomed = false;
        sh->lost(sh->arg, session);
    }
    sh->doomed.n = 0;
}

int shard_add(struct shard *sh, uint32_t session, int fd, const uint8_t secret[SECRET_LEN], const uint8_t *hello,
              size_t len)
{
    struct client *c = &sh->client[session];
    shard_drop(sh, session);
    bool waiting = c->waiting; /* its slot may still be in the list */
    *c = (struct client){.src = {fd, shard_on_fifo, c}, .sh = sh, .session = session, .live = true, .waiting = waiting};
    memcpy(c->secret, secret, SECRET_LEN);
    /* Edge-triggered: says nothing while there is room, and speaks once when a full FIFO gets some. */
    if (loop_add(sh->loop, &c->src, EPOLLOUT | EPOLLET) < 0) {
        close(fd);
        c->sh = NULL;
        return -ENOMEM;
    }
    if (write(fd, hello, len) != (ssize_t)len) { /* an empty pipe takes it whole or its reader is gone */
        shard_drop(sh, session);
        return -EPIPE;
    }
    return 0;
}

bool shard_knows(const struct shard *sh, uint32_t session, const uint8_t secret[SECRET_LEN])
{
    if (session == 0 || session > sh->st->seg->shape.sessions_max)
        return false;
    const struct client *c = &sh->client[session];
    return shard_is_open(c) && CRYPTO_memcmp(c->secret, secret, SECRET_LEN) == 0;
}

struct member_list *shard_members(struct shard *sh, uint32_t room)
{
    if (!sh->room[room])
        sh->room[room] = calloc(1, sizeof *sh->room[room]);
    return sh->room[room];
}

bool shard_serves(const struct shard *sh, uint32_t session)
{
    return shard_is_open(&sh->client[session]);
}

/* room_for_one -- in the lists that a join adds to.  Returns 0 or -ENOMEM. */
static int room_for_one(struct shard *sh, struct member_list *m)
{
    if (m->n == m->size) {
        uint32_t size = m->size ? m->size * 2 : 8;
        uint32_t *session = realloc(m->session, size * sizeof *session);
        m->session = session ? session : m->session;
        uint32_t *place = session ? realloc(m->place, size * sizeof *place) : NULL;
        if (!place)
            return -ENOMEM;
        m->place = place;
        m->size = size;
    }
    if (sh->free_place == 0 && sh->n_places + 1 >= sh->places_max) {
        uint32_t max = sh->places_max ? sh->places_max * 2 : 64;
        struct place *p = realloc(sh->place, max * sizeof *p);
        if (!p)
            return -ENOMEM;
        sh->place = p;
        sh->places_max = max;
    }
    return 0;
}

int shard_join(struct shard *sh, uint32_t session, uint32_t room)
{
    struct client *c = &sh->client[session];
    struct member_list *m = shard_members(sh, room);
    if (!shard_is_open(c)) /* whoever gets the slot next must not hear it */
        return 0;
    for (uint32_t i = c->places; i != 0; i = sh->place[i].next)
        if (sh->place[i].room == room)
            return 0;
    if (!m || room_for_one(sh, m) < 0)
        return -ENOMEM;
    uint32_t p = sh->free_place;
    if (p != 0)
        sh->free_place = sh->place[p].next;
    else
        p = ++sh->n_places;
    sh->place[p] = (struct place){room, m->n, c->places};
    c->places = p;
    m->session[m->n] = session;
    m->place[m->n++] = p;
    return 0;
}

void shard_leave(struct shard *sh, uint32_t session, uint32_t room)
{
    uint32_t *link = &sh->client[session].places, p;
    while ((p = *link) != 0 && sh->place[p].room != room)
        link = &sh->place[p].next;
    if (p == 0)
        return;
    struct member_list *m = sh->room[room];
    uint32_t at = sh->place[p].at, last = --m->n;
    m->session[at] = m->session[last];
    m->place[at] = m->place[last];
    sh->place[m->place[at]].at = at;
    *link = sh->place[p].next;
    sh->place[p].next = sh->free_place;
    sh->free_place = p;
}

/* ---- acknowledgements ---- */

int shard_expect_ack(struct shard *sh, uint32_t session)
{
    struct client *c = &sh->client[session];
    const struct session *s = &sh->st->seg->roster.session[session];
    if (c->wanted_seq == 0) {
        c->wanted_seq = s->last_seq;
        c->wanted_pos = s->last_pos;
    }
    if (c->waiting)
        return 0;
    c->waiting = true;
    return shard_push(&sh->waiting, session);
}

void shard_acknowledge_one(struct client *c)
{
    const struct session *s = &c->sh->st->seg->roster.session[c->session];
    uint64_t durable = journal_durable(&c->sh->st->seg->journal);
    uint8_t buf[FRAME_MAX];
    if (!c->live || c->wanted_seq == 0 || durable < c->wanted_pos)
        return;
    if (durable >= s->last_pos)
        c->wanted_seq = s->last_seq;
    int n = write_ack(buf, s->client, c->wanted_seq, durable);
    ASSERT(n > 0);
    ssize_t w = write(c->src.fd, buf, (size_t)n);
    if (w == n) {
        c->wanted_seq = s->last_seq == c->wanted_seq ? 0 : s->last_seq;
        c->wanted_pos = s->last_pos;
    } else if (w < 0 && (errno == EAGAIN || errno == EINTR)) {
        c->live = false; /* full: when it has room again, shard_catch_up() and then this */
        c->cursor = c->sh->cursor;
        c->off = 0;
    } else {
        shard_doom(c);
    }
}

void shard_acknowledge(struct shard *sh)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sh->waiting.n; i++) {
        struct client *c = &sh->client[sh->waiting.slot[i]];
        if (shard_is_open(c) && !c->doomed)
            shard_acknowledge_one(c);
        c->waiting = shard_is_open(c) && !c->doomed && c->wanted_seq != 0;
        if (c->waiting)
            sh->waiting.slot[kept++] = sh->waiting.slot[i];
    }
    sh->waiting.n = kept;
    shard_bury(sh);
}
