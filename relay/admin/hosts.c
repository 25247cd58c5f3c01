/* hosts.c -- who belongs to this network: look, and cut off. */
#include "admin/admin.h"

#include "base/sys.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAID_MS = 10 * 1000, KEY_PREFIX_MIN = 6 };

/* attach -- to a running relay's memory, to look.  Returns 0, or the exit code after saying why. */
static int attach(const struct instance *inst, struct state *st)
{
    struct generation g;
    char why[256];
    if (!generation_alive(inst) || generation_read(inst, &g) < 0) {
        fprintf(stderr, "relay: no relay of instance %s runs; start it: relay -i %s start\n", inst->name, inst->name);
        return 3;
    }
    int r = state_attach(st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why);
    if (r == 0)
        return 0;
    bool denied = r == -EPERM || r == -EACCES;
    fprintf(stderr, "relay: %s%s\n", why, denied ? ": only the relay's own user and root may look" : "");
    return denied ? 4 : 1;
}

bool admin_self(const struct instance *inst, struct admin_self *self)
{
    struct generation g;
    struct state st;
    char why[256];
    if (!generation_alive(inst) || generation_read(inst, &g) < 0 ||
        state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why) < 0)
        return false;
    snprintf(self->name, sizeof self->name, "%s", st.seg->shape.host);
    self->guest = members_guest(&st.seg->members);
    state_detach(&st);
    return true;
}

/* ---- hosts ---- */

static const struct link_row *link_of(const struct segment *seg, uint64_t host)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (atomic_load(&seg->link[i].host) == host)
            return &seg->link[i];
    return NULL;
}

/* state_of -- in one word. */
static const char *state_of(const struct segment *seg, const uint8_t standing[MEMBERS_MAX], int slot)
{
    const struct link_row *l = link_of(seg, seg->members.member[slot].host);
    if (standing[slot] == STANDING_REVOKED)
        return "revoked";
    if (slot == 0)
        return "self";
    uint32_t up = l ? atomic_load(&l->up) : LINK_IS_INDIRECT;
    return up == LINK_IS_UP ? "linked" : up == LINK_IS_INDIRECT ? "indirect" : "apart";
}

/* heard_of -- when something came from there last. */
static void heard_of(const struct segment *seg, uint64_t host, char *to, size_t size)
{
    const struct link_row *l = link_of(seg, host);
    uint64_t at = l ? atomic_load(&l->heard_ms) : 0, now = wall_ms();
    time_t t = (time_t)(at / 1000);
    struct tm tm;
    if (at == 0 || !localtime_r(&t, &tm))
        snprintf(to, size, "-");
    else if (now < at + 60 * 1000)
        snprintf(to, size, "%llu s ago", (unsigned long long)(now > at ? (now - at) / 1000 : 0));
    else
        (void)strftime(to, size, "%Y-%m-%d %H:%M", &tm);
}

static void show_line(const struct segment *seg, const uint8_t standing[MEMBERS_MAX], int slot)
{
    const struct member *x = &seg->members.member[slot];
    char name[HOST_NAME_MAX_LEN + 1], key[KEY_TEXT_LEN + 1], heard[32];
    members_name(&seg->members, standing, slot, name);
    key_to_text(x->key, key);
    heard_of(seg, x->host, heard, sizeof heard);
    printf("%-20s %-9s %-6s %-17s %.12s  %s\n", name, state_of(seg, standing, slot),
           standing[slot] == STANDING_GUEST || (slot == 0 && members_guest(&seg->members)) ? "guest" : "full", heard, key, x->address);
}

static void show_json(const struct segment *seg, const uint8_t standing[MEMBERS_MAX], int slot)
{
    const struct member *x = &seg->members.member[slot];
    const struct link_row *l = link_of(seg, x->host);
    char name[HOST_NAME_MAX_LEN + 1], key[KEY_TEXT_LEN + 1];
    members_name(&seg->members, standing, slot, name);
    key_to_text(x->key, key);
    /* Nothing here needs an escape: host names, base64url, and addresses that peer_address_ok(). */
    printf("{\"host\":\"%s\",\"state\":\"%s\",\"guest\":%s,\"heard_ms\":%llu,\"key\":\"%s\",\"address\":\"%s\"}\n", name,
           state_of(seg, standing, slot), standing[slot] == STANDING_GUEST ? "true" : "false",
           (unsigned long long)(l ? atomic_load(&l->heard_ms) : 0), key, peer_address_ok(x->address) ? x->address : "-");
}

