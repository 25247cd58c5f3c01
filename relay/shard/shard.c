/* shard.c -- delivery: what is new in the journal, into FIFOs. */
#include "shard/shard.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PIPEFUL = 60 * 1024,      /* a FIFO holds 64 KiB; a turn brings nobody more than it takes */
    PIECES_MAX = 4096,        /* of a turn */
    PIECES_EACH = 3,          /* at most, of one frame: a conversation and two inboxes that hear it */
    TURNS = 16,               /* at least, to bring a whole ring */
};

/* What one write brings: whole frames, one behind the other. */
struct load {
    const uint8_t *p;
    size_t len;
};

/* A part of the journal that one room hears. */
struct piece {
    uint64_t pos;
    uint32_t len;
    uint32_t next; /* of the same room in this turn; 0: none */
};

struct client {
    struct loop_source src; /* fd -1: no such client */
    struct shard *sh;
    uint64_t cursor;      /* when not live: next frame it has not got whole */
    uint64_t wanted_pos;  /* what it waits to have acknowledged: durable up to here ... */
    uint32_t wanted_seq;  /* ... means this number is */
    uint32_t session;
    uint32_t places;      /* in rooms; 0: in none */
    uint32_t turn;        /* the turn that counted its hits */
    uint16_t off;         /* bytes of the frame at cursor that are out */
    uint16_t hits;        /* rooms (or frames of its own) that this turn has something of for it */
    bool live, waiting, doomed;
    uint8_t secret[SECRET_LEN];
};

/* That a client is in a room, so that he gets out of it without a search among all who are. */
struct place {
    uint32_t room, at; /* member_list.session[at] of that room */
    uint32_t next;     /* of the same client; also links the free list */
};

struct member_list {
    uint32_t *session;
    uint32_t *place; /* of each, its number */
    uint32_t n, size;
    uint32_t first, last; /* pieces of this turn; 0: nothing is new here */
    uint32_t bytes;       /* ... in all */
    bool looked; /* inbox is filled in */
    uint64_t inbox[2]; /* of a conversation: numbers of the inboxes of those of the two who are of this host, else 0 */
};

struct slots {
    uint32_t *slot;
    uint32_t n, size;
};

struct shard {
    struct state *st;
    struct loop *loop;
    void (*lost)(void *arg, uint32_t session);
    void *arg;
    uint64_t cursor;
    uint32_t turn;
    struct client *client; /* by session slot */
    struct member_list *room[ROOMS_MAX];
    struct place *place; /* [0] is none */
    uint32_t n_places, places_max, free_place;
    struct slots waiting, doomed, single;
    uint32_t active[ROOMS_MAX], n_active;
    struct piece piece[PIECES_MAX + 1]; /* [0] is none */
    uint32_t n_pieces, writes;
    bool broadcast, full; /* full: this turn brings somebody as much as his FIFO takes */
    bool pinned;          /* within a turn, what is read in it stays */
    uint8_t buf[PIPEFUL + FRAME_MAX];
};

static int push(struct slots *s, uint32_t slot)
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
    sh->cursor = journal_head(&st->seg->journal);
    *out = sh;
    return 0;
}

static bool is_open(const struct client *c)
{
    return c->sh != NULL;
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
    if (!is_open(c))
        return;
    leave_all(sh, session);
    loop_remove(sh->loop, &c->src);
    close(c->src.fd);
    OPENSSL_cleanse(c->secret, sizeof c->secret);
    c->live = false;
    c->sh = NULL;
}

/* doom -- its FIFO is gone or it was overtaken: dropped at the end of the turn, when nobody walks a list. */
static void doom(struct client *c)
{
    if (c->doomed)
        return;
    c->doomed = true;
    c->live = false;
    if (push(&c->sh->doomed, c->session) < 0)
        log_error("out of memory");
}

