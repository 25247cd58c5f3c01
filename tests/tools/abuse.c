/* abuse.c -- a client that does what none may, against a running relay, and a well-behaved one
 * beside it.
 *
 * usage: abuse INSTANCE            every attack of the table below, through every queue
 *
 * After each attack the attacker's own session must still work, nothing may have reached it but
 * what the attack is answered with, the bystander must have been served meanwhile, and at the
 * end the bystander must have heard nothing in the attacker's room but the one line that
 * follows each attack. */
#include "base/hash.h"
#include "base/prng.h"
#include "base/sys.h"
#include "children.h"
#include "guest.h"
#include "ipc/fifo.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM   "abuse"
#define OTHERS "bystander"

/* Shared with the bystander. */
struct board {
    _Atomic uint32_t acked; /* how many of its messages */
    _Atomic uint32_t lines; /* that the attacker said by the rules */
    _Atomic uint64_t client;
    _Atomic bool stop;
};
static struct board *board;
static const char *instance;

/* ---- the bystander ---- */

/* hear -- what comes is the next of its own messages, or the next line of the attacker's. */
static void hear(struct port *p, const uint8_t *f, uint32_t *own, uint32_t *line)
{
    struct say s;
    char want[32];
    if (frame_type(f) == FRAME_CREATE)
        return;
    if (frame_type(f) != FRAME_SAY || read_say(f, &s) < 0)
        die("the bystander got a %s frame", frame_row(frame_type(f))->name);
    bool mine = frame_client(f) == port_client(p);
    uint32_t n = mine ? ++*own : ++*line;
    int len = snprintf(want, sizeof want, mine ? "message %u" : "line %u", n);
    if (!text_eq(s.text, (struct text){want, (size_t)len}))
        die("the bystander expected \"%s\" and got \"%.*s\"", want, (int)s.text.len, s.text.p);
    if (!text_eq(s.user, port_user(p)) || frame_origin(f) != port_origin(p) ||
        frame_flags(f) != 0 || frame_hlc(f) >> 16 > wall_ms() + 1000 ||
        frame_seq(f) == UINT64_MAX)
        die("a header that the relay did not stamp");
}

static void read_on(struct port *p, uint32_t *own, uint32_t *line)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(p, &f)) == 1)
        hear(p, f, own, line);
    if (r < 0)
        die("the bystander lost the relay");
    guest_rest(p);
}

static void say_one(struct port *p, uint32_t n, uint32_t *own, uint32_t *line)
{
    char text[32];
    int len = snprintf(text, sizeof text, "message %u", n);
    if (port_say(p, OTHERS, (struct text){text, (size_t)len}, false) < 0 || port_flush(p) < 0)
        die("the bystander cannot send");
    for (uint64_t deadline = now_ms() + RAW_MS; port_unacked(p) > 0 || *own < n;) {
        read_on(p, own, line);
        if (now_ms() > deadline)
            die("the bystander was not served in time");
    }
    atomic_fetch_add(&board->acked, 1);
}

static int stand_by(unsigned self)
{
    struct port *p = guest_open(instance, RAW_MS);
    uint32_t n = 0, own = 0, line = 0;
    (void)self;
    if (port_join(p, ROOM, 0, 0) < 0 || port_join(p, OTHERS, 0, 0) < 0)
        die("the bystander cannot join");
    while (!atomic_load(&board->stop)) {
        say_one(p, ++n, &own, &line);
        atomic_store(&board->client, port_client(p));
    }
    for (uint64_t deadline = now_ms() + RAW_MS; line < atomic_load(&board->lines);) {
        read_on(p, &own, &line);
        if (now_ms() > deadline)
            die("the bystander heard %u of the attacker's %u lines", line,
                atomic_load(&board->lines));
    }
    port_close(p);
    return 0;
}

/* await_service -- the bystander is served again from start to end. */
static void await_service(const char *after)
{
    uint32_t before = atomic_load(&board->acked);
    for (uint64_t deadline = now_ms() + RAW_MS; atomic_load(&board->acked) < before + 2;
         poll(NULL, 0, 1))
        if (now_ms() > deadline || waitpid(-1, NULL, WNOHANG) > 0)
            die("after \"%s\" the bystander is not served any more", after);
}

/* ---- the attacks: each returns how many REFUSED frames answer it; ANY: who knows ---- */

enum { ANY = -1 };

static struct prng chance = {1};

static void fill_random(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)prng_next(&chance);
}

