/* input.c -- the standard input as text: all of it, or line by line as it comes. */
#include "input.h"

#include "base/text.h"
#include "verb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static const char replacement[] = "\xef\xbf\xbd";

/* add_good -- as far as it is known to be text or not; the rest is the beginning of a character.  Returns its length. */
static size_t add_good(struct input *in, struct text t)
{
    for (;;) {
        bool begun;
        size_t n = text_utf8_run(t, &begun);
        int r = n > 0 ? buffer_add(&in->text, t.p, n) : 0;
        t.p += n;
        t.len -= n;
        if (r == 0 && t.len > 0 && !(begun && !in->ended)) {
            r = buffer_add(&in->text, replacement, strlen(replacement));
            t.p++;
            t.len--;
        } else if (r == 0) {
            return t.len;
        }
        if (r < 0) {
            in->error = r;
            in->ended = true;
            return 0;
        }
    }
}

void input_take(struct input *in, struct text t)
{
    in->ended = true;
    (void)add_good(in, t);
}

void input_read(struct input *in)
{
    uint8_t bytes[sizeof in->begun + (1 << 16)];
    size_t had = in->n_begun;
    memcpy(bytes, in->begun, had);
    ssize_t n = read(0, bytes + had, sizeof bytes - had);
    if (n < 0 && errno == EAGAIN) /* whoever has it, too, may have made it so */
        (void)poll(&(struct pollfd){0, POLLIN, 0}, 1, -1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    in->ended = n <= 0;
    in->error = n < 0 ? -errno : 0;
    struct text t = {(const char *)bytes, had + (n > 0 ? (size_t)n : 0)};
    in->n_begun = add_good(in, t);
    memcpy(in->begun, bytes + t.len - in->n_begun, in->n_begun);
}

int input_told(const struct input *in)
{
    if (in->error == 0)
        return EXIT_OK;
    fprintf(stderr, "chat: cannot read the input: %s\n", strerror(-in->error));
    return EXIT_NO;
}

void input_free(struct input *in)
{
    buffer_free(&in->text);
}

/* take_line -- up to its end, or as much as a message holds, or what is left when no more comes. */
static bool take_line(struct input *in, struct text *line)
{
    struct text t = {(const char *)buffer_data(&in->text), buffer_len(&in->text)};
    const char *nl = in->looked < t.len ? memchr(t.p + in->looked, '\n', t.len - in->looked) : NULL;
    size_t n = nl ? (size_t)(nl - t.p) : t.len;
    if (n > TEXT_MESSAGE_MAX) {
        *line = (struct text){t.p, text_utf8_cut(t, TEXT_MESSAGE_MAX)};
        n = line->len;
    } else if (nl || (in->ended && n > 0)) {
        *line = (struct text){t.p, n};
        n += nl != NULL;
    } else {
        in->looked = n;
        return false;
    }
    in->looked = 0;
    in->text.start += n; /* and stays where it is: it is the caller's */
    return true;
}

bool input_line(struct input *in, struct text *line)
{
    while (take_line(in, line)) {
        while (line->len > 0 && line->p[line->len - 1] == '\r')
            line->len--;
        if (line->len > 0)
            return true;
    }
    return false;
}

int input_say(struct port *p, const char *room, struct text t, uint32_t *last)
{
    int64_t r = port_say(p, room, t, false);
    if (r > 0)
        *last = (uint32_t)r;
    return r < 0 ? exit_code_of((int)r) : EXIT_OK;
}

int input_pass(struct input *in, struct port *p, const char *room, uint32_t *last, int (*hear)(void *arg), void *arg)
{
    struct text line;
    int r = EXIT_OK;
    for (;;) {
        while (r == EXIT_OK && input_line(in, &line))
            r = input_say(p, room, line, last);
        if (r != EXIT_OK || in->ended)
            return r;
        int flushed = port_flush(p);
        r = flushed < 0 ? exit_code_of(flushed) : hear(arg);
        if (r == EXIT_OK && wait_for_frames(p, 0, -1, NULL))
            input_read(in);
    }
}
