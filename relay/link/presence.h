/* presence.h -- who is in which room, on every host: soft state, flooded and forgotten, never in a log; no I/O.
 *
 * A row says how often a user of a host is in a room.  The host alone changes it and gives it its next version; of
 * two rows for the same (host, room, user) the larger (epoch, version) counts -- epoch is the run of its link process -- so
 * that it does not matter over how many links, and in which order, they come.  A row with no sessions says that the user
 * left.  Every host beats; the rows of one whose beat was not heard for a while, or of a run before that of its last beat,
 * stay and count for nothing: so nobody takes an older row for news.  A host whose clock was set back hears from its peers
 * of a run of its own later than this one, and goes on from there.
 *
 * Every row and every beat bears its host's signature, which goes on with it: so a peer can keep back what another host says, or
 * pass it on late, but not make it up.  Ours are said when they are signed, by who has the key (presence_unsigned()).  All others
 * are verified once, when they are news: also what a host says of itself, for it is passed on to hosts that verify it, too. */
#ifndef LINK_PRESENCE_H
#define LINK_PRESENCE_H

#include "frame/body.h"

enum {
    PRESENCE_MAX = 8192, /* rows of all hosts together */
    PRESENCE_HOSTS_MAX = HOSTS_MAX,
    PRESENCE_BEAT_MS = 10 * 1000,
    PRESENCE_LEASE_MS = 30 * 1000,
    PRESENCE_SIGNING_MAX = 32, /* rows that wait for their signature at a time: what that costs, others wait for */
};

struct presence_entry {
    uint64_t host, epoch, version, room;
    uint64_t from; /* the peer who told us; ourselves for our own */
    uint32_t sessions, seen;
    uint32_t of; /* place of its host in the table of hosts */
    uint8_t quiet, user_len, room_len;
    bool seen_quiet; /* of ours, as seen now; said, and signed, is `quiet` */
    bool is_signed;  /* always, of others */
    uint8_t signature[SIGNATURE_LEN];
    char user[USER_NAME_MAX], room_name[ROOM_NAME_MAX];
};

struct presence_host {
    uint64_t host, epoch, beat, heard_ms, from;
    uint64_t news; /* which of all beats that we heard was its last */
    bool stirred; /* it came back, or began a new run: its rows count anew */
    bool outlived; /* it beats under an older run than this one: its clock was set back, and it has to hear of that */
    uint8_t signature[SIGNATURE_LEN]; /* of its last beat */
};

struct presence {
    uint64_t self, epoch, version, beat; /* the last ones of ours, maybe not signed yet */
    bool beat_unsigned;
    uint32_t unsigned_from, signing; /* entries before this are signed or asked for; how many of these wait */
    struct presence_entry entry[PRESENCE_MAX];
    uint16_t index[2 * PRESENCE_MAX]; /* hash table of entry numbers + 1 */
    uint32_t n;
    struct presence_host host[PRESENCE_HOSTS_MAX]; /* [0]: ourselves */
    uint32_t n_hosts;
    uint16_t news[PRESENCE_MAX]; /* entries that changed */
    uint64_t news_next;
    uint16_t beat_news[PRESENCE_HOSTS_MAX]; /* whose the last beats were */
    uint64_t beats;                         /* counts every beat of anybody: news of the other kind */
    bool (*row_signed)(void *arg, const uint8_t *frame); /* a PRESENCE frame: did its host sign it?  NULL: yes */
    bool (*beat_signed)(void *arg, const struct beat_row *b);
    void *arg;
};

/* presence_init -- epoch: larger than that of any run of this host before. */
void presence_init(struct presence *p, uint64_t self, uint64_t epoch);

/* presence_see, presence_settle -- our own users: see one for every (session, room), then settle what changed since
 * the last time.  Returns true when there is something to sign. */
void presence_see(struct presence *p, struct text user, uint64_t room, struct text room_name, bool quiet);
bool presence_settle(struct presence *p);

/* presence_beat -- ours, when it is time.  Returns true when there is one to sign. */
bool presence_beat(struct presence *p, uint64_t now_ms);

/* presence_unsigned -- the next PRESENCE, or BEAT of one row, of ours that is to be signed; call until it returns 0, after each of
 * the above and below.  Returns its stride.  presence_signed -- the same frame, signed: from now on it is said. */
int presence_unsigned(struct presence *p, uint8_t *frame);
void presence_signed(struct presence *p, const uint8_t *frame);

/* presence_heard_beat -- a row of a BEAT frame from peer `from`.  Returns 0, or -EACCES: it is news, and its host did not sign it.
 *
 * presence_heard -- a PRESENCE frame.
 * Returns  the number of the entry that changed; -1 nothing to show changed; -EBADMSG; -EACCES as above */
int presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms) MUST_USE;
int presence_heard(struct presence *p, uint64_t from, const uint8_t *frame, uint64_t now_ms) MUST_USE;

/* presence_expire -- a host that fell silent or came back: presence_sessions() of its rows may be other than before.
 * Returns it, 0 when there is none (more). */
uint64_t presence_expire(struct presence *p, uint64_t now_ms);

/* presence_sessions -- how often this user is there, as far as we know now. */
uint32_t presence_sessions(const struct presence *p, const struct presence_entry *e);

/* What one peer was told; zeroed when it comes up. */
struct presence_cursor {
    uint64_t news, beats;
    uint32_t told, until; /* entries [told, until) were there before and are still to be told */
    uint32_t host, hosts; /* the beats of hosts [host, hosts) are still to be told, whenever they came */
    bool begun;
};

/* presence_next -- the next frame for the peer `to`: first everything, also what it told us itself, which it may have
 * lost since; then what is new and not from it.  beats: also the beats that came since; who tells them rarely has many for
 * one frame.  Returns its stride, 0: nothing. */
int presence_next(struct presence *p, struct presence_cursor *c, uint64_t to, bool beats, uint8_t *frame);

#endif
