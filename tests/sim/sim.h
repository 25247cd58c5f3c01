/* sim.h -- N relays in one process: virtual time, simulated disks, clocks and connections, faults, and what must hold.
 *
 *   world.c    time, events, chance, trace, how a run ends
 *   os.c       what a relay's processes ask of the system: clocks, log, loop, sockets to each other
 *   shm.c      shared memory
 *   keys.c     hashes and signatures
 *   net.c      connections between hosts (instead of TLS): order kept until they break
 *   disk.c     the store (instead of SQLite), and snapshots: disk_blob.c segments, disk_commit.c a transaction, disk_read.c what is
 *              there, disk_gone.c what is not, disk_forks.c proofs
 *   node.c     one host: start, stop, its link process and its keeper
 *   people.c   who writes, and sends again until it is acknowledged; who comes and goes
 *   pairs.c    who talks with whom alone, and who is in whose private room
 *   rooms.c    what people do to rooms, and what must hold of that
 *   gone.c     who keeps how much of what was said, and what must hold when some delete it
 *   faults.c   topologies and what goes wrong
 *   evil.c     what a lying host does to what its relay wants to send
 *   check.c    the invariants, by our own count of what was said and who has it: check_journal.c of what comes, check_causes.c its order,
 *              check_ahead.c its time, check_stored.c of what is on disk; words.c what is said on links, present.c who is where,
 *              view.c convergence
 *   scale.c    one cut, many hosts: what it costs
 *   main.c     runs, mutants, figures
 *
 * Everything else in the program is the relay's own code. */
#ifndef SIM_H
#define SIM_H

#include "base/mutant.h"
#include "base/prng.h"
#include "hub/hub.h"
#include "keep/commit.h"
#include "keep/feed.h"
#include "keep/parked.h"
#include "keep/prune.h"
#include "rules/remote.h"
#include "rules/rules.h"

#include <setjmp.h>

#ifndef NODES_MAX
#define NODES_MAX 64
#endif
enum {
    LATE_S = 2, /* so long after everything healed some liars speak on, and some disks are still full */
    ROOMS = 3,
    CLIENTS_PER_NODE = 2,
    ALONE_MAX = 128, /* of whom two alone talk; none in larger networks */
    PAIR = ROOMS,    /* not a room of all: a conversation of two */
    OWN,             /* his private room */
    GUEST,           /* one to which he is invited, or is going to be */
    ROOMS_TOP = ROOMS + 1 + 2 * ALONE_MAX,
    TURN_FDS = 256,
    RING_SIZE = 256 * 1024,
};
#define MS     UINT64_C(1000) /* the unit of virtual time is 1 us */
#define S      (1000 * MS)
#define MINUTE (60 * S)

/* A set of hosts, by their numbers here. */
struct hosts {
    uint64_t bit[(NODES_MAX + 63) / 64];
};

static inline bool hosts_have(const struct hosts *s, unsigned n)
{
    return s->bit[n / 64] >> (n % 64) & 1;
}

static inline bool hosts_none(const struct hosts *s)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < ARRAY_LEN(s->bit); i++)
        any |= s->bit[i];
    return any == 0;
}

static inline void hosts_put(struct hosts *s, unsigned n, bool in)
{
    uint64_t bit = UINT64_C(1) << (n % 64);
    s->bit[n / 64] = in ? s->bit[n / 64] | bit : s->bit[n / 64] & ~bit;
}

/* ---- world.c ---- */

enum event_kind {
    EV_HUB,
    EV_KEEPER,
    EV_TICK,
    EV_CHUNK,
    EV_SYN,
    EV_CLIENT,
    EV_FAULT,
    EV_BOOT,
    EV_EDGE,
    EV_PLANNED,
    EV_SAMPLE
};

struct stats {
    uint64_t sim_us, events, crashes, power_cuts, process_kills, rollbacks, breaks, cuts,
        clock_jumps, pauses, disk_full, membership, segments, entries, acked, lost_by_rollback,
        links, frames, bytes, forgeries, replays, withheld, equivocations, lies, converge_us,
        converge_max_us, runs, evil_runs, reordered, forks, proofs, parked,
        gangs, colluding, between, early, kept_back, people_lies, moves, deaths, upgrades, torn, acts, facts,
        dropped, gaps, prune_runs;
};

/* What went over links, by what it was. */
enum tally_kind { TALLY_NEW, TALLY_OLD, TALLY_HAVE, TALLY_PEOPLE, TALLY_OTHER, TALLY_KINDS };
struct tally {
    uint64_t frames[TALLY_KINDS], bytes[TALLY_KINDS];
};

struct edge {
    bool exists, cut, faulty;
    uint64_t delay_us, jitter_us, bytes_per_s;
    uint64_t bytes, frames;
};

struct node;
struct client;