static void bury(struct shard *sh)
{
    for (uint32_t i = 0; i < sh->doomed.n; i++) {
        uint32_t session = sh->doomed.slot[i];
        shard_drop(sh, session);
        sh->client[session].doomed = false;
        sh->lost(sh->arg, session);
    }
    sh->doomed.n = 0;
}

static void on_fifo(struct loop_source *s, uint32_t events);

int shard_add(struct shard *sh, uint32_t session, int fd, const uint8_t secret[SECRET_LEN], const uint8_t *hello,
              size_t len)
{
    struct client *c = &sh->client[session];
    shard_drop(sh, session);
    bool waiting = c->waiting; /* its slot may still be in the list */
    *c = (struct client){.src = {fd, on_fifo, c}, .sh = sh, .session = session, .live = true, .waiting = waiting};
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
    return is_open(c) && CRYPTO_memcmp(c->secret, secret, SECRET_LEN) == 0;
}

static struct member_list *members_of(struct shard *sh, uint32_t room)
{
    if (!sh->room[room])
        sh->room[room] = calloc(1, sizeof *sh->room[room]);
    return sh->room[room];
}

bool shard_serves(const struct shard *sh, uint32_t session)
{
    return is_open(&sh->client[session]);
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
    struct member_list *m = members_of(sh, room);
    if (!is_open(c)) /* whoever gets the slot next must not hear it */
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

/* ---- writing ---- */

/* stopped_at -- `out` bytes of this are in the FIFO: remember where it stopped. */
static void stopped_at(struct client *c, const struct load *l, size_t out)
{
    const uint8_t *f = l->p;
    for (size_t n; out >= (n = frame_stride(f)); f += n)
        out -= n;
    c->cursor = frame_pos(f);
    c->off = (uint16_t)out;
}

/* send_load -- to one client, starting `c->off` bytes into the first frame.
 * Returns true when it took everything */
static bool send_load(struct client *c, const struct load *l)
{
    ssize_t n;
    c->sh->writes++;
    do
        n = write(c->src.fd, l->p + c->off, l->len - c->off);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)(l->len - c->off)) {
        c->off = 0;
        return true;
    }
    if (n < 0 && errno != EAGAIN) {
        doom(c);
        return false;
    }
    c->live = false;
    stopped_at(c, l, c->off + (n < 0 ? 0 : (size_t)n));
    return false;
}

/* ---- conversations of two ---- */

/* look -- whose inboxes a conversation is heard in; once, for its name never changes. */
static void look(const struct segment *seg, struct member_list *m, uint32_t room)
{
    const struct room *r = &seg->roster.room[room];
    char inbox[PERSON_MAX + 2];
    struct direct d;
    m->looked = true;
    if (!direct_read((struct text){r->name, r->name_len}, &d) || d.n != 2)
        return;
    for (unsigned i = 0; i < d.n; i++)
        if (text_eq(d.who[i].host, text_of(seg->shape.host)))
            m->inbox[i] = room_id((struct text){inbox, direct_inbox(d.who[i], inbox)});
    if (m->inbox[0] == m->inbox[1])
        m->inbox[1] = 0;
}

/* inboxes -- slots of those that hear this room.  Returns how many. */
static unsigned inboxes(struct shard *sh, uint32_t room, uint32_t slot[2])
{
    const struct roster *r = &sh->st->seg->roster;
    unsigned n = 0;
    if (room == 0 || r->room[room].name[0] != '@')
        return 0;
    struct member_list *m = members_of(sh, room);
    if (m && !m->looked)
        look(sh->st->seg, m, room);
    for (unsigned i = 0; m && i < 2; i++)
        if (m->inbox[i] != 0 && (slot[n] = roster_room(r, m->inbox[i])) != 0)
            n++;
    return n;
}

/* ---- one client on its own ---- */

