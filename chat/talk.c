/* talk.c -- chat without a verb: the conversation on a terminal, or lines in and lines out. */
#include "verbs.h"

#include "base/sys.h"
#include "base/text.h"
#include "render.h"
#include "rooms.h"
#include "screen.h"
#include "view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* readline calls back without an argument, so there is one conversation a process. */
static struct {
    const struct verb_options *o;
    struct port *port;
    struct view *view;
    char room[ROOM_NAME_MAX + 1];
    char joined[16][ROOM_NAME_MAX + 1];
    size_t n_joined;
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
    char prompt[ROOM_NAME_MAX + 8];
    snprintf(prompt, sizeof prompt, "#%s> ", talking.room);
    screen_prompt(prompt);
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
    char room[ROOM_NAME_MAX + 1];
    if (text_room_from_user(typed, room) < 0) {
        tell("a room name is 1 to 64 of a-z 0-9 . _ - / and starts with a letter or digit");
        return;
    }
    if (!is_joined(room)) {
        if (talking.n_joined == ARRAY_LEN(talking.joined)) {
            tell("you are in 16 rooms already; /leave one first");
            return;
        }
        snprintf(talking.joined[talking.n_joined++], ROOM_NAME_MAX + 1, "%s", room);
        went_wrong(port_join(talking.port, room, talking.o->n, 0));
        if (!talking.quit)
            topic_of(room, false);
    }
    snprintf(talking.room, sizeof talking.room, "%s", room);
    show_prompt();
}

/* forget -- a room that we are not in any more. */
static void forget(const char *room)
{
    size_t kept = 0;
    for (size_t i = 0; i < talking.n_joined; i++)
        if (strcmp(talking.joined[i], room) != 0)
            memmove(talking.joined[kept++], talking.joined[i], sizeof talking.joined[0]);
    talking.n_joined = kept;
    if (kept > 0)
        snprintf(talking.room, sizeof talking.room, "%s", talking.joined[0]);
}

/* look_around -- are we still where we think we are?  Out of the last room one goes to the lobby, out of the lobby home. */
static void look_around(void)
{
    char room[ROOM_NAME_MAX + 1];
    for (size_t i = 0; i < talking.n_joined; i++) {
        if (port_is_in(talking.port, talking.joined[i]))
            continue;
        snprintf(room, sizeof room, "%s", talking.joined[i]);
        forget(room);
        talking.quit = talking.n_joined == 0 && strcmp(room, "lobby") == 0;
        talking.code = talking.quit ? EXIT_DENIED : talking.code;
        if (!talking.quit && talking.n_joined == 0)
            join("lobby");
        show_prompt();
        return;
    }
}

static void leave(const char *typed)
{
    char room[ROOM_NAME_MAX + 1];
    if (text_room_from_user(*typed ? typed : talking.room, room) < 0 || !is_joined(room)) {
        tell("you are not in that room");
        return;
    }
    went_wrong(port_leave(talking.port, room));
    forget(room);
    if (talking.n_joined == 0)
        join("lobby");
    show_prompt();
}

static bool show_row(void *arg, const uint8_t *f)
{
    (void)arg;
    screen_print(view_frame(talking.view, f));
    return true;
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
    char room[ROOM_NAME_MAX + 1];
    if (text_room_from_user(*typed ? typed : talking.room, room) == 0)
        ask(room, QUERY_WHO);
}

static void rooms(const char *rest)
{
    (void)rest;
    ask(NULL, QUERY_ROOMS);
}

static void show_state(const char *typed)
{
    char room[ROOM_NAME_MAX + 1];
    if (text_room_from_user(*typed ? typed : talking.room, room) == 0)
        ask(room, QUERY_STATE);
}

/* act -- upon the room we are in; what comes of it is seen like everything else in it. */
static void act(const char *room, uint8_t which, const char *rest)
{
    struct room_act a;
    char why[128];
    if (act_from_words(talking.port, which, rest, &a, why, sizeof why) < 0) {
        tell(why);
        return;
    }
    int64_t r = port_act(talking.port, room, &a);
    went_wrong(r < 0 ? (int)r : port_flush(talking.port));
}

static void topic(const char *rest)
{
    if (*rest)
        act(talking.room, ACT_TOPIC, rest);
    else
        topic_of(talking.room, true);
}

/* create -- first the room, so that one who comes in is its owner. */
static void create(const char *typed)
{
    char room[ROOM_NAME_MAX + 1];
    if (text_room_from_user(typed, room) == 0)
        act(room, ACT_OWN, "");
    join(typed);
}

static void say(const char *text, bool action)
{
    int64_t r = port_say(talking.port, talking.room, text_of(text), action);
    if (r == -EILSEQ)
        tell("that is not valid UTF-8, so it was not sent; check your locale");
    else if (r == -EMSGSIZE)
        tell("a message has 1 byte to 64 KiB");
    else if (r < 0)
        went_wrong((int)r);
    else
        went_wrong(port_flush(talking.port));
}

static void me(const char *rest)
{
    say(rest, true);
}