/* seem -- a frame that is well-formed outside, with anything inside. */
static size_t seem(struct raw *a, uint8_t *f)
{
    const struct frame_row *row = NULL;
    uint8_t type = 0;
    while (!row || type == FRAME_BYE)
        row = frame_row(type = (uint8_t)prng_below(&chance, 64));
    size_t body = row->body_min + prng_below(&chance, row->body_max - row->body_min + 1u);
    fill_random(f, FRAME_HEAD + body);
    put_u16(f, (uint16_t)(FRAME_HEAD + body));
    f[2] = type;
    memset(f + FRAME_HEAD + body, 0, frame_stride(f) - FRAME_HEAD - body);
    frame_set_client(f, a->client);
    frame_set_client_seq(f, ++a->seq);
    return frame_stride(f);
}

static int garbage(struct raw *a)
{
    uint8_t m[QUEUE_MESSAGE_MAX], f[2 * FRAME_MAX];
    for (unsigned i = 0; i < 4000; i++) {
        size_t len =
            prng_below(&chance, i % 8 ? 300 : raw_max(a->relay, a->queue) - ENVELOPE_LEN);
        fill_random(f, len);
        if (i % 4 == 0)
            raw_put(a->relay, a->queue, f, len);
        else if (i % 4 == 1)
            raw_put(a->relay, a->queue, m,
                    raw_envelope(m, (uint32_t)prng_below(&chance, 20), f, f, len));
        else if (i % 4 == 2)
            raw_send(a, f, len);
        else if ((len = seem(a, f)) <= raw_max(a->relay, a->queue) - ENVELOPE_LEN)
            raw_send(a, f, len);
    }
    return ANY;
}

/* cut_message -- a good message, ending too early. */
static int cut_message(struct raw *a)
{
    uint8_t m[QUEUE_MESSAGE_MAX], f[FRAME_MAX];
    size_t len = raw_envelope(m, a->session, a->secret, f, raw_say(a, f, ROOM, "cut off"));
    for (size_t n = 0; n < len; n++)
        raw_put(a->relay, a->queue, m, n);
    for (size_t n = FRAME_HEAD; n < frame_len(f);
         n++) { /* and a length that says more than there is */
        put_u16(m + ENVELOPE_LEN, (uint16_t)(frame_len(f) + n));
        raw_put(a->relay, a->queue, m, len);
    }
    return 0;
}

/* cut_body -- a frame whose length agrees with what there is, but whose body ends too early. */
static int cut_body(struct raw *a)
{
    uint8_t whole[FRAME_MAX], f[FRAME_MAX];
    static const uint8_t types[] = {FRAME_OPEN, FRAME_JOIN, FRAME_LEAVE, FRAME_SAY};
    int refused = 0;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        size_t max = raw_room(a, whole, FRAME_JOIN, ROOM "/cut");
        const struct frame_row *row = frame_row(types[t]);
        for (size_t len = 0; len < frame_body_len(whole); len++) {
            memcpy(f, whole, max);
            put_u16(f, (uint16_t)(FRAME_HEAD + len));
            f[2] = types[t];
            memset(f + FRAME_HEAD + len, 0, FRAME_ALIGN);
            if (types[t] ==
                FRAME_SAY) /* the length of a user name that is longer than the body */
                f[FRAME_HEAD] = (uint8_t)(len + 1);
            frame_set_client_seq(f, ++a->seq);
            refused += len >= row->body_min;
            raw_send(a, f, frame_stride(f));
        }
    }
    return refused;
}

static int cut_hello(struct raw *a)
{
    uint8_t m[QUEUE_MESSAGE_MAX], f[FRAME_MAX], zero[SECRET_LEN] = {0};
    struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
    int fd = fifo_make(a->relay->rendezvous, h.fifo);
    int n = write_hello(f, &h, raw_client(a->relay, a->queue));
    if (fd < 0 || n < 0)
        die("cannot make a FIFO");
    size_t len = raw_envelope(m, 0, zero, f, (size_t)n);
    for (size_t cut = 0; cut < len; cut++)
        raw_put(a->relay, a->queue, m, cut);
    raw_settle(a, ROOM "/quiet", "the hellos were looked at");
    if (faccessat(a->relay->rendezvous, h.fifo, F_OK, 0) < 0)
        die("half a hello was answered");
    fifo_abandon(a->relay->rendezvous, h.fifo);
    close(fd);
    return 0;
}

/* false_session -- somebody else's number, or nobody's, or ours with a secret that is nearly
 * right. */
