/* rooms.c -- chat room: show and change the state of a room. */
#include "rooms.h"

#include "acts.h"
#include "base/sys.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool private_from_user(const struct port *p, const char *typed, char *called)
{
    char room[ROOM_NAME_MAX + 1];
    struct person me = {port_user(p), port_host(p, port_origin(p))};
    if (text_room_from_user(typed, room) < 0)
        return false;
    private_name(me, text_of(room), called);
    return true;
}

/* ---- words into acts ---- */

/* host_of -- by its name, or by its number in 16 hex digits, as one is shown whose name is unknown; 0: none. */
static uint64_t host_of(const struct port *p, struct text typed)
{
    uint8_t number[8];
    uint64_t id = port_host_called(p, typed);
    if (id != 0 || !text_unhex(typed, number, sizeof number))
        return id;
    for (size_t i = 0; i < sizeof number; i++)
        id = id << 8 | number[i];
    return id;
}

/* target -- USER or USER@HOST, with an @ before it or not, or *@HOST where a whole host may stand. */
static int target(const struct port *p, const char *typed, struct room_act *a, char *why, size_t size)
{
    typed += *typed == '@';
    const char *at = strchr(typed, '@');
    size_t len = at ? (size_t)(at - typed) : strlen(typed);
    bool may_be_all = a->act == ACT_BAN || a->act == ACT_UNBAN, whole = may_be_all && at && len == 1 && typed[0] == '*';
    a->target = (struct text){typed, len};
    a->host = at ? host_of(p, text_of(at + 1)) : port_origin(p);
    if (!whole && !text_user_ok(a->target)) {
        snprintf(why, size, "whom? write USER, or USER@HOST%s", may_be_all ? ", or *@HOST for all of a host" : "");
        return -EINVAL;
    }
    if (a->host == port_origin(p) && a->act == ACT_INVITE) { /* here it is known who there is */
        char called[CALLED_MAX + 1];
        snprintf(called, sizeof called, "@%.*s", (int)len, typed);
        return room_why_not(p, called, why, size) ? -ENOENT : 0;
    }
    if (a->host != 0)
        return 0;
    snprintf(why, size, "no host of that name is known here; relay status lists them");
    return -ENOENT;
}

/* mode -- "topic-by-operators on". */
static int mode(const char *typed, struct room_act *a, char *why, size_t size)
{
    char name[32];
    size_t len = strcspn(typed, " ");
    const char *value = typed + len + strspn(typed + len, " ");
    snprintf(name, sizeof name, "%.*s", (int)len, typed);
    a->mode = mode_of_name(name);
    a->act = strcmp(value, "on") == 0 ? ACT_SET : strcmp(value, "off") == 0 ? ACT_UNSET : 0;
    if (a->mode != 0 && a->act != 0)
        return 0;
    snprintf(why, size, "what can be set is: topic-by-operators on, topic-by-operators off");
    return -EINVAL;
}

int act_from_words(const struct port *p, uint8_t act, const char *words, struct room_act *a, char *why, size_t size)
{
    *a = (struct room_act){.act = act, .target = text_of(""), .topic = text_of("")};
    if (act_aims(act))
        return target(p, words, a, why, size);
    if (act_of_mode(act))
        return mode(words, a, why, size);
    if (act != ACT_TOPIC)
        return 0;
    a->topic = text_of(words);
    if (a->topic.len <= TOPIC_MAX && text_utf8_ok(a->topic))
        return 0;
    snprintf(why, size, "a topic is up to %d bytes of UTF-8", TOPIC_MAX);
    return -EINVAL;
}

/* ---- the verb ---- */

static int do_act(struct port *p, const struct verb_options *o, const char *room, uint8_t act, const char *words)
{
    struct room_act a;
    char why[128];
    int r = act_from_words(p, act, words, &a, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "chat: %s\n", why);
        return r == -ENOENT ? EXIT_NO : EXIT_USAGE;
    }
    int64_t n = port_act(p, room, &a);
    return n < 0 ? exit_code_of((int)n) : wait_durable(p, o->timeout_s);
}

/* create -- a private room is said by its whole name, which nobody typed. */
static int create(struct port *p, const struct verb_options *o, const char *typed)
{
    char room[CALLED_MAX + 1];
    snprintf(room, sizeof room, "%s", typed);
    if (o->is_private && !private_from_user(p, typed, room)) {
        fprintf(stderr, "chat: with --private comes the name alone: chat room create --private plans\n");
        return EXIT_USAGE;
    }
    int r = do_act(p, o, room, ACT_OWN, "");
    if (r == 0 && o->topic)
        r = do_act(p, o, room, ACT_TOPIC, o->topic);
    if (r == 0 && o->is_private && !o->quiet)
        printf("%s\n", room);
    return r;
}

static int with_port(const struct verb_options *o, const char *room, uint8_t act, const char *words)
{
    struct port *p;
    int r = open_port(&p, o, true);
    if (r != 0)
        return r;
    r = act == ACT_OWN ? create(p, o, room) : do_act(p, o, room, act, words);
    port_close(p);
    return r;
}

/* show -- a room in which nobody did anything has no facts, and that is one. */
static int show(const struct verb_options *o, const char *room)
{
    struct query q = {.kind = QUERY_STATE, .limit = o->why};
    struct end end;
    int r = list(o, room, &q, &end);
    if (r != EXIT_NO || end.reason != REASON_OK)
        return r;
    if (!o->json)
        printf("nobody owns %s%s: everybody may set its topic, nobody may do more\n", port_sign(text_of(room)), room);
    return EXIT_OK;
}

int verb_room(const struct verb_options *o, int argc, char **argv)
{
    char room[CALLED_MAX + 1];
    const char *what = argc > 0 ? argv[0] : "";
    uint8_t act = act_of_name(what);
    bool shows = strcmp(what, "show") == 0;
    if ((act == 0 && !shows) || act == ACT_UNSET) {
        fprintf(stderr, "chat: room what? show, create, topic, set, op, deop, mute, unmute, ban, unban, kick, invite or uninvite\n");
        return EXIT_USAGE;
    }
    int r = room_argument(argc > 1 ? argv[1] : NULL, room);
    if (r != 0)
        return r;
    if (*room == '@') {
        fprintf(stderr, "chat: %s is a conversation of two: it has no topic and nobody who owns it; name a room\n", room);
        return EXIT_USAGE;
    }
    bool bare = shows || act == ACT_OWN;
    if (bare ? argc > 2 : argc < 3) {
        fprintf(stderr, "chat: %s; see: chat --help\n",
                bare               ? "too many arguments"
                : act == ACT_TOPIC ? "which topic? (\"\" takes it away)"
                                   : "whom, or what?");
        return EXIT_USAGE;
    }
    char *words = join_words(argc - 2, argv + 2);
    r = !words ? exit_code_of(-ENOMEM) : shows ? show(o, room) : with_port(o, room, act, words);
    free(words);
    return r;
}
