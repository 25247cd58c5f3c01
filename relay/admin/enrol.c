/* enrol.c -- who this host is to others, and which others it links with. */
#include "admin/admin.h"

#include "base/sys.h"
#include "trust/invites.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ADDRESS_TEXT_MAX = 129 };

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
    else if (!port || strcmp(port, ":0") == 0) /* any port: which one, only a running relay knows */
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

int admin_invite(const struct instance *inst, const struct conf *conf, unsigned uses, uint64_t seconds)
{
    struct invite i = {.expires_s = wall_ms() / 1000 + seconds};
    struct identity *id;
    char why[256], line[INVITE_LINE_MAX];
    int dir = open_state(inst);
    if (dir < 0)
        return 1;
    reachable(inst, conf, i.host.address, sizeof i.host.address);
    int r = strcmp(i.host.address, "-") == 0 ? -ENOTCONN : identity_load(&id, dir, why, sizeof why);
    if (r == -ENOTCONN)
        snprintf(why, sizeof why, "nobody can dial this host; set `listen` in relay.conf (listen = *:7325) and start the relay again");
    if (r == 0) {
        snprintf(i.host.name, sizeof i.host.name, "%s", conf->name);
        memcpy(i.host.key, identity_key(id), KEY_LEN);
        os_random(i.secret, sizeof i.secret);
        r = invites_add(dir, &i, uses);
        snprintf(why, sizeof why, "cannot write the file `invites`: %s", strerror(-r));
        identity_free(id);
    }
    close(dir);
    if (r < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return 1;
    }
    invite_to_line(&i, line);
    puts(line);
    char until[32] = "";
    time_t t = (time_t)i.expires_s;
    struct tm tm;
    if (localtime_r(&t, &tm))
        (void)strftime(until, sizeof until, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(stderr, "relay: on the other host: relay join LINE; good for %u host%s, until %s\n", uses, uses == 1 ? "" : "s", until);
    return 0;
}

/* make_peer -- what the line says, and with an invitation the other host's consent. */
static int make_peer(const struct instance *inst, const struct conf *conf, int dir, const struct identity *id, struct invite *i,
                     bool invited, char *why, size_t why_size)
{
    char address[ADDRESS_TEXT_MAX];
    int r = 0;
    if (identity_host(id) == i->host.host) {
        snprintf(why, why_size, "that is this host itself; run it on the other one");
        return -EINVAL;
    }
    if (strcmp(i->host.name, conf->name) == 0) {
        snprintf(why, why_size, "both hosts are called %s; set another `name` in relay.conf on one of them", conf->name);
        return -EEXIST;
    }
    if (peers_have(dir, &i->host)) {
        snprintf(why, why_size, "it is a peer already; if it has parted with this host, remove its line from the file "
                                "`peers` in the state directory and join again");
        return -EALREADY;
    }
    if (invited) {
        r = peers_check(dir, &i->host, why, why_size);
        reachable(inst, conf, address, sizeof address);
        r = r < 0 ? r : admin_accept(inst, dir, id, i, text_of(conf->name), text_of(address), why, why_size);
    }
    return r < 0 ? r : peers_add(dir, &i->host, why, why_size);
}

int admin_join(const struct instance *inst, const struct conf *conf, const char *line)
{
    struct invite i = {0};
    struct identity *id;
    char why[512];
    bool invited = strchr(line, '/') != NULL && strchr(line, '@') != NULL;
    if (invited ? invite_from_line(line, &i, why, sizeof why) < 0 : peer_from_line(line, &i.host, why, sizeof why) < 0) {
        fprintf(stderr, "relay: that is no line of `relay invite` or `relay id`: %s\n", why);
        return 2;
    }
    int dir = open_state(inst);
    if (dir < 0)
        return 1;
    int r = identity_load(&id, dir, why, sizeof why);
    if (r == 0) {
        r = make_peer(inst, conf, dir, id, &i, invited, why, sizeof why);
        identity_free(id);
    }
    close(dir);
    if (r == -EALREADY) {
        fprintf(stderr, "relay: %s: %s\n", i.host.name, why);
        return 0;
    }
    if (r < 0) {
        fprintf(stderr, "relay: cannot join %s: %s\n", i.host.name, why);
        return r == -EACCES ? 4 : r == -ETIMEDOUT ? 124 : 1;
    }
    fprintf(stderr, invited ? "relay: %s and this host are peers now\n"
                            : "relay: %s is a peer now; it links once that host has joined this one, too (relay id)\n",
            i.host.name);
    return generation_alive(inst) ? admin_reload(inst) : 0;
}