static int false_session(struct raw *a)
{
    uint8_t m[QUEUE_MESSAGE_MAX], f[FRAME_MAX], secret[SECRET_LEN];
    size_t n = raw_say(a, f, ROOM, "from a false session");
    for (uint32_t s = 0; s < 40; s++)
        if (s != a->session)
            raw_put(a->relay, a->queue, m, raw_envelope(m, s, a->secret, f, n));
    for (unsigned bit = 0; bit < 32; bit++)
        raw_put(a->relay, a->queue, m,
                raw_envelope(m, a->session ^ 1u << bit, a->secret, f, n));
    for (unsigned bit = 0; bit < 8 * SECRET_LEN; bit++) {
        memcpy(secret, a->secret, SECRET_LEN);
        secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
        raw_put(a->relay, a->queue, m, raw_envelope(m, a->session, secret, f, n));
    }
    memset(secret, 0, SECRET_LEN);
    raw_put(a->relay, a->queue, m, raw_envelope(m, a->session, secret, f, n));
    return 0;
}

/* not_for_clients -- every type that only relays send, and numbers that are no type. */
static int not_for_clients(struct raw *a)
{
    uint8_t f[2 * FRAME_MAX];
    int refused = 0;
    for (unsigned type = 0; type < 256; type++) {
        const struct frame_row *row = frame_row((uint8_t)type);
        size_t body = row ? row->body_min : 0;
        if (row && row->who == FRAME_BY_SESSION)
            continue;
        memset(f, 0, FRAME_HEAD + body + FRAME_ALIGN);
        put_u16(f, (uint16_t)(FRAME_HEAD + body));
        f[2] = (uint8_t)type;
        frame_set_room(f, room_id(text_of(ROOM)));
        frame_set_client(f, a->client);
        frame_set_client_seq(f, ++a->seq);
        size_t n = frame_stride(f);
        if (!row) /* what follows what cannot be understood is not looked at */
            n += raw_say(a, f + n, ROOM, "behind an unknown frame");
        refused += row != NULL;
        raw_send(a, f, n);
    }
    return refused;
}

static int false_user(struct raw *a)
{
    uint8_t f[FRAME_MAX];
    char user[sizeof a->user];
    memcpy(user, a->user, sizeof user);
    snprintf(a->user, sizeof a->user, "%s", strcmp(user, "root") == 0 ? "daemon" : "root");
    raw_send(a, f, raw_say(a, f, ROOM, "under a false name"));
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++)
        raw_send(a, f, raw_room(a, f, t, ROOM "/false"));
    memcpy(a->user, user, sizeof user);
    return 4;
}

/* false_client -- the bystander's number, which everybody in its rooms knows. */
static int false_client(struct raw *a)
{
    uint8_t f[FRAME_MAX];
    uint64_t own = a->client;
    a->client = atomic_load(&board->client);
    raw_send(a, f, raw_say(a, f, OTHERS, "under a false number"));
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++)
        raw_send(a, f, raw_room(a, f, t, OTHERS));
    struct wr w = frame_begin(f, FRAME_BYE);
    int n = frame_end(f, &w);
    frame_set_client(f, a->client);
    raw_send(a, f, (size_t)n);
    a->client = own;
    return 5;
}

/* false_room -- a number that is not that of the name, and a room that nobody opened. */
static int false_room(struct raw *a)
{
    uint8_t f[FRAME_MAX];
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        size_t n = raw_room(a, f, t, ROOM "/name");
        frame_set_room(f, room_id(text_of(OTHERS)));
        raw_send(a, f, n);
    }
    raw_send(a, f, raw_say(a, f, "never-opened", "to nobody"));
    return 4;
}

/* again -- the same frames twice in one message, and all of it twice. */
static int again(struct raw *a)
{
    uint8_t f[QUEUE_MESSAGE_MAX];
    size_t n = raw_say(a, f, ROOM "/quiet", "once");
    for (unsigned i = 0; i < 20; i++)
        raw_send(a, f, n);
    memcpy(f + n, f, n);
    raw_send(a, f, 2 * n);
    raw_settle(a, ROOM "/quiet", "twice");
    if (a->strange != 1 || a->refused_all != 0)
        die("said once, sent again, heard %u times", a->strange);
    return 0;
}

/* two_workers -- its own number once more, with another worker: who has a session in two places
 * keeps one of them when the other ends and the number of the session goes to somebody else. */
static int two_workers(struct raw *a)
{
    static struct raw b;
    unsigned other = (a->queue + 1) % a->relay->gen.n_queues;
    if (other == a->queue)
        return 0;
    if (raw_hello(&b, a->relay, other, a->client, RAW_MS) != -REASON_DENIED)
        die("a second session of one client");
    raw_close(&b);
    return 0;
}

