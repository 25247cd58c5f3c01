/* doctor.c -- what could keep a relay from working on this host, and what to do about it. */
#include "admin/admin.h"

#include "base/sys.h"
#include "state/state.h"
#include "trust/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

enum { SKEW_S = 60 };

static int problems;

static void good(const char *what)
{
    printf("ok       %s\n", what);
}

static void bad(const char *what, const char *remedy)
{
    printf("PROBLEM  %s\n         %s\n", what, remedy);
    problems++;
}

static uint64_t free_bytes(const char *path)
{
    struct statvfs v;
    return statvfs(path, &v) < 0 ? 0 : (uint64_t)v.f_bavail * v.f_frsize;
}

static void check_shm(const struct conf *conf)
{
    char text[160];
    uint64_t room = free_bytes("/dev/shm") >> 20, need = (conf->journal >> 20) + 8;
    snprintf(text, sizeof text, "/dev/shm has %llu MiB free, a relay takes %llu", (unsigned long long)room, (unsigned long long)need);
    if (room >= need)
        good(text);
    else
        bad(text, "make it larger (mount -o remount,size=128M /dev/shm; docker run --shm-size), or set `journal` lower");
}

static long number_in(const char *path)
{
    char text[32];
    return read_file(AT_FDCWD, path, text, sizeof text) > 0 ? strtol(text, NULL, 10) : -1;
}

static void check_queues(const struct conf *conf)
{
    char text[160];
    long depth = number_in("/proc/sys/fs/mqueue/msg_max"), size = number_in("/proc/sys/fs/mqueue/msgsize_max");
    struct rlimit bytes;
    snprintf(text, sizeof text, "message queues: %ld messages of %ld bytes", depth, size);
    if (depth >= 10 && size >= 8192)
        good(text);
    else
        bad(text, "sysctl fs.mqueue.msg_max=10 fs.mqueue.msgsize_max=8192 (it works with less, slower)");
    uint64_t need = (uint64_t)conf->workers * 90000;
    if (getrlimit(RLIMIT_MSGQUEUE, &bytes) == 0 && bytes.rlim_max != RLIM_INFINITY && bytes.rlim_max < need && geteuid() != 0)
        bad("the limit on bytes in message queues is too low for this many workers",
            "raise it (ulimit -q, LimitMSGQUEUE= in a unit), or set `workers` lower");
    else
        good("bytes allowed in message queues");
}

/* logind deletes the IPC objects of a user who is not a system user at the last logout, unless told not to. */
static void check_remove_ipc(const struct instance *inst)
{
    char text[8192] = "";
    ssize_t n = read_file(AT_FDCWD, "/etc/systemd/logind.conf", text, sizeof text);
    bool off = n > 0 && strstr(text, "\nRemoveIPC=no") != NULL;
    if (access("/run/systemd/seats", F_OK) < 0 || off || geteuid() < 1000)
        good("no logind that removes the objects of this user at logout");
    else if (inst->system)
        bad("logind removes the objects of this user at logout", "run the relay as a system user (uid below 1000)");
    else
        bad("logind removes this relay's objects when you log out everywhere (it makes new ones and loses nothing)",
            "loginctl enable-linger, or RemoveIPC=no in /etc/systemd/logind.conf");
}

static void check_disk(const struct instance *inst)
{
    char text[INSTANCE_PATH_MAX + 64];
    uint64_t room = free_bytes(inst->state) >> 20;
    snprintf(text, sizeof text, "%s has %llu MiB free", inst->state, (unsigned long long)room);
    if (room >= 64)
        good(text);
    else
        bad(text, "free some space: a relay whose disk is full accepts nothing new");
}

/* check_files -- may they grow? */
static void check_files(void)
{
    char text[160];
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) < 0 || most.rlim_cur == RLIM_INFINITY) {
        good("files may grow as the disk allows");
        return;
    }
    snprintf(text, sizeof text, "no file may be larger than %llu KiB", (unsigned long long)(most.rlim_cur >> 10));
    bad(text, "raise it (ulimit -f, LimitFSIZE= in a unit): a store that is as large accepts nothing new");
}

