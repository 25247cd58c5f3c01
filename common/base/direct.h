/* direct.h -- names that say who may come: "@alice@alpha,bob@beta", the conversation of two, and "@alice@alpha", the
 * inbox of one.
 *
 * Such a name is the whole list of who may read and write: nothing else has to be known, stored or believed.  No name of an
 * ordinary room begins with '@'.  The two of a conversation may be the same user, or of the same host; they stand in the order
 * of their bytes, so that a pair has one name.  An inbox holds nothing itself: who is in it hears all his conversations.
 *
 * "alice@alpha/plans" is a private room: its name says whose it is, and so whose word decides who else may come
 * (relay/rules/room_state.h).  No name of an ordinary room has an '@' in it. */
#ifndef BASE_DIRECT_H
#define BASE_DIRECT_H

#include "base/text.h"

enum {
    PERSON_MAX = USER_NAME_MAX + 1 + HOST_NAME_MAX_LEN,
    DIRECT_NAME_MAX = 2 * (PERSON_MAX + 1), /* bytes; no name of a room is longer */
    PRIVATE_NAME_MAX = PERSON_MAX + 1 + ROOM_NAME_MAX,
};

struct person {
    struct text user, host;
};

struct direct {
    struct person who[2];
    unsigned n; /* 2: a conversation, 1: an inbox */
};

/* direct_is -- does this name of a room say who may come? */
static inline bool direct_is(struct text name)
{
    return name.len > 0 && name.p[0] == '@';
}

/* direct_read -- take such a name apart.  Returns false when it is none, or not in its one form. */
bool direct_read(struct text name, struct direct *d) MUST_USE;

/* direct_has -- is this user among them?  direct_has_host -- is any user of this host? */
bool direct_has(const struct direct *d, struct person who);
bool direct_has_host(const struct direct *d, struct text host);

/* direct_other -- with whom `who`, one of the two, talks: himself, if nobody else is there. */
struct person direct_other(const struct direct *d, struct person who);

/* direct_name -- the name of the conversation of a and b, into DIRECT_NAME_MAX + 1 bytes; direct_inbox -- of the inbox of one,
 * into PERSON_MAX + 2.  Terminated; both return the length. */
size_t direct_name(struct person a, struct person b, char *to);
size_t direct_inbox(struct person who, char *to);

/* private_is -- does this name of a room say whose it is? */
static inline bool private_is(struct text name)
{
    return name.len > 0 && name.p[0] != '@' && memchr(name.p, '@', name.len) != NULL;
}

/* private_read -- take such a name apart.  Returns false when it is none. */
bool private_read(struct text name, struct person *owner, struct text *room) MUST_USE;

/* private_name -- the name of his private room of that name, into PRIVATE_NAME_MAX + 1 bytes.  Terminated; returns the length. */
size_t private_name(struct person owner, struct text room, char *to);

/* direct_room_ok -- the name of a room of any kind. */
bool direct_room_ok(struct text name);

#endif
