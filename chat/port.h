/* port.h -- the client's end of a relay: hello, send, receive, and all of it again when the relay went away.
 *
 * Whoever uses a port sees every message of its rooms exactly once and in order, whatever dies in between: what is
 * not acknowledged is sent again under the same number, what was missed is fetched from the store, what comes
 * twice is dropped by (client, room, client_seq).
 *
 * Rooms are called here as people call them: "lobby", a private one "alice@alpha/plans", and a conversation by the other of the
 * two: "@bob" (of this host) or "@bob@beta". */
#ifndef CHAT_PORT_H
#define CHAT_PORT_H

#include "base/direct.h"
#include "frame/body.h"
#include "instance/instance.h"

enum { CALLED_MAX = PRIVATE_NAME_MAX }; /* bytes of what a room is called */

/* port_sign -- what stands before the name of a room where people read it: nothing, where there is an @ in it. */
static inline const char *port_sign(struct text called)
{
    return direct_is(called) || private_is(called) ? "" : "#";
}

struct port;

struct port_options {
    const char *instance; /* NULL: the system's relay if there is one, else this user's */
    bool start;           /* start this user's relay when none runs */
    bool quiet;           /* come and go unannounced */
    unsigned timeout_ms;  /* how long to look for a relay before giving up */
};

/* port_open -- find the relay, say hello, wait for its welcome.
 * why      on failure one sentence that says what to do
 * Returns  0; -ENOENT no relay; -EACCES not allowed; -EPROTO version; -ETIMEDOUT it does not answer */
int port_open(struct port **p, const struct port_options *o, char *why, size_t why_size) MUST_USE;

/* port_close -- say goodbye and free.  What was not acknowledged may or may not arrive. */
void port_close(struct port *p);

/* port_fd -- to poll for reading; changes when the port reconnects, so ask each time.  -1 while it is away: call
 * port_next() again within port_wait_ms(). */
int port_fd(const struct port *p);
int port_wait_ms(const struct port *p);

/* port_next -- the next frame for the user: SAY, STATE, CREATE, JOIN, LEAVE, HOST, NOTICE, REFUSED.  Valid until the next
 * call.  ACKs are taken in silently (port_unacked).  Does the work of reconnecting.
 * Returns  1 and the frame; 0 nothing now; -ENOENT the relay is gone and did not come back in time */
int port_next(struct port *p, const uint8_t **frame) MUST_USE;

/* port_join -- join a room.  history: how many earlier messages to deliver first.  after: a journal position, instead of
 * history, deliver all since (0: none).  port_leave -- the opposite.
 * Returns 0 or -errno */
int port_join(struct port *p, const char *room, uint32_t history, uint64_t after) MUST_USE;
int port_leave(struct port *p, const char *room) MUST_USE;

/* port_inbox -- hear every conversation of ours from now on, also those that are yet to begin.  Returns 0 or -errno */
int port_inbox(struct port *p) MUST_USE;

/* port_say -- send text of up to TEXT_MESSAGE_MAX bytes of valid UTF-8 as one message (parts inside).  Queued and
 * packed; goes out with port_flush() or when a queue message is full; waits while the window is full.
 * Returns  the client_seq of its last part (> 0); -EMSGSIZE; -EILSEQ not UTF-8; -ETIMEDOUT; -ENOENT */
int64_t port_say(struct port *p, const char *room, struct text text, bool action) MUST_USE;
int port_flush(struct port *p) MUST_USE;

/* port_act -- act upon the state of a room; the author is filled in.  Goes out with port_flush().  OWN makes the room, the others
 * need one.  Returns as port_say() */
int64_t port_act(struct port *p, const char *room, const struct room_act *act) MUST_USE;

/* port_is_in -- are we in it, as far as we know?  Not any more after a LEAVE with FRAME_FORCED, nor when our JOIN was refused. */
bool port_is_in(const struct port *p, const char *room);

/* port_unacked -- how many frames are not known to be durable.  port_acked -- the last client_seq that is. */
uint32_t port_unacked(const struct port *p);
uint32_t port_acked(const struct port *p);

/* port_query -- ask, and call `each` with every frame of the answer (not END) until it is whole.  Messages that are in it do not
 * come again.
 * room     NULL where the query is about none
 * end      filled; its text points into memory valid until the next call
 * Returns  0; -errno of the transport; -ECANCELED when `each` returned false */
int port_query(struct port *p, const char *room, struct query *q, bool (*each)(void *arg, const uint8_t *frame),
               void *arg, struct end *end) MUST_USE;

/* port_follow -- the same for an answer that grows: `each` gets every frame as it comes, and all of them anew when a relay
 * process died on the way.
 * room     its number
 * Returns  as port_query(); -ETIMEDOUT when it has not ended in time */
int port_follow(struct port *p, uint64_t room, struct query *q, unsigned timeout_ms,
                bool (*each)(void *arg, const uint8_t *frame), void *arg, struct end *end) MUST_USE;

/* port_watch -- from now on hear which hosts have this message, and of no other any more.  port_watched -- is there a
 * frame about it: TRACE, and END when all have it or nobody can say?  Valid until the next call.  port_watch_fd -- to
 * poll for reading, -1: none. */
void port_watch(struct port *p, const struct have_row *id);
bool port_watched(struct port *p, const uint8_t **frame);
int port_watch_fd(const struct port *p);

/* Who we are, and what hosts and rooms are called: "" when unknown.  port_call: from the name it has everywhere, into
 * CALLED_MAX + 1 bytes. */
struct text port_user(const struct port *p);
struct text port_host(const struct port *p, uint64_t origin);
bool port_has_others(const struct port *p); /* other hosts than this one */
bool port_started(const struct port *p);    /* there was no relay: it was started for this session */
uint64_t port_host_called(const struct port *p, struct text name); /* 0: none that is known */
uint64_t port_origin(const struct port *p);
uint64_t port_client(const struct port *p);
struct text port_room_name(const struct port *p, uint64_t room);
void port_call(const struct port *p, struct text name, char *called);

/* port_name_room -- make a room known without joining it, by what it is called or by the name it has everywhere. */
void port_name_room(struct port *p, const char *name);

/* port_cursor -- journal position behind the last frame handed out. */
uint64_t port_cursor(const struct port *p);

#endif