struct world {
    uint64_t seed, now, step, digest;
    struct prng prng;
    unsigned n_nodes, n_clients, n_rooms;
    struct node *node[NODES_MAX];
    struct edge edge[NODES_MAX][NODES_MAX]; /* [a][b] and [b][a] change together */
    struct client *client;
    bool calm;        /* no more faults */
    uint64_t calm_us; /* since when */
    bool prunes;      /* some hosts delete what is old */
    bool one_sided;   /* of a fork, the peers that get the first version get no more than its beginning, and their disks are full now and then */
    unsigned evicted; /* a host that is nobody's peer in the end, or NODES_MAX */
    bool no_beats;    /* nobody beats, nobody expires */
    bool measured;    /* it may take any number of steps, and everybody is there from the start */
    bool tracing, echo, quiet;
    uint64_t chaos_us; /* until when faults come */
    uint64_t fault_mean_us, pace_us;
    uint32_t faults;      /* which kinds this run has */
    uint64_t wall_max_ms; /* the furthest clock of an honest host so far */
    struct stats stats;
    struct tally tally;
    jmp_buf broken;
    char verdict[256];
};
extern struct world w;
extern struct node *here; /* whose code is running */

void world_reset(uint64_t seed);
void world_free(void);
uint64_t chance(uint64_t n); /* 0 .. n-1 */
bool one_in(uint64_t n);
uint64_t about(uint64_t mean); /* roughly exponential */
void at(uint64_t when, enum event_kind kind, uint32_t a, uint64_t b);
bool world_event(void); /* the next one; false: none left */
void digest(uint64_t v);
void trace(const char *fmt, ...) PRINTF_LIKE(1, 2);
void trace_show(void);
_Noreturn void broken(const char *fmt, ...) PRINTF_LIKE(1, 2);
uint64_t mix(uint64_t a, uint64_t b);
void *grown(void *array, size_t n, size_t *max, size_t size); /* of max elements of that size, more than n; it may have moved */

/* A table from a stream (origin, epoch, room) to a number. */
struct map {
    struct map_key {
        uint64_t origin, epoch, room;
        uint32_t value;
        bool used;
    } * slot;
    uint32_t n, max;
};
uint32_t *map_find(const struct map *m, uint64_t origin, uint64_t epoch, uint64_t room);
uint32_t *map_add(struct map *m, uint64_t origin, uint64_t epoch, uint64_t room,
                  uint32_t value);
void map_free(struct map *m);

/* ---- os.c ---- */

/* One process of a host: what its loop waits for. */
struct turn {
    struct node *node;
    int fd[TURN_FDS];
    unsigned n;
    uint64_t due,
        until; /* due: when it runs next, 0: not planned; until: it is stopped till then */
    bool runs;
};

enum fd_kind { FD_FREE, FD_DIR, FD_LISTENER, FD_FEED, FD_SOCK, FD_END };
struct sock;
struct tls;

int fd_new(enum fd_kind kind, struct node *n, void *what);
void *fd_what(int fd, enum fd_kind kind);
void fd_forget(int fd);
void fds_drop(struct node *n); /* all of this host, without a word */
void fds_drop_turn(struct turn *t);
void turn_sources(struct turn *t); /* call what is ready */
bool turn_ready(const struct turn *t); /* is anything? */
void turn_wake(struct turn *t, uint64_t delay_us);
void socks_reset(void);
uint64_t wall_of(const struct node *n);
void *shm_base(struct node *n);

/* ---- net.c ---- */

struct tls_identity {
    struct node *node;
};

/* One end of a connection. */
struct chunk;
struct tls {
    uint32_t pair, fd;
    unsigned side;
    struct node *node;
    bool exists, up, server, failed, fin, reset, want_out, said;
    bool (*known)(void *arg, const uint8_t pin[KEY_PIN_LEN]);
    void *arg;
    const char *why;
    struct chunk *first, *last; /* on the way to this end, or there and not yet read */
    size_t coming;
    uint64_t last_at;
    struct evil_end *evil;
};

void net_reset(void);
void net_chunk(uint32_t pair, uint64_t side_and_life);
void net_syn(uint32_t pair, uint64_t life);
bool end_readable(const struct tls *t), end_writable(const struct tls *t),
    end_reset(const struct tls *t);
int net_accept(struct node *n); /* a connection that waits, as an fd, or -1 */
bool net_waiting(const struct node *n);
void net_vanish(struct node *n, bool silent);   /* its ends are gone; silent: nobody is told */
void net_break(struct node *a, struct node *b); /* reset what is between them */
void net_edge(unsigned a, unsigned b);          /* it was healed: what was held moves on */
void net_push(struct tls *from, const void *p, size_t len);
struct node *end_peer(const struct tls *t);

/* ---- disk.c ---- */