/* hears -- is it in the room, or in an inbox that hears it? */
static bool hears(const struct client *c, uint32_t room)
{
    const struct roster *r = &c->sh->st->seg->roster;
    const struct session *s = &r->session[c->session];
    uint32_t inbox[2];
    if (room == 0 || roster_is_member(r, s, room))
        return room != 0;
    for (unsigned n = inboxes(c->sh, room, inbox); n > 0; n--)
        if (roster_is_member(r, s, inbox[n - 1]))
            return true;
    return false;
}

/* step -- from a frame to the next one to look at: the frames of a segment that is parked are not. */
static size_t step(const uint8_t *f)
{
    struct segment_head s;
    bool skip = frame_type(f) == FRAME_SEGMENT && frame_flags(f) & FRAME_PARKED && read_segment(f, &s) == 0;
    return frame_stride(f) + (skip ? s.bytes : 0);
}

/* is_inside -- between processes of the relay. */
static bool is_inside(const uint8_t *f)
{
    uint8_t type = frame_type(f);
    return type == FRAME_QUERY || type == FRAME_SEGMENT || type == FRAME_DUE || type == FRAME_GAP;
}

static bool concerns(const struct client *c, const uint8_t *f)
{
    const struct session *s = &c->sh->st->seg->roster.session[c->session];
    uint64_t room = frame_room(f);
    if (is_inside(f))
        return false;
    if (frame_client(f) == s->client && (frame_flags(f) & FRAME_SELF || frame_type(f) == FRAME_LEAVE))
        return true;
    if (frame_flags(f) & FRAME_SELF)
        return false;
    if (room == 0)
        return true;
    return hears(c, roster_room(&c->sh->st->seg->roster, room));
}

/* gather -- the next pipeful for this client; returns where the scan ended. */
static uint64_t gather(const struct client *c, struct load *l)
{
    struct shard *sh = c->sh;
    uint64_t pos = c->cursor;
    *l = (struct load){sh->buf, 0};
    while (pos < sh->cursor && l->len < PIPEFUL) {
        const uint8_t *f = state_at(sh->st, pos);
        if ((pos == c->cursor && c->off > 0) || concerns(c, f)) { /* half a frame is followed by the other half, whatever it left */
            memcpy(sh->buf + l->len, f, frame_stride(f));
            l->len += frame_stride(f);
        }
        pos += step(f);
    }
    return pos;
}

/* catch_up -- from its own cursor to the shard's, until its FIFO is full. */
static void catch_up(struct client *c)
{
    struct shard *sh = c->sh;
    struct journal *j = &sh->st->seg->journal;
    struct load l;
    c->live = false;
    while (!c->doomed && c->cursor < sh->cursor) {
        if (!sh->pinned && journal_pin(j, sh->st->self, c->cursor) < 0) {
            doom(c); /* overtaken */
            break;
        }
        uint64_t end = gather(c, &l);
        if (l.len > 0 && !send_load(c, &l))
            break;
        c->cursor = end;
    }
    if (!sh->pinned)
        journal_unpin(j, sh->st->self);
    c->live = !c->doomed && c->cursor >= sh->cursor && c->off == 0;
}

static void acknowledge(struct client *c);

static void on_fifo(struct loop_source *s, uint32_t events)
{
    struct client *c = s->arg;
    struct shard *sh = c->sh;
    if (!sh || c->doomed)
        return;
    if (events & EPOLLERR) {
        doom(c);
    } else if (!c->live) {
        catch_up(c);
        if (c->live && c->waiting)
            acknowledge(c);
    }
    bury(sh);
}

/* ---- everybody ---- */

/* note_room -- something for all who are in this room. */
static void note_room(struct shard *sh, uint32_t room, uint64_t pos, size_t n)
{
    struct member_list *m = sh->room[room];
    if (room == 0 || !m || m->n == 0)
        return;
    struct piece *last = &sh->piece[m->last];
    if (m->first != 0 && last->pos + last->len == pos) {
        last->len += (uint32_t)n;
    } else {
        uint32_t i = ++sh->n_pieces;
        sh->piece[i] = (struct piece){pos, (uint32_t)n, 0};
        if (m->first == 0) {
            m->first = i;
            m->bytes = 0;
            sh->active[sh->n_active++] = room;
        } else {
            last->next = i;
        }
        m->last = i;
    }
    m->bytes += (uint32_t)n;
    sh->full |= m->bytes >= PIPEFUL || sh->n_pieces > PIECES_MAX - PIECES_EACH;
}

