/* post.c -- chat send: its arguments or the standard input, as one message or line by line. */
#include "verbs.h"

#include "base/sys.h"
#include "base/text.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* read_input -- all of the standard input, to be freed.  NULL: it cannot be read, said on standard error. */
static char *read_input(size_t *len)
{
    size_t size = 0;
    char *all = NULL;
    *len = 0;
    for (;;) {
        if (*len == size) {
            char *more = realloc(all, size = size ? 2 * size : 1 << 16);
            if (!more)
                break;
            all = more;
        }
        ssize_t n = read(0, all + *len, size - *len);
        if (n == 0)
            return all;
        if (n > 0)
            *len += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    fprintf(stderr, "chat: cannot read the input: %s\n", strerror(errno));
    free(all);
    return NULL;
}

/* valid -- the text with every byte that is not UTF-8 replaced by U+FFFD: output of compilers is not always text. */
static struct text valid(const char *in, size_t len)
{
    char *to = malloc(len * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < len;) {
        struct text rest = {in + i, len - i};
        size_t k = 1;
        while (k <= 4 && k <= rest.len && !text_utf8_ok((struct text){rest.p, k}))
            k++;
        if (k > 4 || k > rest.len) {
            memcpy(to + n, "\xef\xbf\xbd", 3);
            n += 3;
            i++;
        } else {
            memcpy(to + n, rest.p, k);
            n += k;
            i += k;
        }
    }
    return (struct text){to, n};
}

static bool is_blank(struct text t)
{
    size_t i = 0;
    while (i < t.len && (t.p[i] == '\n' || t.p[i] == '\r'))
        i++;
    return i == t.len;
}

/* piece -- how much of the text goes into the next message: whole lines where that is possible. */
static size_t piece(struct text t, bool by_line)
{
    const char *nl = by_line ? memchr(t.p, '\n', t.len) : NULL;
    if (nl)
        return min_size((size_t)(nl - t.p) + 1, TEXT_MESSAGE_MAX);
    if (t.len <= TEXT_MESSAGE_MAX)
        return t.len;
    nl = memrchr(t.p, '\n', TEXT_MESSAGE_MAX);
    return nl ? (size_t)(nl - t.p) + 1 : text_utf8_cut(t, TEXT_MESSAGE_MAX);
}

/* say_all -- last: filled with the number of the last part. */
static int say_all(struct port *p, const char *room, struct text t, bool by_line, uint32_t *last)
{
    for (size_t n; t.len > 0; t.p += n, t.len -= n) {
        n = piece(t, by_line);
        struct text m = {t.p, n};
        while (m.len > 0 && (m.p[m.len - 1] == '\n' || m.p[m.len - 1] == '\r'))
            m.len--;
        int64_t r = m.len > 0 ? port_say(p, room, m, false) : 0;
        if (r < 0)
            return exit_code_of((int)r);
        if (r > 0)
            *last = (uint32_t)r;
    }
    return 0;
}

/* post -- and wait until it is where it is wanted. */
static int post(struct port *p, const struct verb_options *o, const char *room, struct text t)
{
    uint64_t wall = wall_ms(), deadline = now_ms() + o->timeout_s * 1000ull;
    uint32_t last = 0;
    struct have_row id;
    int r = say_all(p, room, t, o->lines, &last);
    if (r == 0)
        r = wait_durable(p, o->timeout_s);
    if (r == 0 && (o->ids || o->wait != TRACE_WAIT_NOT))
        r = trace_said(p, room, last, wall, o->ids, &id);
    uint64_t now = now_ms();
    if (r == 0 && o->wait != TRACE_WAIT_NOT)
        r = trace_wait(p, &id, o->wait, (unsigned)(deadline > now ? deadline - now : 0));
    return r;
}

/* send_text -- which is not blank. */
static int send_text(const struct verb_options *o, const char *room, struct text t)
{
    struct port *p;
    int r = open_port(&p, o, true);
    if (r != 0)
        return r;
    r = room_exists(p, room);
    if (r == 0)
        r = post(p, o, room, t);
    port_close(p);
    return r;
}

int verb_send(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    size_t len = 0;
    int r = room_argument(argc > 0 ? argv[0] : NULL, room);
    if (r != 0)
        return r;
    char *raw = argc > 1 ? join_words(argc - 1, argv + 1) : read_input(&len);
    if (!raw)
        return argc > 1 ? exit_code_of(-ENOMEM) : EXIT_NO;
    struct text t = valid(raw, argc > 1 ? strlen(raw) : len);
    free(raw);
    if (!t.p)
        return exit_code_of(-ENOMEM);
    bool blank = is_blank(t);
    if (blank && !o->allow_empty && !o->quiet)
        fprintf(stderr, "chat: nothing to send (--allow-empty makes that no error)\n");
    r = !blank ? send_text(o, room, t) : o->allow_empty ? EXIT_OK : EXIT_USAGE;
    free((void *)(uintptr_t)t.p);
    return r;
}
