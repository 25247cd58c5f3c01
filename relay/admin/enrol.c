/* enrol.c -- who this host is to others, and which others it links with. */
#include "admin/admin.h"

#include "base/sys.h"
#include "net/address.h"
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

/* reachable -- where others find us: a running relay knows, else as the settings say. */
static void reachable(const struct instance *inst, const struct conf *conf, char *to, size_t size)
{
    int dir = open(inst->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !generation_alive(inst) || read_file(dir, "address", to, size) <= 0)
        address_public(conf->address, conf->listen, to, size);
    close_fd(&dir);
}

/* who_we_are -- likewise what this host is called; a guest only a running relay knows itself to be. */
static struct admin_self who_we_are(const struct instance *inst, const struct conf *conf)
{
    struct admin_self self = {.guest = false};
    if (!admin_self(inst, &self))
        snprintf(self.name, sizeof self.name, "%s", conf->name);
    return self;
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
    snprintf(self.name, sizeof self.name, "%s", who_we_are(inst, conf).name);
    reachable(inst, conf, self.address, sizeof self.address);
    memcpy(self.key, identity_key(id), KEY_LEN);
    peer_to_line(&self, line, sizeof line);
    puts(line);
    identity_free(id);
    return 0;
}

/* peers_are_well -- as far as this user may read them; what is wrong is said. */
static bool peers_are_well(const struct instance *inst)
{
    struct peers ps;
    char why[256];
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool well = dir < 0 || peers_load(&ps, dir, why, sizeof why) == 0;
    close_fd(&dir);
    if (!well)
        fprintf(stderr, "relay: %s/%s; the relay goes on with the peers it has\n", inst->state, why);
    return well;
}

int admin_reload(const struct instance *inst)
{
    struct generation g;
    if (!generation_alive(inst) || generation_read(inst, &g) < 0) {
        fprintf(stderr, "relay: no relay of instance %s runs\n", inst->name);
        return 1;
    }
    if (!peers_are_well(inst))
        return 2;
    if (kill(g.pid, SIGHUP) == 0)
        return 0;
    fprintf(stderr, "relay: cannot tell process %d: %s\n", (int)g.pid, strerror(errno));
    return errno == EPERM ? 4 : 1;
}

/* our_network -- the one we belong to; with us it begins. */
static int our_network(int dir, uint64_t *network)
{
    int r = network_load(dir, network);
    if (r < 0 || *network != 0)
        return r;
    *network = os_random_u64() | 1;
    return network_keep(dir, *network);
}

int admin_invite(const struct instance *inst, const struct conf *conf, const struct invitation *o)
{
    struct invite i = {.expires_s = wall_ms() / 1000 + o->seconds, .host.guest = o->guest};
    struct admin_self self = who_we_are(inst, conf);
    struct identity *id;
    char why[256], line[INVITE_LINE_MAX];
    int dir = open_state(inst);
    if (dir < 0)
        return 1;
    reachable(inst, conf, i.host.address, sizeof i.host.address);
    int r = strcmp(i.host.address, "-") == 0 ? -ENOTCONN : self.guest ? -EACCES : identity_load(&id, dir, why, sizeof why);
    if (r == -EACCES)
        snprintf(why, sizeof why, "this host is a guest of its network and may not invite; ask a full member (relay hosts)");
    if (r == -ENOTCONN)
        snprintf(why, sizeof why, "nobody can dial this host; set `listen` in relay.conf (listen = *:7325) and start the relay again");
    if (r == 0) {
        snprintf(i.host.name, sizeof i.host.name, "%s", self.name);
        memcpy(i.host.key, identity_key(id), KEY_LEN);
        os_random(i.secret, sizeof i.secret);
        r = our_network(dir, &i.network);
        r = r < 0 ? r : invites_add(dir, &i, o->uses);
        snprintf(why, sizeof why, "cannot write the file `invites`: %s", strerror(-r));
        identity_free(id);
    }
    close(dir);
    if (r < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return r == -EACCES ? 4 : 1;
    }
    invite_to_line(&i, line);
    puts(line);
    char until[32] = "";
    time_t t = (time_t)i.expires_s;
    struct tm tm;
    if (localtime_r(&t, &tm))
        (void)strftime(until, sizeof until, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(stderr, "relay: on the other host: relay join LINE; good for %u %s%s, until %s\n", o->uses,
            o->guest ? "guest" : "host", o->uses == 1 ? "" : "s", until);
    return 0;
}

/* other_network -- does this host, with others, belong to another network than that of the invitation? */
static bool other_network(int dir, const struct invite *i)
{
    struct peers ps;
    uint64_t ours;
    char why[128];
    return network_load(dir, &ours) == 0 && ours != 0 && ours != i->network && peers_load(&ps, dir, why, sizeof why) == 0 && ps.n > 0;
}

/* make_peer -- what the line says, and with an invitation the other host's consent. */
static int make_peer(const struct instance *inst, const struct conf *conf, int dir, const struct identity *id, struct invite *i,
                     bool invited, bool merge, char *why, size_t why_size)
{
    struct admin_self self = who_we_are(inst, conf);
    char address[ADDRESS_TEXT_MAX];
    int r = 0;
    if (identity_host(id) == i->host.host) {
        snprintf(why, why_size, "that is this host itself; run it on the other one");
        return -EINVAL;
    }
    if (strcmp(i->host.name, self.name) == 0) {
        snprintf(why, why_size, "both hosts are called %s; set another `name` in relay.conf on one of them", self.name);
        return -EEXIST;
    }
    if (peers_have(dir, &i->host)) {
        snprintf(why, why_size, "it is a peer already; if it has parted with this host, remove its line from the file "
                                "`peers` in the state directory and join again");
        return -EALREADY;
    }
    if (invited && !merge && other_network(dir, i)) {
        snprintf(why, why_size, "this host has a network of its own with others already; if one shall be made of the two, for all "
                                "their hosts and people, run: relay join --merge LINE");
        return -EBUSY;
    }
    if (invited) {
        r = peers_check(dir, &i->host, why, why_size);
        reachable(inst, conf, address, sizeof address);
        r = r < 0 ? r : admin_accept(inst, dir, id, i, text_of(self.name), text_of(address), why, why_size);
    }
    if (r == 0 && invited && (r = network_keep(dir, i->network)) < 0)
        snprintf(why, why_size, "cannot write the file `network`: %s", strerror(-r));
    return r < 0 ? r : peers_add(dir, &i->host, why, why_size);
}

int admin_join(const struct instance *inst, const struct conf *conf, const char *line, bool merge)
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
        r = make_peer(inst, conf, dir, id, &i, invited, merge, why, sizeof why);
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
