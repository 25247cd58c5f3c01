/* talk.c -- chat without a verb: the conversation on a terminal. */
#include "verbs.h"

#include "base/sys.h"
#include "base/text.h"
#include "grep.h"
#include "lines.h"
#include "marks.h"
#include "render.h"
#include "rooms.h"
#include "screen.h"
#include "view.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    JOINED_MAX = 16,
    IGNORED_MAX = 32,
    INVITED_MAX = 32,
    RECENT_MS = 24 * 3600 * 1000, /* of what was said between two, the start of chat tells */
};

/* readline calls back without an argument, so there is one conversation a process. */
static struct {
    const struct verb_options *o;
    struct port *port;
    struct view *view;
    char room[CALLED_MAX + 1];
    char joined[JOINED_MAX][CALLED_MAX + 1];
    size_t n_joined;
    char ignored[IGNORED_MAX][CALLED_MAX + 1]; /* "@user@host" */
    size_t n_ignored;
    char invited[INVITED_MAX][CALLED_MAX + 1]; /* private rooms that we were in when we came, for completion */
    size_t n_invited;
    struct marks marks;
    bool quit;
    int code;
} talking;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

static void tell(const char *sentence)
{
    char line[512];
    snprintf(line, sizeof line, "-- %s\n", sentence);
    screen_print(line);
}

