/* rules.c -- HELLO aside, everything a client can ask for. */
#include "rules/rules.h"

#include "base/hash.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "base/text.h"
#include "rules/room_state.h"
#include "state/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The most one frame can cost: its own bytes, a CREATE before it, and before-images of a room, a session, and
 * what a new room links. */
enum { FRAME_COST = 2 * FRAME_MAX, UNDO_COST = 4096 };

int rules_open(struct rules *r, struct state *st)
{
    *r = (struct rules){.st = st};
    r->session_saved = calloc((size_t)st->seg->shape.sessions_max + 1, sizeof *r->session_saved);
    return r->session_saved ? 0 : -ENOMEM;
}

static int check_room_change(const struct session *s, const uint8_t *f)
{
    struct room_change c;
    if (read_room_change(f, &c) < 0 || room_id(c.room) != frame_room(f))
        return REASON_MALFORMED;
    return text_eq(c.user, (struct text){s->user, s->user_len}) ? 0 : REASON_DENIED;
}

static int check_say(const struct session *s, const uint8_t *f)
{
    struct say say;
    if (read_say(f, &say) < 0)
        return REASON_MALFORMED;
    return text_eq(say.user, (struct text){s->user, s->user_len}) ? 0 : REASON_DENIED;
}

static int check_act(const struct session *s, const uint8_t *f)
{
    struct room_act a;
    if (read_room_act(f, &a) < 0)
        return REASON_MALFORMED;
    return text_eq(a.user, (struct text){s->user, s->user_len}) ? 0 : REASON_DENIED;
}

static int check_query(const struct session *s, uint8_t *f)
{
    char wanted[WANTED_MAX];
    struct query q;
    if (read_query(f, &q) < 0)
        return REASON_MALFORMED;
    memcpy(wanted, q.wanted.p, q.wanted.len); /* it lies in the frame that is written anew */
    q.wanted.p = wanted;
    q.uid = s->uid;
    if (q.kind == QUERY_PROBE)
        q.until = now_us();
    uint8_t flags = frame_flags(f);
    int n = write_query(f, &q, frame_room(f), frame_client(f), frame_client_seq(f));
    frame_set_flags(f, flags);
    return n < 0 ? REASON_MALFORMED : 0;
}

int rules_check(const struct session *s, uint8_t *f)
{
    const struct frame_row *row = frame_row(frame_type(f));
    if (!row || row->who != FRAME_BY_SESSION || frame_client(f) != s->client)
        return REASON_MALFORMED;
    bool numbered = frame_type(f) != FRAME_BYE && frame_type(f) != FRAME_OPEN;
    if (numbered && frame_client_seq(f) <= s->last_seq && !MUTANT(NO_CLIENT_DEDUPE))
        return -EALREADY;
    switch (frame_type(f)) {
    case FRAME_OPEN:
    case FRAME_JOIN:
    case FRAME_LEAVE:
        return check_room_change(s, f);
    case FRAME_SAY:
        return check_say(s, f);
    case FRAME_STATE:
        return check_act(s, f);
    case FRAME_QUERY:
        return check_query(s, f);
    default:
        return 0;
    }
}

void rules_section(struct rules *r, uint64_t wall)
{
    r->wall = wall;
    r->section++;
}

static struct room *edit_room(struct rules *r, uint32_t room)
{
    if (r->room_saved[room] != r->section)
        roster_room_edit(&r->st->edit, room);
    r->room_saved[room] = r->section;
    return &r->st->seg->roster.room[room];
}

static struct session *edit_session(struct rules *r, uint32_t session)
{
    if (r->session_saved[session] != r->section)
        roster_session_edit(&r->st->edit, session);
    r->session_saved[session] = r->section;
    return &r->st->seg->roster.session[session];
}

static bool full(struct rules *r)
{
    uint64_t used = atomic_load_explicit(&r->st->seg->undo.used, memory_order_relaxed);
    return used > UNDO_BYTES - UNDO_COST || state_room_for(r->st, FRAME_COST) < 0;
}

