/* members.h -- which hosts belong to this network, as all that was ever said of it adds up; no I/O.
 *
 * Every host says what it knows in its own stream of scope MEMBERS_ROOM: that another host belongs to us (as a full
 * member or as a guest), that one does not any more, what it is called and where it is.  The table keeps who said so of
 * whom, as sets that only grow, so that it is the same on every host that heard the same, in whatever order:
 *
 *   - this host is a full member, to itself; so is every host that a full member calls one; a guest is one whom a full
 *     member calls a guest.  What guests say of others does not count.
 *   - a host is revoked once a full member, itself revoked or not, or the host itself says so: revocation wins, for ever.
 *     The host comes back with a new key, as a new host.
 *   - name and address are the last that the host said of itself, else the last that anybody said of it; of two hosts of
 *     one name, the one with the larger number is shown as NAME-XXXX.
 *
 * What a revoked host vouched for stays: who should go with it is revoked, too.  Its streams are still taken from others,
 * or what it said while only some knew would be missing in some places. */
#ifndef STATE_MEMBERS_H
#define STATE_MEMBERS_H

#include "frame/body.h"
#include "state/undo.h"

enum {
    MEMBERS_MAX = HOSTS_MAX,
    MEMBER_WORDS = (MEMBERS_MAX + 63) / 64,
    MEMBERS_IN_SEGMENT = 128, /* entries, at most: what one section can undo */
};

/* What may be said of a host. */
enum { MEMBERS_FULL, MEMBERS_GUEST, MEMBERS_REVOKED, MEMBERS_SAID };

struct member {
    uint64_t host;
    uint8_t key[KEY_LEN]; /* zeros: not known yet */
    char name[HOST_NAME_MAX_LEN + 1], address[MEMBER_ADDRESS_MAX + 1];
    struct {
        uint64_t own, hlc, origin, epoch, seq; /* own: 1, it said so itself */
    } said; /* where name and address are from */
    uint64_t by[MEMBERS_SAID][MEMBER_WORDS]; /* who says so: bit = slot */
};

/* In shared memory; written by the holder of the lock only: the keeper at the start, then nobody but the link process, which
 * therefore reads it without.  Slot 0: this host. */
struct members {
    uint64_t version; /* counts the changes: read without the lock to see that there was one */
    uint32_t n;
    struct member member[MEMBERS_MAX];
};

/* members_init -- nobody but this host. */
void members_init(struct members *m, uint64_t self);

/* members_apply -- in a section: a MEMBER entry, stamped and checked, whosoever.  Once the table is full, entries about
 * hosts that are not in it are lost. */
void members_apply(struct members *m, struct undo *undo, const void *base, const uint8_t *frame);

/* members_find -- the slot of a host, or -1. */
int members_find(const struct members *m, uint64_t host);

/* members_said -- does host slot `by` say this of host slot `of`? */
bool members_said(const struct members *m, int by, int of, enum member_op op);

enum standing {
    STANDING_NONE, /* said by nobody who counts */
    STANDING_GUEST,
    STANDING_FULL,
    STANDING_REVOKED,
};

/* members_stand -- each slot's standing, as this host sees it (itself: full, or revoked). */
void members_stand(const struct members *m, uint8_t standing[MEMBERS_MAX]);

/* members_guest -- is this host a guest to all others that speak of it? */
bool members_guest(const struct members *m);

/* members_name -- what a host is shown as. */
void members_name(const struct members *m, const uint8_t standing[MEMBERS_MAX], int slot, char name[HOST_NAME_MAX_LEN + 1]);

/* members_near -- should these two have a link?  All with all in a small network; in a large one each with those 1, 2, 4,
 * 8 ... places away in the order of their numbers, whichever way round: so it is for both the same, no host has many, and
 * none is more than a few links from another (Stoica et al., Chord, SIGCOMM 2001). */
bool members_near(const struct members *m, const uint8_t standing[MEMBERS_MAX], int a, int b);

#endif
