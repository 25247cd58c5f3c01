/* become.c -- a system relay started by root becomes a user of its own. */
#include "admin/admin.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 };
#define DEFAULT_USER "relay"

static int fail(const char *what, const char *name)
{
    fprintf(stderr, "relay: %s %s: %s\n", what, name, strerror(errno));
    return EXIT_FAILURE;
}

/* take_groups -- the user's own, and the one that may chat: only its members can give a queue
 * to it. */
static int take_groups(const struct passwd *pw, const char *chat)
{
    gid_t groups[GROUPS_MAX];
    const struct group *g = *chat ? getgrnam(chat) : NULL;
    if (initgroups(pw->pw_name, pw->pw_gid) < 0)
        return -1;
    int n = getgroups(GROUPS_MAX - 1, groups);
    if (n < 0 || !g)
        return n < 0 ? -1 : 0;
    groups[n] = g->gr_gid;
    return setgroups((size_t)n + 1, groups);
}

static int become(const struct passwd *pw, const char *chat)
{
    uid_t uid = pw->pw_uid;
    if (take_groups(pw, chat) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(uid, uid, uid) < 0 || geteuid() != uid || (uid != 0 && setuid(0) == 0))
        return fail("cannot become the user", pw->pw_name);
    return 0;
}

/* serves_as_root -- a relay that did not become anybody runs here: its directories are in use.
 */
static bool serves_as_root(const struct instance *inst)
{
    struct stat st;
    return generation_alive(inst) && stat(inst->runtime, &st) == 0 && st.st_uid == 0;
}

int admin_become(const struct instance *inst, const struct conf *conf)
{
    char why[INSTANCE_PATH_MAX + 128];
    if (!inst->system || geteuid() != 0 || serves_as_root(inst))
        return 0;
    const struct passwd *pw = getpwnam(conf->user[0] ? conf->user : DEFAULT_USER);
    if (!pw && conf->user[0]) {
        fprintf(stderr,
                "relay: there is no user %s; create it (useradd --system %s), or change `user` "
                "in relay.conf\n",
                conf->user, conf->user);
        return EXIT_FAILURE;
    }
    if (!pw) {
        fprintf(stderr, "relay: runs as root, for want of a user of its own; create one: "
                        "useradd --system relay\n");
        return 0;
    }
    if (pw->pw_uid == 0)
        return 0;
    if (!generation_alive(inst) &&
        instance_give(inst, pw->pw_uid, pw->pw_gid, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return EXIT_FAILURE;
    }
    return become(pw, conf->group);
}
