/* strangers.c -- one user of a host against another, through the relay they share.
 *
 * usage: strangers VICTIM ATTACKER      two user names; needs root to become both
 *
 * The attacker is told what he could at most have learnt: the victim's session and client
 * number, and the names of two FIFOs of the victim's.  He must not get anything out of them,
 * and the victim must not get anything by them. */
#include "base/direct.h"
#include "base/hash.h"
#include "base/sys.h"
#include "children.h"
#include "ipc/fifo.h"
#include "raw.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM "strangers"

/* What the victim gives away. */
struct leak {
    uint64_t client;
    uint32_t session;
    char user[USER_NAME_MAX + 1];
    char answer[FIFO_NAME_LEN + 1], hello[FIFO_NAME_LEN + 1];
    char pair[DIRECT_NAME_MAX + 1], inbox[PERSON_MAX + 2]; /* his conversation with a third user, and his inbox */
    char plans[PRIVATE_NAME_MAX + 1];                      /* a private room of his */
    _Atomic bool ready, done;
};
static struct leak *leak;
static struct raw_relay relay;
static struct raw self;

static void await(_Atomic bool *flag)
{
    for (uint64_t deadline = now_ms() + RAW_MS; !atomic_load(flag); poll(NULL, 0, 1))
        if (now_ms() > deadline)
            die("the other one did not come");
}

static void enter(const char *room)
{
    uint8_t f[FRAME_MAX];
    int r = raw_hello(&self, &relay, 0, raw_client(&relay, 0), RAW_MS);
    if (r < 0)
        die("no session: %d", r);
    raw_send(&self, f, raw_room(&self, f, FRAME_JOIN, room));
}

/* ---- the victim ---- */

/* expect_nothing -- of the bytes that came through this FIFO, none are an answer or a secret of
 * ours. */
static void expect_nothing(int fd, bool welcome)
{
    uint8_t f[FRAME_MAX];
    ssize_t n = read(fd, f, sizeof f);
    if (n > 0 && !(welcome && frame_type(f) == FRAME_WELCOME && frame_client(f) != self.client))
        die("%zd bytes came through a FIFO that somebody else named", n);
    close(fd);
}

/* converse -- with somebody who is not there now. */
static void converse(void)
{
    uint8_t f[FRAME_MAX];
    struct person me = {text_of(self.user), text_of(self.host)}, other = {text_of("root"), text_of(self.host)};
    direct_name(me, other, leak->pair);
    direct_inbox(me, leak->inbox);
    raw_send(&self, f, raw_room(&self, f, FRAME_OPEN, leak->pair));
    raw_send(&self, f, raw_room(&self, f, FRAME_JOIN, leak->inbox));
    raw_settle(&self, leak->pair, "between two");
}

static void put_act(uint8_t which, const char *room, const char *user)
{
    uint8_t f[FRAME_MAX];
    struct room_act a = {.act = which, .user = text_of(self.user), .target = text_of(user), .topic = text_of("")};
    a.host = act_aims(which) ? 4711 : 0; /* which host does not matter */
    int n = write_room_act(f, &a, room_id(text_of(room)), self.client, ++self.seq);
    if (n < 0)
        die("cannot write an act");
    raw_send(&self, f, (size_t)n);
}

/* plan -- in a private room of his, which is there once it is on disk. */
static void plan(void)
{
    uint8_t f[FRAME_MAX];
    private_name((struct person){text_of(self.user), text_of(self.host)}, text_of("plans"), leak->plans);
    raw_send(&self, f, raw_room(&self, f, FRAME_JOIN, leak->plans));
    put_act(ACT_OWN, leak->plans, "");
    raw_settle(&self, ROOM, "soon");
    raw_settle(&self, leak->plans, "for me alone");
}

static int victim(void)
{
    enter(ROOM);
    converse();
    plan();
    raw_settle(&self, ROOM, "before");
    int answer = fifo_make(relay.rendezvous, leak->answer);
    int hello = fifo_make(relay.rendezvous, leak->hello);
    if (answer < 0 || hello < 0)
        die("cannot make a FIFO");
    leak->client = self.client;
    leak->session = self.session;
    snprintf(leak->user, sizeof leak->user, "%s", self.user);
    atomic_store(&leak->ready, true);
    await(&leak->done);
    raw_settle(&self, ROOM, "after");
    if (self.strange > 0 || self.refused_all > 0)
        die("the victim got %u frames that it did not ask for",
            self.strange + self.refused_all);
    expect_nothing(answer, false);
    expect_nothing(hello, true);
    fifo_abandon(relay.rendezvous, leak->answer);
    fifo_abandon(relay.rendezvous, leak->hello);
    return 0;
}

