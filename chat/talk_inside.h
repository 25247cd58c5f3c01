/* talk_inside.h -- what the parts of a conversation on a terminal share: talk.c the terminal, places.c where one is, commands.c what
 * begins with a slash. */
#ifndef CHAT_TALK_INSIDE_H
#define CHAT_TALK_INSIDE_H

#include "marks.h"
#include "verbs.h"
#include "view.h"

enum { JOINED_MAX = 16, IGNORED_MAX = 32, INVITED_MAX = 32 };

/* readline calls back without an argument, so there is one conversation a process. */
struct talking {
    const struct verb_options *o;
    struct port *port;
    struct view *view;
    char room[CALLED_MAX + 1]; /* or conversation, in which what is typed is said */
    char joined[JOINED_MAX][CALLED_MAX + 1];
    size_t n_joined;
    char ignored[IGNORED_MAX][CALLED_MAX + 1]; /* "@user@host" */
    size_t n_ignored;
    char invited[INVITED_MAX][CALLED_MAX + 1]; /* private rooms that we were in when we came, for completion */
    size_t n_invited;
    struct marks marks;
    bool quit;
    int code;
};
extern struct talking talking;

/* ---- talk.c ---- */

/* talk_tell -- a sentence of ours.  talk_prompt -- for where one is now. */
void talk_tell(const char *sentence);
void talk_prompt(void);

/* talk_went_wrong -- -errno of the port: it is said, and the conversation ends; nothing when r >= 0. */
void talk_went_wrong(int r);

/* talk_say -- returns whether it is on the way; otherwise it was told why not. */
bool talk_say(const char *room, const char *text, bool action);

/* talk_show_row -- a callback for port_query(): whatever it is, it is shown. */
bool talk_show_row(void *arg, const uint8_t *f);

/* ---- places.c ---- */

/* talk_person -- "bob", "@bob", "@bob@beta" into "@bob@beta" (CALLED_MAX + 1); false: it was told why not. */
bool talk_person(const char *typed, size_t len, char *called);

/* talk_join -- come into a room, or begin a conversation, or only turn to it, when one is in it.  talk_with -- a user. */
void talk_join(const char *typed);
void talk_with(const char *typed);

/* talk_leave -- this room, or the one typed.  talk_look_around -- are we still where we think we are?  Out of the last room one goes
 * to the lobby, out of the lobby home. */
void talk_leave(const char *typed);
void talk_look_around(void);
bool talk_is_in(const char *room);

/* talk_topic_of -- show it; asked: also that there is none. */
void talk_topic_of(const char *room, bool asked);

/* ---- commands.c ---- */

/* command_run -- a line that begins with a slash, which it may change.  command_complete -- the n-th completion of a word, to be
 * freed; NULL: no more. */
void command_run(char *line);
char *command_complete(const char *word, int n);

/* command_ignores -- does the user not want to see what is in this frame? */
bool command_ignores(const uint8_t *f);

#endif