int admin_hosts(const struct instance *inst, bool json)
{
    struct state st;
    uint8_t standing[MEMBERS_MAX];
    int r = attach(inst, &st);
    if (r != 0)
        return r;
    const struct members *m = &st.seg->members;
    members_stand(m, standing);
    bool alone = m->member[0].name[0] == '\0'; /* never said who it is: nobody to say it to */
    if (!json && !alone)
        printf("%-20s %-9s %-6s %-17s %-12s  %s\n", "host", "state", "member", "heard", "key", "address");
    for (int i = 0; i < (int)m->n; i++)
        if (standing[i] != STANDING_NONE && m->member[i].name[0])
            (json ? show_json : show_line)(st.seg, standing, i);
    if (!json && alone)
        printf("%s is alone; to link with another host: relay invite\n", st.seg->shape.host);
    state_detach(&st);
    return 0;
}

/* ---- revoke ---- */

/* find -- the member that is meant: by name, or by the beginning of its key.  -1: none; -2: more than one. */
static int find(const struct members *m, const uint8_t standing[MEMBERS_MAX], const char *host)
{
    char name[HOST_NAME_MAX_LEN + 1], key[KEY_TEXT_LEN + 1];
    size_t len = strlen(host);
    int found = -1;
    for (int i = 0; i < (int)m->n; i++) {
        if (standing[i] != STANDING_FULL && standing[i] != STANDING_GUEST)
            continue;
        members_name(m, standing, i, name);
        key_to_text(m->member[i].key, key);
        if (strcmp(name, host) == 0)
            return i;
        if (len >= KEY_PREFIX_MIN && strncmp(key, host, len) == 0)
            found = found == -1 ? i : -2;
    }
    return found;
}

/* write_down -- for the relay to say it, now or whenever it can. */
static int write_down(const struct instance *inst, const struct member *x)
{
    struct peer p = {.host = x->host};
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : 0;
    snprintf(p.name, sizeof p.name, "%s", x->name);
    snprintf(p.address, sizeof p.address, "-");
    memcpy(p.key, x->key, KEY_LEN);
    r = r < 0 ? r : revoked_add(dir, &p);
    r = r < 0 ? r : peers_remove(dir, x->host);
    close_fd(&dir);
    return r;
}

static bool is_said(const struct members *m, uint64_t host, enum member_op op)
{
    int slot = members_find(m, host);
    return slot >= 0 && members_said(m, 0, slot, op);
}

/* until_said -- the relay has said it, and it is on disk. */
static bool until_said(const struct state *st, uint64_t host, enum member_op op)
{
    const struct journal *j = &st->seg->journal;
    uint64_t deadline = now_ms() + SAID_MS;
    while (!is_said(&st->seg->members, host, op) && now_ms() < deadline)
        poll(NULL, 0, 5);
    for (uint64_t head = journal_head(j); journal_durable(j) < head && now_ms() < deadline;)
        poll(NULL, 0, 5);
    return now_ms() < deadline;
}

static int cut_off(const struct instance *inst, const struct state *st, const char *host)
{
    const struct members *m = &st->seg->members;
    uint8_t standing[MEMBERS_MAX];
    members_stand(m, standing);
    int slot = find(m, standing, host);
    if (slot <= 0) {
        fprintf(stderr, slot == 0    ? "relay: %s is this host; run it on another one\n"
                        : slot == -2 ? "relay: more than one key begins with %s\n"
                                     : "relay: there is no host called %s; see: relay hosts\n", host);
        return slot == -1 ? 1 : 2;
    }
    if (members_guest(m)) {
        fprintf(stderr, "relay: this host is a guest of its network and may not revoke others; ask a full member (relay hosts)\n");
        return 4;
    }
    int r = write_down(inst, &m->member[slot]);
    if (r < 0) {
        fprintf(stderr, "relay: cannot write into %s: %s\n", inst->state, strerror(-r));
        return r == -EACCES || r == -EPERM ? 4 : 1;
    }
    r = admin_reload(inst);
    if (r != 0)
        return r;
    if (!until_said(st, m->member[slot].host, MEMBER_REVOKE)) {
        fprintf(stderr, "relay: the relay has not said it yet; it will, see its log and relay hosts\n");
        return 124;
    }
    fprintf(stderr, "relay: %s is cut off; hosts that are out of reach now will cut it off when they are back\n", host);
    return 0;
}

