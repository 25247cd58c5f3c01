/* verbs.c -- tail, log, who, rooms: for scripts, and for people in a hurry. */
#include "verbs.h"

#include "base/sys.h"
#include "out.h"
#include "view.h"
#include "when.h"

#include <errno.h>
#include <stdio.h>

enum { SINCE_PAGE = 1000, NEWEST_MAX = 10000 };

static int take_room(int argc, char **argv, char *room)
{
    int r = room_argument(argc > 0 ? argv[0] : NULL, room);
    if (r == 0 && argc > 1) {
        fprintf(stderr, "chat: too many arguments\n");
        r = EXIT_USAGE;
    }
    return r;
}

/* ---- tail ---- */

int verb_tail(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    struct port *p;
    struct view *v;
    struct view_options vo = {.json = o->json, .ids = o->ids, .color = !o->json && view_color(1), .days = !o->json};
    int r = take_room(argc, argv, room);
    if (r == 0)
        r = open_port(&p, o, true);
    if (r != 0)
        return r;
    const uint8_t *f;
    if ((r = room_exists(p, room)) != 0) {
        port_close(p);
        return r;
    }
    if (view_open(&v, p, &vo) < 0 || (r = port_join(p, room, o->n, o->after)) < 0)
        return exit_code_of(r ? r : -ENOMEM);
    uint64_t settled = 0;
    int code = EXIT_OK;
    for (;;) {
        r = port_next(p, &f);
        if (r == 1)
            code = thrown_out(p, f);
        if (r < 0 || code != EXIT_OK || (r == 1 && !out(view_frame(v, f))))
            break;
        if (r == 1)
            continue;
        if (!out_now())
            break;
        /* Without -f: everything that was there before us. */
        if (!o->follow && port_acked(p) > 0 && port_wait_ms(p) == -1 && settled++ > 0)
            break;
        wait_for_frames(p, -1, o->follow ? -1 : 20, NULL);
    }
    view_close(v);
    port_close(p);
    return r < 0 ? exit_code_of(r) : code;
}

/* ---- log, who, rooms ---- */

static int when(const char *text, uint64_t *hlc)
{
    uint64_t ms;
    if (!text)
        return 0;
    if (when_from_text(text, wall_ms(), &ms) < 0) {
        fprintf(stderr, "chat: not a time: %s (try -1h, 14:05, 2025-01-31, 2025-01-31T14:05)\n", text);
        return EXIT_USAGE;
    }
    *hlc = ms << 16;
    return 0;
}

int verb_log(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    struct query q = {.kind = o->since ? QUERY_SINCE : QUERY_NEWEST, .limit = o->since ? SINCE_PAGE : o->n};
    struct end end;
    int r = take_room(argc, argv, room);
    if (r == 0 && o->n > NEWEST_MAX) {
        fprintf(stderr, "chat: -n goes up to %d; for more, use --since\n", NEWEST_MAX);
        r = EXIT_USAGE;
    }
    r = r ? r : when(o->since, &q.since);
    r = r ? r : when(o->until, &q.until);
    return r ? r : list(o, room, &q, &end);
}

int verb_who(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    struct query q = {.kind = QUERY_WHO};
    struct end end;
    int r = take_room(argc, argv, room);
    return r ? r : list(o, room, &q, &end);
}

int verb_rooms(const struct verb_options *o, int argc, char **argv)
{
    struct query q = {.kind = QUERY_ROOMS};
    struct end end;
    (void)argv;
    if (argc > 0) {
        fprintf(stderr, "chat: rooms takes no arguments\n");
        return EXIT_USAGE;
    }
    return list(o, NULL, &q, &end);
}
