/* floor.c -- write, read, nothing else. */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/sys.h"
#include "bench.h"
#include "drain.h"
#include "frame/body.h"
#include "ipc/fifo.h"
#include "message.h"

enum {
    ORDER_S = 60,
    /* What a FIFO of 16 pages holds of such writes, so that no write ever waits for its FIFO
     * while others have room: sleeping and waking for each write would cost several times what
     * is to be measured. */
    AHEAD = 10 * FLOOR_FRAMES,
    FIFO_BYTES = 64 * 1024,
    BURST = AHEAD / 2, /* one is written while the one before is read */
};

/* make_fifos -- as the relay and its clients do it, but blocking for the writer, who has
 * nothing else to do. */
static void make_fifos(struct floor *f, const char *dir)
{
    char path[BENCH_PATH_MAX + 16], name[33];
    uid_t owner;
    snprintf(path, sizeof path, "%s/floor", dir);
    int rendezvous = fifo_rendezvous(path, false);
    f->from = calloc(f->readers, sizeof *f->from);
    f->to = calloc(f->readers, sizeof *f->to);
    if (rendezvous < 0 || !f->from || !f->to)
        bench_fail("cannot make FIFOs in %s", path);
    for (unsigned i = 0; i < f->readers; i++) {
        f->from[i] = fifo_make(rendezvous, name);
        f->to[i] = f->from[i] < 0 ? -1 : fifo_open(rendezvous, name, &owner);
        if (f->to[i] < 0 || fcntl(f->to[i], F_SETFL, O_WRONLY) < 0)
            bench_fail("cannot make FIFO %u of %u", i + 1, f->readers);
        if (fcntl(f->to[i], F_GETPIPE_SZ) < FIFO_BYTES)
            bench_fail("FIFO %u is small: this user has more pipes than fs.pipe-user-pages-soft allows; run this as root", i + 1);
    }
    close(rendezvous);
}

static void close_all(int *fd, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close_fd(&fd[i]);
}

static void reader(struct hand *self, void *arg)
{
    const struct floor *f = arg;
    close_all(f->to, f->readers);
    drain(self, f->board, f->from, WIRE_FRAMES);
}

/* Frames like those a relay delivers: the text lies at the end. */
static size_t prepare(uint8_t *buf, char *text[FLOOR_FRAMES_EACH], unsigned frames)
{
    const struct passwd *pw = getpwuid(geteuid());
    char filling[MESSAGE_LEN];
    struct say s = {text_of(pw ? pw->pw_name : "user"), {filling, MESSAGE_LEN}};
    size_t len = 0;
    message_init(filling);
    for (unsigned i = 0; i < frames; i++) {
        uint8_t *frame = buf + len;
        int n = write_say(frame, &s, 1, 1, 1, 0);
        if (n < 0)
            bench_fail("cannot make a frame");
        text[i] = (char *)frame + frame_len(frame) - MESSAGE_LEN;
        len += (size_t)n;
    }
    return len;
}

static void wait_for_readers(struct board *b, uint32_t sent)
{
    struct pollfd p = {b->progress, POLLIN, 0};
    while (board_is_ahead(b, sent, AHEAD)) {
        if (board_sleep(b, sent - AHEAD + BURST))
            poll(&p, 1, 1000);
        board_woken(b);
    }
}

static void writer(struct hand *self, void *arg)
{
    const struct floor *f = arg;
    static uint8_t buf[FLOOR_FRAMES_EACH * FRAME_MAX];
    char *text[FLOOR_FRAMES_EACH];
    uint32_t sent = 0;
    size_t len = prepare(buf, text, f->frames);
    close_all(f->from, f->readers);
    for (;;) {
        hand_done(self);
        for (uint32_t end = sent + hand_next(self).count; sent < end;) {
            wait_for_readers(f->board, sent);
            for (unsigned i = 0; i < f->frames; i++)
                message_stamp(text[i], ++sent, 0);
            for (unsigned i = 0; i < f->readers; i++)
                if (write_all(f->to[i], buf, len) < 0)
                    bench_fail("cannot write a FIFO: %s", strerror(errno));
            if (f->board->turn >= 0 && (sent % BURST == 0 || sent == end))
                (void)eventfd_write(f->board->turn, 1);
        }
    }
}

void floor_start(struct floor *f, const char *dir, unsigned readers, bool each)
{
    *f = (struct floor){.readers = readers, .board = board_open(readers, each)};
    f->frames = each ? FLOOR_FRAMES_EACH : FLOOR_FRAMES;
    if (!each && (f->board->turn = eventfd(0, EFD_CLOEXEC)) < 0)
        bench_fail("no eventfd: %s", strerror(errno));
    make_fifos(f, dir);
    hand_start(&f->reading, "floor's reader", reader, f);
    hand_start(&f->writing, "floor's writer", writer, f);
    close_all(f->from, readers);
    close_all(f->to, readers);
}

void floor_end(struct floor *f)
{
    hand_end(&f->reading); /* first: it takes the end of a FIFO for a failure */
    hand_end(&f->writing);
    close_fd(&f->board->turn);
    board_close(f->board);
    free(f->from);
    free(f->to);
}

struct result floor_run(struct floor *f, uint32_t count)
{
    struct board *b = f->board;
    struct tally before = board_tally(b);
    board_aim(b, f->sent + 1, f->sent + count);
    f->sent += count;
    uint64_t cpu = cpu_ns(f->writing.pid), start = bench_ns();
    hand_order(&f->writing, (struct order){.how = ORDER_BURST, .count = count});
    hand_await(&f->writing, ORDER_S);
    hand_await(&f->reading, ORDER_S);
    struct tally t = board_tally(b);
    if (t.seen != (uint64_t)f->sent * f->readers || t.doubled != 0)
        bench_fail("the floor lost or doubled something: the benchmark is broken");
    return (struct result){.seconds = (double)(atomic_load(&b->shown_ns) - start) / 1e9,
                           .server_ns = (double)(cpu_ns(f->writing.pid) - cpu),
                           .load_ns = (double)(t.cpu_ns - before.cpu_ns),
                           .count = count};
}