static void quit(const char *rest)
{
    (void)rest;
    talking.quit = true;
}

static void help(const char *rest);

static const struct command {
    const char *name, *argument, *help;
    void (*run)(const char *rest);
    uint8_t act; /* where run is NULL: upon this room */
} commands[] = {
    {"/ban", "USER", "for good; USER@HOST of another host, *@HOST all of it", NULL, ACT_BAN},
    {"/create", "ROOM", "a room of your own", create, 0},
    {"/deop", "USER", "an operator no more", NULL, ACT_DEOP},
    {"/help", "", "this list", help, 0},
    {"/join", "ROOM", "go to a room; you stay in the others", join, 0},
    {"/kick", "USER", "out of this room; he may come back", NULL, ACT_KICK},
    {"/leave", "[ROOM]", "leave this room, or another", leave, 0},
    {"/me", "TEXT", "say what you do", me, 0},
    {"/mute", "USER", "may read, but say nothing", NULL, ACT_MUTE},
    {"/op", "USER", "may mute, kick and ban in a room of yours", NULL, ACT_OP},
    {"/quit", "", "leave (so does Ctrl-D)", quit, 0},
    {"/rooms", "", "which rooms there are", rooms, 0},
    {"/show", "[ROOM]", "topic, owner, operators, muted and banned", show_state, 0},
    {"/topic", "[TEXT]", "set the topic, or see it", topic, 0},
    {"/unban", "USER", "may come back", NULL, ACT_UNBAN},
    {"/unmute", "USER", "may speak again", NULL, ACT_UNMUTE},
    {"/who", "[ROOM]", "who is here", who, 0},
};

static void help(const char *rest)
{
    (void)rest;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char line[128];
        snprintf(line, sizeof line, "-- %-7s %-7s %s\n", commands[i].name, commands[i].argument, commands[i].help);
        screen_print(line);
    }
    screen_print("-- A line that begins with // is sent with one slash less.\n");
}

static void command(char *line)
{
    size_t n = strcspn(line, " ");
    char *rest = line + n + strspn(line + n, " ");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strlen(commands[i].name) == n && strncmp(commands[i].name, line, n) == 0) {
            if (commands[i].run)
                commands[i].run(rest);
            else
                act(talking.room, commands[i].act, rest);
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
    else if (*line)
        say(line + (line[0] == '/'), false);
    free(line);
}

/* show -- everything that has come.  Returns what port_next() ended with. */
static int show(void)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(talking.port, &f)) == 1) {
        const char *line = view_frame(talking.view, f);
        if (*line)
            screen_print(line);
        look_around();
    }
    return r;
}

static int on_terminal(void)
{
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    screen_open(on_line, complete);
    join(talking.o->room);
    while (!talking.quit && !interrupted) {
        went_wrong(show());
        if (!talking.quit && wait_for_frames(talking.port, 0, -1))
            screen_input();
    }
    screen_close();
    return talking.code;
}

/* ---- lines in, lines out ---- */

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
            fputs(view_frame(v, f), stdout);
    }
    fflush(stdout);
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

static int from_pipe(void)
{
    struct port *p = talking.port;
    char room[ROOM_NAME_MAX + 1], *line = NULL;
    size_t size = 0;
    uint32_t last = 0, own = 0;
    if (room_argument(talking.o->room, room) != 0)
        return EXIT_USAGE;
    int r = port_join(p, room, talking.o->n, 0);
    r = r < 0 ? exit_code_of(r) : 0;
    /* What was there before comes first: our own JOIN, and the history behind it. */
    uint64_t deadline = now_ms() + talking.o->timeout_s * 1000ull;
    while (r == 0 && (port_acked(p) == 0 || port_wait_ms(p) != -1) && now_ms() < deadline) {
        r = show_plain(p, talking.view, &own);
        wait_for_frames(p, -1, 20);
    }
    while (r == 0 && getline(&line, &size, stdin) > 0)
        r = post(p, room, line, &last);
    free(line);
    if (r == 0 && port_flush(p) < 0)
        r = EXIT_NO_RELAY;
    deadline = now_ms() + talking.o->timeout_s * 1000ull;
    while (r == 0 && (port_unacked(p) > 0 || own < last)) {
        r = show_plain(p, talking.view, &own);
        if (r == 0 && now_ms() > deadline)
            r = exit_code_of(-ETIMEDOUT);
        if (r == 0 && (port_unacked(p) > 0 || own < last))
            wait_for_frames(p, -1, 100);
    }
    return r;
}

int talk(const struct verb_options *o)
{
    bool terminal = isatty(0);
    talking.o = o;
    int r = open_port(&talking.port, o, !terminal);
    if (r != 0)
        return r;
    struct view_options vo = {.json = o->json && !terminal, .color = view_color(1), .days = true, .rooms = false};
    r = view_open(&talking.view, talking.port, &vo) < 0 ? EXIT_NO_RELAY : terminal ? on_terminal() : from_pipe();
    view_close(talking.view);
    port_close(talking.port);
    return r;
}
