/* view.h -- frames as lines for people, or as JSON for programs. */
#ifndef CHAT_VIEW_H
#define CHAT_VIEW_H

#include "port.h"

struct view;

struct view_options {
    bool json;  /* one object per line */
    bool color; /* names in colour: a terminal that has them, and no NO_COLOR */
    bool rooms; /* name the room in each line: more than one is shown */
    bool direct; /* name conversations of two in each line, if not rooms */
    bool ids;   /* begin each entry with its id (id.h) */
    bool why;   /* of the state of a room: which entry decided */
    bool days;  /* a line with the date where the day changes */
};

/* view_open -- port: for names; stays the caller's. */
int view_open(struct view **v, const struct port *p, const struct view_options *o) MUST_USE;
void view_close(struct view *v);

/* view_frame -- what a frame looks like.  Parts of one message are kept until the last one is there.
 *
 * Returns  one or more whole lines, "" when there is nothing to show (yet); valid until the next call */
const char *view_frame(struct view *v, const uint8_t *frame);

/* view_messages -- how many messages were shown so far. */
size_t view_messages(const struct view *v);

/* view_color -- may colours be used on this stream? */
bool view_color(int fd);

#endif