static bool is_broadcast(const uint8_t *f)
{
    return frame_room(f) == 0 && !(frame_flags(f) & FRAME_SELF) && !is_inside(f);
}

/* note -- one frame of this turn: remember whom it concerns. */
static void note(struct shard *sh, const uint8_t *f, uint64_t pos, size_t n)
{
    uint8_t type = frame_type(f);
    if (is_inside(f))
        return;
    if (frame_flags(f) & FRAME_SELF || type == FRAME_LEAVE) {
        uint32_t session = roster_client(&sh->st->seg->roster, frame_client(f));
        if (session != 0 && is_open(&sh->client[session]) && push(&sh->single, session) < 0)
            log_error("out of memory");
        if (type == FRAME_LEAVE && frame_flags(f) & FRAME_FORCED) /* the keeper's doing: we are not asked */
            shard_leave(sh, session, roster_room(&sh->st->seg->roster, frame_room(f)));
    }
    if (frame_flags(f) & FRAME_SELF)
        return;
    if (frame_room(f) == 0) {
        sh->broadcast = true;
        return;
    }
    uint32_t room = roster_room(&sh->st->seg->roster, frame_room(f)), inbox[2];
    note_room(sh, room, pos, n);
    for (unsigned i = inboxes(sh, room, inbox); i > 0; i--)
        note_room(sh, inbox[i - 1], pos, n);
}

/* scan -- note what is new.  A turn takes as much as there is, so that rooms in which little is said get that little in few writes;
 * but it is short when something is for one alone, who then looks at all that is in it. */
static uint64_t scan(struct shard *sh)
{
    const struct journal *j = &sh->st->seg->journal;
    uint64_t head = journal_head(j), start = sh->cursor, pos = start;
    uint64_t most = j->size / TURNS;
    while (pos < head && pos - start < (sh->single.n > 0 ? PIPEFUL : most) && !sh->full && !sh->broadcast) {
        const uint8_t *f = state_at(sh->st, pos);
        if (pos > start && is_broadcast(f))
            break; /* all will look */
        note(sh, f, pos, frame_stride(f));
        pos += step(f);
    }
    return pos;
}

static void hit(struct shard *sh, uint32_t session, unsigned weight)
{
    struct client *c = &sh->client[session];
    if (c->turn != sh->turn) {
        c->turn = sh->turn;
        c->hits = 0;
    }
    c->hits = (uint16_t)(c->hits + weight > 2 ? 2 : c->hits + weight);
}

/* count_hits -- who gets something from more than one source must get it merged, on its own. */
static void count_hits(struct shard *sh)
{
    sh->turn++;
    for (uint32_t i = 0; i < sh->single.n; i++)
        hit(sh, sh->single.slot[i], 2);
    for (uint32_t a = 0; a < sh->n_active; a++) {
        const struct member_list *m = sh->room[sh->active[a]];
        for (uint32_t i = 0; i < m->n; i++)
            hit(sh, m->session[i], 1);
    }
}

/* load_of -- what is new in a room: as it lies in the journal, or else its pieces side by side. */
static struct load load_of(struct shard *sh, const struct member_list *m)
{
    const struct piece *p = &sh->piece[m->first];
    if (p->next == 0)
        return (struct load){state_at(sh->st, p->pos), p->len};
    struct load l = {sh->buf, 0};
    for (uint32_t i = m->first; i != 0; i = p->next) {
        p = &sh->piece[i];
        memcpy(sh->buf + l.len, state_at(sh->st, p->pos), p->len);
        l.len += p->len;
    }
    return l;
}

