/* post.c -- chat send: its arguments or the standard input, as one message or line by line. */
#include "verbs.h"

#include "base/sys.h"
#include "base/text.h"
#include "input.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What is posted: where, and the number of its last part so far. */
struct posting {
    struct port *port;
    const struct verb_options *o;
    const char *room;
    uint64_t wall;
    uint32_t last;
};

static bool is_blank(struct text t)
{
    size_t i = 0;
    while (i < t.len && (t.p[i] == '\n' || t.p[i] == '\r'))
        i++;
    return i == t.len;
}

/* piece -- how much of the text goes into the next message: whole lines where that is possible. */
static size_t piece(struct text t)
{
    if (t.len <= TEXT_MESSAGE_MAX)
        return t.len;
    const char *nl = memrchr(t.p, '\n', TEXT_MESSAGE_MAX);
    return nl ? (size_t)(nl - t.p) + 1 : text_utf8_cut(t, TEXT_MESSAGE_MAX);
}

static int hear(void *arg)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(arg, &f)) == 1)
        if (frame_type(f) == FRAME_REFUSED)
            return refused_code(f);
    return r < 0 ? exit_code_of(r) : EXIT_OK;
}

/* start, finish -- reach the relay; wait until all that was said is where it is wanted. */
static int start(struct posting *g)
{
    g->wall = wall_ms();
    int r = open_port(&g->port, g->o, true);
    return r != EXIT_OK ? r : room_exists(g->port, g->room);
}

static int finish(struct posting *g)
{
    const struct verb_options *o = g->o;
    uint64_t deadline = now_ms() + o->timeout_s * 1000ull;
    struct have_row id;
    int r = wait_durable(g->port, o->timeout_s);
    if (r == EXIT_OK && (o->ids || o->wait != TRACE_WAIT_NOT))
        r = trace_said(g->port, g->room, g->last, g->wall, o->ids, &id);
    uint64_t now = now_ms();
    if (r == EXIT_OK && o->wait != TRACE_WAIT_NOT)
        r = trace_wait(g->port, &id, o->wait, (unsigned)(deadline > now ? deadline - now : 0));
    return r;
}

/* send_lines -- each as soon as it comes.  Nothing to send needs no relay. */
static int send_lines(struct posting *g, struct input *in)
{
    struct text line;
    bool any;
    while (!(any = input_line(in, &line)) && !in->ended)
        input_read(in);
    int r = any ? start(g) : EXIT_OK;
    r = r != EXIT_OK || !any ? r : input_say(g->port, g->room, line, &g->last);
    return r != EXIT_OK || !any ? r : input_pass(in, g->port, g->room, &g->last, hear, g->port);
}

/* send_whole -- as one message, or as few as hold it. */
static int send_whole(struct posting *g, struct input *in)
{
    while (!in->ended)
        input_read(in);
    struct text t = {(const char *)buffer_data(&in->text), buffer_len(&in->text)};
    int r = in->error || is_blank(t) ? EXIT_OK : start(g);
    for (size_t n; r == EXIT_OK && g->port && t.len > 0; t.p += n, t.len -= n) {
        n = piece(t);
        struct text m = {t.p, n};
        while (m.len > 0 && (m.p[m.len - 1] == '\n' || m.p[m.len - 1] == '\r'))
            m.len--;
        r = m.len > 0 ? input_say(g->port, g->room, m, &g->last) : EXIT_OK;
    }
    return r;
}

/* nothing -- there was no text at all. */
static int nothing(const struct verb_options *o)
{
    if (!o->allow_empty && !o->quiet)
        fprintf(stderr, "chat: nothing to send (--allow-empty makes that no error)\n");
    return o->allow_empty ? EXIT_OK : EXIT_USAGE;
}

int verb_send(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    struct posting g = {.o = o, .room = room};
    struct input in = {0};
    int r = room_argument(argc > 0 ? argv[0] : NULL, room);
    if (r != EXIT_OK)
        return r;
    if (argc > 1) {
        char *words = join_words(argc - 1, argv + 1);
        if (!words)
            return exit_code_of(-ENOMEM);
        input_take(&in, text_of(words));
        free(words);
    }
    r = o->lines ? send_lines(&g, &in) : send_whole(&g, &in);
    if (r == EXIT_OK && g.last > 0)
        r = finish(&g);
    int told = input_told(&in);
    r = r != EXIT_OK ? r : told != EXIT_OK ? told : g.last == 0 ? nothing(o) : EXIT_OK;
    if (g.port)
        port_close(g.port);
    input_free(&in);
    return r;
}
