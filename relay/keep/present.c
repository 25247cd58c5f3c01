/* present.c -- what is so now, out of shared memory and the folds: which rooms there are, what holds in one, who is in it. */
#include "keep/answer_inside.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

enum { VAIN_MAX = 1000 /* acts without effect in one answer */ };

/* listed -- ordinary rooms, the private ones that the asker is in, and those of his conversations in which something was said. */
static bool listed(const struct answer *w, const struct room *r)
{
    struct text name = {r->name, r->name_len};
    struct direct d;
    if (private_is(name))
        return r->flags & ROOM_OWNED && answer_sees(w, r->id);
    if (!direct_read(name, &d))
        return true;
    return d.n == 2 && r->last_hlc != 0 && answer_sees(w, r->id);
}

int present_rooms(struct answer *w)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint8_t buf[FRAME_MAX];
    struct room *copy = malloc(sizeof r->room);
    w->whole = true;
    if (!copy || state_take(w->all->st) < 0) {
        free(copy);
        return -ENOMEM;
    }
    uint32_t n = r->n_rooms;
    memcpy(copy, r->room, sizeof r->room);
    for (uint32_t g = 0; g < r->n_guests; g++)
        copy[r->guest[g].sessions > 0 ? roster_room(r, r->guest[g].room) : 0].members++;
    state_give(w->all->st);
    for (uint32_t i = 1; i <= n; i++) {
        if (copy[i].id == MEMBERS_ROOM || !listed(w, &copy[i])) /* the former is a scope, not a room */
            continue;
        const struct room_state *s = folds_room(w->all->folds, i);
        struct room_row row = {copy[i].members, copy[i].messages, {copy[i].name, copy[i].name_len}, {"", 0}};
        if (s)
            row.topic = (struct text){s->topic, s->topic_len};
        answer_put(w, buf, write_room_row(buf, &row, copy[i].id, copy[i].last_hlc));
    }
    free(copy);
    return 0;
}

/* A fold on its own, to see which acts do not count. */
struct vain {
    struct answer *w;
    struct room_state s;
    unsigned n;
};

static void vain_act(void *arg, const uint8_t *f)
{
    struct vain *v = arg;
    if (forks_hides(v->w->all->forks, f))
        return;
    struct fact_row row = {.why = text_of(room_why(room_state_step(&v->s, f)))};
    uint8_t buf[FRAME_MAX];
    if (row.why.len == 0 || read_room_act(f, &row.act) < 0)
        return;
    if (v->n++ == VAIN_MAX)
        v->w->more = 1;
    if (v->n > VAIN_MAX)
        return;
    int n = write_fact_row(buf, &row, v->w->room);
    frame_set_origin(buf, frame_origin(f));
    frame_set_epoch(buf, frame_epoch(f));
    frame_set_seq(buf, frame_seq(f));
    frame_set_hlc(buf, frame_hlc(f));
    answer_put(v->w, buf, n);
}

static int vain(struct answer *w)
{
    const struct roster *all = &w->all->st->seg->roster;
    const struct room *room = &all->room[roster_room(all, w->room)];
    struct vain *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->w = w;
    room_state_begin(&v->s, (struct text){room->name, room->name_len});
    int r = history_acts(w->all->h, w->room, vain_act, v);
    free(v);
    return r;
}

/* facts -- what is so in a room, and what is not though somebody tried. */
int present_facts(struct answer *w)
{
    uint32_t slot = roster_room(&w->all->st->seg->roster, w->room);
    const struct room_state *s = folds_room(w->all->folds, slot);
    uint8_t buf[FRAME_MAX];
    w->whole = true;
    for (uint32_t i = 0; s && i < s->n; i++)
        answer_put(w, buf, room_fact_row(s, i, w->room, buf));
    return s && w->q.limit > 0 ? vain(w) : 0;
}

struct present {
    uint32_t uid, sessions;
    char user[USER_NAME_MAX];
    uint8_t user_len;
};

static int by_uid(const void *a, const void *b)
{
    uint32_t x = ((const struct present *)a)->uid, y = ((const struct present *)b)->uid;
    return (x > y) - (x < y);
}

/* Whom WHO is about: those in a room, or those of two who would hear of it now.  Of a private room it is not said from host to
 * host who is in it: of other hosts those are shown who are members, and in any room. */
