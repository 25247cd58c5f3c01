/* main.c -- the program chat: options, and which verb. */
#include "out.h"
#include "trace.h"
#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: chat [OPTION]...                    talk in #lobby (a pipe: post its lines)\n"
    "       chat send [OPTION]... ROOM [TEXT]   post TEXT, or standard input as one message\n"
    "       chat tail [-f] [OPTION]... ROOM     the last messages, and with -f those to come\n"
    "       chat log [OPTION]... ROOM           messages from the store\n"
    "       chat grep [OPTION]... [ROOM]... WORDS   search: words, \"a phrase\", segf*, from:NAME[@HOST]\n"
    "       chat who ROOM                       who is there; exit 1 when nobody is\n"
    "       chat rooms                          which rooms there are\n"
    "       chat room show ROOM                 topic, owner, operators, muted, banned; --why\n"
    "       chat room create ROOM               a room of yours; --topic T; --private: for those you invite\n"
    "       chat room topic ROOM TEXT           set its topic\n"
    "       chat room op|deop|mute|unmute|ban|unban|kick ROOM USER[@HOST]\n"
    "       chat room invite|uninvite ROOM USER[@HOST]   to a private room\n"
    "       chat room set ROOM topic-by-operators on|off\n"
    "       chat trace ID                       which hosts have a message on disk\n"
    "       chat trace --probe [HOST]           what the way there takes, step by step\n"
    "\n"
    "  -i, --instance NAME     another relay than the default one\n"
    "  -n N                    messages of history (default 50; send: none)\n"
    "  -r, --room ROOM         without a verb: another room than lobby\n"
    "  -f, --follow            tail: go on as messages come\n"
    "      --after-cursor POS  tail: everything behind this cursor (from --json)\n"
    "      --since, --until T  log, grep: -1h, 14:05, 2025-01-31, 2025-01-31T14:05\n"
    "      --lines             send: one message per line, as soon as it comes\n"
    "      --allow-empty       send: nothing to send is no error\n"
    "      --wait host|all     send: until it is on disk on another host too, or on all\n"
    "      --ids               log, grep, tail: with the id of each message; send: print the ids\n"
    "      --topic TEXT        room create: with this topic\n"
    "      --private           room create: nobody hears of it but who is invited; ROOM is called USER@HOST/ROOM\n"
    "      --why               room show: who decided it, and what had no effect\n"
    "      --timeout SECONDS   give up then (default 30)\n"
    "  -j, --json              one JSON object per line\n"
    "  -q, --quiet             say less\n"
    "      --help, --version\n"
    "\n"
    "A room may be written with or without '#'; in a shell, an unquoted # starts a comment.\n"
    "@alice, or @alice@host, in place of a room: what is said between you and that user alone.\n"
    "Exit: 0 done and durable, 1 nothing found, nobody there, 2 usage, 3 no relay, 4 not allowed, 5 too big,\n"
    "      6 the relay cannot store it, 124 timed out.\n"
    "\n"
    "examples:\n"
    "  make 2>&1 | chat send build       what a command printed, as one message\n"
    "  chat tail -f --json build         follow a room from a script\n"
    "  chat send @bob \"come and look\"    to one user alone\n"
    "  chat log lobby --since -1h        what was said in the last hour\n"
    "  chat grep build '\"no space\" from:ann'   who said so, and when\n";

enum { AFTER = 256, SINCE, UNTIL, LINES, EMPTY, TIMEOUT, WAIT, IDS, PROBE, TOPIC, WHY, PRIVATE };