/* come_and_go -- as many JOINs and LEAVEs as a queue message takes, the last one a JOIN. */
static size_t come_and_go(struct raw *c, uint8_t *f, size_t len)
{
    enum { LONGEST = 104 };
    len += raw_room(c, f + len, FRAME_JOIN, ROOM "/gone");
    while (len < raw_max(c->relay, c->queue) - ENVELOPE_LEN - 2 * LONGEST) {
        len += raw_room(c, f + len, FRAME_LEAVE, ROOM "/gone");
        len += raw_room(c, f + len, FRAME_JOIN, ROOM "/gone");
    }
    return len;
}

static void leave_late(struct raw *a, unsigned before)
{
    enum { AFTER = 14 };
    static struct raw b;
    uint8_t f[AFTER][QUEUE_MESSAGE_MAX], busy[QUEUE_MESSAGE_MAX];
    size_t len[AFTER];
    int r = raw_hello(&b, a->relay, a->queue, raw_client(a->relay, a->queue), RAW_MS);
    if (r < 0)
        die("no session: %d", r);
    struct wr w = frame_begin(f[0], FRAME_BYE);
    int bye = frame_end(f[0], &w);
    frame_set_client(f[0], b.client);
    for (unsigned i = 0; i < AFTER; i++)
        len[i] = come_and_go(&b, f[i], i == 0 ? (size_t)bye : 0);
    for (unsigned i = 0; i < before; i++)
        raw_send(a, busy, come_and_go(a, busy, 0));
    for (unsigned i = 0; i < AFTER; i++)
        raw_send(&b, f[i], len[i]);
    raw_send(a, busy, raw_say(a, busy, ROOM "/gone", "who hears this?"));
    raw_close(&b);
}

/* after_goodbye -- so much behind a BYE that the relay takes it in several sections, and finds
 * the sender of the later ones gone.  How it falls into batches is chance, so it is tried
 * several times. */
static int after_goodbye(struct raw *a)
{
    uint8_t f[FRAME_MAX];
    for (unsigned before = 0; before < 30; before++)
        leave_late(a, before);
    raw_send(a, f, raw_room(a, f, FRAME_LEAVE, ROOM "/gone"));
    raw_settle(a, ROOM "/quiet",
               "was that all?"); /* it heard itself and its own coming and going */
    return 0;
}

/* ---- what is no FIFO of ours ---- */

struct trap {
    char name[FIFO_NAME_LEN + 1];
    int fd; /* to see what was written there; -1: nothing to read */
};
enum { TRAPS = 8 };

static void random_name(char to[FIFO_NAME_LEN + 1])
{
    uint8_t id[FIFO_NAME_LEN / 2];
    os_random(id, sizeof id);
    text_hex(id, sizeof id, to);
}

/* lay -- nothing; a file; links to a file and to a FIFO; a FIFO of two names, one that all may
 * write, one that nobody reads; a directory. */
