/* objects.c -- makes and removes the kernel objects of one generation. */
#include "proc/objects.h"

#include "base/log.h"
#include "base/sys.h"
#include "ipc/lock.h"
#include "ipc/shm.h"
#include "state/state.h"
#include "trust/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void objects_none(struct objects *o, uint64_t number)
{
    *o = (struct objects){.gen = {.number = number, .lock_id = -1}, .shm_fd = -1, .lifeline = {-1, -1}, .questions = {-1, -1}};
    for (unsigned q = 0; q < WORKERS_MAX; q++)
        o->queue[q].q = -1;
    for (unsigned i = 0; i < PROCS_MAX; i++)
        o->bell[i] = -1;
}

static void random_name(char *to, const char *what)
{
    snprintf(to, OBJECT_NAME_MAX, "/relay-%016llx%s", (unsigned long long)os_random_u64(), what);
}

static int plan(struct objects *o, const struct instance *inst)
{
    o->gen.pid = getpid();
    random_name(o->gen.shm, "");
    for (unsigned q = 0; q < o->gen.n_queues; q++)
        random_name(o->gen.queue[q], "-in");
    return generation_write(inst, &o->gen);
}

static int read_origin(const struct instance *inst, uint64_t *origin)
{
    struct identity *id;
    char why[256] = "cannot open the state directory";
    int dir = open(inst->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 ? -errno : identity_load(&id, dir, why, sizeof why);
    close_fd(&dir);
    if (r < 0) {
        log_error("%s", why);
        return r;
    }
    *origin = identity_host(id);
    identity_free(id);
    return 0;
}

static int make_segment(struct objects *o, const struct conf *conf, uint64_t origin)
{
    struct state_options options = {
        .generation = o->gen.number,
        .origin = origin,
        .epoch = wall_ms() << 16 | (os_random_u64() & 0xffff),
        .host = conf->name,
        .workers = conf->workers,
        .sessions_max = conf->sessions,
        .sessions_per_user = conf->sessions_per_user,
        .ring_size = conf->journal,
        .keep_ms = conf->keep_days * 24 * 3600 * 1000,
        .keep_bytes = conf->keep_bytes,
    };
    size_t size;
    int r = state_create(o->gen.shm, &options);
    if (r == 0)
        r = o->shm_fd = shm_attach(o->gen.shm, &size);
    if (r < 0)
        log_error("cannot make %llu MiB of shared memory: %s; make %s larger, or set `journal` lower in relay.conf",
                  (unsigned long long)(conf->journal >> 20) + 4, strerror(-r),
                  r == -EFBIG ? "the limit on files (ulimit -f)" : "/dev/shm");
    return r < 0 ? r : 0;
}

static mode_t queue_mode(const struct instance *inst, const struct conf *conf)
{
    if (!inst->system)
        return 0600;
    return conf->group[0] ? 0620 : 0622;
}

static int make_queues(struct objects *o, const struct instance *inst, const struct conf *conf)
{
    const struct group *g = conf->group[0] ? getgrnam(conf->group) : NULL;
    if (conf->group[0] && !g) {
        log_error("there is no group %s; see `group` in relay.conf", conf->group);
        return -EINVAL;
    }
    for (unsigned q = 0; q < o->gen.n_queues; q++) {
        int r = mq_create(&o->queue[q], o->gen.queue[q], queue_mode(inst, conf), 10, 8192);
        if (r == 0 && g && fchown(mq_fd(&o->queue[q]), (uid_t)-1, g->gr_gid) < 0)
            r = -errno;
        if (r < 0) {
            log_error("cannot make a message queue: %s; see: relay doctor",
                      r == -EMFILE ? "this user's relays hold as many bytes in queues as he may (ulimit -q)" : strerror(-r));
            return r;
        }
    }
    return 0;
}

static int make_lock(struct objects *o)
{
    struct lock l = {-1};
    int r = lock_create(&l);
    if (r < 0)
        log_error("cannot make a semaphore: %s; see: relay doctor", strerror(-r));
    o->gen.lock_id = l.id;
    return r;
}

static int make_bells(struct objects *o)
{
    for (unsigned i = 0; i < PROCS_MAX; i++) {
        if (i < WORKERS_MAX && i >= o->gen.n_queues)
            continue;
        o->bell[i] = eventfd(0, EFD_NONBLOCK); /* inherited by all processes */
        if (o->bell[i] < 0)
            return -errno;
    }
    return 0;
}

static int make_pipes(struct objects *o)
{
    bool made = pipe2(o->questions, O_CLOEXEC | O_NONBLOCK | O_DIRECT) == 0 && /* O_DIRECT: one write is one read */
                pipe2(o->lifeline, O_CLOEXEC) == 0;
    return made ? 0 : -errno;
}

int objects_begin(struct objects *o, unsigned workers)
{
    objects_none(o, o->gen.number + 1);
    o->gen.n_queues = workers;
    int r = make_bells(o);
    r = r == 0 ? make_pipes(o) : r;
    if (r < 0)
        log_error("cannot make what the processes of a relay share: %s", strerror(-r));
    return r;
}

int objects_make(struct objects *o, const struct instance *inst, const struct conf *conf)
{
    uint64_t origin;
    int r = read_origin(inst, &origin);
    if (r == 0)
        r = plan(o, inst);
    if (r == 0)
        r = make_segment(o, conf, origin);
    if (r == 0)
        r = make_queues(o, inst, conf);
    if (r == 0)
        r = make_lock(o);
    return r == 0 ? generation_write(inst, &o->gen) : r; /* with the number of the semaphore */
}

bool objects_there(const struct objects *o)
{
    struct lock l = {o->gen.lock_id};
    bool there = shm_is(o->gen.shm, o->shm_fd) && lock_is_ours(&l);
    for (unsigned q = 0; q < o->gen.n_queues; q++)
        there = there && mq_is(o->gen.queue[q], &o->queue[q]);
    return there;
}

void objects_drop(struct objects *o)
{
    generation_drop(&o->gen);
    close_fd(&o->shm_fd);
    for (unsigned q = 0; q < WORKERS_MAX; q++)
        mq_shut(&o->queue[q]);
    for (unsigned i = 0; i < PROCS_MAX; i++)
        close_fd(&o->bell[i]);
    for (unsigned end = 0; end < 2; end++) {
        close_fd(&o->lifeline[end]);
        close_fd(&o->questions[end]);
    }
}
