/* stopped.c -- readers that do not read while a room goes on.
 *
 * usage: stopped INSTANCE KIB lapped|kept
 *
 * One reader keeps up, one is stopped by a signal, one simply does not look.  KIB kibibytes of
 * messages later the first must have them all; then the others go on, and must get every
 * message once, in order and unharmed, and be live again.  lapped: the ring has moved on by
 * then, so they must have come back and fetched from the store; kept: it has not, so their
 * FIFOs must have been kept. */
#include "base/prng.h"
#include "base/sys.h"
#include "children.h"
#include "guest.h"
#include "raw.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { KEEPS_UP, STOPPED, LOOKS_AWAY, READERS };
enum { TEXT_LEN = 1000, IN_FLIGHT = 64, END_MS = 120 * 1000 };
#define ROOM "stopped"

struct board {
    _Atomic uint32_t shown[READERS];    /* messages, from 1 on without a gap */
    _Atomic uint32_t numbered[READERS]; /* frames of its own that were acknowledged */
    _Atomic bool look, stop;
};
static struct board *board;
static const char *instance;

/* compose -- message n: its number and bytes that only it has. */
static struct text compose(uint32_t n, char text[TEXT_LEN])
{
    struct prng r = {n};
    int at = snprintf(text, TEXT_LEN, "%u ", n);
    for (; at < TEXT_LEN; at++)
        text[at] = (char)('a' + prng_below(&r, 26));
    return (struct text){text, TEXT_LEN};
}

/* ---- readers ---- */

static void see(const uint8_t *f, unsigned self)
{
    char text[TEXT_LEN];
    struct say s;
    if (frame_type(f) != FRAME_SAY || read_say(f, &s) < 0)
        return;
    uint32_t n = atomic_load(&board->shown[self]) + 1;
    if (!text_eq(s.text, compose(n, text)))
        die("reader %u expected message %u and got \"%.*s\"", self, n,
            (int)min_size(s.text.len, 20), s.text.p);
    atomic_store(&board->shown[self], n);
}

static int read_on(unsigned self)
{
    struct port *p = guest_open(instance, END_MS);
    const uint8_t *f;
    if (port_join(p, ROOM, 0, 0) < 0)
        die("reader %u cannot join", self);
    while (!atomic_load(&board->stop)) {
        bool away = self == LOOKS_AWAY && port_acked(p) > 0 && !atomic_load(&board->look);
        int r = away ? 0 : port_next(p, &f);
        if (r < 0)
            die("reader %u lost the relay", self);
        if (r == 1)
            see(f, self);
        atomic_store(&board->numbered[self], port_acked(p));
        if (r == 0 && away)
            poll(NULL, 0, 1);
        else if (r == 0)
            guest_rest(p);
    }
    port_close(p);
    return 0;
}

/* ---- the sender ---- */

static void send_up_to(struct port *p, uint32_t *n, uint32_t last)
{
    char text[TEXT_LEN];
    const uint8_t *f;
    uint64_t deadline = now_ms() + END_MS;
    while (*n < last || port_unacked(p) > 0) {
        while (*n < last && port_unacked(p) < IN_FLIGHT)
            if (port_say(p, ROOM, compose(++*n, text), false) < 0)
                die("cannot send message %u", *n);
        if (port_flush(p) < 0)
            die("cannot send");
        while (port_next(p, &f) == 1)
            ;
        if (port_unacked(p) > 0)
            guest_rest(p);
        if (now_ms() > deadline)
            die("%u frames are not acknowledged", port_unacked(p));
    }
}

static void await(const char *what, _Atomic uint32_t *value, uint32_t least)
{
    for (uint64_t deadline = now_ms() + END_MS; atomic_load(value) < least; poll(NULL, 0, 1))
        if (now_ms() > deadline || waitpid(-1, NULL, WNOHANG) > 0)
            die("%s: %u of %u", what, atomic_load(value), least);
}

static void stop_reader(pid_t pid)
{
    int status;
    if (kill(pid, SIGSTOP) < 0 || waitpid(pid, &status, WUNTRACED) != pid ||
        !WIFSTOPPED(status))
        die("cannot stop a reader");
}

static void play(const pid_t *reader, uint32_t messages, bool lapped)
{
    struct port *p = guest_open(instance, END_MS);
    uint32_t n = 0;
    for (unsigned i = 0; i < READERS; i++)
        await("a reader did not join", &board->numbered[i], 1);
    stop_reader(reader[STOPPED]);
    send_up_to(p, &n, messages);
    await("the reader that keeps up did not", &board->shown[KEEPS_UP], messages);
    for (unsigned i = STOPPED; i < READERS; i++)
        if (atomic_load(&board->shown[i]) != 0)
            die("reader %u was to read nothing", i);
    atomic_store(&board->look, true);
    kill(reader[STOPPED], SIGCONT);
    for (unsigned i = STOPPED; i < READERS; i++)
        await("a reader did not get everything later", &board->shown[i], messages);
    send_up_to(p, &n, messages + 100);
    for (unsigned i = 0; i < READERS; i++)
        await("a reader is not live again", &board->shown[i], messages + 100);
    for (unsigned i = STOPPED; i < READERS; i++) {
        if (lapped)
            await("a reader was not overtaken", &board->numbered[i],
                  2); /* joined again, asked */
        else if (atomic_load(&board->numbered[i]) != 1)
            die("reader %u lost its FIFO", i);
    }
    port_close(p);
}

int main(int argc, char **argv)
{
    uint32_t kib = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    if (kib == 0) {
        fprintf(stderr, "usage: stopped INSTANCE KIB lapped|kept\n");
        return 2;
    }
    instance = argv[1];
    board = children_board(sizeof *board);
    pid_t reader[READERS];
    for (unsigned i = 0; i < READERS; i++)
        reader[i] = children_start(read_on, i);
    play(reader, kib * 1024 / TEXT_LEN + 1, strcmp(argv[3], "lapped") == 0);
    atomic_store(&board->stop, true);
    int bad = 0;
    for (unsigned i = 0; i < READERS; i++)
        bad |= children_end(reader[i]);
    return bad ? 1 : 0;
}
