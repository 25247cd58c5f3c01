/* commands.c -- what begins with a slash. */
#include "talk_inside.h"

#include "grep.h"
#include "rooms.h"
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void message(const char *rest)
{
    char called[CALLED_MAX + 1];
    size_t n = strcspn(rest, " ");
    const char *text = rest + n + strspn(rest + n, " ");
    if (*rest == '\0' || *text == '\0')
        talk_tell("/msg USER[@HOST] TEXT");
    else if (talk_person(rest, n, called))
        (void)talk_say(called, text, false);
}

/* has_state -- is it a room?  False: told that it is not. */
static bool has_state(const char *room)
{
    if (*room != '@')
        return true;
    talk_tell("a conversation of two has no topic and nobody who owns it; /join a room first");
    return false;
}

static void ask(const char *room, uint8_t kind)
{
    struct query q = {.kind = kind};
    struct end end = {0};
    int r = port_query(talking.port, room, &q, talk_show_row, NULL, &end);
    if (r == 0 && end.count == 0)
        talk_tell("nothing");
    talk_went_wrong(r);
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
        talk_tell(why);
        return;
    }
    int r = view_open(&v, talking.port, &vo);
    if (r == 0) {
        r = port_query(talking.port, NULL, &q, show_hit, v, &end);
        view_close(v);
    }
    snprintf(why, sizeof why, "%.*s", (int)end.text.len, end.text.len > 0 ? end.text.p : "");
    if (r == 0 && (*why || end.count == 0))
        talk_tell(*why ? why : "nothing found");
    talk_went_wrong(r);
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
        talk_tell(why);
        return false;
    }
    int64_t r = port_act(talking.port, room, &a);
    talk_went_wrong(r < 0 ? (int)r : port_flush(talking.port));
    return !talking.quit;
}

static void topic(const char *rest)
{
    if (*rest)
        (void)act(talking.room, ACT_TOPIC, rest);
    else if (has_state(talking.room))
        talk_topic_of(talking.room, true);
}

/* create -- first the room, so that one who comes in is its owner. */
static void create(const char *typed)
{
    static const char flag[] = "--private ";
    char room[CALLED_MAX + 1];
    bool is_private = strncmp(typed, flag, strlen(flag)) == 0;
    const char *name = typed + (is_private ? strlen(flag) : 0);
    if (is_private ? !private_from_user(talking.port, name, room) : !room_from_user(name, room))
        talk_tell(is_private ? "/create --private NAME, the name alone" : room_rule);
    else if (act(room, ACT_OWN, ""))
        talk_join(room);
}

static void me(const char *rest)
{
    (void)talk_say(talking.room, rest, true);
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
            talk_tell(talking.ignored[i]);
        talk_tell("/ignore USER[@HOST] hides what somebody says; once more, and it is shown again");
        return;
    }
    if (!talk_person(typed, strlen(typed), called))
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
    talk_tell(line);
}

bool command_ignores(const uint8_t *f)
{
    char called[CALLED_MAX + 1];
    struct say s;
    if (talking.n_ignored == 0 || frame_type(f) != FRAME_SAY || read_say(f, &s) < 0)
        return false;
    direct_inbox((struct person){s.user, port_host(talking.port, frame_origin(f))}, called);
    return ignored(called) < talking.n_ignored;
}

/* ---- the table ---- */

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
    {"/join", "ROOM", "go to a room; you stay in the others", talk_join, 0},
    {"/kick", "USER", "out of this room; he may come back", NULL, ACT_KICK},
    {"/leave", "[ROOM]", "leave this room, or another", talk_leave, 0},
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

void command_run(char *line)
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
    talk_tell("no such command; /help lists them");
}

char *command_complete(const char *word, int n)
{
    for (size_t i = 0; *word == '/' && i < ARRAY_LEN(commands); i++)
        if (strncmp(commands[i].name, word, strlen(word)) == 0 && n-- == 0)
            return strdup(commands[i].name);
    for (size_t i = 0; *word != '/' && i < talking.n_joined; i++)
        if (strncmp(talking.joined[i], word, strlen(word)) == 0 && n-- == 0)
            return strdup(talking.joined[i]);
    for (size_t i = 0; *word != '/' && i < talking.n_invited; i++)
        if (!talk_is_in(talking.invited[i]) && strncmp(talking.invited[i], word, strlen(word)) == 0 && n-- == 0)
            return strdup(talking.invited[i]);
    return NULL;
}
