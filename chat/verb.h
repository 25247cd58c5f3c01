/* verb.h -- what the verbs and the conversation do alike: reach the relay, read the name of a room, say what went wrong. */
#ifndef CHAT_VERB_H
#define CHAT_VERB_H

#include "port.h"

#include <signal.h>

/* Exit codes, the same for all verbs. */
enum {
    EXIT_OK = 0,       /* done, and durable */
    EXIT_NO = 1,       /* nothing found, nobody there */
    EXIT_USAGE = 2,
    EXIT_NO_RELAY = 3,
    EXIT_DENIED = 4,
    EXIT_TOO_BIG = 5,  /* or too much */
    EXIT_STORE = 6,    /* the relay cannot keep it */
    EXIT_TIMEOUT = 124,
};

struct verb_options {
    const char *instance;
    const char *room; /* of `chat` without a verb */
    bool json, follow, lines, allow_empty, quiet, ids, probe;
    uint8_t wait; /* enum trace_wait */
    uint32_t n; /* messages of history */
    uint64_t after;
    const char *since, *until, *topic;
    bool why, is_private;
    unsigned timeout_s;
};

/* Where an exit code is returned, what it is for was said on standard error, unless it is EXIT_OK. */

/* open_port -- quiet: neither come nor go in rooms.  Returns the exit code. */
int open_port(struct port **p, const struct verb_options *o, bool quiet);

/* exit_code_of -- of a -errno of the port. */
int exit_code_of(int error);

/* room_from_user -- what was typed, into `called` of CALLED_MAX + 1.  Returns false, without a word, when it is no room;
 * room_rule says how one writes them.  room_argument -- the same of a command line, with a word.  Returns EXIT_OK or EXIT_USAGE. */
bool room_from_user(const char *typed, char *called);
extern const char room_rule[];
int room_argument(const char *typed, char *called);

/* room_why_not -- why there can be no such conversation: no such user, or no such host.  NULL: there can.  room_exists -- the same;
 * returns EXIT_OK or EXIT_NO. */
const char *room_why_not(const struct port *p, const char *called, char *why, size_t size);
int room_exists(const struct port *p, const char *called);

/* refused_code -- of a REFUSED.  thrown_out -- of any frame: out of a room, or not let in; EXIT_OK: neither. */
int refused_code(const uint8_t *frame);
int thrown_out(const struct port *p, const uint8_t *frame);

/* wait_for_frames -- mask: as for ppoll(2), NULL leaves signals as they are.  Returns true when other_fd is readable.
 * wait_durable -- until all that was said is on disk; returns the exit code. */
bool wait_for_frames(struct port *p, int other_fd, int max_ms, const sigset_t *mask);
int wait_durable(struct port *p, unsigned timeout_s);

/* join_words -- the rest of a command line as one text, to be freed; NULL: no memory. */
char *join_words(int argc, char **argv);

/* list -- ask while there is more, and show the answers.  Returns the exit code. */
int list(const struct verb_options *o, const char *room, struct query *q, struct end *end);

#endif
