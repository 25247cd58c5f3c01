/* lines.h -- chat without a terminal: lines in, lines out. */
#ifndef CHAT_LINES_H
#define CHAT_LINES_H

#include "verbs.h"
#include "view.h"

/* pass_lines -- post each line of standard input in the room of the options and show what is said there, until all of it is on disk
 * and was shown.
 * Returns  the exit code */
int pass_lines(struct port *p, struct view *v, const struct verb_options *o);

#endif