static void show_prompt(void)
{
    char plain[CALLED_MAX + 8], prompt[CALLED_MAX + 24];
    const char *sign = port_sign(text_of(talking.room));
    const char *mark = marks_text(&talking.marks, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    snprintf(plain, sizeof plain, "%s%s> ", sign, talking.room);
    snprintf(prompt, sizeof prompt, "%s%s%s%s> ", sign, talking.room, *mark ? " " : "", mark);
    screen_prompt(prompt, plain); /* a mark beside the text of the next message would be taken for its own */
}

static void went_wrong(int r)
{
    if (r >= 0)
        return;
    screen_close();
    talking.code = exit_code_of(r);
    talking.quit = true;
}

/* ---- commands ---- */

static bool is_joined(const char *room)
{
    for (size_t i = 0; i < talking.n_joined; i++)
        if (strcmp(talking.joined[i], room) == 0)
            return true;
    return false;
}

static bool show_row(void *arg, const uint8_t *f)
{
    (void)arg;
    screen_print(view_frame(talking.view, f));
    return true;
}

/* person -- "bob", "@bob", "@bob@beta" into "@bob@beta"; false: told why not. */
static bool person(const char *typed, size_t len, char *called)
{
    char why[256], with_at[CALLED_MAX + 1];
    int n = snprintf(with_at, sizeof with_at, "%s%.*s", *typed == '@' ? "" : "@", (int)min_size(len, CALLED_MAX), typed);
    if (n > CALLED_MAX || !room_from_user(with_at, called)) {
        tell("a user is written alice, or alice@host");
        return false;
    }
    struct text host = port_host(talking.port, port_origin(talking.port));
    if (!strchr(called + 1, '@'))
        direct_inbox((struct person){text_of(with_at + 1), host}, called);
    if (!room_why_not(talking.port, called, why, sizeof why))
        return true;
    tell(why);
    return false;
}

/* look_at -- what is typed goes there from now on. */
static void look_at(const char *room)
{
    snprintf(talking.room, sizeof talking.room, "%s", room);
    marks_forget(&talking.marks);
    show_prompt();
}

/* talk_with -- the inbox brings what he says; only what was said before is asked for. */
static void talk_with(const char *typed)
{
    char called[CALLED_MAX + 1];
    struct query q = {.kind = QUERY_NEWEST, .limit = talking.o->n};
    struct end end = {0};
    if (!person(typed, strlen(typed), called))
        return;
    look_at(called);
    went_wrong(port_query(talking.port, called, &q, show_row, NULL, &end));
}

/* say_to -- Returns whether it is on the way. */
static bool say_to(const char *room, const char *text, bool action)
{
    int64_t r = port_say(talking.port, room, text_of(text), action);
    if (r == -EILSEQ)
        tell("that is not valid UTF-8, so it was not sent; check your locale");
    else if (r == -EMSGSIZE)
        tell("a message has 1 byte to 64 KiB");
    else if (r < 0)
        went_wrong((int)r);
    else
        went_wrong(port_flush(talking.port));
    return r >= 0 && !talking.quit;
}

static void message(const char *rest)
{
    char called[CALLED_MAX + 1];
    size_t n = strcspn(rest, " ");
    const char *text = rest + n + strspn(rest + n, " ");
    if (*rest == '\0' || *text == '\0')
        tell("/msg USER[@HOST] TEXT");
    else if (person(rest, n, called))
        (void)say_to(called, text, false);
}

/* has_state -- is it a room?  False: told that it is not. */
static bool has_state(const char *room)
{
    if (*room != '@')
        return true;
    tell("a conversation of two has no topic and nobody who owns it; /join a room first");
    return false;
}

static bool show_topic(void *arg, const uint8_t *f)
{
    struct fact_row r;
    char line[TOPIC_MAX * RENDER_GROWTH + 64];
    bool *any = arg;
    if (read_fact_row(f, &r) < 0 || r.act.act != ACT_TOPIC || r.why.len > 0)
        return true;
    *any = true;
    snprintf(line, sizeof line, "-- %s", view_frame(talking.view, f));
    screen_print(line);
    return true;
}

/* topic_of -- said when one comes in, and when asked. */
static void topic_of(const char *room, bool asked)
{
    struct query q = {.kind = QUERY_STATE};
    struct end end = {0};
    bool any = false;
    went_wrong(port_query(talking.port, room, &q, show_topic, &any, &end));
    if (asked && !any)
        tell("this room has no topic");
}

static void join(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (*typed == '@') {
        talk_with(typed);
        return;
    }
    if (!room_from_user(typed, room)) {
        tell(room_rule);
        return;
    }
    if (!is_joined(room)) {
        if (talking.n_joined == ARRAY_LEN(talking.joined)) {
            tell("you are in 16 rooms already; /leave one first");
            return;
        }
        snprintf(talking.joined[talking.n_joined++], CALLED_MAX + 1, "%s", room);
        went_wrong(port_join(talking.port, room, talking.o->n, 0));
        if (!talking.quit)
            topic_of(room, false);
    }
    look_at(room);
}

/* go_back -- to a room that we are in. */
static void go_back(void)
{
    if (talking.n_joined == 0)
        join("lobby");
    else
        look_at(talking.joined[0]);
}

/* forget -- a room that we are not in any more. */
static void forget(const char *room)
{
    size_t kept = 0;
    for (size_t i = 0; i < talking.n_joined; i++)
        if (strcmp(talking.joined[i], room) != 0)
            memmove(talking.joined[kept++], talking.joined[i], sizeof talking.joined[0]);
    talking.n_joined = kept;
    if (strcmp(talking.room, room) == 0)
        go_back();
}

/* look_around -- are we still where we think we are?  Out of the last room one goes to the lobby, out of the lobby home. */
static void look_around(void)
{
    char room[CALLED_MAX + 1];
    for (size_t i = talking.n_joined; i-- > 0;) {
        if (port_is_in(talking.port, talking.joined[i]))
            continue;
        snprintf(room, sizeof room, "%s", talking.joined[i]);
        if (talking.n_joined == 1 && strcmp(room, "lobby") == 0 && strcmp(talking.room, "lobby") == 0) {
            talking.code = EXIT_DENIED;
            talking.quit = true;
            return;
        }
        forget(room);
    }
}

static void leave(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (*typed == '\0' && *talking.room == '@') {
        go_back();
        return;
    }
    if (!room_from_user(*typed ? typed : talking.room, room) || !is_joined(room)) {
        tell("you are not in that room");
        return;
    }
    went_wrong(port_leave(talking.port, room));
    forget(room);
}

static void ask(const char *room, uint8_t kind)
{
    struct query q = {.kind = kind};
    struct end end = {0};
    int r = port_query(talking.port, room, &q, show_row, NULL, &end);
    if (r == 0 && end.count == 0)
        tell("nothing");
    went_wrong(r);
}

static void who(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (room_from_user(*typed ? typed : talking.room, room))
        ask(room, QUERY_WHO);
}

static void rooms(const char *rest)
{
    (void)rest;
    ask(NULL, QUERY_ROOMS);
}

static bool show_hit(void *arg, const uint8_t *f)
{
    screen_print(view_frame(arg, f));
    return true;
}

/* grep -- in all rooms: each line says in which. */
static void grep(const char *words)
{
    struct view_options vo = {.color = view_color(1), .days = true, .rooms = true};
    struct view *v;
    struct query q;
    struct end end = {0};
    char why[256];
    if (grep_query(words, talking.o->n, &q, why, sizeof why) < 0) {
        tell(why);
        return;
    }
    int r = view_open(&v, talking.port, &vo);
    if (r == 0) {
        r = port_query(talking.port, NULL, &q, show_hit, v, &end);
        view_close(v);
    }
    snprintf(why, sizeof why, "%.*s", (int)end.text.len, end.text.len > 0 ? end.text.p : "");
    if (r == 0 && (*why || end.count == 0))
        tell(*why ? why : "nothing found");
    went_wrong(r);
}

static void show_state(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (room_from_user(*typed ? typed : talking.room, room) && has_state(room))
        ask(room, QUERY_STATE);
}

/* act -- upon a room; what comes of it is seen like everything else in it.  Returns false when it was not even asked for. */
static bool act(const char *room, uint8_t which, const char *rest)
{
    struct room_act a;
    char why[128];
    if (!has_state(room))
        return false;
    if (act_from_words(talking.port, which, rest, &a, why, sizeof why) < 0) {
        tell(why);
        return false;
    }
    int64_t r = port_act(talking.port, room, &a);
    went_wrong(r < 0 ? (int)r : port_flush(talking.port));
    return !talking.quit;
}

static void topic(const char *rest)
{
    if (*rest)
        (void)act(talking.room, ACT_TOPIC, rest);
    else if (has_state(talking.room))
        topic_of(talking.room, true);
}

/* create -- first the room, so that one who comes in is its owner. */
static void create(const char *typed)
{
    static const char flag[] = "--private ";
    char room[CALLED_MAX + 1];
    bool is_private = strncmp(typed, flag, strlen(flag)) == 0;
    const char *name = typed + (is_private ? strlen(flag) : 0);
    if (is_private ? !private_from_user(talking.port, name, room) : !room_from_user(name, room))
        tell(is_private ? "/create --private NAME, the name alone" : room_rule);
    else if (act(room, ACT_OWN, ""))
        join(room);
}

static void me(const char *rest)
{
    (void)say_to(talking.room, rest, true);
}

/* ---- who is not to be heard ---- */

/* ignored -- the place in the list, or its end. */
static size_t ignored(const char *called)
{
    size_t i = 0;
    while (i < talking.n_ignored && strcmp(talking.ignored[i], called) != 0)
        i++;
    return i;
}

static void ignore(const char *typed)
{
    char called[CALLED_MAX + 1], line[CALLED_MAX + 64];
    if (*typed == '\0') {
        for (size_t i = 0; i < talking.n_ignored; i++)
            tell(talking.ignored[i]);
        tell("/ignore USER[@HOST] hides what somebody says; once more, and it is shown again");
        return;
    }
    if (!person(typed, strlen(typed), called))
        return;
    size_t i = ignored(called);
    bool again = i < talking.n_ignored;
    if (again)
        memmove(talking.ignored[i], talking.ignored[--talking.n_ignored], sizeof talking.ignored[0]);
    else if (i < IGNORED_MAX)
        snprintf(talking.ignored[talking.n_ignored++], CALLED_MAX + 1, "%s", called);
    snprintf(line, sizeof line, "%s %s", called,
             again             ? "is heard again"
             : i < IGNORED_MAX ? "is not heard any more, until chat ends"
                               : "is still heard: you ignore too many people already");
    tell(line);
}

static bool is_ignored(const uint8_t *f)
{
    char called[CALLED_MAX + 1];
    struct say s;
    if (talking.n_ignored == 0 || frame_type(f) != FRAME_SAY || read_say(f, &s) < 0)
        return false;
    direct_inbox((struct person){s.user, port_host(talking.port, frame_origin(f))}, called);
    return ignored(called) < talking.n_ignored;
}

static void quit(const char *rest)
{
    (void)rest;
    talking.quit = true;
}

static void help(const char *rest);

static const struct command {
    const char *name, *argument, *help; /* no help: the line of another tells of it */
    void (*run)(const char *rest);
    uint8_t act; /* where run is NULL: upon this room */
} commands[] = {
    {"/ban", "USER", "out for good; *@HOST: all of a host; /unban", NULL, ACT_BAN},
    {"/create", "ROOM", "a room of your own; --private ROOM: for those you invite", create, 0},
    {"/deop", "USER", NULL, NULL, ACT_DEOP},
    {"/grep", "WORDS", "search all rooms: words, \"a phrase\", from:USER, in:ROOM", grep, 0},
    {"/help", "", "this list", help, 0},
    {"/ignore", "USER", "do not show what somebody says, until chat ends", ignore, 0},
    {"/invite", "USER", "into a private room of yours; /uninvite: out of it", NULL, ACT_INVITE},
    {"/join", "ROOM", "go to a room; you stay in the others", join, 0},
    {"/kick", "USER", "out of this room; he may come back", NULL, ACT_KICK},
    {"/leave", "[ROOM]", "leave this room, or another", leave, 0},
    {"/me", "TEXT", "say what you do", me, 0},
    {"/msg", "USER TEXT", "say something to one user alone: bob, or bob@beta", message, 0},
    {"/mute", "USER", "may read, but say nothing; /unmute", NULL, ACT_MUTE},
    {"/op", "USER", "may mute, kick and ban in a room of yours; /deop", NULL, ACT_OP},
    {"/query", "USER", "talk with one user alone (so does /join @USER)", talk_with, 0},
    {"/quit", "", "leave (so does Ctrl-D)", quit, 0},
    {"/rooms", "", "which rooms there are", rooms, 0},
    {"/show", "[ROOM]", "topic, owner, operators, muted and banned", show_state, 0},
    {"/topic", "[TEXT]", "set the topic, or see it", topic, 0},
    {"/unban", "USER", NULL, NULL, ACT_UNBAN},
    {"/uninvite", "USER", NULL, NULL, ACT_UNINVITE},
    {"/unmute", "USER", NULL, NULL, ACT_UNMUTE},
    {"/who", "[ROOM]", "who is here", who, 0},
};

static void help(const char *rest)
{
    (void)rest;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char line[128];
        if (!commands[i].help)
            continue;
        snprintf(line, sizeof line, "-- %-9s %-9s %s\n", commands[i].name, commands[i].argument, commands[i].help);
        screen_print(line);
    }
    screen_print("-- A USER of another host is USER@HOST.\n"
                 "-- A line that begins with // is sent with one slash less.\n");
}

