/* enrol.c -- who this host is to others, and which others it links with. */
#include "admin/admin.h"

#include "base/sys.h"
#include "trust/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_state(const struct instance *inst)
{
    char why[INSTANCE_PATH_MAX + 128];
    if (instance_make(inst, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return -1;
    }
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        fprintf(stderr, "relay: cannot open %s: %s\n", inst->state, strerror(errno));
    return dir;
}

/* reachable -- where others find us: as set, else where we listen, under our host name if that is everywhere. */
static void reachable(const struct instance *inst, const struct conf *conf, char *to, size_t size)
{
    char at[128] = "", host[256] = "";
    int dir = open(inst->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !generation_alive(inst) || read_file(dir, "listen", at, sizeof at) <= 0)
        snprintf(at, sizeof at, "%s", conf->listen);
    close_fd(&dir);
    const char *port = strrchr(at, ':');
    (void)gethostname(host, sizeof host - 1);
    if (conf->address[0])
        snprintf(to, size, "%s", conf->address);
    else if (!port)
        snprintf(to, size, "-");
    else if (strncmp(at, "0.0.0.0:", 8) == 0 || strncmp(at, "[::]:", 5) == 0 || at[0] == '*')
        snprintf(to, size, "%.100s%.8s", host, port);
    else
        snprintf(to, size, "%s", at);
}

int admin_id(const struct instance *inst, const struct conf *conf)
{
    struct peer self = {0};
    struct identity *id;
    char why[256], line[256];
    int dir = open_state(inst);
    if (dir < 0)
        return 1;
    if (identity_load(&id, dir, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", why);
        close(dir);
        return 1;
    }
    close(dir);
    snprintf(self.name, sizeof self.name, "%s", conf->name);
    reachable(inst, conf, self.address, sizeof self.address);
    memcpy(self.key, identity_key(id), KEY_LEN);
    peer_to_line(&self, line, sizeof line);
    puts(line);
    identity_free(id);
    return 0;
}

int admin_reload(const struct instance *inst)
{
    struct generation g;
    if (!generation_alive(inst) || generation_read(inst, &g) < 0) {
        fprintf(stderr, "relay: no relay of instance %s runs\n", inst->name);
        return 1;
    }
    if (kill(g.pid, SIGHUP) == 0)
        return 0;
    fprintf(stderr, "relay: cannot tell process %d: %s\n", (int)g.pid, strerror(errno));
    return errno == EPERM ? 4 : 1;
}

int admin_join(const struct instance *inst, const char *line)
{
    struct peer p;
    struct identity *id;
    char why[256];
    if (peer_from_line(line, &p, why, sizeof why) < 0) {
        fprintf(stderr, "relay: that is not a line of `relay id`: %s\n", why);
        return 2;
    }
    int dir = open_state(inst), r = -1;
    if (dir < 0)
        return 1;
    if (identity_load(&id, dir, why, sizeof why) == 0) {
        if (identity_host(id) == p.host)
            snprintf(why, sizeof why, "that is this host itself; run it on the other one");
        else
            r = peers_add(dir, &p, why, sizeof why);
        identity_free(id);
    }
    close(dir);
    if (r < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return 1;
    }
    fprintf(stderr, "relay: %s is a peer now; it links once that host has joined this one, too (relay id)\n", p.name);
    return generation_alive(inst) ? admin_reload(inst) : 0;
}
