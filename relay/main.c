/* main.c -- the program relay: options, and which part of it to be. */
#include "admin/admin.h"
#include "base/log.h"
#include "conf/conf.h"
#include "instance/instance.h"
#include "proc/child.h"
#include "proc/supervise.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: relay [OPTION]... [COMMAND]\n"
    "Run the chat relay of this host.\n"
    "\n"
    "  run          in the foreground until SIGTERM (the default)\n"
    "  start        in the background; returns when clients may come\n"
    "  stop         stop it and wait until it is gone\n"
    "  status       processes, sessions, rooms, journal\n"
    "  doctor       what could keep it from working here, with remedies\n"
    "  invite       print a line with which another host can join\n"
    "  join LINE    join the network of the host that printed that line\n"
    "  hosts        who belongs to this network, and the links with them\n"
    "  revoke HOST  cut a host off, everywhere and for ever\n"
    "  rotate       give this host a new key\n"
    "  id           the line that names this host to others: name, address, key\n"
    "  reload       read the file of peers again\n"
    "\n"
    "  -i, --instance NAME   which relay (default: default)\n"
    "      --system          the relay of the host, for all its users\n"
    "  -c, --config FILE     settings, relay.conf(5)\n"
    "      --uses N          invite: so many hosts (default 1)\n"
    "      --expires TIME    invite: within 90s, 30m, 1h, 2d (default 1h)\n"
    "      --guest           invite: hosts that may not invite or revoke others\n"
    "      --merge           join: make one network of two\n"
    "      --json            hosts: an object a line\n"
    "      --force           rotate: though nobody hears of it; join anew then\n"
    "      --help, --version\n"
    "\n"
    "Exit: 0 done, 1 it failed or does not run, 2 usage or configuration, 4 not allowed, 124 timed out.\n"
    "\n"
    "examples:\n"
    "  relay start                     a relay for you alone, as chat does by itself\n"
    "  relay --system run              for every user of this host, under systemd\n"
    "  relay join \"$(ssh beta relay invite)\"   link with beta\n";

struct options {
    const char *instance, *config, *argument;
    const struct command *command;
    bool system, merge, json, force;
    struct invitation invitation;
};

/* What a command works with. */
struct call {
    const struct instance *inst;
    const struct conf *conf;
    const struct options *o;
};

static int usage(const char *why)
{
    fprintf(stderr, "relay: %s; see: relay --help\n", why);
    return 2;
}

/* ---- commands ---- */

static int run(const struct call *c)
{
    return supervise_main(c->inst, c->conf, -1);
}

static int start(const struct call *c)
{
    return admin_start(c->inst, c->conf, supervise_main);
}

static int stop(const struct call *c)
{
    return admin_stop(c->inst);
}

static int status(const struct call *c)
{
    return admin_status(c->inst);
}

static int doctor(const struct call *c)
{
    return admin_doctor(c->inst, c->conf);
}

static int id(const struct call *c)
{
    return admin_id(c->inst, c->conf);
}

static int invite(const struct call *c)
{
    return admin_invite(c->inst, c->conf, &c->o->invitation);
}

static int join(const struct call *c)
{
    return admin_join(c->inst, c->conf, c->o->argument, c->o->merge);
}

static int hosts(const struct call *c)
{
    return admin_hosts(c->inst, c->o->json);
}

static int rotate(const struct call *c)
{
    return admin_rotate(c->inst, c->conf, c->o->force, supervise_main);
}

static int cut_off(const struct call *c)
{
    return admin_revoke(c->inst, c->o->argument);
}

static int reload(const struct call *c)
{
    return admin_reload(c->inst);
}

