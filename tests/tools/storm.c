/* storm.c -- kill a process of a loaded relay again and again, and see that nothing acknowledged is lost and nothing is
 * shown twice.
 *
 * usage: storm INSTANCE TARGET KILLS [READER [VICTIM]]      TARGET: worker keeper link supervisor all client stop-worker
 *
 * READER: the instance where the reader is, linked with the first one.  VICTIM: whose processes are killed.
 *
 * A sender pipelines numbered messages into a room, a reader follows it, this process kills.  At the end: the reader
 * must have seen every acknowledged message once and in order, the store must hold the same, and no pause in service
 * may have been longer than the limit.  The sender waits when the reader is far behind: else the pauses would measure how fast
 * this machine says more than it can show. */
#include "base/hash.h"
#include "base/sys.h"
#include "children.h"
#include "guest.h"
#include "patience.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_FLIGHT = 200, BACK_MS = 1000, LINK_BACK_MS = 5000, SETTLE_MS = 20 * 1000, SENDERS_MAX = 4096, HISTORY_PAGE = 5000,
       AHEAD = 20000 };
#define ROOM "storm"

/* Shared between the three. */
struct board {
    _Atomic uint32_t acked[SENDERS_MAX]; /* of each sender in turn */
    _Atomic uint32_t sent[SENDERS_MAX];
    _Atomic uint32_t shown[SENDERS_MAX]; /* highest number the reader saw of it */
    _Atomic uint32_t total_acked, n_senders;
    _Atomic bool stop, reader_ready, failed;
};
static struct board *board;
static const char *instance, *reader_at, *victim;

static void fail(const char *what, unsigned long long a, unsigned long long b)
{
    fprintf(stderr, "storm: FAILED: %s (%llu, %llu)\n", what, a, b);
    atomic_store(&board->failed, true);
}

static bool is_linked(void)
{
    return strcmp(instance, reader_at) != 0;
}

static struct port *open_port(const char *where, bool start)
{
    char why[256];
    struct port *p = NULL;
    struct port_options o = {.instance = where, .quiet = true, .start = start, .timeout_ms = SETTLE_MS};
    if (port_open(&p, &o, why, sizeof why) < 0) {
        fprintf(stderr, "storm: %s\n", why);
        exit(3);
    }
    return p;
}

static void pump(struct port *p)
{
    const uint8_t *f;
    int r = port_next(p, &f);
    if (r < 0) {
        fail("the relay did not come back", (unsigned)-r, 0);
        exit(1);
    }
    if (r == 0)
        guest_rest(p);
}

static int sender(unsigned self)
{
    struct port *p = open_port(instance, false);
    static uint32_t number[IN_FLIGHT * 2]; /* client_seq of message n, at n modulo its length */
    uint32_t n = 0, acked = 0;
    for (bool stop = false; !stop || port_unacked(p) > 0;) {
        stop = atomic_load(&board->stop);
        while (!stop && port_unacked(p) < IN_FLIGHT && n < atomic_load(&board->shown[self]) + AHEAD) {
            char text[64];
            int len = snprintf(text, sizeof text, "%u %u", self, ++n);
            int64_t seq = port_say(p, ROOM, (struct text){text, (size_t)len}, false);
            if (seq < 0) {
                fail("cannot send", (unsigned long long)-seq, n);
                exit(1);
            }
            number[n % ARRAY_LEN(number)] = (uint32_t)seq;
            atomic_store(&board->sent[self], n);
        }
        if (port_flush(p) < 0)
            exit(1);
        pump(p);
        while (acked < n && port_acked(p) >= number[(acked + 1) % ARRAY_LEN(number)])
            acked++;
        atomic_fetch_add(&board->total_acked, acked - atomic_exchange(&board->acked[self], acked));
    }
    port_close(p);
    return 0;
}

/* see -- one message: the next of its sender. */
static void see(const uint8_t *f, _Atomic uint32_t *last)
{
    struct say s;
    unsigned who = 0, n = 0;
    char text[64] = "";
    if (frame_type(f) != FRAME_SAY || read_say(f, &s) < 0 || s.text.len >= sizeof text)
        return;
    memcpy(text, s.text.p, s.text.len);
    if (sscanf(text, "%u %u", &who, &n) != 2 || who >= SENDERS_MAX) {
        fail("a strange message", who, n);
        return;
    }
    uint32_t before = atomic_exchange(&last[who], n);
    if (n != before + 1)
        fail(n <= before ? "shown twice or out of order" : "missing", before, n);
}