struct circle {
    uint32_t slot[2]; /* of the room; of the inboxes of a conversation */
    struct direct d;  /* n 0: a room */
    bool is_private;
};

static struct circle circle_of(const struct answer *w)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint32_t slot = roster_room(r, w->room);
    struct circle c = {.slot = {slot}};
    char inbox[PERSON_MAX + 2];
    if (!direct_read((struct text){r->room[slot].name, r->room[slot].name_len}, &c.d))
        c.d.n = 0;
    c.is_private = private_is((struct text){r->room[slot].name, r->room[slot].name_len});
    for (unsigned i = 0; i < c.d.n; i++)
        c.slot[i] = roster_room(r, room_id((struct text){inbox, direct_inbox(c.d.who[i], inbox)}));
    return c;
}

static bool within(const struct roster *r, const struct circle *c, const struct session *s)
{
    return s->state != SESSION_FREE && ((c->slot[0] != 0 && roster_is_member(r, s, c->slot[0])) ||
                                        (c->slot[1] != 0 && roster_is_member(r, s, c->slot[1])));
}

/* guest_within -- a guest of a conversation is one of the two who is in any room; of a private room, a member who is. */
static bool guest_within(const struct roster *r, const struct circle *c, uint64_t room, const struct guest *g)
{
    const struct host *h = &r->host[roster_host(r, g->host)];
    struct person who = {{g->user, g->user_len}, {h->name, h->name_len}};
    if (c->is_private)
        return g->sessions > 0 && roster_role(r, c->slot[0], g->host, who.user) & (ROLE_OWNER | ROLE_MEMBER);
    return g->sessions > 0 && (c->d.n ? direct_has(&c->d, who) : g->room == room);
}

/* is_among -- there is one guest for each room that somebody is in. */
static bool is_among(const struct guest *g, const struct guest *all, size_t n)
{
    struct text user = {g->user, g->user_len};
    for (size_t i = 0; i < n; i++)
        if (all[i].host == g->host && text_eq(user, (struct text){all[i].user, all[i].user_len}))
            return true;
    return false;
}

/* guests_in -- of a room, each once, copied in a section.  Returns how many. */
static size_t guests_in(const struct roster *r, const struct circle *c, uint64_t room, struct guest *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->n_guests; i++) {
        const struct guest *g = &r->guest[i];
        if (guest_within(r, c, room, g) && !((c->d.n || c->is_private) && is_among(g, to, n)))
            to[n++] = *g;
    }
    return n;
}

/* guests_out -- host slots are only ever added, so that their names may be read without the lock. */
static void guests_out(struct answer *w, const struct guest *g, size_t n)
{
    const struct roster *r = &w->all->st->seg->roster;
    uint8_t buf[FRAME_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct host *h = &r->host[roster_host(r, g[i].host)];
        struct who_row row = {g[i].sessions, {g[i].user, g[i].user_len}, {h->name, h->name_len}};
        answer_put(w, buf, write_who_row(buf, &row, w->room, g[i].host));
    }
}

int present_who(struct answer *w)
{
    const struct segment *seg = w->all->st->seg;
    const struct roster *r = &seg->roster;
    struct present *p = malloc(((size_t)r->sessions_max + 1) * sizeof *p);
    struct guest *g = malloc(sizeof r->guest);
    struct circle c = circle_of(w);
    uint8_t buf[FRAME_MAX];
    size_t n = 0;
    w->whole = true;
    if (!p || !g || state_take(w->all->st) < 0) {
        free(p);
        free(g);
        return -ENOMEM;
    }
    for (uint32_t i = 1; i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        if (!within(r, &c, s))
            continue;
        p[n] = (struct present){.uid = s->uid, .sessions = 1, .user_len = s->user_len};
        memcpy(p[n++].user, s->user, s->user_len);
    }
    size_t n_guests = guests_in(r, &c, w->room, g);
    state_give(w->all->st);
    qsort(p, n, sizeof *p, by_uid);
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && p[k].uid == p[i].uid;)
            k++;
        struct who_row row = {(uint32_t)(k - i), {p[i].user, p[i].user_len}, text_of(seg->shape.host)};
        answer_put(w, buf, write_who_row(buf, &row, w->room, seg->shape.origin));
    }
    guests_out(w, g, n_guests);
    free(p);
    free(g);
    return 0;
}
