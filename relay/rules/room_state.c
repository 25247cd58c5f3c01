/* room_state.c -- fold acts into what is so in a room. */
#include "rules/room_state.h"

#include "base/mutant.h"

enum { HEADS = ROLE_OWNER | ROLE_OPERATOR };

/* What each act leaves behind, and which act would undo it. */
static uint8_t decides(uint8_t act)
{
    switch (act) {
    case ACT_UNSET:
        return ACT_SET;
    case ACT_DEOP:
        return ACT_OP;
    case ACT_UNMUTE:
        return ACT_MUTE;
    case ACT_UNBAN:
        return ACT_BAN;
    case ACT_UNINVITE:
        return ACT_INVITE;
    default:
        return act;
    }
}

const char *room_why(enum room_verdict v)
{
    static const char *const why[] = {
        [ROOM_COUNTS] = "",
        [ROOM_HAS_OWNER] = "The room had an owner already.",
        [ROOM_HAS_NO_OWNER] = "The room has no owner, and so nobody who may do that.",
        [ROOM_NOT_OPERATOR] = "Only the owner and the operators of the room may do that.",
        [ROOM_NOT_OWNER] = "Only the owner of the room may do that.",
        [ROOM_OF_OWNER] = "Nobody may do that to the owner of the room.",
        [ROOM_BY_MUTED] = "Whoever is muted may not do that.",
        [ROOM_BY_BANNED] = "Whoever is banned may not do that.",
        [ROOM_FULL] = "The room has as many operators, muted and banned as a room can have.",
        [ROOM_MALFORMED] = "This is no act.",
        [ROOM_NOT_PRIVATE] = "Everybody may come into this room; only into a private one somebody is invited.",
        [ROOM_NOT_MEMBER] = "Only who is invited to the room may do that.",
        [ROOM_MEMBERS_FULL] = "As many people were invited to the room as ever can be.",
    };
    return why[v];
}

/* judge_invitation -- muted and banned do not matter: neither can happen to the owner. */
static enum room_verdict judge_invitation(unsigned flags, unsigned author, unsigned target)
{
    if (!(flags & ROOM_PRIVATE))
        return ROOM_NOT_PRIVATE;
    if (!(author & ROLE_OWNER))
        return ROOM_NOT_OWNER;
    return target & ROLE_OWNER ? ROOM_OF_OWNER : ROOM_COUNTS;
}

enum room_verdict room_judge(uint8_t act, unsigned flags, unsigned author, unsigned target)
{
    if (act == ACT_INVITE || act == ACT_UNINVITE)
        return judge_invitation(flags, author, target);
    if (flags & ROOM_PRIVATE && act != ACT_OWN && !(author & (ROLE_OWNER | ROLE_MEMBER)))
        return ROOM_NOT_MEMBER;
    if (author & ROLE_BANNED)
        return ROOM_BY_BANNED;
    if (author & ROLE_MUTED)
        return ROOM_BY_MUTED;
    if (act == ACT_OWN)
        return flags & ROOM_OWNED ? ROOM_HAS_OWNER : ROOM_COUNTS;
    if (act == ACT_TOPIC && !(flags & ROOM_TOPIC_BY_OPERATORS))
        return ROOM_COUNTS;
    if (!(flags & ROOM_OWNED))
        return ROOM_HAS_NO_OWNER;
    if ((act == ACT_OP || act == ACT_DEOP) && !(author & ROLE_OWNER))
        return ROOM_NOT_OWNER;
    if (!(author & HEADS) && !MUTANT(ACTS_UNJUDGED))
        return ROOM_NOT_OPERATOR;
    return act_aims(act) && target & ROLE_OWNER ? ROOM_OF_OWNER : ROOM_COUNTS;
}

/* ---- who ---- */

static struct room_person person(uint64_t host, struct text user)
{
    struct room_person p = {.host = host, .len = (uint8_t)min_size(user.len, USER_NAME_MAX)};
    memcpy(p.user, user.p, p.len);
    return p;
}

static struct text name_of(const struct room_person *p)
{
    return (struct text){p->user, p->len};
}

static bool is(const struct room_person *p, uint64_t host, struct text user)
{
    return p->host == host && text_eq(name_of(p), user);
}

unsigned room_fact_role(const struct room_fact *f)
{
    return f->act == ACT_OWN ? ROLE_OWNER
           : f->act == ACT_OP ? ROLE_OPERATOR
           : f->act == ACT_MUTE ? ROLE_MUTED
           : f->act == ACT_BAN ? ROLE_BANNED
           : f->act == ACT_INVITE ? ROLE_MEMBER
                                  : 0;
}

unsigned room_state_role(const struct room_state *s, uint64_t host, struct text user)
{
    unsigned role = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (is(&s->fact[i].target, host, user) || (s->fact[i].act == ACT_BAN && is(&s->fact[i].target, host, text_of("*"))))
            role |= room_fact_role(&s->fact[i]);
    return role & ROLE_OWNER ? ROLE_OWNER : role; /* all of his host can be banned, but not he */
}

unsigned room_state_flags(const struct room_state *s)
{
    unsigned flags = s->is_private ? ROOM_PRIVATE : 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct room_fact *f = &s->fact[i];
        flags |= f->act == ACT_OWN ? ROOM_OWNED : 0;
        flags |= f->act == ACT_SET && f->mode == MODE_TOPIC_BY_OPERATORS ? ROOM_TOPIC_BY_OPERATORS : 0;
    }
    return flags;
}

