/* fold.c -- acts from journal and store into states of rooms, and those into the tables. */
#include "keep/fold.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "state/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AIMED_MAX = 256,  /* kicks that wait for room in the journal, invitations to be told; more are forgotten */
    OUT_AT_ONCE = 64, /* taken out in one section */
};

/* All roles of a room are taken away and given anew in one section; each costs so much of the undo area. */
_Static_assert(ROOM_FACTS_MAX * 320 + 1024 < UNDO_BYTES, "the before-images of a full room must fit");

/* A room in which somebody did something. */
struct fold {
    struct room_state s;
    uint8_t newest[FRAME_HEAD]; /* of the acts that came, folded in or not yet */
    bool touched, late;         /* in this commit: by an act; by one that sorts before what is folded in */
    bool moved;                 /* who may what is not as in the tables */
    bool told;                  /* people heard of an act without effect in this commit */
    bool sweep;                 /* there may be somebody in it who is banned */
};

/* A kick or an invitation of a user of this host. */
struct aimed {
    uint32_t room;
    uint8_t act;
    struct room_person who, by;
};

struct folds {
    struct state *st;
    struct history *h;
    const struct forks *forks;
    struct fold *room[ROOMS_MAX];
    uint32_t touched[ROOMS_MAX], n_touched;
    struct aimed aimed[AIMED_MAX];
    unsigned n_aimed;
    bool sweep;
    uint32_t n_hosts; /* that were known when the hosts of private rooms were put into the tables last */
    /* while a room is folded anew */
    struct fold *into;
    uint32_t slot;
    uint64_t from, to;
};

int folds_open(struct folds **out, struct state *st, struct history *h, const struct forks *forks)
{
    struct folds *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->st = st;
    f->h = h;
    f->forks = forks;
    *out = f;
    return 0;
}

void folds_close(struct folds *f)
{
    for (uint32_t i = 0; i < ROOMS_MAX; i++)
        free(f->room[i]);
    free(f);
}

const struct room_state *folds_room(const struct folds *f, uint32_t slot)
{
    return f->room[slot] ? &f->room[slot]->s : NULL;
}

static struct text room_name(const struct folds *f, uint32_t slot)
{
    const struct room *room = &f->st->seg->roster.room[slot];
    return (struct text){room->name, room->name_len};
}

static struct fold *open_room(struct folds *f, uint32_t slot)
{
    if (!f->room[slot] && (f->room[slot] = calloc(1, sizeof *f->room[slot])))
        room_state_begin(&f->room[slot]->s, room_name(f, slot));
    return f->room[slot];
}

/* ---- what people are told ---- */

/* sign -- before the name of a room in a sentence: private ones are known by what is in it. */
static const char *sign(struct text room)
{
    return private_is(room) ? "" : "#";
}

