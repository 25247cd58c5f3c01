/* marks.h -- how far the newest thing that one said has come, as a mark of three columns for the prompt. */
#ifndef CHAT_MARKS_H
#define CHAT_MARKS_H

#include "trace.h"

/* Zeroed: nothing was said. */
struct marks {
    struct have_row said;
    bool fresh, asked, shown; /* fresh: said, not asked about yet; asked: the port watches it; shown: there is a mark */
    unsigned level;    /* hosts: 1 this one, 2 another one, 3 all */
    struct trace_picture picture;
};

/* marks_see -- a frame for the user went by: is it his own?  marks_forget -- he looks at another room. */
void marks_see(struct marks *m, const struct port *p, const uint8_t *frame);
void marks_forget(struct marks *m);

/* marks_update -- ask and hear.  Returns true when the mark has changed. */
bool marks_update(struct marks *m, struct port *p) MUST_USE;

/* marks_text -- three columns, or "": nothing was said, or there is no other host. */
const char *marks_text(const struct marks *m, bool utf8);

#endif
