/* main.c -- the program relay: options, and which part of it to be. */
#include "admin/admin.h"
#include "base/log.h"
#include "conf/conf.h"
#include "instance/instance.h"
#include "proc/supervise.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: relay [OPTION]... [COMMAND]\n"
    "Run the chat relay of this host.\n"
    "\n"
    "  run       in the foreground until SIGTERM (the default)\n"
    "  start     in the background; returns when clients may come\n"
    "  stop      stop it and wait until it is gone\n"
    "  status    processes, sessions, rooms, journal\n"
    "  doctor    what could keep it from working here, with remedies\n"
    "\n"
    "  -i, --instance NAME   which relay (default: default)\n"
    "      --system          the relay of the host, for all its users\n"
    "  -c, --config FILE     settings, relay.conf(5)\n"
    "      --help, --version\n"
    "\n"
    "examples:\n"
    "  relay start                     a relay for you alone, as chat does by itself\n"
    "  relay --system run              for every user of this host, under systemd\n"
    "  relay -i test status            how another instance is doing\n";

struct options {
    const char *instance, *config, *command;
    bool system;
};

static int usage(const char *why)
{
    fprintf(stderr, "relay: %s; see: relay --help\n", why);
    return 2;
}

/* parse -- returns -1 to go on, else the exit code. */
static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"instance", required_argument, NULL, 'i'}, {"system", no_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'c'},   {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},        {NULL, 0, NULL, 0}};
    *o = (struct options){.instance = INSTANCE_DEFAULT, .command = "run"};
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
    if (optind < argc)
        o->command = argv[optind++];
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
    bool serves = strcmp(o.command, "run") == 0 || strcmp(o.command, "start") == 0;
    if ((serves || strcmp(o.command, "doctor") == 0) && (r = admin_become(&inst, &conf)) != 0)
        return r;
    if (strcmp(o.command, "run") == 0)
        return supervise_main(&inst, &conf, config, -1);
    if (strcmp(o.command, "start") == 0)
        return admin_start(&inst, &conf, supervise_main, config);
    if (strcmp(o.command, "stop") == 0)
        return admin_stop(&inst);
    if (strcmp(o.command, "status") == 0)
        return admin_status(&inst);
    if (strcmp(o.command, "doctor") == 0)
        return admin_doctor(&inst, &conf);
    return usage("no such command");
}
