/* lines.c -- chat without a terminal: lines in, lines out. */
#include "lines.h"

#include "base/sys.h"
#include "out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show_plain(struct port *p, struct view *v, uint32_t *own)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(p, &f)) == 1) {
        if (frame_type(f) == FRAME_REFUSED)
            return refused_code(f);
        if (thrown_out(p, f))
            return EXIT_DENIED;
        if (frame_type(f) == FRAME_SAY && frame_client(f) == port_client(p) && frame_client_seq(f) > *own)
            *own = frame_client_seq(f);
        if (frame_type(f) == FRAME_SAY || frame_type(f) == FRAME_STATE)
            out(view_frame(v, f));
    }
    out_now();
    return r < 0 ? exit_code_of(r) : 0;
}

static int post(struct port *p, const char *room, char *line, uint32_t *last)
{
    size_t n = strlen(line);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if (n == 0)
        return 0;
    int64_t r = port_say(p, room, (struct text){line, n}, false);
    if (r == -EILSEQ)
        fprintf(stderr, "chat: a line that is not UTF-8 was left out\n");
    else if (r > 0)
        *last = (uint32_t)r;
    return r < 0 && r != -EILSEQ ? exit_code_of((int)r) : 0;
}

int pass_lines(struct port *p, struct view *v, const struct verb_options *o)
{
    char room[CALLED_MAX + 1], *line = NULL;
    size_t size = 0;
    uint32_t last = 0, own = 0;
    if (room_argument(o->room, room) != 0)
        return EXIT_USAGE;
    int r = room_exists(p, room);
    if (r != 0)
        return r;
    r = port_join(p, room, o->n, 0);
    r = r < 0 ? exit_code_of(r) : 0;
    /* What was there before comes first: our own JOIN, and the history behind it. */
    uint64_t deadline = now_ms() + o->timeout_s * 1000ull;
    while (r == 0 && (port_acked(p) == 0 || port_wait_ms(p) != -1) && now_ms() < deadline) {
        r = show_plain(p, v, &own);
        wait_for_frames(p, -1, 20, NULL);
    }
    while (r == 0 && getline(&line, &size, stdin) > 0)
        r = post(p, room, line, &last);
    free(line);
    int unread = r == 0 && ferror(stdin) ? errno : 0;
    if (r == 0 && port_flush(p) < 0)
        r = EXIT_NO_RELAY;
    deadline = now_ms() + o->timeout_s * 1000ull;
    while (r == 0 && (port_unacked(p) > 0 || own < last)) {
        r = show_plain(p, v, &own);
        if (r == 0 && now_ms() > deadline)
            r = exit_code_of(-ETIMEDOUT);
        if (r == 0 && (port_unacked(p) > 0 || own < last))
            wait_for_frames(p, -1, 100, NULL);
    }
    if (unread)
        fprintf(stderr, "chat: cannot read the input: %s\n", strerror(unread));
    return r == 0 && unread ? EXIT_NO : r;
}