int admin_revoke(const struct instance *inst, const char *host)
{
    struct state st;
    int r = attach(inst, &st);
    if (r != 0)
        return r;
    r = cut_off(inst, &st, host);
    state_detach(&st);
    return r;
}

/* ---- rotate ---- */

/* until_known -- another host has all that we said on its disk: so it knows the new key. */
static bool until_known(const struct state *st)
{
    for (uint64_t deadline = now_ms() + SAID_MS; now_ms() < deadline; poll(NULL, 0, 20))
        for (unsigned i = 0; i < LINKS_MAX; i++) {
            const struct link_row *l = &st->seg->link[i];
            if (atomic_load(&l->host) != 0 && atomic_load(&l->up) == LINK_IS_UP && atomic_load(&l->unacked) == 0)
                return true;
        }
    return false;
}

/* vouch -- the old key for the new one.  Returns 0, or the exit code after saying why. */
static int vouch(const struct instance *inst, const struct state *st, int dir, const struct peer *next)
{
    char why[256];
    int r = peers_add(dir, next, why, sizeof why);
    if (r < 0) {
        fprintf(stderr, "relay: %s\n", why);
        return 1;
    }
    r = admin_reload(inst);
    bool known = r == 0 && until_said(st, next->host, MEMBER_FULL) && until_known(st);
    if (!known && r == 0) {
        fprintf(stderr, "relay: no other host has heard of the new key, so none would know this host under it; try again when one is "
                        "linked (relay hosts), or, if this host was revoked: relay rotate --force, and join by a new invitation\n");
        r = 1;
    }
    return r;
}

/* become -- the next one, while no relay runs. */
static int become(const struct instance *inst, int dir, const struct peer *now, const struct peer *next)
{
    int r = admin_stop(inst);
    if (r != 0)
        return r;
    r = revoked_add(dir, now);
    r = r < 0 ? r : peers_remove(dir, next->host);
    r = r < 0 ? r : identity_change(dir);
    if (r < 0)
        fprintf(stderr, "relay: cannot change the key in %s: %s\n", inst->state, strerror(-r));
    return r < 0 ? 1 : 0;
}

static int rotate(const struct instance *inst, const struct state *st, const struct conf *conf, bool force)
{
    char why[256];
    struct identity *id;
    const struct member *us = &st->seg->members.member[0];
    struct peer now = {.host = us->host}, next = {0};
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || identity_next(&id, dir, why, sizeof why) < 0) {
        fprintf(stderr, "relay: %s\n", dir < 0 ? strerror(errno) : why);
        close_fd(&dir);
        return 1;
    }
    snprintf(now.name, sizeof now.name, "%s", us->name);
    snprintf(now.address, sizeof now.address, "-");
    memcpy(now.key, us->key, KEY_LEN);
    next = now;
    snprintf(next.name, sizeof next.name, "%s", conf->name);
    memcpy(next.key, identity_key(id), KEY_LEN);
    next.host = identity_host(id);
    identity_free(id);
    int r = force ? 0 : vouch(inst, st, dir, &next);
    r = r != 0 ? r : become(inst, dir, &now, &next);
    if (r != 0)
        (void)!peers_remove(dir, next.host);
    close_fd(&dir);
    return r;
}

int admin_rotate(const struct instance *inst, const struct conf *conf, bool force,
                 int (*serve)(const struct instance *, const struct conf *, int))
{
    struct state st;
    int r = attach(inst, &st);
    if (r != 0)
        return r;
    if (st.seg->members.member[0].name[0] == '\0') {
        fprintf(stderr, "relay: this host is alone; nobody knows its key\n");
        r = 1;
    } else if (members_guest(&st.seg->members) && !force) {
        fprintf(stderr, "relay: this host is a guest of its network, so its word for a new key does not count: relay rotate --force, "
                        "then ask a full member to revoke this one and to invite it anew\n");
        r = 4;
    }
    r = r != 0 ? r : rotate(inst, &st, conf, force);
    state_detach(&st);
    if (r == 0)
        r = admin_start(inst, conf, serve);
    if (r == 0)
        fprintf(stderr, "relay: this host has a new key; the old one, kept as identity.key.old, is revoked\n");
    return r;
}
