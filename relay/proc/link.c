/* link.c -- the process that holds all connections with other hosts (hub/hub.h).
 *
 * Without peers and without an address to listen at it does nothing at all.  Whatever goes wrong with the keeper,
 * it leaves and starts over. */
#include "proc/proc.h"

#include "base/log.h"
#include "base/sys.h"
#include "hub/enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 250, STREAMS_MIN = 1024 };
#define LEAF_MS (UINT64_C(31) * 24 * 3600 * 1000) /* one day more than the keeper lets a certificate grow old */

struct link_proc {
    struct proc proc;
    struct hub hub;
    uint64_t started_ms;
    bool open; /* the keeper is connected, all streams are known */
};

/* on_tick -- the keeper looks after the certificate when it is asked, at the start: so start over once a month. */
static void on_tick(void *arg)
{
    struct link_proc *p = arg;
    hub_tick(&p->hub);
    if (now_ms() - p->started_ms >= LEAF_MS) {
        log_info("a new certificate is due; starting over");
        p->proc.stop = true;
    }
}

/* ---- settings ---- */

static int load_peers(const struct link_proc *p, struct peers *ps)
{
    char why[256] = "cannot open the state directory";
    int r = p->hub.state_dir < 0 ? -ENOENT : peers_load(ps, p->hub.state_dir, why, sizeof why);
    if (r < 0)
        log_error("%s", why);
    return r;
}

static _Noreturn void start_over(const char *why)
{
    log_error("%s", why);
    exit(EXIT_FAILURE);
}

/* open_all -- what is needed once there is somebody to link with. */
static void open_all(struct link_proc *p)
{
    struct hub *h = &p->hub;
    const struct instance *inst = &p->proc.args.inst;
    char chain[INSTANCE_PATH_MAX + 16], key[INSTANCE_PATH_MAX + 16], why[INSTANCE_PATH_MAX + 128];
    if (keeper_line_open(&h->keeper, h->loop, inst->runtime, h->st, &h->core, hub_on_fed, h) < 0)
        start_over("the keeper does not answer; starting over");
    snprintf(chain, sizeof chain, "%s/tls-chain.pem", inst->state);
    snprintf(key, sizeof key, "%s/tls-key.pem", inst->state);
    if (tls_identity_load(&h->tls, chain, key, why, sizeof why) < 0)
        start_over(why);
    if (p->proc.args.listener >= 0 && hub_listen(h, p->proc.args.listener) < 0)
        start_over("cannot wait for connections: too few file descriptors?");
    hub_people_begin(h);
    proc_tick(&p->proc, TICK_MS);
    p->open = true;
}

static void load(struct link_proc *p)
{
    struct peers ps;
    if (load_peers(p, &ps) < 0)
        return; /* go on with those we had */
    if (!p->open && ps.n == 0 && p->proc.args.listener < 0)
        return; /* nobody to link with: no keeper, no TLS, no timer */
    if (!p->open)
        open_all(p);
    hub_set_peers(&p->hub, &ps);
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
    const struct segment *seg = p->proc.st.seg;
    struct have ours;
    void *memory = malloc(have_size(STREAMS_MIN));
    if (!memory)
        start_over("out of memory");
    have_init(&ours, memory, STREAMS_MIN);
    h->st = &p->proc.st;
    h->loop = &p->proc.loop;
    h->listener.fd = -1;
    h->state_dir = open(p->proc.args.inst.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->invites = enrol_open;
    h->enrol = enrol_hear;
    h->prng.s = os_random_u64();
    link_init(&h->core, seg->shape.origin, seg->shape.epoch, text_of(seg->shape.host), ours);
    presence_init(&h->core.presence, seg->shape.origin, wall_ms() << 16 | (os_random_u64() & 0xffff));
}

int link_main(const struct proc_args *args)
{
    static struct link_proc link; /* some hundred KiB: not for the stack */
    struct link_proc *p = &link;
    proc_start(&p->proc, args, on_tick, p);
    p->started_ms = now_ms();
    init(p);
    load(p);
    proc_ready(&p->proc);
    while (!p->proc.stop) {
        bool again = hub_go_on(&p->hub);
        hub_sweep(&p->hub);
        if (p->open && !keeper_line_flush(&p->hub.keeper)) {
            log_info("the keeper went away; starting over");
            break;
        }
        if (again)
            loop_wait(&p->proc.loop, 0);
        else if (hub_waits(&p->hub))
            proc_rest(&p->proc, idle);
        else
            loop_wait(&p->proc.loop, -1);
        if (p->proc.reload || p->hub.reload)
            load(p);
        p->proc.reload = p->hub.reload = false;
    }
    hub_close(&p->hub);
    return p->proc.stop ? 0 : EXIT_FAILURE;
}