enum commit_fate {
    FATE_GOOD,
    FATE_LOST,
    FATE_UNKNOWN, /* stored, and says it failed */
    FATE_TORN     /* power is lost while it is written: it is there as a whole or not at all, and nobody is told */
}; /* of the next commit */
struct history *disk_new(struct node *n);
struct history *disk_copy(const struct history *h);
void disk_free(struct history *h);
void disk_full(struct history *h, bool full);
void disk_fate(struct history *h, enum commit_fate fate);
uint64_t disk_has(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room);
uint64_t disk_hash(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t seq); /* of the segment that seq lies in, or of the last one of that gap */
uint64_t disk_next(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
                   uint64_t before_us, uint64_t *last); /* the first entry from seq on that is there since then; 0: none; last: of its segment */
bool disk_gap(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
              uint64_t *last); /* is it missing?  Then: up to where */
void disk_gaps(const struct history *h, void (*each)(void *arg, const uint8_t *gap), void *arg);
void disk_each(const struct history *h,
               void (*each)(void *arg, const struct history_segment *s), void *arg);
uint64_t disk_digest(const struct history *h); /* of all streams' heads, whatever their order */
uint64_t disk_fork(const struct history *h, uint64_t origin, uint64_t epoch,
                   uint64_t room); /* the point of a proof; UINT64_MAX: none */
void disk_streams(const struct history *h, void (*each)(void *arg, const struct have_row *row),
                  void *arg);

/* ---- node.c ---- */

struct identity {
    uint8_t key[KEY_LEN];
    struct node *node;
};

struct node {
    unsigned n;
    unsigned newer; /* versions of the protocol that it knows beyond ours */
    uint64_t id;
    struct identity identity;
    struct tls_identity tls;
    bool up, powered, evil;
    bool disputed; /* not everybody knew it all the time */
    uint64_t life;        /* counts starts and stops: what was planned in another is void */
    uint64_t hub_life;    /* counts the runs of its link process */
    uint64_t incarnation; /* of the disk: counts rollbacks */
    int64_t skew_ms;
    uint64_t commit_us; /* about how long a commit takes */
    struct history *disk, *snapshot;
    struct state st;
    struct rules rules;
    struct folds *folds;
    struct commit *commit;
    struct forks *forks;
    struct parked parked;
    struct prune prune;
    uint64_t keep_ms, keep_bytes, prune_us; /* prune_us: when it looks again */
    uint64_t room_us; /* when there is room on its disk again; 0: not known, or there is */
    struct feeds *feeds;
    struct loop hub_loop, keeper_loop;
    struct turn hub_turn, keeper_turn;
    struct hub *hub;
    bool failing, linked;
    bool cramped; /* its disk is full as two_faced() wants it */
    bool torn; /* power was lost in a commit */
    struct hosts knows; /* who belongs to its network */
    struct checks *checks;
    uint64_t evil_modes;
};

struct node *node_new(unsigned n);
void nodes_free(void);
void node_boot(struct node *n);
enum stop { STOP_KILL, STOP_POWER };
void node_stop(struct node *n, enum stop how);
void node_hub_turn(struct node *n);
void node_keeper_turn(struct node *n);
void node_pump_feed(struct node *n);
void node_hub_restart(struct node *n), node_keeper_restart(struct node *n);
void node_tick(struct node *n);
void node_peers(struct node *n); /* `knows` has changed */
void node_rollback(struct node *n);
struct node *node_by_id(uint64_t id);
void node_load(struct node *n);
const char *node_name(uint64_t id);

static inline bool counts(const struct node *n)
{
    return !n->evil && n->n != w.evicted;
}

/* ---- people.c ---- */

struct message {
    struct hosts holders; /* honest hosts that have it on disk */
    struct hosts gone;    /* those that deleted it, or were told that it is gone */
    uint32_t appended; /* incarnation + 1 of the disk that its relay last took it for */
    bool acked, lost, refused;
    uint8_t room;
};
struct client {
    struct node *node;
    uint64_t id;
    uint32_t session;     /* 0: none */
    uint64_t life;        /* of the node, when that was made */
    uint32_t said, acked; /* the newest of each */
    struct message *msg;  /* [1 .. said] */
    size_t max;
    uint32_t pair; /* its conversation with somebody else */
    uint32_t own, guest; /* private rooms: its own; one to which it is to be invited, if `invited` */
    bool invited;
    uint64_t again_at;
};
void people_reset(void);
void people_free(void);
void people_turn(uint32_t c);
void people_durable(struct node *n); /* its journal is on disk up to somewhere new */
struct message *message_of(uint64_t client, uint32_t seq);
uint32_t pair_of(const struct client *c, uint8_t room); /* PAIR, OWN or GUEST */
bool people_content(void); /* everything that was said is acknowledged */

/* ---- pairs.c ---- */