/* tell -- a sentence to those in the room; one that finds no room in the journal is left out. */
static void PRINTF_LIKE(3, 4) tell(struct folds *f, uint32_t slot, const char *fmt, ...)
{
    char text[SENTENCE_MAX + 1];
    uint8_t frame[FRAME_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct reasoned r = {REASON_OK, text_of(text)};
    int n = write_reasoned(frame, FRAME_NOTICE, &r, 0, 0);
    ASSERT(n > 0);
    frame_set_room(frame, f->st->seg->roster.room[slot].id);
    if (state_take(f->st) < 0)
        return; /* the next section says so */
    if (state_room_for(f->st, FRAME_MAX) == 0)
        state_stamp_soft(f->st, state_put(f->st, frame), wall_ms());
    state_publish(f->st);
    state_give(f->st);
}

/* ---- the fold ---- */

static struct text user_in(const struct room_person *p)
{
    return (struct text){p->user, p->len};
}

static struct room_person person(uint64_t host, struct text user)
{
    struct room_person p = {.host = host, .len = (uint8_t)min_size(user.len, USER_NAME_MAX)};
    memcpy(p.user, user.p, p.len);
    return p;
}

/* step -- one act in order; what is new is also acted upon. */
static void step(struct folds *f, uint32_t slot, struct fold *r, const uint8_t *frame, bool is_new)
{
    struct text room = room_name(f, slot);
    enum room_verdict v = room_state_step(&r->s, frame);
    struct room_act a;
    if (read_room_act(frame, &a) < 0)
        return;
    r->moved |= v == ROOM_COUNTS && a.act != ACT_TOPIC && a.act != ACT_KICK;
    if (!is_new)
        return;
    if (v == ROOM_COUNTS && (a.act == ACT_KICK || a.act == ACT_INVITE) && a.host == f->st->seg->shape.origin &&
        f->n_aimed < AIMED_MAX)
        f->aimed[f->n_aimed++] = (struct aimed){slot, a.act, person(a.host, a.target), person(frame_origin(frame), a.user)};
    if (v != ROOM_COUNTS && !r->told)
        tell(f, slot, "%s%.*s: what %.*s did just now has no effect. %s", sign(room), (int)room.len, room.p, (int)a.user.len,
             a.user.p, room_why(v));
    r->told |= v != ROOM_COUNTS;
}

static void step_stored(void *arg, const uint8_t *frame)
{
    struct folds *f = arg;
    if (!forks_hides(f->forks, frame))
        step(f, f->slot, f->into, frame, frame_pos(frame) >= f->from && frame_pos(frame) < f->to);
}

/* fold_anew -- from the store, in which the acts lie in order. */
static int fold_anew(struct folds *f, uint32_t slot, struct fold *r)
{
    room_state_begin(&r->s, room_name(f, slot));
    r->moved = true;
    f->slot = slot;
    f->into = r;
    int n = history_acts(f->h, f->st->seg->roster.room[slot].id, step_stored, f);
    memcpy(r->newest, r->s.last, FRAME_HEAD);
    return n;
}

static void set_bit(const struct roster *r, uint64_t bits[HOST_WORDS], uint64_t host)
{
    uint32_t i = roster_host(r, host);
    if (i != 0)
        bits[(i - 1) / 64] |= UINT64_C(1) << (i - 1) % 64;
}

/* set_hosts -- in a section: which of the hosts that are known may have what is said in a private room. */
static void set_hosts(struct folds *f, uint32_t slot, const struct room_state *s)
{
    const struct roster *t = &f->st->seg->roster;
    uint64_t in[HOST_WORDS] = {0}, left[HOST_WORDS] = {0};
    for (uint32_t i = 0; i < s->n; i++) {
        const struct room_fact *x = &s->fact[i];
        if (x->act == ACT_OWN || x->act == ACT_INVITE)
            set_bit(t, in, x->target.host);
        if (x->act == ACT_UNINVITE)
            set_bit(t, left, x->target.host);
    }
    for (size_t i = 0; i < HOST_WORDS; i++)
        left[i] &= ~in[i];
    roster_audience(&f->st->edit, slot, in, left);
}

/* set_tables -- what follows for the rules of this host, in one section. */
static int set_tables(struct folds *f, uint32_t slot, struct fold *r)
{
    struct state *st = f->st;
    int full = 0;
    if (state_take(st) < 0)
        return -EIDRM;
    roster_room_edit(&st->edit, slot)->flags = room_state_flags(&r->s);
    while (roster_roles_clear(&st->edit, slot))
        ;
    for (uint32_t i = 0; i < r->s.n; i++) {
        const struct room_fact *x = &r->s.fact[i];
        uint8_t role = (uint8_t)room_fact_role(x);
        if (role != 0)
            full |= roster_role_add(&st->edit, slot, x->target.host, (struct text){x->target.user, x->target.len}, role);
        r->sweep |= x->act == ACT_BAN || x->act == ACT_UNINVITE;
    }
    if (r->s.is_private && !MUTANT(NOBODY_INVITED))
        set_hosts(f, slot, &r->s);
    state_give(st);
    if (full)
        log_error("too many operators, muted and banned in all rooms together: not all of them are enforced");
    f->sweep |= r->sweep;
    r->moved = false;
    return 0;
}

static void restore_room(void *arg, uint64_t id)
{
    struct folds *f = arg;
    uint32_t slot = roster_room(&f->st->seg->roster, id);
    if (slot != 0 && open_room(f, slot))
        f->touched[f->n_touched++] = slot;
}

int folds_restore(struct folds *f)
{
    int r = MUTANT(ACTS_NOT_RESTORED) ? 0 : history_acted(f->h, restore_room, f);
    for (uint32_t i = 0; r == 0 && i < f->n_touched; i++) {
        uint32_t slot = f->touched[i];
        r = fold_anew(f, slot, f->room[slot]);
        r = r < 0 ? r : set_tables(f, slot, f->room[slot]);
    }
    f->n_touched = 0;
    f->n_hosts = f->st->seg->roster.n_hosts;
    return r;
}

void folds_know_hosts(struct folds *f)
{
    uint32_t n = f->st->seg->roster.n_hosts;
    for (uint32_t i = 1; n != f->n_hosts && i < ROOMS_MAX; i++) {
        if (!f->room[i] || !f->room[i]->s.is_private)
            continue;
        if (state_take(f->st) < 0)
            return; /* the next section says so */
        set_hosts(f, i, &f->room[i]->s);
        state_give(f->st);
    }
    f->n_hosts = n;
}

/* ---- a commit ---- */

/* touch -- an act came: is it the newest of its room? */
static int touch(struct folds *f, const uint8_t *frame)
{
    uint32_t slot = roster_room(&f->st->seg->roster, frame_room(frame));
    struct fold *r = slot ? open_room(f, slot) : NULL;
    if (!r)
        return slot ? -ENOMEM : 0;
    if (!r->touched)
        f->touched[f->n_touched++] = slot;
    r->touched = true;
    r->late |= frame_order(frame, r->newest) < 0 && !MUTANT(ACTS_AS_THEY_COME);
    if (frame_order(frame, r->newest) > 0)
        memcpy(r->newest, frame, FRAME_HEAD);
    return 0;
}

/* each_act -- call `what` for the acts in a part of the journal.  What is there once more because it is due was folded when it
 * came. */
static int each_act(struct folds *f, uint64_t from, uint64_t to, int (*what)(struct folds *f, const uint8_t *frame))
{
    int r = 0;
    for (uint64_t pos = from; r == 0 && pos < to;) {
        const uint8_t *frame = state_at(f->st, pos);
        uint32_t again = 0;
        if (frame_type(frame) == FRAME_DUE && read_due(frame, &again) < 0)
            return -EBADMSG;
        if (frame_type(frame) == FRAME_STATE && !forks_hides(f->forks, frame))
            r = what(f, frame);
        pos += frame_stride(frame) + again;
    }
    return r;
}

static int step_new(struct folds *f, const uint8_t *frame)
{
    uint32_t slot = roster_room(&f->st->seg->roster, frame_room(frame));
    if (slot != 0 && !f->room[slot]->late)
        step(f, slot, f->room[slot], frame, true);
    return 0;
}

/* settle -- a room that this commit touched.  Returns 0 or -errno */
static int settle(struct folds *f, uint32_t slot)
{
    struct fold *r = f->room[slot];
    struct text room = room_name(f, slot);
    int n = r->late ? fold_anew(f, slot, r) : 0;
    if (n == 0 && r->moved && !(r->late && MUTANT(ROLES_STALE)))
        n = set_tables(f, slot, r);
    if (r->late)
        tell(f, slot, "%s%.*s: what others did earlier came late and was put in order; /show has what counts now.", sign(room),
             (int)room.len, room.p);
    r->touched = r->late = r->told = false;
    return n;
}

int folds_take(struct folds *f, uint64_t from, uint64_t to)
{
    f->from = from;
    f->to = to;
    int r = each_act(f, from, to, touch);
    r = r < 0 ? r : each_act(f, from, to, step_new);
    for (uint32_t i = 0; r == 0 && i < f->n_touched; i++)
        r = settle(f, f->touched[i]);
    f->n_touched = 0;
    return r;
}

void folds_fork(void *folds, uint64_t room)
{
    struct folds *f = folds;
    uint32_t slot = roster_room(&f->st->seg->roster, room);
    struct fold *r = f->room[slot];
    f->from = f->to = 0; /* nothing is new */
    if (!r || MUTANT(FORK_KEEPS_ACTS))
        return;
    int n = fold_anew(f, slot, r);
    n = n < 0 ? n : set_tables(f, slot, r);
    if (n < 0)
        log_error("what was done in a room cannot be read from the store: %s", strerror(-n));
}

/* ---- out of the room ---- */

/* put_out -- in a section. */
static void put_out(struct folds *f, uint32_t session, uint32_t slot, uint64_t wall)
{
    struct roster *t = &f->st->seg->roster;
    const struct session *s = &t->session[session];
    uint8_t buf[FRAME_MAX];
    struct room_change c = {{s->user, s->user_len}, {t->room[slot].name, t->room[slot].name_len}};
    bool news = roster_leave(&f->st->edit, session, slot) && !s->quiet;
    int n = write_room_change(buf, FRAME_LEAVE, &c, t->room[slot].id, s->client, 0);
    ASSERT(n > 0);
    frame_set_flags(buf, (uint8_t)(FRAME_FORCED | (news ? 0 : FRAME_SELF)));
    state_stamp_soft(f->st, state_put(f->st, buf), wall);
}

/* must_go -- kicked (`who`), or banned or no member of a private room any more (NULL)? */
static bool must_go(const struct folds *f, const struct session *s, uint32_t slot, const struct room_person *who)
{
    struct text user = {s->user, s->user_len};
    if (s->state == SESSION_FREE || !roster_is_member(&f->st->seg->roster, s, slot))
        return false;
    if (who)
        return text_eq(user, user_in(who));
    return !scope_user(f->st->seg, slot, user) || roster_role(&f->st->seg->roster, slot, f->st->seg->shape.origin, user) & ROLE_BANNED;
}

/* clear_some -- from session *i on, as many as one section takes; *i becomes where to go on.  Returns false when the journal is
 * full. */
static bool clear_some(struct folds *f, uint32_t slot, const struct room_person *who, uint32_t *i)
{
    struct state *st = f->st;
    uint64_t wall = wall_ms();
    bool room = true;
    if (state_take(st) < 0)
        return false;
    for (uint32_t n = 0; *i < st->seg->roster.unused_session && n < OUT_AT_ONCE; (*i)++) {
        if (!must_go(f, &st->seg->roster.session[*i], slot, who))
            continue;
        room = state_room_for(st, FRAME_MAX) == 0;
        if (!room)
            break;
        put_out(f, *i, slot, wall);
        n++;
    }
    state_publish(st);
    state_give(st);
    return room;
}

/* clear -- take out of a room whoever must go.  Returns true when all are out */
static bool clear(struct folds *f, uint32_t slot, const struct room_person *who)
{
    bool room = true;
    for (uint32_t i = 1; room && i < f->st->seg->roster.unused_session;)
        room = clear_some(f, slot, who, &i);
    return room;
}

/* tell_invited -- in his inbox: where he hears what is said to him alone. */
static void tell_invited(struct folds *f, const struct aimed *a)
{
    const struct segment *seg = f->st->seg;
    const struct host *by = &seg->roster.host[roster_host(&seg->roster, a->by.host)];
    struct person who = {user_in(&a->who), text_of(seg->shape.host)};
    struct text room = room_name(f, a->room);
    char inbox[PERSON_MAX + 2];
    uint32_t slot = roster_room(&seg->roster, room_id((struct text){inbox, direct_inbox(who, inbox)}));
    if (slot != 0)
        tell(f, slot, "%.*s@%.*s invited you to %.*s; /join it", (int)a->by.len, a->by.user, (int)by->name_len, by->name,
             (int)room.len, room.p);
}

void folds_enforce(struct folds *f)
{
    unsigned kept = 0;
    bool all = true;
    for (unsigned i = 0; i < f->n_aimed; i++) {
        struct aimed a = f->aimed[i];
        if (a.act == ACT_INVITE)
            tell_invited(f, &a);
        else if (!clear(f, a.room, &a.who))
            f->aimed[kept++] = a;
    }
    f->n_aimed = kept;
    for (uint32_t i = 1; f->sweep && i < ROOMS_MAX; i++) {
        if (!f->room[i] || !f->room[i]->sweep)
            continue;
        f->room[i]->sweep = !clear(f, i, NULL);
        all &= !f->room[i]->sweep;
    }
    f->sweep = !all;
}
