/* entry.h -- what is said and done in rooms and stored: entries of streams, written and read (body.h). */
#ifndef FRAME_ENTRY_H
#define FRAME_ENTRY_H

#include "base/key.h"
#include "frame/frame.h"

/* OPEN (let the room exist; not numbered: client_seq 0), JOIN, LEAVE and CREATE (first entry of every stream): user and room
 * name.  Header: room, client, client_seq. */
struct room_change {
    struct text user; /* must be the session's own; "" in a CREATE and only there */
    struct text room; /* name, without '#', or one of base/direct.h */
};
int write_room_change(uint8_t *buf, enum frame_type type, const struct room_change *c,
                      uint64_t room, uint64_t client, uint32_t client_seq) MUST_USE;
int read_room_change(const uint8_t *f, struct room_change *c) MUST_USE;

/* SAY: the author's user name and the text.  Header: room, client, client_seq, flags. */
struct say {
    struct text user;
    struct text text; /* strict UTF-8, no NUL, 1..TEXT_PART_MAX bytes */
};
int write_say(uint8_t *buf, const struct say *s, uint64_t room, uint64_t client,
              uint32_t client_seq, uint8_t flags) MUST_USE;
int read_say(const uint8_t *f, struct say *s) MUST_USE;

/* STATE: an act upon the state of a room, an entry of the room's streams like a SAY.  What it means, and whether its author
 * may: relay/rules/room_state.h.  Header: room, client, client_seq.
 *
 * The one acted upon is a user and the number of his host, not its name: names are what each host calls the others, and may
 * change, and the act is signed once and judged on every host for ever. */
enum act {
    ACT_OWN = 1, /* this room is mine */
    ACT_TOPIC,   /* "" takes it away */
    ACT_SET,     /* a mode */
    ACT_UNSET,
    ACT_OP,
    ACT_DEOP,
    ACT_MUTE,
    ACT_UNMUTE,
    ACT_BAN,     /* of one user, or of "*": all of that host */
    ACT_UNBAN,
    ACT_KICK,
    ACT_INVITE,  /* to a private room; a host has it while somebody there is */
    ACT_UNINVITE,
    ACTS_END
};
enum room_mode { MODE_TOPIC_BY_OPERATORS = 1, MODES_END };
enum { TOPIC_MAX = 255 }; /* bytes */
struct room_act {
    uint8_t act;
    uint8_t mode;       /* of SET and UNSET, otherwise 0 */
    uint64_t host;      /* of the one acted upon; 0 when there is none */
    struct text user;   /* the author; must be the session's own */
    struct text target; /* the user acted upon, "*", or "" when there is none */
    struct text topic;  /* of TOPIC, otherwise "" */
};
int write_room_act(uint8_t *buf, const struct room_act *a, uint64_t room, uint64_t client, uint32_t client_seq) MUST_USE;
int read_room_act(const uint8_t *f, struct room_act *a) MUST_USE;

/* act_aims -- does this act have a target?  act_of_mode -- does it have a mode? */
bool act_aims(uint8_t act);
bool act_of_mode(uint8_t act);

/* write_act, read_act -- one act as part of a body, which ends with it. */
void write_act(struct wr *w, const struct room_act *a);
void read_act(struct rd *r, struct room_act *a);

/* MEMBER: what host `origin` (header) says of a host of this network, in its stream of scope MEMBERS_ROOM (state/members.h). */
#define MEMBERS_ROOM UINT64_C(1)
enum member_op {
    MEMBER_FULL = 1, /* it belongs to us and may invite and revoke; of oneself: only what one is called and where one is */
    MEMBER_GUEST,    /* it belongs to us and may not */
    MEMBER_REVOKE,   /* it does not belong to us any more, whatever anybody says */
};
struct member_entry {
    uint8_t op;
    uint64_t host; /* its number, which must be that of the key: the reader's business */
    const uint8_t *key;
    struct text name, address; /* address: "-" for none; printable ASCII without spaces, no more is checked here */
};
enum { MEMBER_ADDRESS_MAX = 128 };
int write_member(uint8_t *buf, const struct member_entry *e) MUST_USE;
int read_member(const uint8_t *f, struct member_entry *e) MUST_USE;

#endif