/* ---- the attacker ---- */

static void must_fail(const char *what, long r, int with)
{
    if (r >= 0)
        die("%s is possible", what);
    if (errno != with)
        die("%s fails with \"%s\"", what, strerror(errno));
}

/* objects -- none of the relay's can be used but to write into a queue. */
static void objects(void)
{
    const struct generation *g = &relay.gen;
    struct sembuf take = {.sem_op = -1, .sem_flg = IPC_NOWAIT};
    char path[INSTANCE_PATH_MAX + 16];
    must_fail("reading the queue", mq_open(g->queue[0], O_RDONLY), EACCES);
    must_fail("removing the queue", mq_unlink(g->queue[0]), EACCES);
    must_fail("opening the memory", shm_open(g->shm, O_RDONLY, 0), EACCES);
    must_fail("removing the memory", shm_unlink(g->shm), EACCES);
    must_fail("taking the lock", semop(g->lock_id, &take, 1), EACCES);
    must_fail("removing the lock", semctl(g->lock_id, 0, IPC_RMID), EPERM);
    must_fail("opening the state directory", open(relay.inst.state, O_RDONLY | O_CLOEXEC),
              EACCES);
    snprintf(path, sizeof path, "%s/generation", relay.inst.runtime);
    must_fail("writing the record", open(path, O_WRONLY | O_CLOEXEC), EACCES);
    must_fail("removing the record", unlink(path), EACCES);
    must_fail("another lock file",
              open(relay.inst.runtime, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600), EACCES);
}