static const struct option longs[] = {
    {"instance", required_argument, NULL, 'i'}, {"room", required_argument, NULL, 'r'},
    {"follow", no_argument, NULL, 'f'},         {"after-cursor", required_argument, NULL, AFTER},
    {"since", required_argument, NULL, SINCE},  {"until", required_argument, NULL, UNTIL},
    {"lines", no_argument, NULL, LINES},        {"allow-empty", no_argument, NULL, EMPTY},
    {"timeout", required_argument, NULL, TIMEOUT}, {"json", no_argument, NULL, 'j'},
    {"topic", required_argument, NULL, TOPIC},  {"why", no_argument, NULL, WHY},
    {"quiet", no_argument, NULL, 'q'},          {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},        {"wait", required_argument, NULL, WAIT},
    {"ids", no_argument, NULL, IDS},            {"probe", no_argument, NULL, PROBE},
    {"private", no_argument, NULL, PRIVATE},
    {NULL, 0, NULL, 0},
};

static const struct verb {
    const char *name;
    int (*run)(const struct verb_options *o, int argc, char **argv);
} verbs[] = {
    {"send", verb_send},   {"tail", verb_tail}, {"log", verb_log},     {"grep", verb_grep},   {"who", verb_who},
    {"rooms", verb_rooms}, {"room", verb_room}, {"trace", verb_trace},
};

static int usage(const char *why, const char *what)
{
    fprintf(stderr, "chat: %s%s; see: chat --help\n", why, what);
    return EXIT_USAGE;
}

static bool number(const char *text, uint64_t max, uint64_t *v)
{
    char *end;
    errno = 0;
    *v = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *v <= max;
}

static int set_number(struct verb_options *o, int c, const char *text)
{
    uint64_t v;
    if (!number(text, c == AFTER ? UINT64_MAX : 1000000000, &v))
        return usage("not a number: ", text);
    if (c == 'n')
        o->n = (uint32_t)v;
    else if (c == TIMEOUT)
        o->timeout_s = (unsigned)v;
    else
        o->after = v;
    return -1;
}

static int set_wait(struct verb_options *o, const char *text)
{
    o->wait = strcmp(text, "host") == 0 ? TRACE_WAIT_HOST : strcmp(text, "all") == 0 ? TRACE_WAIT_ALL : TRACE_WAIT_NOT;
    return o->wait != TRACE_WAIT_NOT ? -1 : usage("--wait is for `host` or `all`, not ", text);
}

/* option -- one of them; -1 to go on, else the exit code. */
static int option(struct verb_options *o, int c)
{
    switch (c) {
    case 'i':
        o->instance = optarg;
        return -1;
    case 'r':
        o->room = optarg;
        return -1;
    case 'f':
        o->follow = true;
        return -1;
    case 'j':
        o->json = true;
        return -1;
    case 'q':
        o->quiet = true;
        return -1;
    case SINCE:
        o->since = optarg;
        return -1;
    case UNTIL:
        o->until = optarg;
        return -1;
    case TOPIC:
        o->topic = optarg;
        return -1;
    case WHY:
        o->why = true;
        return -1;
    case PRIVATE:
        o->is_private = true;
        return -1;
    case LINES:
        o->lines = true;
        return -1;
    case EMPTY:
        o->allow_empty = true;
        return -1;
    case WAIT:
        return set_wait(o, optarg);
    case IDS:
        o->ids = true;
        return -1;
    case PROBE:
        o->probe = true;
        return -1;
    case 'n':
    case AFTER:
    case TIMEOUT:
        return set_number(o, c, optarg);
    case 'h':
        fputs(help, stdout);
        return EXIT_OK;
    case 'v':
        puts("chat 0.1");
        return EXIT_OK;
    default:
        return EXIT_USAGE;
    }
}

static int run(int argc, char **argv)
{
    struct verb_options o = {.room = "lobby", .n = 50, .timeout_s = 30};
    for (int c; (c = getopt_long(argc, argv, "i:r:n:fjqhv", longs, NULL)) != -1;) {
        int r = option(&o, c);
        if (r >= 0)
            return r;
    }
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return talk(&o);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            return verbs[i].run(&o, argc - 1, argv + 1);
    return usage("no such verb: ", argv[0]);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);
    return out_end(run(argc, argv));
}