static void command(char *line)
{
    for (size_t end = strlen(line); line[end - 1] == ' ';) /* as completion leaves one */
        line[--end] = '\0';
    size_t n = strcspn(line, " ");
    char *rest = line + n + strspn(line + n, " ");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strlen(commands[i].name) == n && strncmp(commands[i].name, line, n) == 0) {
            if (commands[i].run)
                commands[i].run(rest);
            else
                (void)act(talking.room, commands[i].act, rest);
            return;
        }
    tell("no such command; /help lists them");
}

static char *complete(const char *word, int n)
{
    for (size_t i = 0; *word == '/' && i < ARRAY_LEN(commands); i++)
        if (strncmp(commands[i].name, word, strlen(word)) == 0 && n-- == 0)
            return strdup(commands[i].name);
    for (size_t i = 0; *word != '/' && i < talking.n_joined; i++)
        if (strncmp(talking.joined[i], word, strlen(word)) == 0 && n-- == 0)
            return strdup(talking.joined[i]);
    for (size_t i = 0; *word != '/' && i < talking.n_invited; i++)
        if (!is_joined(talking.invited[i]) && strncmp(talking.invited[i], word, strlen(word)) == 0 && n-- == 0)
            return strdup(talking.invited[i]);
    return NULL;
}

/* ---- the terminal ---- */