static bool all_shown(void)
{
    for (unsigned i = 0; i < atomic_load(&board->n_senders); i++)
        if (atomic_load(&board->shown[i]) < atomic_load(&board->acked[i]))
            return false;
    return true;
}

static int reader(unsigned self)
{
    struct port *p = open_port(reader_at, false);
    const uint8_t *f;
    (void)self;
    if (port_join(p, ROOM, 0, 0) < 0)
        exit(1);
    while (port_acked(p) < 1)
        pump(p);
    atomic_store(&board->reader_ready, true);
    uint64_t deadline = 0;
    for (;;) {
        int r = port_next(p, &f);
        if (r == 1) {
            see(f, board->shown);
            continue;
        }
        if (r < 0 || atomic_load(&board->failed))
            exit(1);
        if (atomic_load(&board->stop)) {
            deadline = deadline ? deadline : now_ms() + (uint64_t)patience(SETTLE_MS);
            if (all_shown())
                break;
            if (now_ms() > deadline) {
                fail("the reader did not get everything", atomic_load(&board->total_acked), 0);
                exit(1);
            }
        }
        guest_rest(p);
    }
    port_close(p);
    return 0;
}

/* ---- killing ---- */

static void find(struct instance *inst, struct generation *g)
{
    for (uint64_t deadline = now_ms() + (uint64_t)patience(SETTLE_MS);; poll(NULL, 0, 1)) {
        if (instance_user(inst, victim) == 0 && generation_read(inst, g) == 0 && g->ready && generation_alive(inst))
            return;
        if (now_ms() > deadline) {
            fail("no relay", 0, 0);
            exit(1);
        }
    }
}

static pid_t pid_of(unsigned i)
{
    struct instance inst;
    struct generation g;
    struct state st;
    char why[256];
    find(&inst, &g);
    if (state_attach(&st, g.shm, g.lock_id, PROCS_MAX, false, why, sizeof why) < 0)
        return 0;
    pid_t pid = (pid_t)atomic_load(&st.seg->proc[i].pid);
    state_detach(&st);
    return pid;
}

static void strike(const char *target, unsigned k, pid_t *sending)
{
    struct instance inst;
    struct generation g;
    find(&inst, &g);
    unsigned workers = g.n_queues;
    if (strcmp(target, "worker") == 0) {
        kill(pid_of(k % workers), SIGKILL);
    } else if (strcmp(target, "stop-worker") == 0) {
        kill(pid_of(k % workers), SIGSTOP);
    } else if (strcmp(target, "keeper") == 0) {
        kill(pid_of(PROC_KEEPER), SIGKILL);
    } else if (strcmp(target, "link") == 0) {
        kill(pid_of(PROC_LINK), SIGKILL);
    } else if (strcmp(target, "client") == 0) {
        kill(*sending, SIGKILL);
        waitpid(*sending, NULL, 0);
        unsigned self = atomic_fetch_add(&board->n_senders, 1);
        *sending = children_start(sender, self);
    } else {
        pid_t pids[PROCS_MAX];
        for (unsigned i = 0; i < PROCS_MAX; i++)
            pids[i] = pid_of(i);
        kill(g.pid, SIGKILL);
        for (unsigned i = 0; i < PROCS_MAX && strcmp(target, "all") == 0; i++)
            if (pids[i] > 0)
                kill(pids[i], SIGKILL);
        while (generation_alive(&inst))
            poll(NULL, 0, 1);
        port_close(open_port(victim, true)); /* starts it */
    }
}

/* goes_on -- acknowledgements flow again; what was acknowledged before has come over the link. */
static bool goes_on(uint32_t before, const uint32_t *acked)
{
    for (unsigned i = 0; is_linked() && i < SENDERS_MAX && acked[i] > 0; i++)
        if (atomic_load(&board->shown[i]) < acked[i])
            return false;
    return atomic_load(&board->total_acked) >= before + 2 * IN_FLIGHT;
}