/* check_kept -- does the store grow for ever? */
static void check_kept(const struct conf *conf)
{
    good(conf->keep_days || conf->keep_bytes ? "old messages are deleted: see relay status, kept"
                                             : "all messages are kept: set keep_days or keep_bytes before the disk is full");
}

static void check_clock(void)
{
    if (wall_ms() > 1735689600000u) /* 2025 */
        good("the clock is set");
    else
        bad("the clock is years behind", "set it (timedatectl set-ntp true): messages are ordered by it");
}

static void check_directories(const struct instance *inst)
{
    char why[INSTANCE_PATH_MAX + 128];
    if (instance_make(inst, why, sizeof why) == 0)
        good("runtime and state directories");
    else
        bad(why, "then run this again");
}

static void check_identity(const struct instance *inst)
{
    char why[256] = "cannot open the state directory";
    struct identity *id = NULL;
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && identity_load(&id, dir, why, sizeof why) == 0)
        good("identity key");
    else
        bad("the identity key cannot be used", why);
    identity_free(id);
    close_fd(&dir);
}

/* check_leftovers -- objects of this user that no running relay's record names cannot be told from those of another
 * instance by name alone, so only this instance's own record is judged. */
static void check_leftovers(const struct instance *inst)
{
    struct generation g;
    if (generation_alive(inst))
        good("a relay of this instance runs");
    else if (generation_read(inst, &g) == 0)
        bad("the last relay of this instance was killed and left its objects", "start it (relay start): it removes them first");
    else
        good("nothing left over by a killed relay");
}

/* check_link -- one peer, as the running relay sees it. */
static void check_link(const struct segment *seg, const struct link_row *l)
{
    char text[160];
    const struct host *h = &seg->roster.host[roster_host(&seg->roster, atomic_load(&l->host))];
    int64_t skew_s = atomic_load(&l->skew_ms) / 1000;
    snprintf(text, sizeof text, "the link with %.*s is %s", (int)h->name_len, h->name, atomic_load(&l->up) ? "up" : "down");
    if (atomic_load(&l->up))
        good(text);
    else
        bad(text, "relay.log in the state directory says why; does that relay run, and do both hosts have each other as peers?");
    snprintf(text, sizeof text, "the clock of %.*s differs by %lld s", (int)h->name_len, h->name, (long long)skew_s);
    if (skew_s > SKEW_S || skew_s < -SKEW_S)
        bad(text, "set both clocks (timedatectl set-ntp true): messages are ordered by them");
    uint32_t early = atomic_load(&l->early);
    snprintf(text, sizeof text, "%.*s passed on answers without what they answer (%u times)", (int)h->name_len, h->name, early);
    if (early > 0)
        bad(text, "relay.log says whose; it or a host before it keeps something back, or their author answers what there is not: "
                  "a link of your own with both authors shows which (relay join)");
}

/* check_members -- does this host still belong to its network? */
static void check_members(const struct segment *seg)
{
    uint8_t standing[MEMBERS_MAX];
    members_stand(&seg->members, standing);
    if (standing[0] == STANDING_REVOKED)
        bad("this host was revoked: no other links with it", "if it shall come back: relay rotate --force, then join with a new invitation");
    if (seg->members.n == MEMBERS_MAX)
        bad("the table of hosts is full: who joins now is not known here", "too many hosts came and went; begin a new network");
}

static void check_links(const struct instance *inst)
{
    struct generation g;
    struct state st;
    char why[256];
    if (!generation_alive(inst) || generation_read(inst, &g) < 0 ||
        state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why) < 0)
        return;
    check_members(st.seg);
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (atomic_load(&st.seg->link[i].host) != 0)
            check_link(st.seg, &st.seg->link[i]);
    state_detach(&st);
}

int admin_doctor(const struct instance *inst, const struct conf *conf)
{
    problems = 0;
    check_directories(inst);
    check_identity(inst);
    check_shm(conf);
    check_queues(conf);
    check_remove_ipc(inst);
    check_disk(inst);
    check_files();
    check_kept(conf);
    check_clock();
    check_leftovers(inst);
    check_links(inst);
    return problems ? 1 : 0;
}