static void on_line(char *line)
{
    if (!line) {
        talking.quit = true;
        return;
    }
    if (*line)
        screen_remember(line);
    if (line[0] == '/' && line[1] != '/')
        command(line);
    else if (*line && say_to(talking.room, line + (line[0] == '/'), false))
        screen_keep(); /* until it comes back in its place */
    if (talking.marks.shown && !talking.quit)
        show_prompt();
    free(line);
}

/* show -- everything that has come.  Returns what port_next() ended with. */
static int show(void)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(talking.port, &f)) == 1) {
        if (is_ignored(f))
            continue;
        const char *line = view_frame(talking.view, f);
        marks_see(&talking.marks, talking.port, f);
        if (frame_type(f) == FRAME_REFUSED)
            screen_let_go();
        if (*line && frame_type(f) == FRAME_SAY && frame_client(f) == port_client(talking.port))
            screen_print_kept(line);
        else if (*line)
            screen_print(line);
    }
    look_around();
    if (marks_update(&talking.marks, talking.port))
        show_prompt();
    return r;
}

/* recall -- a conversation or private room of ours: know it; when something was said lately, say so. */
static bool recall(void *arg, const uint8_t *f)
{
    char name[DIRECT_NAME_MAX + 1], called[CALLED_MAX + 1], line[2 * CALLED_MAX + 64], when[16] = "";
    struct room_row r;
    struct tm tm;
    (void)arg;
    if (read_room_row(f, &r) < 0 || !(direct_is(r.name) || private_is(r.name)))
        return true;
    snprintf(name, sizeof name, "%.*s", (int)r.name.len, r.name.p);
    port_name_room(talking.port, name);
    if (private_is(r.name) && talking.n_invited < INVITED_MAX)
        snprintf(talking.invited[talking.n_invited++], CALLED_MAX + 1, "%.*s", CALLED_MAX, name);
    time_t t = (time_t)((frame_hlc(f) >> 16) / 1000);
    if ((frame_hlc(f) >> 16) + RECENT_MS < wall_ms() || !localtime_r(&t, &tm) || strftime(when, sizeof when, "%H:%M", &tm) == 0)
        return true;
    port_call(talking.port, r.name, called);
    if (private_is(r.name))
        snprintf(line, sizeof line, "%s, in which you are, was last heard of at %s; /join it", called, when);
    else
        snprintf(line, sizeof line, "%s and you talked, last at %s; /query %s", called, when, called + 1);
    tell(line);
    return true;
}

