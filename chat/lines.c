/* lines.c -- chat without a terminal: lines in, lines out. */
#include "lines.h"

#include "base/sys.h"
#include "input.h"
#include "out.h"

#include <errno.h>

/* Numbers of our own messages: the last that was said, and was shown. */
struct passing {
    struct port *port;
    struct view *view;
    uint32_t said, shown;
};

static int show(void *arg)
{
    struct passing *g = arg;
    struct port *p = g->port;
    const uint8_t *f;
    int r;
    while ((r = port_next(p, &f)) == 1) {
        if (frame_type(f) == FRAME_REFUSED)
            return refused_code(f);
        if (thrown_out(p, f))
            return EXIT_DENIED;
        if (frame_type(f) == FRAME_SAY && frame_client(f) == port_client(p) && frame_client_seq(f) > g->shown)
            g->shown = frame_client_seq(f);
        if (frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE)
            out(view_frame(g->view, f));
    }
    out_now();
    return r < 0 ? exit_code_of(r) : EXIT_OK;
}

/* show_before -- what was there before comes first: our own JOIN, and the history behind it. */
static int show_before(struct passing *g, uint64_t deadline)
{
    int r = EXIT_OK;
    while (r == EXIT_OK && (port_acked(g->port) == 0 || port_wait_ms(g->port) != -1) && now_ms() < deadline) {
        r = show(g);
        wait_for_frames(g->port, -1, 20, NULL);
    }
    return r;
}

/* show_own -- until all that was said is on disk and was shown. */
static int show_own(struct passing *g, uint64_t deadline)
{
    int r = EXIT_OK;
    while (r == EXIT_OK && (port_unacked(g->port) > 0 || g->shown < g->said)) {
        r = show(g);
        if (r == EXIT_OK && now_ms() > deadline)
            r = exit_code_of(-ETIMEDOUT);
        if (r == EXIT_OK && (port_unacked(g->port) > 0 || g->shown < g->said))
            wait_for_frames(g->port, -1, 100, NULL);
    }
    return r;
}

int pass_lines(struct port *p, struct view *v, const struct verb_options *o)
{
    char room[CALLED_MAX + 1];
    struct passing g = {.port = p, .view = v};
    struct input in = {0};
    uint64_t patience = o->timeout_s * 1000ull;
    int r = room_argument(o->room, room);
    r = r != EXIT_OK ? r : room_exists(p, room);
    if (r != EXIT_OK)
        return r;
    r = port_join(p, room, o->n, 0);
    r = r < 0 ? exit_code_of(r) : show_before(&g, now_ms() + patience);
    r = r != EXIT_OK ? r : input_pass(&in, p, room, &g.said, show, &g);
    if (r == EXIT_OK && port_flush(p) < 0)
        r = EXIT_NO_RELAY;
    r = r != EXIT_OK ? r : show_own(&g, now_ms() + patience);
    int told = input_told(&in);
    input_free(&in);
    return r != EXIT_OK ? r : told;
}
