/* room_state.h -- the state of a room as a fold over the acts in it: no I/O, and the same result on every host.
 *
 * The acts of a room (frame/body.h) are taken in the order of display, whichever way they came here.  An act counts iff its
 * author was entitled to it at that place:
 *
 *   a room without an owner   everybody may set the topic; nobody may do anything else
 *   OWN                       the first one gives the owner; he is the owner for ever
 *   OP, DEOP                  the owner
 *   all others                the owner and the operators; TOPIC everybody, until the mode says otherwise
 *   whoever is muted, banned  nothing; neither can happen to the owner
 *   INVITE, UNINVITE          the owner, and only in a private room (base/direct.h); in such a room nobody may do anything who is
 *                             not a member
 *
 * Of two acts upon the same thing the later one decides.  A kick decides nothing: it is for those who are there when it comes.
 * Authors and targets are users of a host's number; what hosts are called does not matter here.
 *
 * Who is invited depends on nothing but entries of one writer, the owner's host, which nobody else's can change afterwards: so a host
 * that has the owner's streams as far as some place knows which hosts may have what lies before it. */
#ifndef RULES_ROOM_STATE_H
#define RULES_ROOM_STATE_H

#include "frame/body.h"
#include "state/roster.h"

enum {
    ROOM_MEMBERS_MAX = 128, /* ever invited */
    ROOM_FACTS_AIMED = 240, /* about operators, muted and banned */
    ROOM_FACTS_MAX = ROOM_FACTS_AIMED + ROOM_MEMBERS_MAX + 16, /* the others are for owner, topic and modes */
};

enum room_verdict {
    ROOM_COUNTS = 0,
    ROOM_HAS_OWNER,
    ROOM_HAS_NO_OWNER,
    ROOM_NOT_OPERATOR,
    ROOM_NOT_OWNER,
    ROOM_OF_OWNER, /* the owner is its target */
    ROOM_BY_MUTED,
    ROOM_BY_BANNED,
    ROOM_FULL,
    ROOM_MALFORMED, /* not an act */
    ROOM_NOT_PRIVATE,
    ROOM_NOT_MEMBER,
    ROOM_MEMBERS_FULL,
};

struct room_person {
    uint64_t host;
    uint8_t len;
    char user[USER_NAME_MAX]; /* "*": all of that host */
};

/* One thing that is so, and the entry that decided it. */
struct room_fact {
    uint8_t act, mode; /* ACT_OWN, TOPIC, SET, OP, MUTE, BAN, INVITE or, of one who was a member, UNINVITE */
    struct room_person target, author; /* author.host is the entry's origin */
    uint64_t hlc, epoch, seq;
};

/* Zeroed: an ordinary room in which nobody did anything yet. */
struct room_state {
    uint8_t last[FRAME_HEAD]; /* the newest act folded in */
    uint32_t n, n_aimed, n_invited; /* facts; about operators, muted and banned; about who is or was a member */
    bool is_private;
    struct room_fact fact[ROOM_FACTS_MAX];
    uint8_t topic_len;
    char topic[TOPIC_MAX];
};

/* room_state_begin -- a room of this name in which nobody did anything yet. */
void room_state_begin(struct room_state *s, struct text name);

/* room_state_follows -- does this act sort behind all that were folded in?  If not, the fold must begin anew. */
bool room_state_follows(const struct room_state *s, const uint8_t *frame);

/* room_state_step -- fold in the next act in order.  What does not count changes nothing.  Returns why not, or ROOM_COUNTS */
enum room_verdict room_state_step(struct room_state *s, const uint8_t *frame);

/* room_state_flags -- ROOM_OWNED ...; room_state_role -- ROLE_OWNER ... of that user, a ban of his host included. */
unsigned room_state_flags(const struct room_state *s);
unsigned room_state_role(const struct room_state *s, uint64_t host, struct text user);

/* room_judge -- may somebody who is `author` do this to somebody who is `target` (roles), in a room with these flags? */
enum room_verdict room_judge(uint8_t act, unsigned flags, unsigned author, unsigned target);

/* room_why -- a verdict as a sentence; "" for ROOM_COUNTS. */
const char *room_why(enum room_verdict v);

/* room_state_out -- the stamp of the entry that took the last one of this host out of a private room; 0: there is none. */
uint64_t room_state_out(const struct room_state *s, uint64_t host);

/* room_fact_role -- the role that a fact gives its target, 0 when it gives none. */
unsigned room_fact_role(const struct room_fact *f);

/* room_fact_row -- fact `i` as a FACT frame.  Returns its stride */
int room_fact_row(const struct room_state *s, uint32_t i, uint64_t room, uint8_t *buf);

#endif