void pairs_reset(void); /* everybody gets somebody to talk with alone */
const char *pair_name(uint32_t pair);
uint64_t pair_room(uint32_t pair);
bool pair_is(uint64_t room);         /* not a room of all */
bool pair_is_private(uint64_t room);
int pair_act(uint32_t pair, const struct client *c, struct text user, uint32_t seq, uint8_t *frame); /* what its owner does next; 0: he talks */
bool pair_is_told(uint64_t room, const struct node *from, const struct node *to); /* should it hear from that one how much there is? */
bool pair_keeps(uint32_t pair, const struct node *n); /* in the end, must that host have it? */
bool pair_may(uint64_t room, const struct node *n); /* may that host have it?  Of other rooms: yes */
void pair_check(uint64_t room, const struct node *n, const char *what);
bool pairs_each(bool (*same)(const struct node *one, const struct node *other, uint64_t room)); /* of honest hosts */

/* ---- rooms.c ---- */

bool acts_here(const struct client *c, uint32_t seq); /* is its message of that number an act? */
int act_frame(const struct client *c, struct text user, uint64_t room, uint32_t seq, uint8_t *frame);
uint64_t check_rooms(const struct node *n, uint64_t room); /* a sum of the state of a room there */
uint64_t rooms_sum(const struct node *n, uint64_t room);   /* the same, unchecked */

/* ---- gone.c ---- */

void gone_plan(void);
void gone_dropped(struct node *n, const struct history_segment *s);
void gone_needless(const struct node *n, unsigned peer, const uint8_t *gap, uint64_t have); /* does another peer have what this one names? */
void gone_end(void); /* is what one has and another has not a gap there? */

/* ---- faults.c ---- */

void faults_plan(unsigned n_nodes);
void faults_near(unsigned n_nodes, uint64_t pace_us); /* no faults, linked as the relay would (state/members.h) */
void faults_cut(unsigned a, unsigned b, uint64_t for_us);
void faults_turn(void);
void faults_end(void);
void faults_edge(uint32_t ab);
void faults_planned(uint32_t n);

/* ---- evil.c ---- */

enum {
    EVIL_FORGE = 1,
    EVIL_TAMPER = 2,
    EVIL_REPLAY = 4,
    EVIL_WITHHOLD = 8,
    EVIL_GAP = 16,
    EVIL_LIE = 32,
    EVIL_GARBAGE = 64,
    EVIL_CLOCK = 128,
    EVIL_FORK = 256,
    EVIL_PEOPLE = 512,
    EVIL_QUESTIONS = 1024, /* of some hosts nothing is passed on, of those who answer them everything, till all is calm */
};
bool evil_second(unsigned peer); /* is it a peer who gets the second version of what a liar says? */
size_t evil_send(struct tls *t, const uint8_t *p, size_t len);
void evil_end_free(struct tls *t);
void evil_reset(void);

/* ---- scale.c ---- */

/* scale -- pace_us: between two messages of a person; 0: all together one a second.  Returns an exit code. */
int scale(unsigned hosts, uint64_t cut_s, uint64_t pace_us);

/* ---- check.c ---- */

void check_reset(void);
void check_boot(struct node *n); /* before its processes run */
void check_stop(struct node *n);
void check_free(struct node *n);
void check_signed(const struct node *n, uint64_t hash);

/* ---- check_journal.c ---- */

void check_journal(struct node *n);
void check_log(const char *line);

/* ---- check_causes.c ---- */

void check_early(struct node *n, const struct node *from, const uint8_t *segment); /* taken before what it answers, and noted */
void check_kept_back(const struct node *n, const struct link_early *e); /* and that did not come */

/* ---- check_ahead.c ---- */

void check_clock(struct node *n);
void check_shown(struct node *n);

/* ---- check_stored.c ---- */

void check_stored(struct node *n, const struct history_segment *s);
void check_missing(struct node *n, const uint8_t *gap, uint64_t from); /* entries from there on are noted as missing */
void check_dropped(struct node *n, const struct history_segment *s);
void check_restored(struct node *n); /* its disk is another one */
void check_acked(struct node *n, struct message *m, uint64_t client, uint32_t seq);
bool held_by_nobody(const struct message *m, unsigned but);

/* ---- view.c ---- */

bool check_same(bool loud); /* do all honest hosts have the same? */
void check_end(void);       /* ... and show the same? */

/* ---- words.c ---- */

void words_reset(void);
bool check_told(bool loud); /* does every peer know what every other has? */
void check_believed(const struct node *n); /* what it takes for being on others' disks is there */

/* ---- present.c ---- */

void present_reset(void);
bool check_present(bool loud);                        /* does everybody show exactly who is where? */
bool check_gone(const struct node *dead, bool loud); /* does nobody show people of it? */

#endif
