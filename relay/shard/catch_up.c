/* catch_up.c -- what one client gets on his own: from his cursor on, what concerns him, as much as his FIFO takes. */
#include "shard/shard_inside.h"

#include "base/hash.h"

#include <errno.h>
#include <unistd.h>

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

bool shard_send(struct client *c, const struct load *l)
{
    ssize_t n;
    c->sh->writes++;
    do
        n = stage_write(&c->sh->stage, c->sh->st, c->src.fd, l, c->off);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)(l->len - c->off)) {
        c->off = 0;
        return true;
    }
    if (n < 0 && errno != EAGAIN) {
        shard_doom(c);
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

unsigned shard_inboxes(struct shard *sh, uint32_t room, uint32_t slot[2])
{
    const struct roster *r = &sh->st->seg->roster;
    unsigned n = 0;
    if (room == 0 || r->room[room].name[0] != '@')
        return 0;
    struct member_list *m = shard_members(sh, room);
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
    for (unsigned n = shard_inboxes(c->sh, room, inbox); n > 0; n--)
        if (roster_is_member(r, s, inbox[n - 1]))
            return true;
    return false;
}

size_t shard_step(const uint8_t *f)
{
    struct segment_head s;
    bool skip = frame_type(f) == FRAME_SEGMENT && frame_flags(f) & FRAME_PARKED && read_segment(f, &s) == 0;
    return frame_stride(f) + (skip ? s.bytes : 0);
}

bool shard_is_inside(const uint8_t *f)
{
    uint8_t type = frame_type(f);
    return type == FRAME_QUERY || type == FRAME_SEGMENT || type == FRAME_DUE || type == FRAME_GAP;
}

/* What was asked last: one room is mostly asked for many frames that follow each other. */
struct asked {
    uint64_t room;
    bool hears;
};

static bool concerns(const struct client *c, const uint8_t *f, struct asked *last)
{
    const struct session *s = &c->sh->st->seg->roster.session[c->session];
    uint64_t room = frame_room(f);
    if (shard_is_inside(f))
        return false;
    if (frame_client(f) == s->client && (frame_flags(f) & FRAME_SELF || frame_type(f) == FRAME_LEAVE))
        return true;
    if (frame_flags(f) & FRAME_SELF)
        return false;
    if (room == 0)
        return true;
    if (room != last->room)
        *last = (struct asked){room, hears(c, roster_room(&c->sh->st->seg->roster, room))};
    return last->hears;
}

/* add -- one more frame: as it lies in the journal, as long as nothing lies between. */
static void add(struct shard *sh, struct load *l, const uint8_t *f)
{
    size_t n = frame_stride(f);
    if (l->len == 0)
        l->p = f;
    if (l->p + l->len != f) {
        if (l->p != sh->buf)
            memcpy(sh->buf, l->p, l->len);
        l->p = sh->buf;
        memcpy(sh->buf + l->len, f, n);
    }
    l->len += n;
}

/* readers_of -- of the room whose frame comes first: mostly all are of one. */
static uint32_t readers_of(const struct shard *sh, const struct load *l)
{
    uint32_t room = l->len > 0 ? roster_room(&sh->st->seg->roster, frame_room(l->p)) : 0;
    return sh->room[room] ? sh->room[room]->n : 0;
}

/* gather -- the next pipeful for this client; returns where the scan ended. */
static uint64_t gather(const struct client *c, struct load *l)
{
    struct shard *sh = c->sh;
    struct asked last = {0};
    uint64_t pos = c->cursor;
    *l = (struct load){0};
    while (pos < sh->cursor && l->len < PIPEFUL) {
        const uint8_t *f = state_at(sh->st, pos);
        if ((pos == c->cursor && c->off > 0) || concerns(c, f, &last)) /* half a frame is followed by the other half, whatever it left */
            add(sh, l, f);
        pos += shard_step(f);
    }
    l->readers = readers_of(sh, l);
    return pos;
}

void shard_catch_up(struct client *c)
{
    struct shard *sh = c->sh;
    struct journal *j = &sh->st->seg->journal;
    struct load l;
    c->live = false;
    while (!c->doomed && c->cursor < sh->cursor) {
        if (!sh->pinned && journal_pin(j, sh->st->self, c->cursor) < 0) {
            shard_doom(c); /* overtaken */
            break;
        }
        uint64_t end = gather(c, &l);
        if (l.len > 0 && !shard_send(c, &l))
            break;
        c->cursor = end;
    }
    if (!sh->pinned)
        journal_unpin(j, sh->st->self);
    c->live = !c->doomed && c->cursor >= sh->cursor && c->off == 0;
}

void shard_on_fifo(struct loop_source *s, uint32_t events)
{
    struct client *c = s->arg;
    struct shard *sh = c->sh;
    if (!sh || c->doomed)
        return;
    if (events & EPOLLERR) {
        shard_doom(c);
    } else if (!c->live) {
        shard_catch_up(c);
        if (c->live && c->waiting)
            shard_acknowledge_one(c);
    }
    shard_bury(sh);
}