uint64_t room_state_out(const struct room_state *s, uint64_t host)
{
    uint64_t hlc = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->fact[i].act == ACT_UNINVITE && s->fact[i].target.host == host)
            hlc = max_u64(hlc, s->fact[i].hlc);
    return hlc;
}

/* ---- the fold ---- */

void room_state_begin(struct room_state *s, struct text name)
{
    memset(s, 0, sizeof *s);
    s->is_private = private_is(name);
}

bool room_state_follows(const struct room_state *s, const uint8_t *frame)
{
    return frame_order(frame, s->last) > 0;
}

/* find -- the fact of this kind about the same; s->n when there is none. */
static uint32_t find(const struct room_state *s, uint8_t act, const struct room_act *a)
{
    uint32_t i = 0;
    while (i < s->n && !(decides(s->fact[i].act) == act && s->fact[i].mode == a->mode &&
                         (!act_aims(act) || is(&s->fact[i].target, a->host, a->target))))
        i++;
    return i;
}

/* count -- of the facts of this kind. */
static uint32_t *count(struct room_state *s, uint8_t act)
{
    return decides(act) == ACT_INVITE ? &s->n_invited : &s->n_aimed;
}

/* forget -- facts stay in the order in which they came to be: it is part of the result. */
static void forget(struct room_state *s, uint32_t i)
{
    *count(s, s->fact[i].act) -= act_aims(s->fact[i].act);
    s->n--;
    memmove(&s->fact[i], &s->fact[i + 1], (s->n - i) * sizeof s->fact[0]);
}

static void decide(struct room_state *s, uint32_t i, const struct room_act *a, const uint8_t *frame)
{
    struct room_fact *f = &s->fact[i];
    if (i == s->n) {
        s->n++;
        *count(s, a->act) += act_aims(a->act);
    }
    *f = (struct room_fact){.act = a->act, .mode = a->mode};
    f->hlc = frame_hlc(frame);
    f->epoch = frame_epoch(frame);
    f->seq = frame_seq(frame);
    f->author = person(frame_origin(frame), a->user);
    f->target = a->act == ACT_OWN ? f->author : person(a->host, a->target);
}

/* full -- is there no room for one more fact of this kind?  Members are counted apart: who is one must not depend on what others
 * than the owner did. */
static enum room_verdict full(const struct room_state *s, uint8_t act)
{
    uint32_t others = s->n - s->n_aimed - s->n_invited;
    if (act == ACT_INVITE)
        return s->n_invited == ROOM_MEMBERS_MAX ? ROOM_MEMBERS_FULL : ROOM_COUNTS;
    return (act_aims(act) ? s->n_aimed == ROOM_FACTS_AIMED : others == ROOM_FACTS_MAX - ROOM_FACTS_AIMED - ROOM_MEMBERS_MAX)
               ? ROOM_FULL
               : ROOM_COUNTS;
}

static enum room_verdict apply(struct room_state *s, const struct room_act *a, const uint8_t *frame)
{
    uint8_t act = decides(a->act);
    uint32_t i = find(s, act, a);
    bool undoes = act != a->act || (act == ACT_TOPIC && a->topic.len == 0);
    if (act == ACT_KICK)
        return ROOM_COUNTS;
    if (!undoes && i == s->n && full(s, act) != ROOM_COUNTS)
        return full(s, act);
    bool stays = a->act == ACT_UNINVITE && i < s->n; /* who was a member may have what was said till then */
    if (undoes && i < s->n && !stays)
        forget(s, i);
    if (!undoes || stays)
        decide(s, i, a, frame);
    if (act == ACT_TOPIC) {
        s->topic_len = (uint8_t)a->topic.len;
        memcpy(s->topic, a->topic.p, a->topic.len);
    }
    return ROOM_COUNTS;
}

enum room_verdict room_state_step(struct room_state *s, const uint8_t *frame)
{
    struct room_act a;
    memcpy(s->last, frame, FRAME_HEAD);
    if (frame_type(frame) != FRAME_STATE || read_room_act(frame, &a) < 0)
        return ROOM_MALFORMED;
    unsigned author = room_state_role(s, frame_origin(frame), a.user);
    unsigned target = act_aims(a.act) ? room_state_role(s, a.host, a.target) : 0;
    enum room_verdict v = room_judge(a.act, room_state_flags(s), author, target);
    return v == ROOM_COUNTS ? apply(s, &a, frame) : v;
}

int room_fact_row(const struct room_state *s, uint32_t i, uint64_t room, uint8_t *buf)
{
    const struct room_fact *f = &s->fact[i];
    struct fact_row row = {.act = {.act = f->act, .mode = f->mode, .user = name_of(&f->author), .topic = {"", 0}}};
    row.why = row.act.target = text_of("");
    if (act_aims(f->act)) {
        row.act.host = f->target.host;
        row.act.target = name_of(&f->target);
    }
    if (f->act == ACT_TOPIC)
        row.act.topic = (struct text){s->topic, s->topic_len};
    int n = write_fact_row(buf, &row, room);
    ASSERT(n > 0);
    frame_set_origin(buf, f->author.host);
    frame_set_epoch(buf, f->epoch);
    frame_set_seq(buf, f->seq);
    frame_set_hlc(buf, f->hlc);
    return n;
}