/* hear_all -- what anybody says to us alone.  Those that begin later than this list make themselves known. */
static void hear_all(void)
{
    struct query q = {.kind = QUERY_ROOMS};
    struct end end = {0};
    int r = port_inbox(talking.port);
    went_wrong(r < 0 ? r : port_query(talking.port, NULL, &q, recall, NULL, &end));
}

static int on_terminal(void)
{
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    screen_open(on_line, complete);
    hear_all();
    if (port_started(talking.port))
        tell("A relay of your own was started, and stays: relay status, relay stop. In here, /help.");
    if (!talking.quit)
        join(talking.o->room);
    while (!talking.quit && !interrupted) {
        went_wrong(show());
        if (!talking.quit && wait_for_frames(talking.port, 0, -1))
            screen_input();
    }
    screen_close();
    return talking.code;
}

int talk(const struct verb_options *o)
{
    bool terminal = isatty(0);
    talking.o = o;
    int r = open_port(&talking.port, o, !terminal);
    if (r != 0)
        return r;
    struct view_options vo = {.json = o->json && !terminal, .color = view_color(1), .days = true, .direct = terminal};
    r = view_open(&talking.view, talking.port, &vo) < 0 ? EXIT_NO_RELAY : terminal ? on_terminal() : pass_lines(talking.port, talking.view, o);
    view_close(talking.view);
    port_close(talking.port);
    return r;
}
