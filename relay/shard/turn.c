/* turn.c -- what is new in the journal, to everybody whom it concerns: once a room, in one write each. */
#include "shard/shard_inside.h"

#include "base/log.h"

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
    return frame_room(f) == 0 && !(frame_flags(f) & FRAME_SELF) && !shard_is_inside(f);
}

/* note -- one frame of this turn: remember whom it concerns. */
static void note(struct shard *sh, const uint8_t *f, uint64_t pos, size_t n)
{
    uint8_t type = frame_type(f);
    if (shard_is_inside(f))
        return;
    if (frame_flags(f) & FRAME_SELF || type == FRAME_LEAVE) {
        uint32_t session = roster_client(&sh->st->seg->roster, frame_client(f));
        if (session != 0 && shard_is_open(&sh->client[session]) && shard_push(&sh->single, session) < 0)
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
    for (unsigned i = shard_inboxes(sh, room, inbox); i > 0; i--)
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
        pos += shard_step(f);
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
        return (struct load){state_at(sh->st, p->pos), p->len, m->n};
    struct load l = {sh->buf, 0, m->n};
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
            (void)shard_send(c, &l);
    }
}

/* own_way -- those whom count_hits() found, and all when something concerns everybody. */
static void own_way(struct shard *sh, uint64_t start)
{
    uint32_t max = sh->broadcast ? sh->st->seg->roster.unused_session : 0;
    for (uint32_t s = 1; s < max; s++)
        if (shard_is_open(&sh->client[s]))
            hit(sh, s, 2);
    for (uint32_t a = 0; a < sh->n_active; a++)
        for (uint32_t i = 0; i < sh->room[sh->active[a]]->n; i++)
            if (sh->client[sh->room[sh->active[a]]->session[i]].hits > 1 && shard_push(&sh->single, sh->room[sh->active[a]]->session[i]) < 0)
                log_error("out of memory");
    for (uint32_t s = 1; s < max; s++)
        if (shard_is_open(&sh->client[s]) && shard_push(&sh->single, s) < 0)
            log_error("out of memory");
    for (uint32_t i = 0; i < sh->single.n; i++) {
        struct client *c = &sh->client[sh->single.slot[i]];
        if (!shard_is_open(c) || !c->live || c->turn != sh->turn)
            continue;
        c->turn = sh->turn - 1; /* once */
        c->cursor = start;
        shard_catch_up(c);
    }
}

/* overtaken -- this worker slept through a whole ring: its clients fetch what they missed from the store. */
static bool overtaken(struct shard *sh)
{
    for (uint32_t s = 1; s < sh->st->seg->roster.unused_session; s++)
        if (shard_is_open(&sh->client[s]))
            shard_doom(&sh->client[s]);
    sh->cursor = journal_head(&sh->st->seg->journal);
    shard_bury(sh);
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
    shard_bury(sh);
    return sh->cursor != journal_head(j);
}