/* taken -- the session's frame of this number is in the journal, up to here. */
static void taken(struct rules *r, uint32_t session, uint32_t client_seq)
{
    struct session *s = edit_session(r, session);
    s->last_seq = client_seq;
    s->last_pos = r->st->next;
}

static const char *const sentences[] = {
    [REASON_MALFORMED] = "The relay does not understand this request; update chat and relay to the same version.",
    [REASON_DENIED] = "You may only speak under your own name.",
    [REASON_LIMIT] = "This relay has no room for another room; use one that exists (chat rooms).",
    [REASON_DISK_FULL] = "The relay's disk is full, so nothing can be kept; free some space and send it again.",
    [REASON_STORE] = "The relay's store does not work; see its log and run: relay doctor",
    [REASON_NO_ROOM] = "There is no such room.",
    [REASON_YOURS] = "There is no such room, but your private one: write its whole name, as chat rooms shows it.",
    [REASON_NO_HOST] = "No host of that name is known here; see: relay status",
};

/* refuse -- tell the client that this frame is not taken, with these words. */
static int refuse(struct rules *r, uint32_t session, const uint8_t *frame, unsigned reason, const char *why)
{
    uint8_t buf[FRAME_MAX];
    struct reasoned refused = {(uint8_t)reason, text_of(why)};
    const struct session *s = &r->st->seg->roster.session[session];
    uint32_t seq = frame_client_seq(frame);
    int n = write_reasoned(buf, FRAME_REFUSED, &refused, s->client, seq);
    ASSERT(n > 0);
    if (full(r))
        return -EAGAIN;
    frame_set_flags(buf, FRAME_SELF);
    frame_set_room(buf, frame_room(frame));
    state_stamp_soft(r->st, state_put(r->st, buf), r->wall);
    if (seq > s->last_seq)
        taken(r, session, seq);
    return 0;
}

int rules_refuse(struct rules *r, uint32_t session, const uint8_t *frame, unsigned reason)
{
    return refuse(r, session, frame, reason, reason < ARRAY_LEN(sentences) && sentences[reason] ? sentences[reason] : "Refused.");
}

/* first_entry -- every stream begins with the name of its room. */
static void first_entry(struct rules *r, uint32_t room)
{
    uint8_t buf[FRAME_MAX];
    struct room *info = edit_room(r, room);
    struct room_change c = {.room = {info->name, info->name_len}};
    int n = write_room_change(buf, FRAME_CREATE, &c, info->id, 0, 0);
    ASSERT(n > 0);
    state_stamp(r->st, state_put(r->st, buf), room, r->wall);
}

static struct text user_of(const struct rules *r, uint32_t session)
{
    const struct session *s = &r->st->seg->roster.session[session];
    return (struct text){s->user, s->user_len};
}

/* role -- of the session's user in a room, in most of which nobody has one. */
static unsigned role(const struct rules *r, uint32_t session, uint32_t room)
{
    const struct roster *t = &r->st->seg->roster;
    if (LIKELY(t->room[room].roles == 0))
        return 0;
    return roster_role(t, room, r->st->seg->shape.origin, user_of(r, session));
}

/* silenced -- why this user may say and do nothing in the room, or NULL. */
static const char *silenced(unsigned role)
{
    if (role & ROLE_BANNED)
        return "You are banned from this room; its owner and operators (chat room show) can lift that.";
    return role & ROLE_MUTED ? "You are muted in this room; its owner and operators (chat room show) can lift that." : NULL;
}

/* entry -- a frame that has passed becomes an entry of our stream in the room. */
static int entry(struct rules *r, uint32_t session, const uint8_t *f, uint32_t room)
{
    if (edit_room(r, room)->seq == 0)
        first_entry(r, room);
    uint8_t *put = state_put(r->st, f);
    frame_set_flags(put, frame_flags(put) & (FRAME_MORE | FRAME_CONT | FRAME_ACTION));
    state_stamp(r->st, put, room, r->wall);
    taken(r, session, frame_client_seq(f));
    return RULES_NOTHING;
}