static void lay(int dir, struct trap t[TRAPS], char second[FIFO_NAME_LEN + 1])
{
    int bad = 0;
    for (unsigned i = 0; i < TRAPS; i++) {
        random_name(t[i].name);
        t[i].fd = -1;
    }
    t[1].fd = openat(dir, t[1].name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bad |= symlinkat(t[1].name, dir, t[2].name);
    t[4].fd = fifo_make(dir, t[4].name);
    bad |= symlinkat(t[4].name, dir, t[3].name);
    random_name(second);
    bad |= linkat(dir, t[4].name, dir, second, 0);
    t[5].fd = fifo_make(dir, t[5].name);
    bad |= t[5].fd < 0 || fchmod(t[5].fd, 0622) < 0;
    bad |= mkfifoat(dir, t[6].name, 0600);
    bad |= mkdirat(dir, t[7].name, 0700);
    if (bad != 0 || t[1].fd < 0 || t[4].fd < 0)
        die("cannot lay the traps: %s", strerror(errno));
}

static void look(int dir, struct trap t[TRAPS], const char *second)
{
    char byte;
    for (unsigned i = 0; i < TRAPS; i++) {
        if (t[i].fd >= 0 && read(t[i].fd, &byte, 1) > 0)
            die("trap %u was written into", i);
        if (i > 0 && unlinkat(dir, t[i].name, i == 7 ? AT_REMOVEDIR : 0) < 0)
            die("trap %u was removed", i);
        close_fd(&t[i].fd);
    }
    unlinkat(dir, second, 0);
}

static void ask(struct raw *a, const char *fifo)
{
    uint8_t f[FRAME_MAX];
    struct query q = {.kind = QUERY_ROOMS};
    snprintf(q.fifo, sizeof q.fifo, "%s", fifo);
    int n = write_query(f, &q, 0, a->client, ++a->seq);
    if (n < 0)
        die("cannot write a query");
    raw_send(a, f, (size_t)n);
}

/* answered -- the keeper takes queries in turn: with this one it has seen all before. */
static void answered(struct raw *a)
{
    char name[FIFO_NAME_LEN + 1];
    int fd = fifo_make(a->relay->rendezvous, name);
    ask(a, name);
    struct pollfd p = {fd, POLLIN, 0};
    if (fd < 0 || poll(&p, 1, RAW_MS) != 1)
        die("a good query was not answered");
    close(fd);
}

static int false_fifo(struct raw *a)
{
    uint8_t f[FRAME_MAX], m[QUEUE_MESSAGE_MAX], zero[SECRET_LEN] = {0};
    struct trap trap[TRAPS];
    char second[FIFO_NAME_LEN + 1];
    int dir = a->relay->rendezvous;
    lay(dir, trap, second);
    for (unsigned i = 0; i < TRAPS; i++) {
        struct hello h = {.version_min = PROTOCOL_VERSION, .version_max = PROTOCOL_VERSION};
        ask(a, trap[i].name);
        memcpy(h.fifo, trap[i].name, sizeof h.fifo);
        int n = write_hello(f, &h, raw_client(a->relay, a->queue));
        raw_put(a->relay, a->queue, m, raw_envelope(m, 0, zero, f, (size_t)n));
    }
    static const char *const paths[] = {"../generation", "/proc/self/fd/1", "..", ""};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        ask(a, paths[i]);
    answered(a);
    raw_settle(a, ROOM "/quiet", "the queries were looked at");
    look(dir, trap, second);
    if (a->refused[REASON_MALFORMED] != ARRAY_LEN(paths))
        die("a path was taken for a name");
    return 0;
}

/* ---- */

static const struct attack {
    const char *name;
    int (*run)(struct raw *a);
} attacks[] = {
    {"garbage", garbage},
    {"messages cut off", cut_message},
    {"bodies cut off", cut_body},
    {"hellos cut off", cut_hello},
    {"false session or secret", false_session},
    {"types not for clients", not_for_clients},
    {"another user's name", false_user},
    {"another client's number", false_client},
    {"false room", false_room},
    {"frames again", again},
    {"one client, two workers", two_workers},
    {"frames after goodbye", after_goodbye},
    {"no FIFO of ours", false_fifo},
};

/* say_line -- the line that follows an attack, with everything in its header that it must not
 * have. */
static void say_line(struct raw *a)
{
    char text[32];
    snprintf(text, sizeof text, "line %u", atomic_load(&board->lines) + 1);
    raw_settle(a, ROOM, text);
    atomic_fetch_add(&board->lines, 1);
}

static void attack(struct raw *a, const struct attack *t)
{
    uint32_t session = a->session;
    int refused = t->run(a);
    say_line(a);
    if (a->strange > 0)
        die("\"%s\": got %u frames too many, a %s", t->name, a->strange,
            frame_row(a->strangest)->name);
    if (refused != ANY && a->refused_all != (unsigned)refused)
        die("\"%s\": %u refused instead of %d", t->name, a->refused_all, refused);
    if (a->session != session)
        die("\"%s\": another session", t->name);
    await_service(t->name);
    printf("%s: ok\n", t->name);
}

static void abuse(struct raw_relay *relay, unsigned queue)
{
    static struct raw a;
    uint8_t f[FRAME_MAX];
    int r = raw_hello(&a, relay, queue, raw_client(relay, queue), RAW_MS);
    if (r < 0)
        die("no session: %d", r);
    raw_send(&a, f, raw_room(&a, f, FRAME_JOIN, ROOM));
    raw_send(&a, f, raw_room(&a, f, FRAME_JOIN, ROOM "/quiet"));
    say_line(&a);
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++)
        attack(&a, &attacks[i]);
    raw_close(&a);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: abuse INSTANCE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    static struct raw_relay relay;
    instance = argv[1];
    raw_find(&relay, instance);
    board = children_board(sizeof *board);
    pid_t bystander = children_start(stand_by, 0);
    await_service("nothing");
    for (unsigned q = 0; q < relay.gen.n_queues; q++)
        abuse(&relay, q);
    atomic_store(&board->stop, true);
    if (children_end(bystander) != 0)
        return 1;
    printf("%u lines, %u messages beside them\n", atomic_load(&board->lines), atomic_load(&board->acked));
    return 0;
}