static const struct command {
    const char *name;
    int (*run)(const struct call *c);
    bool only_looks;   /* at what runs, or sends it a signal; the others make or change files, which must be the relay's own */
    const char *needs; /* an argument: said when it is missing */
} commands[] = {
    {"run", run, false, NULL},
    {"start", start, false, NULL},
    {"stop", stop, true, NULL},
    {"status", status, true, NULL},
    {"doctor", doctor, false, NULL},
    {"invite", invite, false, NULL},
    {"join", join, false, "join needs the line that `relay invite` printed on the other host"},
    {"hosts", hosts, true, NULL},
    {"revoke", cut_off, false, "revoke needs the name of a host, as relay hosts shows it"},
    {"rotate", rotate, false, NULL},
    {"id", id, false, NULL},
    {"reload", reload, true, NULL},
};

static const struct command *command_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* ---- options ---- */

/* duration -- in seconds; 0: it is none. */
static uint64_t duration(const char *text)
{
    char *unit;
    unsigned long n = strtoul(text, &unit, 10);
    uint64_t s = *unit == 's' ? 1 : *unit == 'm' ? 60 : *unit == 'h' ? 3600 : *unit == 'd' ? 86400 : 0;
    return unit[0] && unit[1] == '\0' && n <= 1000000 ? n * s : 0;
}

/* parse -- returns -1 to go on, else the exit code. */
static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"instance", required_argument, NULL, 'i'}, {"system", no_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'c'},   {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"uses", required_argument, NULL, 'u'},
                                          {"expires", required_argument, NULL, 'e'},
                                          {"guest", no_argument, NULL, 'g'},
                                          {"merge", no_argument, NULL, 'm'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"force", no_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    *o = (struct options){.instance = INSTANCE_DEFAULT, .invitation = {.uses = 1, .seconds = 3600}};
    for (int c; (c = getopt_long(argc, argv, "i:c:hv", longs, NULL)) != -1;) {
        switch (c) {
        case 'i':
            o->instance = optarg;
            break;
        case 's':
            o->system = true;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 'u':
            o->invitation.uses = (unsigned)strtoul(optarg, NULL, 10);
            if (o->invitation.uses < 1 || o->invitation.uses > 10000)
                return usage("--uses is a number from 1 to 10000");
            break;
        case 'e':
            o->invitation.seconds = duration(optarg);
            if (o->invitation.seconds == 0)
                return usage("--expires is a time like 90s, 30m, 1h or 2d");
            break;
        case 'g':
            o->invitation.guest = true;
            break;
        case 'm':
            o->merge = true;
            break;
        case 'f':
            o->force = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        case 'v':
            puts("relay 0.1");
            return 0;
        default:
            return 2;
        }
    }
    const char *name = optind < argc ? argv[optind++] : "run";
    o->command = command_of(name);
    if (!o->command)
        return usage("no such command");
    if (o->command->needs && optind == argc)
        return usage(o->command->needs);
    if (o->command->needs)
        o->argument = argv[optind++];
    return optind < argc ? usage("too many arguments") : -1;
}

static const char *default_config(const struct options *o, char *path, size_t size)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *h = getenv("HOME");
    if (o->system)
        snprintf(path, size, "/etc/relay/relay.conf");
    else if (xdg && *xdg == '/')
        snprintf(path, size, "%s/relay/relay.conf", xdg);
    else
        snprintf(path, size, "%s/.config/relay/relay.conf", h ? h : "");
    return path;
}

int main(int argc, char **argv)
{
    struct options o;
    struct instance inst;
    struct conf conf;
    char why[256], path[INSTANCE_PATH_MAX];
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is an error of write(), and no reason to die */
    if (argc > 1 && strcmp(argv[1], "-x") == 0)
        return child_main(argc, argv);
    int r = parse(argc, argv, &o);
    if (r >= 0)
        return r;
    if ((o.system ? instance_system(&inst, o.instance) : instance_user(&inst, o.instance)) < 0)
        return usage("an instance name is 1 to 32 of a-z 0-9 _ -");
    const char *config = o.config ? o.config : default_config(&o, path, sizeof path);
    if (conf_load(&conf, config, o.config != NULL, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return 2;
    }
    if (!o.command->only_looks && (r = admin_become(&inst, &conf)) != 0)
        return r;
    return o.command->run(&(struct call){&inst, &conf, &o});
}
