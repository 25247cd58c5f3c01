/* out.h -- the standard output, and the reason why it could not be written. */
#ifndef CHAT_OUT_H
#define CHAT_OUT_H

#include <stdbool.h>

/* out -- a text, which may stay in the buffer.  out_now -- all that is in the buffer.
 * Both return false when that, or something before it, could not be written. */
bool out(const char *text);
bool out_now(void);

/* out_end -- at the end of the program, with the exit code it would have: writes what is left.  What could not be
 * written is said, and makes a failure of EXIT_OK; a reader that left ends us quietly, as with any filter. */
int out_end(int code);

#endif