static void rendezvous(void)
{
    int dir = relay.rendezvous;
    must_fail("listing the rendezvous directory", opendir(relay.inst.fifo) ? 0 : -1, EACCES);
    must_fail("reading a FIFO", openat(dir, leak->answer, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
              EACCES);
    must_fail("writing a FIFO", openat(dir, leak->answer, O_WRONLY | O_NONBLOCK | O_CLOEXEC),
              EACCES);
    must_fail("removing a FIFO", unlinkat(dir, leak->answer, 0), EPERM);
    must_fail("renaming a FIFO", renameat(dir, leak->answer, dir, "x"), EPERM);
}

static void query(const char *fifo)
{
    uint8_t f[FRAME_MAX];
    struct query q = {.kind = QUERY_ROOMS};
    memcpy(q.fifo, fifo, sizeof q.fifo);
    int n = write_query(f, &q, 0, self.client, ++self.seq);
    if (n < 0)
        die("cannot write a query");
    raw_send(&self, f, (size_t)n);
}

/* his_fifos -- an answer and a welcome into FIFOs of the victim's. */
static void his_fifos(void)
{
    uint8_t f[FRAME_MAX], m[QUEUE_MESSAGE_MAX], zero[SECRET_LEN] = {0};
    struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
    char own[FIFO_NAME_LEN + 1];
    int fd = fifo_make(relay.rendezvous, own);
    query(leak->answer);
    query(own); /* the keeper takes them in turn */
    struct pollfd p = {fd, POLLIN, 0};
    if (fd < 0 || poll(&p, 1, RAW_MS) != 1)
        die("a good query was not answered");
    close(fd);
    memcpy(h.fifo, leak->hello, sizeof h.fifo);
    int n = write_hello(f, &h, raw_client(&relay, 0));
    raw_put(&relay, 0, m, raw_envelope(m, 0, zero, f, (size_t)n));
}

/* his_numbers -- the victim's session, client number and name, by whom knows them. */
static void his_numbers(void)
{
    static struct raw other;
    uint8_t f[FRAME_MAX], m[QUEUE_MESSAGE_MAX];
    char user[sizeof self.user];
    int r = raw_hello(&other, &relay, 0, leak->client, RAW_MS);
    if (r != -REASON_DENIED)
        die("a session under another user's client number: %d", r);
    raw_close(&other);
    size_t n = raw_say(&self, f, ROOM, "through his session");
    frame_set_client(f, leak->client);
    raw_put(&relay, 0, m, raw_envelope(m, leak->session, self.secret, f, n));
    raw_send(&self, f, n);
    memcpy(user, self.user, sizeof user);
    memcpy(self.user, leak->user, sizeof user);
    raw_send(&self, f, raw_say(&self, f, ROOM, "under his name"));
    raw_send(&self, f, raw_room(&self, f, FRAME_LEAVE, ROOM));
    memcpy(self.user, user, sizeof user);
}

/* ask -- one question, into a FIFO of his own.  Returns how many frames came, none of them about a conversation. */
static unsigned ask(uint8_t kind, uint64_t room)
{
    static uint8_t buf[2 * FRAME_MAX];
    uint8_t f[FRAME_MAX];
    const uint8_t *got = NULL;
    struct splitter s;
    struct query q = {.kind = kind, .limit = 1000, .before = UINT64_MAX};
    struct room_row row;
    int fd = fifo_make(relay.rendezvous, q.fifo), n = write_query(f, &q, room, self.client, ++self.seq);
    if (fd < 0 || n < 0)
        die("cannot ask");
    raw_send(&self, f, (size_t)n);
    splitter_init(&s, buf, sizeof buf);
    for (unsigned frames = 0;;) {
        struct pollfd p = {fd, POLLIN, 0};
        size_t space;
        int r = splitter_next(&s, &got);
        if (r == 1 && frame_type(got) == FRAME_END) {
            close(fd);
            return frames;
        }
        frames += r == 1;
        if (r == 1 && frame_type(got) == FRAME_ROOM && read_room_row(got, &row) == 0 &&
            (direct_is(row.name) || private_is(row.name)))
            die("%.*s is listed for a stranger", (int)row.name.len, row.name.p);
        if (r == 1)
            continue;
        uint8_t *to = splitter_room(&s, &space);
        ssize_t len = poll(&p, 1, RAW_MS) == 1 ? read(fd, to, space) : 0;
        if (r < 0 || len <= 0)
            die("a question of kind %u was not answered", kind);
        splitter_fed(&s, (size_t)len);
    }
}

enum { DOORS = 15 }; /* that his_conversation() tries */

/* his_conversation, and his private room -- the names can be guessed; nothing but the names may be known of them. */
static void his_conversation(void)
{
    static const enum frame_type doors[] = {FRAME_OPEN, FRAME_JOIN, FRAME_LEAVE};
    uint64_t rooms[] = {room_id(text_of(leak->pair)), room_id(text_of(leak->inbox)), room_id(text_of(leak->plans)), 0, 4711};
    uint8_t f[FRAME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        raw_send(&self, f, raw_room(&self, f, doors[i], leak->pair));
        raw_send(&self, f, raw_room(&self, f, doors[i], leak->inbox));
        raw_send(&self, f, raw_room(&self, f, doors[i], leak->plans));
    }
    put_act(ACT_INVITE, leak->plans, self.user);
    put_act(ACT_OWN, leak->plans, "");
    put_act(ACT_TOPIC, leak->plans, "");
    raw_send(&self, f, raw_say(&self, f, leak->plans, "I, too"));
    raw_send(&self, f, raw_say(&self, f, leak->pair, "I, too"));
    raw_send(&self, f, raw_say(&self, f, leak->inbox, "I, too"));
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        for (uint8_t kind = QUERY_CATCHUP; kind <= QUERY_WHO; kind++)
            if (ask(kind, rooms[i]) != 0)
                die("an answer of kind %u tells of a conversation of others", kind);
    if (ask(QUERY_ROOMS, 0) == 0)
        die("no rooms at all");
}

static int attacker(void)
{
    await(&leak->ready);
    enter(ROOM "/attacker");
    objects();
    rendezvous();
    his_fifos();
    his_numbers();
    his_conversation();
    raw_settle(&self, ROOM "/attacker", "that was all");
    if (self.strange > 0 || self.refused[REASON_MALFORMED] != 1 ||
        self.refused[REASON_DENIED] != 2 || self.refused[REASON_NO_ROOM] != DOORS)
        die("%u frames too many, %u refused as malformed, %u denied, %u as if there were no room", self.strange,
            self.refused[REASON_MALFORMED], self.refused[REASON_DENIED], self.refused[REASON_NO_ROOM]);
    atomic_store(&leak->done, true);
    return 0;
}

/* ---- */

static pid_t start(const char *user, int (*act)(void))
{
    const struct passwd *pw = getpwnam(user);
    if (!pw)
        die("no user %s", user);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
        die("cannot become %s: %s", user, strerror(errno));
    raw_find(&relay, INSTANCE_DEFAULT);
    exit(act());
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: strangers VICTIM ATTACKER\n");
        return 2;
    }
    leak = children_board(sizeof *leak);
    pid_t pid[] = {start(argv[1], victim), start(argv[2], attacker)};
    int bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
        int status = -1;
        waitpid(pid[i], &status, 0);
        bad |= status;
    }
    return bad ? 1 : 0;
}
