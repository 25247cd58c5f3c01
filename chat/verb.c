/* verb.c -- what the verbs do alike. */
#include "verb.h"

#include "base/sys.h"
#include "base/text.h"
#include "out.h"
#include "view.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

int open_port(struct port **p, const struct verb_options *o, bool quiet)
{
    char why[256] = "out of memory";
    struct port_options po = {.instance = o->instance, .start = true, .quiet = quiet, .timeout_ms = o->timeout_s * 1000};
    int r = port_open(p, &po, why, sizeof why);
    if (r == 0)
        return 0;
    fprintf(stderr, "chat: %s\n", why);
    return r == -EACCES || r == -EPERM ? EXIT_DENIED : r == -EINVAL ? EXIT_USAGE : EXIT_NO_RELAY;
}

int exit_code_of(int error)
{
    switch (-error) {
    case EMSGSIZE:
        fprintf(stderr, "chat: the message is empty or longer than 64 KiB\n");
        return EXIT_TOO_BIG;
    case ETIMEDOUT:
        fprintf(stderr, "chat: timed out before the relay had stored it; it may still arrive\n");
        return EXIT_TIMEOUT;
    case ENOENT:
        fprintf(stderr, "chat: the relay went away and did not come back; see: relay status\n");
        return EXIT_NO_RELAY;
    case EACCES:
        fprintf(stderr, "chat: the relay does not let you in any more\n");
        return EXIT_DENIED;
    default:
        fprintf(stderr, "chat: %s\n", strerror(-error));
        return EXIT_NO_RELAY;
    }
}

const char room_rule[] = "a room name is 1 to 64 of a-z 0-9 . _ - / and starts with a letter or digit; a private room is "
                         "alice@host/room; a user is @alice or @alice@host";

bool room_from_user(const char *typed, char *called)
{
    struct direct d;
    struct person owner;
    struct text room;
    if (!strchr(typed, '@'))
        return text_room_from_user(typed, called) == 0;
    if ((size_t)snprintf(called, CALLED_MAX + 1, "%s", typed + (*typed == '#')) > CALLED_MAX)
        return false;
    if (*typed != '@')
        return private_read(text_of(called), &owner, &room);
    return text_user_ok(text_of(typed + 1)) || (direct_read(text_of(typed), &d) && d.n == 1);
}

int room_argument(const char *typed, char *called)
{
    if (typed && room_from_user(typed, called))
        return 0;
    if (!typed || !*typed)
        fprintf(stderr, "chat: which room? (in a shell # starts a comment: write build or '#build', not #build)\n");
    else
        fprintf(stderr, "chat: %s\n", room_rule);
    return EXIT_USAGE;
}

/* is_user -- of this host: in the account database, or called by his number because he is not. */
static bool is_user(const struct port *p, const char *name)
{
    bool numbered = strncmp(name, "uid", 3) == 0 && name[3] && strspn(name + 3, "0123456789") == strlen(name + 3);
    return numbered || text_eq(text_of(name), port_user(p)) || getpwnam(name);
}

const char *room_why_not(const struct port *p, const char *called, char *why, size_t size)
{
    const char *at = *called == '@' ? strchr(called + 1, '@') : NULL;
    struct text here = port_host(p, port_origin(p)), host = at ? text_of(at + 1) : here;
    char user[CALLED_MAX + 1];
    if (*called != '@')
        return NULL;
    snprintf(user, sizeof user, "%.*s", at ? (int)(at - called - 1) : CALLED_MAX, called + 1);
    if (port_host_called(p, host) == 0)
        snprintf(why, size, "no host called %.*s here; see: relay status", (int)host.len, host.p);
    else if (text_eq(host, here) && !is_user(p, user))
        snprintf(why, size, "no user called %s on this host; of another host one is @%s@host", user, user);
    else
        return NULL;
    return why;
}

int room_exists(const struct port *p, const char *called)
{
    char why[256];
    if (!room_why_not(p, called, why, sizeof why))
        return 0;
    fprintf(stderr, "chat: %s\n", why);
    return EXIT_NO;
}

int refused_code(const uint8_t *f)
{
    struct reasoned r;
    if (read_reasoned(f, &r) < 0)
        return EXIT_NO_RELAY;
    fprintf(stderr, "chat: %.*s\n", (int)r.text.len, r.text.p);
    switch (r.reason) {
    case REASON_DISK_FULL:
    case REASON_STORE:
        return EXIT_STORE;
    case REASON_LIMIT:
        return EXIT_TOO_BIG;
    case REASON_NO_ROOM:
    case REASON_NO_HOST:
    case REASON_NOT_SO:
    case REASON_YOURS:
        return EXIT_NO;
    default:
        return EXIT_DENIED;
    }
}

