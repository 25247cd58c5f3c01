/* verbs.h -- what chat does when it is told a verb; each returns the exit code. */
#ifndef CHAT_VERBS_H
#define CHAT_VERBS_H

#include "verb.h"

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

#endif
