/* scope.h -- who may have what is said in a room: which hosts, which users of this one; no I/O.
 *
 * An ordinary room is everybody's.  What is said between two goes to their hosts and to nobody else: not the words, not
 * that there are any (a room's number is a hash of a name that can be guessed), not how many.  The name alone decides
 * (base/direct.h).  What is said in a private room goes to the owner's host, whose name is in the room's, and to those with
 * members: the keeper knows them from the acts (rules/room_state.h) and has put them into the tables.
 *
 * Two hosts may know different acts.  What the owner's host sealed in a private room proves itself, and is taken from whoever
 * brings it; so each can be told first what entitles the other.  All else is taken only from a host of which we know that it
 * is in the room, and so is sent only to those who said that they have something of it (keep/feed.h).
 *
 * Whoever passes anything on asks here: the keeper before it answers or feeds, the link process before it
 * says what is on disk and before it takes anything in, the rules before a client gets anywhere.
 * Rooms and hosts are only ever added, so that all this may be asked without the lock. */
#ifndef STATE_SCOPE_H
#define STATE_SCOPE_H

#include "state/state.h"

/* scope_public -- is the room of this number everybody's? */
bool scope_public(const struct segment *seg, uint64_t room);

/* scope_private -- is it a private room?  scope_owns -- and is that the host of its owner? */
bool scope_private(const struct segment *seg, uint64_t room);
bool scope_owns(const struct segment *seg, uint64_t room, uint64_t host);

/* scope_left -- had that host members in a private room, the last of whom is in it no more?  It may not know yet. */
bool scope_left(const struct segment *seg, uint64_t room, uint64_t host);

/* scope_host -- may that host have what is said in the room of this number?  No, while the room is not known. */
bool scope_host(const struct segment *seg, uint64_t room, uint64_t host);

/* scope_user -- may a user of this host know of the room in this slot?  Of MEMBERS_ROOM nobody: it is for hosts.  To be asked
 * with the lock, or by the keeper. */
bool scope_user(const struct segment *seg, uint32_t slot, struct text user);

/* scope_name -- may a user of this host come into the room of this number and name, and are the hosts in it known?
 * Returns  enum reason: REASON_OK, REASON_NO_ROOM, REASON_NO_HOST */
unsigned scope_name(const struct segment *seg, uint64_t room, struct text name, struct text user);

/* scope_takes -- is a segment that is sealed and well-formed one that `from` may send, we may have, and its origin may say?
 * What is said between two is said by that one of them whose host seals it; upon what they have together nobody acts.  A private
 * room is created by the one in its name. */
bool scope_takes(const struct segment *seg, uint64_t from, const uint8_t *frames, size_t len);

#endif