/* not_so -- why this act makes no sense here and now, or NULL. */
static const char *not_so(uint8_t act, unsigned target)
{
    static const struct {
        uint8_t undo;
        unsigned role;
    } undoes[] = {{ACT_DEOP, ROLE_OPERATOR}, {ACT_UNMUTE, ROLE_MUTED}, {ACT_UNBAN, ROLE_BANNED}, {ACT_UNINVITE, ROLE_MEMBER}};
    for (size_t i = 0; i < ARRAY_LEN(undoes); i++)
        if (act == undoes[i].undo && !(target & undoes[i].role))
            return "There is nothing to take back: see chat room show.";
    return act == ACT_INVITE && target & ROLE_MEMBER ? "That user is invited already: see chat room show." : NULL;
}

/* act -- what room_judge() allows, and what makes sense here and now. */
static int act(struct rules *r, uint32_t session, const uint8_t *f, uint32_t room, unsigned author)
{
    const struct roster *t = &r->st->seg->roster;
    struct room_act a;
    if (read_room_act(f, &a) < 0)
        return rules_refuse(r, session, f, REASON_MALFORMED);
    unsigned target = act_aims(a.act) ? roster_role(t, room, a.host, a.target) : 0;
    enum room_verdict v = room_judge(a.act, t->room[room].flags, author, target);
    if (v != ROOM_COUNTS)
        return refuse(r, session, f, REASON_DENIED, room_why(v));
    if (a.act == ACT_OWN && t->room[room].last_hlc != 0)
        return refuse(r, session, f, REASON_DENIED, "The room is there already, and nobody's; create one with another name.");
    if (a.act == ACT_INVITE && roster_host(t, a.host) == 0)
        return rules_refuse(r, session, f, REASON_NO_HOST);
    const char *why = not_so(a.act, target);
    if (why)
        return refuse(r, session, f, REASON_NOT_SO, why);
    return entry(r, session, f, room);
}

/* creates -- is it the act that makes a room somebody's? */
static bool creates(const uint8_t *f)
{
    struct room_act a;
    return frame_type(f) == FRAME_STATE && read_room_act(f, &a) == 0 && a.act == ACT_OWN;
}

/* may_hold -- a room holds entries of both types, a private one from its creation on; a conversation of two has no state, an
 * inbox is for hearing. */
static bool may_hold(const struct rules *r, uint32_t room, const uint8_t *f)
{
    const struct room *info = &r->st->seg->roster.room[room];
    struct text name = {info->name, info->name_len};
    struct direct d;
    if (room == 0 || (private_is(name) && !(info->flags & ROOM_OWNED) && !creates(f)))
        return false;
    return !direct_read(name, &d) || (d.n == 2 && frame_type(f) == FRAME_SAY);
}

/* say_or_act -- what becomes an entry of the room. */
static int say_or_act(struct rules *r, uint32_t session, const uint8_t *f, uint32_t room)
{
    unsigned reason = atomic_load_explicit(&r->st->seg->store_reason, memory_order_relaxed);
    if (!may_hold(r, room, f))
        reason = REASON_NO_ROOM;
    if (reason != REASON_OK)
        return rules_refuse(r, session, f, reason);
    unsigned author = role(r, session, room);
    const char *why = silenced(author);
    if (why)
        return refuse(r, session, f, REASON_DENIED, why);
    return frame_type(f) == FRAME_SAY ? entry(r, session, f, room) : act(r, session, f, room, author);
}

/* is_yours -- is there no room of that name yet, and is it what the user calls a private room of his?  Who leaves out the
 * first half of its name must not say to everybody what was meant for a few. */
static bool is_yours(const struct rules *r, struct text name, struct text user)
{
    const struct segment *seg = r->st->seg;
    char whole[PRIVATE_NAME_MAX + 1];
    if (private_is(name) || direct_is(name) || roster_room(&seg->roster, room_id(name)) != 0)
        return false;
    size_t n = private_name((struct person){user, text_of(seg->shape.host)}, name, whole);
    return roster_room(&seg->roster, room_id((struct text){whole, n})) != 0;
}