/* storm -- strike, wait until all goes on, a moment of peace, strike. Returns the longest pause. */
static uint64_t storm(const char *target, unsigned kills, pid_t *sending)
{
    uint64_t longest = 0;
    struct prng { uint64_t s; } r = {42};
    for (unsigned k = 0; k < kills && !atomic_load(&board->failed); k++) {
        uint32_t before = atomic_load(&board->total_acked), acked[SENDERS_MAX];
        uint64_t start = now_ms();
        for (unsigned i = 0; i < SENDERS_MAX; i++)
            acked[i] = atomic_load(&board->acked[i]);
        strike(target, k, sending);
        while (!goes_on(before, acked) && !atomic_load(&board->failed)) {
            if (now_ms() - start > (uint64_t)patience(SETTLE_MS)) {
                fail("service did not come back", k, before);
                return SETTLE_MS;
            }
            poll(NULL, 0, 1);
        }
        longest = max_u64(longest, now_ms() - start);
        r.s = r.s * 6364136223846793005u + 1442695040888963407u;
        poll(NULL, 0, (int)(r.s >> 60));
    }
    return longest;
}

/* ---- the store ---- */

struct scan {
    _Atomic uint32_t last[SENDERS_MAX];
    struct query q;
};

static bool each(void *arg, const uint8_t *f)
{
    struct scan *s = arg;
    see(f, s->last);
    s->q.key.hlc = frame_hlc(f);
    s->q.key.origin = frame_origin(f);
    s->q.key.epoch = frame_epoch(f);
    s->q.key.seq = frame_seq(f);
    return true;
}

static void check_store(void)
{
    struct port *p = open_port(reader_at, true);
    struct scan *s = calloc(1, sizeof *s);
    struct end end = {.more = 1};
    if (!s)
        exit(1);
    while (end.more && !atomic_load(&board->failed)) {
        s->q.kind = QUERY_SINCE;
        s->q.limit = HISTORY_PAGE;
        int r = port_query(p, ROOM, &s->q, each, s, &end);
        if (r < 0 || end.reason != REASON_OK) {
            fail("the store cannot be read", (unsigned)-r, end.reason);
            break;
        }
    }
    for (unsigned i = 0; i < atomic_load(&board->n_senders); i++)
        if (atomic_load(&s->last[i]) < atomic_load(&board->acked[i]))
            fail("acknowledged, but not in the store", atomic_load(&s->last[i]), atomic_load(&board->acked[i]));
    free(s);
    port_close(p);
}

static void wait_child(pid_t pid, const char *who)
{
    int status = children_end(pid);
    if (status != 0)
        fail(who, (unsigned)status, 0);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: storm INSTANCE worker|keeper|link|supervisor|all|client|stop-worker KILLS [READER [VICTIM]]\n");
        return 2;
    }
    instance = argv[1];
    reader_at = argc > 4 ? argv[4] : instance;
    victim = argc > 5 ? argv[5] : instance;
    board = children_board(sizeof *board);
    port_close(open_port(instance, true));
    pid_t reading = children_start(reader, 0);
    while (!atomic_load(&board->reader_ready))
        poll(NULL, 0, 1);
    atomic_store(&board->n_senders, 1);
    pid_t sending = children_start(sender, 0);
    while (atomic_load(&board->total_acked) == 0 && !atomic_load(&board->failed))
        poll(NULL, 0, 1);
    unsigned kills = (unsigned)strtoul(argv[3], NULL, 10);
    uint64_t longest = storm(argv[2], kills, &sending);
    atomic_store(&board->stop, true);
    wait_child(sending, "the sender failed");
    wait_child(reading, "the reader failed");
    check_store();
    printf("%s%s%s: %u kills, %u acknowledged, longest pause %llu ms\n", argv[2], is_linked() ? " of " : "", is_linked() ? victim : "", kills,
           atomic_load(&board->total_acked), (unsigned long long)longest);
    unsigned limit = (unsigned)patience(is_linked() ? LINK_BACK_MS : BACK_MS);
    if (longest > limit)
        fail("service was away for too long (ms)", longest, limit);
    return atomic_load(&board->failed) ? 1 : 0;
}
