/* places.c -- the rooms one is in, the conversations, and to which of them one talks. */
#include "talk_inside.h"

#include "base/text.h"
#include "render.h"
#include "screen.h"

#include <stdio.h>

bool talk_is_in(const char *room)
{
    for (size_t i = 0; i < talking.n_joined; i++)
        if (strcmp(talking.joined[i], room) == 0)
            return true;
    return false;
}

bool talk_person(const char *typed, size_t len, char *called)
{
    char why[256], with_at[CALLED_MAX + 1];
    int n = snprintf(with_at, sizeof with_at, "%s%.*s", *typed == '@' ? "" : "@", (int)min_size(len, CALLED_MAX), typed);
    if (n > CALLED_MAX || !room_from_user(with_at, called)) {
        talk_tell("a user is written alice, or alice@host");
        return false;
    }
    struct text host = port_host(talking.port, port_origin(talking.port));
    if (!strchr(called + 1, '@'))
        direct_inbox((struct person){text_of(with_at + 1), host}, called);
    if (!room_why_not(talking.port, called, why, sizeof why))
        return true;
    talk_tell(why);
    return false;
}

/* look_at -- what is typed goes there from now on. */
static void look_at(const char *room)
{
    snprintf(talking.room, sizeof talking.room, "%s", room);
    marks_forget(&talking.marks);
    talk_prompt();
}

/* talk_with -- the inbox brings what he says; only what was said before is asked for. */
void talk_with(const char *typed)
{
    char called[CALLED_MAX + 1];
    struct query q = {.kind = QUERY_NEWEST, .limit = talking.o->n};
    struct end end = {0};
    if (!talk_person(typed, strlen(typed), called))
        return;
    look_at(called);
    talk_went_wrong(port_query(talking.port, called, &q, talk_show_row, NULL, &end));
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

void talk_topic_of(const char *room, bool asked)
{
    struct query q = {.kind = QUERY_STATE};
    struct end end = {0};
    bool any = false;
    talk_went_wrong(port_query(talking.port, room, &q, show_topic, &any, &end));
    if (asked && !any)
        talk_tell("this room has no topic");
}

void talk_join(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (*typed == '@') {
        talk_with(typed);
        return;
    }
    if (!room_from_user(typed, room)) {
        talk_tell(room_rule);
        return;
    }
    if (!talk_is_in(room)) {
        if (talking.n_joined == ARRAY_LEN(talking.joined)) {
            talk_tell("you are in 16 rooms already; /leave one first");
            return;
        }
        snprintf(talking.joined[talking.n_joined++], CALLED_MAX + 1, "%s", room);
        talk_went_wrong(port_join(talking.port, room, talking.o->n, 0));
        if (!talking.quit)
            talk_topic_of(room, false);
    }
    look_at(room);
}

/* go_back -- to a room that we are in. */
static void go_back(void)
{
    if (talking.n_joined == 0)
        talk_join("lobby");
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

void talk_look_around(void)
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

void talk_leave(const char *typed)
{
    char room[CALLED_MAX + 1];
    if (*typed == '\0' && *talking.room == '@') {
        go_back();
        return;
    }
    if (!room_from_user(*typed ? typed : talking.room, room) || !talk_is_in(room)) {
        talk_tell("you are not in that room");
        return;
    }
    talk_went_wrong(port_leave(talking.port, room));
    forget(room);
}