static void deliver_room(struct shard *sh, const struct member_list *m, bool counted)
{
    struct load l = load_of(sh, m);
    for (uint32_t i = 0; i < m->n; i++) {
        struct client *c = &sh->client[m->session[i]];
        if (c->live && !(counted && c->hits > 1))
            (void)send_load(c, &l);
    }
}

/* own_way -- those whom count_hits() found, and all when something concerns everybody. */
static void own_way(struct shard *sh, uint64_t start)
{
    uint32_t max = sh->broadcast ? sh->st->seg->roster.unused_session : 0;
    for (uint32_t s = 1; s < max; s++)
        if (is_open(&sh->client[s]))
            hit(sh, s, 2);
    for (uint32_t a = 0; a < sh->n_active; a++)
        for (uint32_t i = 0; i < sh->room[sh->active[a]]->n; i++)
            if (sh->client[sh->room[sh->active[a]]->session[i]].hits > 1 && push(&sh->single, sh->room[sh->active[a]]->session[i]) < 0)
                log_error("out of memory");
    for (uint32_t s = 1; s < max; s++)
        if (is_open(&sh->client[s]) && push(&sh->single, s) < 0)
            log_error("out of memory");
    for (uint32_t i = 0; i < sh->single.n; i++) {
        struct client *c = &sh->client[sh->single.slot[i]];
        if (!is_open(c) || !c->live || c->turn != sh->turn)
            continue;
        c->turn = sh->turn - 1; /* once */
        c->cursor = start;
        catch_up(c);
    }
}

/* overtaken -- this worker slept through a whole ring: its clients fetch what they missed from the store. */
static bool overtaken(struct shard *sh)
{
    for (uint32_t s = 1; s < sh->st->seg->roster.unused_session; s++)
        if (is_open(&sh->client[s]))
            doom(&sh->client[s]);
    sh->cursor = journal_head(&sh->st->seg->journal);
    bury(sh);
    return true;
}

bool shard_deliver(struct shard *sh)
{
    struct journal *j = &sh->st->seg->journal;
    uint64_t start = sh->cursor;
    if (start == journal_head(j))
        return false;
    if (journal_pin(j, sh->st->self, start) < 0)
        return overtaken(sh);
    sh->pinned = true;
    sh->n_active = sh->n_pieces = sh->writes = 0;
    sh->single.n = 0;
    sh->broadcast = sh->full = false;
    uint64_t end = scan(sh);
    bool counted = sh->n_active > 1 || sh->single.n > 0 || sh->broadcast;
    if (counted)
        count_hits(sh);
    for (uint32_t a = 0; !sh->broadcast && a < sh->n_active; a++)
        deliver_room(sh, sh->room[sh->active[a]], counted);
    sh->cursor = end;
    if (counted)
        own_way(sh, start);
    for (uint32_t a = 0; a < sh->n_active; a++)
        sh->room[sh->active[a]]->first = 0;
    sh->pinned = false;
    journal_unpin(j, sh->st->self);
    bury(sh);
    return sh->cursor != journal_head(j);
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
    return push(&sh->waiting, session);
}

/* acknowledge -- as far as the store has come; then wait for the newest that was taken meanwhile. */
static void acknowledge(struct client *c)
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
        c->live = false; /* full: when it has room again, catch_up() and then this */
        c->cursor = c->sh->cursor;
        c->off = 0;
    } else {
        doom(c);
    }
}

void shard_acknowledge(struct shard *sh)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sh->waiting.n; i++) {
        struct client *c = &sh->client[sh->waiting.slot[i]];
        if (is_open(c) && !c->doomed)
            acknowledge(c);
        c->waiting = is_open(c) && !c->doomed && c->wanted_seq != 0;
        if (c->waiting)
            sh->waiting.slot[kept++] = sh->waiting.slot[i];
    }
    sh->waiting.n = kept;
    bury(sh);
}
