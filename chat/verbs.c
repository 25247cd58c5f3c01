/* verbs.c -- send, tail, log, who, rooms: for scripts, and for people in a hurry. */
#include "verbs.h"

#include "base/sys.h"
#include "base/text.h"
#include "trace.h"
#include "view.h"
#include "when.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SINCE_PAGE = 1000, NEWEST_MAX = 10000 };

/* ---- shared ---- */

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

int wait_for_frames(struct port *p, int other_fd, int max_ms)
{
    struct pollfd fds[] = {{port_fd(p), POLLIN, 0}, {other_fd, POLLIN, 0}, {port_watch_fd(p), POLLIN, 0}};
    int wait = port_wait_ms(p);
    wait = wait >= 0 && (max_ms < 0 || wait < max_ms) ? wait : max_ms;
    return poll(fds, ARRAY_LEN(fds), wait) > 0 && fds[1].revents != 0;
}

static int take_room(int argc, char **argv, char *room)
{
    int r = room_argument(argc > 0 ? argv[0] : NULL, room);
    if (r == 0 && argc > 1) {
        fprintf(stderr, "chat: too many arguments\n");
        r = EXIT_USAGE;
    }
    return r;
}

/* out -- to standard output; a reader that left ends us quietly, as with any filter. */
static bool out(const char *s)
{
    return fputs(s, stdout) >= 0;
}

static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno != EPIPE)
        fprintf(stderr, "chat: cannot write the output: %s\n", strerror(errno));
    return errno == EPIPE ? code : EXIT_NO;
}

/* ---- send ---- */

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

static char *read_input(size_t *len)
{
    size_t size = 1 << 16;
    char *all = malloc(size);
    *len = 0;
    for (ssize_t n; all && (n = read(0, all + *len, size - *len)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        *len += (size_t)n;
        char *more = *len == size ? realloc(all, size *= 2) : all;
        if (!more)
            break;
        all = more;
    }
    return all;
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
            wait_for_frames(p, -1, 100);
    }
    return r < 0 ? exit_code_of(r) : EXIT_OK;
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

int verb_send(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    size_t len = 0;
    struct port *p;
    int r = room_argument(argc > 0 ? argv[0] : NULL, room);
    if (r != 0)
        return r;
    char *raw = argc > 1 ? join_words(argc - 1, argv + 1) : read_input(&len);
    if (argc > 1 && raw)
        len = strlen(raw);
    struct text t = raw ? valid(raw, len) : (struct text){NULL, 0};
    bool blank = true;
    for (size_t i = 0; i < t.len; i++)
        blank = blank && (t.p[i] == '\n' || t.p[i] == '\r');
    if (blank && !o->allow_empty && !o->quiet)
        fprintf(stderr, "chat: nothing to send (--allow-empty makes that no error)\n");
    r = blank ? (o->allow_empty ? EXIT_OK : EXIT_USAGE) : open_port(&p, o, true);
    if (r == 0 && !blank) {
        r = room_exists(p, room);
        if (r == 0)
            r = post(p, o, room, t);
        port_close(p);
    }
    free(raw);
    free((void *)(uintptr_t)t.p);
    return o->ids && r == EXIT_OK ? finish(r) : r;
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
        if (fflush(stdout) != 0)
            break;
        /* Without -f: everything that was there before us. */
        if (!o->follow && port_acked(p) > 0 && port_wait_ms(p) == -1 && settled++ > 0)
            break;
        wait_for_frames(p, -1, o->follow ? -1 : 20);
    }
    view_close(v);
    port_close(p);
    return r < 0 ? exit_code_of(r) : finish(code);
}

/* ---- log, who, rooms ---- */

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
    return finish(code);
}

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