int thrown_out(const struct port *p, const uint8_t *f)
{
    const char *room = port_room_name(p, frame_room(f)).p;
    bool forced = frame_type(f) == FRAME_LEAVE && frame_flags(f) & FRAME_FORCED && frame_client(f) == port_client(p);
    if (frame_type(f) == FRAME_REFUSED && !port_is_in(p, room))
        return refused_code(f);
    if (forced)
        fprintf(stderr, "chat: you are out of %s%s\n", port_sign(text_of(room)), room);
    return forced ? EXIT_DENIED : 0;
}

bool wait_for_frames(struct port *p, int other_fd, int max_ms, const sigset_t *mask)
{
    struct pollfd fds[] = {{port_fd(p), POLLIN, 0}, {other_fd, POLLIN, 0}, {port_watch_fd(p), POLLIN, 0}};
    int wait = port_wait_ms(p);
    wait = wait >= 0 && (max_ms < 0 || wait < max_ms) ? wait : max_ms;
    struct timespec until = {wait / 1000, wait % 1000 * 1000000L};
    return ppoll(fds, ARRAY_LEN(fds), wait < 0 ? NULL : &until, mask) > 0 && fds[1].revents != 0;
}

int wait_durable(struct port *p, unsigned timeout_s)
{
    uint64_t deadline = now_ms() + timeout_s * 1000ull;
    const uint8_t *f;
    int r = port_flush(p);
    while (r >= 0 && port_unacked(p) > 0) {
        r = port_next(p, &f);
        if (r == 1 && frame_type(f) == FRAME_REFUSED)
            return refused_code(f);
        if (r == 0 && now_ms() > deadline)
            return exit_code_of(-ETIMEDOUT);
        if (r == 0 && port_unacked(p) > 0)
            wait_for_frames(p, -1, 100, NULL);
    }
    return r < 0 ? exit_code_of(r) : EXIT_OK;
}

char *join_words(int argc, char **argv)
{
    size_t len = 1;
    for (int i = 0; i < argc; i++)
        len += strlen(argv[i]) + 1;
    char *all = malloc(len), *at = all;
    for (int i = 0; all && i < argc; i++)
        at += sprintf(at, i ? " %s" : "%s", argv[i]);
    return all;
}

/* ---- lists ---- */

struct listing {
    struct view *view;
    struct query *q;
    size_t n;
};

static bool list_frame(void *arg, const uint8_t *f)
{
    struct listing *l = arg;
    const char *line = view_frame(l->view, f);
    l->n += *line != '\0';
    if (frame_type(f) == FRAME_GONE) /* it may reach further than what was shown: the next page begins behind that */
        return out(line);
    l->q->key.hlc = frame_hlc(f);
    l->q->key.origin = frame_origin(f);
    l->q->key.epoch = frame_epoch(f);
    l->q->key.seq = frame_seq(f);
    return out(line);
}

int list(const struct verb_options *o, const char *room, struct query *q, struct end *end)
{
    struct port *p;
    struct listing l = {.q = q};
    struct view_options vo = {
        .json = o->json, .ids = o->ids, .color = !o->json && view_color(1), .days = !o->json, .why = o->why,
        .rooms = q->kind == QUERY_SEARCH};
    *end = (struct end){0};
    int r = open_port(&p, o, true);
    if (r != 0)
        return r;
    if (room && (r = room_exists(p, room)) != 0) {
        port_close(p);
        return r;
    }
    if (room)
        port_name_room(p, room);
    r = view_open(&l.view, p, &vo);
    do
        r = r < 0 ? r : port_query(p, room, q, list_frame, &l, end);
    while (r == 0 && end->more && q->kind == QUERY_SINCE);
    if (r == 0 && end->text.len > 0)
        fprintf(stderr, "chat: %.*s\n", (int)end->text.len, end->text.p);
    int code = r < 0 && r != -ECANCELED     ? exit_code_of(r)
               : end->reason == REASON_BUSY  ? EXIT_TOO_BIG
               : end->reason == REASON_STORE ? EXIT_STORE
               : end->reason == REASON_WANTED ? EXIT_USAGE
               : l.n > 0                     ? EXIT_OK
                                             : EXIT_NO;
    view_close(l.view);
    port_close(p);
    return code;
}
