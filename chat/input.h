/* input.h -- the standard input as text: all of it, or line by line as it comes. */
#ifndef CHAT_INPUT_H
#define CHAT_INPUT_H

#include "port.h"

#include "base/buffer.h"

/* All zero: nothing was read yet. */
struct input {
    struct buffer text; /* valid UTF-8: for each byte that is none there is U+FFFD, since what compilers print is not always text */
    size_t looked;      /* so much of it has no end of a line in it */
    uint8_t begun[4];   /* of a character of which the rest has not come */
    size_t n_begun;
    int error;          /* why it ended early: -errno */
    bool ended;
};

/* input_read -- what there is, or wait for it; afterwards there is more text, or it ended.  input_take -- these bytes instead.
 * input_told -- how it ended: EXIT_OK, or EXIT_NO, said on standard error. */
void input_read(struct input *in);
void input_take(struct input *in, struct text t);
int input_told(const struct input *in);
void input_free(struct input *in);

/* input_line -- the next line that is not empty, without its end; one that is longer than a message comes in pieces.
 * line     valid until the next call of any of these
 * Returns  false: there is none, until more is read */
bool input_line(struct input *in, struct text *line) MUST_USE;

/* input_say -- one message.  last: becomes its number.  Returns the exit code. */
int input_say(struct port *p, const char *room, struct text t, uint32_t *last);

/* input_pass -- say each line as soon as it is there.  When there is no more for the moment all of them go out, `hear` is called
 * whenever the relay brings something, and both are waited for.
 * Returns  EXIT_OK when the input has ended, or else an exit code, which `hear` may give, too */
int input_pass(struct input *in, struct port *p, const char *room, uint32_t *last, int (*hear)(void *arg), void *arg);

#endif