/* open_room -- the slot of the room that this OPEN or JOIN names; 0: `reason` says why not. */
static uint32_t open_room(struct rules *r, uint32_t session, const uint8_t *f, unsigned *reason)
{
    struct room_change c;
    if (read_room_change(f, &c) < 0)
        return 0;
    unsigned denied = scope_name(r->st->seg, frame_room(f), c.room, user_of(r, session));
    if (!denied && is_yours(r, c.room, user_of(r, session)))
        denied = REASON_YOURS;
    *reason = denied ? denied : REASON_LIMIT;
    return denied ? 0 : roster_room_open(&r->st->edit, frame_room(f), c.room);
}

/* known_room -- the slot of a room that this session may know of; of any other: 0, as if there were none. */
static uint32_t known_room(struct rules *r, uint32_t session, const uint8_t *f)
{
    uint32_t room = roster_room(&r->st->seg->roster, frame_room(f));
    return scope_user(r->st->seg, room, user_of(r, session)) ? room : 0;
}

/* join_or_leave -- announced to the room if it is news about the user, else said to the client alone; between two nobody
 * announces that he listens. */
static int join_or_leave(struct rules *r, uint32_t session, const uint8_t *f, uint32_t room)
{
    bool join = frame_type(f) == FRAME_JOIN;
    unsigned as = join ? role(r, session, room) : 0;
    if (as & ROLE_BANNED)
        return refuse(r, session, f, REASON_DENIED, silenced(as));
    const struct room *info = &r->st->seg->roster.room[room];
    int first = join ? roster_join(&r->st->edit, session, room) : roster_leave(&r->st->edit, session, room);
    if (first < 0)
        return refuse(r, session, f, REASON_LIMIT, "You are in as many rooms as one session may be; leave some first.");
    struct session *s = edit_session(r, session);
    if (join)
        s->quiet = (frame_flags(f) & FRAME_SELF) != 0;
    bool news = first && !direct_is((struct text){info->name, info->name_len});
    uint8_t *put = state_put(r->st, f);
    frame_set_flags(put, news && !s->quiet ? 0 : FRAME_SELF);
    state_stamp_soft(r->st, put, r->wall);
    taken(r, session, frame_client_seq(f));
    return join ? RULES_JOINED : RULES_LEFT;
}

static int query(struct rules *r, uint32_t session, const uint8_t *f)
{
    uint8_t *put = state_put(r->st, f);
    frame_set_flags(put, FRAME_SELF);
    state_stamp_soft(r->st, put, r->wall);
    taken(r, session, frame_client_seq(f));
    return RULES_NOTHING;
}

int rules_apply(struct rules *r, uint32_t session, const uint8_t *f, uint32_t *room)
{
    uint8_t type = frame_type(f);
    unsigned reason = REASON_NO_ROOM;
    if (full(r))
        return -EAGAIN;
    if (type != FRAME_OPEN && frame_client_seq(f) <= r->st->seg->roster.session[session].last_seq && !MUTANT(NO_CLIENT_DEDUPE))
        return RULES_NOTHING; /* came twice in one batch */
    *room = type == FRAME_OPEN || type == FRAME_JOIN ? open_room(r, session, f, &reason) : known_room(r, session, f);
    if (type == FRAME_QUERY)
        return query(r, session, f);
    if (type == FRAME_SAY || type == FRAME_STATE)
        return say_or_act(r, session, f, *room);
    if (*room == 0)
        return rules_refuse(r, session, f, reason);
    return type == FRAME_OPEN ? RULES_NOTHING : join_or_leave(r, session, f, *room);
}

int rules_leave_all(struct rules *r, uint32_t session)
{
    struct roster *t = &r->st->seg->roster;
    const struct session *s = &t->session[session];
    for (uint32_t room = 0; (room = roster_next_room(t, s, room + 1)) != 0;) {
        if (full(r))
            return -EAGAIN;
        struct text name = {t->room[room].name, t->room[room].name_len};
        if (!roster_leave(&r->st->edit, session, room) || s->quiet || direct_is(name))
            continue;
        uint8_t buf[FRAME_MAX];
        struct room_change c = {{s->user, s->user_len}, name};
        int n = write_room_change(buf, FRAME_LEAVE, &c, t->room[room].id, s->client, 0);
        ASSERT(n > 0);
        state_stamp_soft(r->st, state_put(r->st, buf), r->wall);
    }
    return 0;
}
