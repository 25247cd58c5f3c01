/* verbs.h -- what chat does when it is told a verb; each returns the exit code. */
#ifndef CHAT_VERBS_H
#define CHAT_VERBS_H

#include "base/base.h"

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

int verb_send(const struct verb_options *o, int argc, char **argv);
int verb_tail(const struct verb_options *o, int argc, char **argv);
int verb_log(const struct verb_options *o, int argc, char **argv);
int verb_grep(const struct verb_options *o, int argc, char **argv);
int verb_who(const struct verb_options *o, int argc, char **argv);
int verb_rooms(const struct verb_options *o, int argc, char **argv);
int verb_room(const struct verb_options *o, int argc, char **argv);
int verb_trace(const struct verb_options *o, int argc, char **argv);
int verb_probe(const struct verb_options *o, int argc, char **argv); /* `chat trace --probe` */

/* talk -- without a verb: on a terminal the conversation, otherwise post what comes in and show what there is. */
int talk(const struct verb_options *o);

/* Shared by the verbs and talk. */
struct port;
struct query;
struct end;
int open_port(struct port **p, const struct verb_options *o, bool quiet);
int exit_code_of(int error); /* -errno of the port, said on standard error */
int room_argument(const char *typed, char *called); /* CALLED_MAX + 1; 0 or EXIT_USAGE, said on standard error */
int room_exists(const struct port *p, const char *called); /* its user or host does; 0 or EXIT_NO, said on standard error */
const char *room_why_not(const struct port *p, const char *called, char *why, size_t size); /* the same; NULL: it does */
bool room_from_user(const char *typed, char *called); /* without a word */
extern const char room_rule[]; /* how one writes them */
int refused_code(const uint8_t *frame); /* a REFUSED: said on standard error, as an exit code */
int thrown_out(const struct port *p, const uint8_t *frame); /* out of a room, or not let in: said on standard error; or 0 */
int wait_durable(struct port *p, unsigned timeout_s); /* until all is on disk; 0 or the exit code, said on standard error */
char *join_words(int argc, char **argv); /* the rest of the command line as one text, to be freed */
int list(const struct verb_options *o, const char *room, struct query *q, struct end *end); /* ask while there is more */
int wait_for_frames(struct port *p, int other_fd, int max_ms); /* 1: other_fd is readable */

#endif
