/* link.c -- the process that holds all connections with other hosts (hub/hub.h).
 *
 * Without peers and without an address to listen at it does nothing at all.  Whatever goes wrong with the keeper,
 * it leaves and starts over. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"
#include "hub/enrol.h"
#include "hub/tunnel.h"
#include "trust/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 250, STREAMS_MIN = 1024 };
#define LEAF_MS (UINT64_C(31) * 24 * 3600 * 1000) /* one day more than the keeper lets a certificate grow old */

struct link_proc {
    struct proc proc;
    struct hub hub;
    uint64_t started_ms;
    bool unsaid; /* what we have to say of members did not fit into the journal */
    bool open; /* the keeper is connected, all streams are known */
    bool gone; /* the keeper is */
};

/* on_tick -- the keeper looks after the certificate when it is asked, at the start: so start over once a month. */
static void on_tick(void *arg)
{
    struct link_proc *p = arg;
    hub_tick(&p->hub);
    tunnels_tick(&p->hub);
    p->hub.reload |= p->unsaid;
    if (now_ms() - p->started_ms >= LEAF_MS) {
        log_info("a new certificate is due; starting over");
        p->proc.stop = true;
    }
}

/* ---- settings ---- */

static int load_peers(const struct link_proc *p, struct peers *ours, struct peers *revoked)
{
    char why[256] = "cannot open the state directory";
    int r = p->hub.state_dir < 0 ? -ENOENT : peers_load(ours, p->hub.state_dir, why, sizeof why);
    if (r == 0 && (r = revoked_load(revoked, p->hub.state_dir)) < 0)
        snprintf(why, sizeof why, "cannot read the file `revoked`: %s", strerror(-r));
    if (r < 0)
        log_error("%s", why);
    return r;
}

/* load_address -- where others find us, as the supervisor made it out. */
static void load_address(struct hub *h, const struct instance *inst)
{
    int dir = open(inst->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || read_file(dir, "address", h->address, sizeof h->address) <= 0 || !peer_address_ok(h->address))
        snprintf(h->address, sizeof h->address, "-");
    close_fd(&dir);
}

static _Noreturn void start_over(const char *why)
{
    log_error("%s", why);
    exit(EXIT_FAILURE);
}

static void begin_core(struct hub *h)
{
    const struct segment *seg = h->st->seg;
    struct have ours;
    void *memory = malloc(have_size(STREAMS_MIN));
    h->tunnels = tunnels_new(h);
    if (!memory || !h->tunnels)
        start_over("out of memory");
    have_init(&ours, memory, STREAMS_MIN);
    link_init(&h->core, seg->shape.origin, seg->shape.epoch, text_of(seg->shape.host), ours);
    h->core.may_hear = hub_may_hear;
    h->core.is_private = hub_is_private;
    h->core.arg = h;
    presence_init(&h->core.presence, seg->shape.origin, wall_ms() << 16 | (os_random_u64() & 0xffff));
    h->core.presence.row_signed = hub_row_signed;
    h->core.presence.beat_signed = hub_beat_signed;
    h->core.presence.arg = h;
}

/* open_all -- what is needed once there is somebody to link with: megabytes of tables among it. */
static void open_all(struct link_proc *p)
{
    struct hub *h = &p->hub;
    const struct instance *inst = &p->proc.args.inst;
    char pem[INSTANCE_PATH_MAX + 16], why[INSTANCE_PATH_MAX + 128];
    begin_core(h);
    if (keeper_line_open(&h->keeper, h->loop, inst->runtime, h->st, &h->core, hub_on_fed, h) < 0)
        start_over("the keeper does not answer; starting over");
    h->keeper.on_knock = hub_on_knock;
    snprintf(pem, sizeof pem, "%s/" LEAF_FILE, inst->state);
    if (tls_identity_load(&h->tls, pem, pem, why, sizeof why) < 0)
        start_over(why);
    if (p->proc.args.listener >= 0 && hub_listen(h, p->proc.args.listener) < 0)
        start_over("cannot wait for connections: too few file descriptors?");
    load_address(h, inst);
    hub_people_begin(h);
    proc_tick(&p->proc, TICK_MS);
    p->open = true;
}

static void load(struct link_proc *p)
{
    struct hub *h = &p->hub;
    const struct members *m = &h->st->seg->members;
    struct peers ours, revoked, all;
    h->members = m->version;
    if (load_peers(p, &ours, &revoked) < 0)
        return; /* go on with those we had */
    if (!p->open && ours.n == 0 && m->n == 1 && p->proc.args.listener < 0)
        return; /* nobody to link with: no keeper, no TLS, no timer */
    if (!p->open)
        open_all(p);
    p->unsaid = hub_say_members(h, &ours, &revoked) < 0;
    h->members = m->version;
    hub_forget_revoked(h, &ours);
    hub_members(h, &ours, &all);
    hub_set_peers(h, &all);
}

/* ---- the process ---- */

static bool idle(void *arg)
{
    const struct link_proc *p = arg;
    return journal_durable(&p->proc.st.seg->journal) == p->hub.durable;
}

static void init(struct link_proc *p)
{
    struct hub *h = &p->hub;
    h->st = &p->proc.st;
    h->loop = &p->proc.loop;
    h->listener.fd = -1;
    h->state_dir = open(p->proc.args.inst.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->invites = enrol_open;
    h->enrol = enrol_hear;
    h->tunnel_open = tunnel_open;
    h->tunnel_heard = tunnel_heard;
    h->prng.s = os_random_u64();
}

/* turn -- returns true when there is more to do at once. */
static bool turn(struct link_proc *p)
{
    bool again = hub_go_on(&p->hub);
    hub_sweep(&p->hub);
    if (keeper_line_flush(&p->hub.keeper))
        return again;
    log_info("the keeper went away; starting over");
    p->gone = true;
    return true;
}

int link_main(const struct proc_args *args)
{
    static struct link_proc link; /* megabytes: not for the stack, and not touched before open_all() */
    struct link_proc *p = &link;
    proc_start(&p->proc, args, on_tick, p);
    p->started_ms = now_ms();
    init(p);
    load(p);
    proc_ready(&p->proc);
    while (!p->proc.stop && !p->gone) {
        if (p->open && turn(p))
            loop_wait(&p->proc.loop, 0);
        else if (p->open && hub_waits(&p->hub))
            proc_rest(&p->proc, idle);
        else
            loop_wait(&p->proc.loop, -1);
        if (p->proc.reload || p->hub.reload || p->hub.members != p->hub.st->seg->members.version)
            load(p);
        p->proc.reload = p->hub.reload = false;
    }
    hub_close(&p->hub);
    tunnels_free(p->hub.tunnels);
    return p->proc.stop ? 0 : EXIT_FAILURE;
}
