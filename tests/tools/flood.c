/* flood.c -- clients that fill the queues and never read, one that has something to say beside
 * them, and one that tries to read it all.
 *
 * usage: flood INSTANCE FLOODERS MESSAGES say|join
 *
 * Each flooder is a session of its own that keeps its queue full and ignores window,
 * acknowledgements and its FIFO.  The victim says MESSAGES messages, one after the other: each
 * must be acknowledged before a deadline.  The reader is in the flooders' room: it must get
 * what every one of them said without gap and in order, up to the last line.  join: they say
 * nothing, but come and go, of which nothing need wait for the disk; the reader must then have
 * kept up all the time. */
#include "base/sys.h"
#include "children.h"
#include "guest.h"
#include "raw.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLOODERS_MAX = 256, END_MS = 180 * 1000 };
#define ROOM "flood"
#define LAST "the last line"

struct board {
    _Atomic bool stop, reading;
    _Atomic uint64_t put; /* queue messages of the flooders */
};
static struct board *board;
static const char *instance;
static bool says;

/* ---- flooders ---- */

/* send -- one way or the other to keep a queue full: waiting for room, or trying again and
 * again. */
static void send(struct raw *a, const uint8_t *frames, size_t len, bool spin)
{
    uint8_t m[QUEUE_MESSAGE_MAX];
    size_t n = raw_envelope(m, a->session, a->secret, frames, len);
    int r = -EAGAIN;
    if (!spin)
        raw_put(a->relay, a->queue, m, n);
    while (spin && r == -EAGAIN && !atomic_load(&board->stop))
        r = mq_put(&a->relay->queue[a->queue], m, n, 0);
}

static int flood(unsigned self)
{
    static struct raw_relay relay;
    static struct raw a;
    uint8_t m[QUEUE_MESSAGE_MAX], f[FRAME_MAX];
    char text[400];
    raw_find(&relay, instance);
    unsigned queue = self % relay.gen.n_queues;
    int r = raw_hello(&a, &relay, queue, raw_client(&relay, queue), RAW_MS);
    if (r < 0)
        die("a flooder got no session: %d", r);
    raw_send(&a, f, raw_room(&a, f, FRAME_JOIN, ROOM));
    for (uint32_t n = 1; !atomic_load(&board->stop); atomic_fetch_add(&board->put, 1)) {
        size_t len = 0;
        while (!says && len < raw_max(&relay, queue) - ENVELOPE_LEN - 256) {
            len += raw_room(&a, m + len, FRAME_JOIN, ROOM "/join");
            len += raw_room(&a, m + len, FRAME_LEAVE, ROOM "/join");
        }
        while (says && len < raw_max(&relay, queue) - ENVELOPE_LEN - sizeof text - FRAME_HEAD -
                                 USER_NAME_MAX) {
            snprintf(text, sizeof text, "%u %u %0300u", self, n, 0u);
            n++;
            len += raw_say(&a, m + len, ROOM, text);
        }
        send(&a, m, len, self % 4 == 3);
    }
    return 0;
}

/* ---- the reader ---- */

/* follow -- the next of its flooder; returns true with the last line. */
static bool follow(const uint8_t *f, uint32_t *last)
{
    struct say s;
    char text[400];
    unsigned who, n;
    if (frame_type(f) != FRAME_SAY || read_say(f, &s) < 0)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)s.text.len, s.text.p);
    if (strcmp(text, LAST) == 0)
        return true;
    if (sscanf(text, "%u %u", &who, &n) != 2 || who >= FLOODERS_MAX)
        die("the reader got a strange message: %.40s", text);
    if (last[who] + 1 != n)
        die("the reader got message %u of flooder %u behind %u", n, who, last[who]);
    last[who] = n;
    return false;
}

static int reader(unsigned self)
{
    static uint32_t last[FLOODERS_MAX];
    struct port *p = guest_open(instance, END_MS);
    const uint8_t *f;
    uint64_t deadline = 0, total = 0;
    (void)self;
    if (port_join(p, ROOM, 0, 0) < 0)
        die("the reader cannot join");
    for (;;) {
        int r = port_next(p, &f);
        if (r == 1 && follow(f, last))
            break;
        total += r == 1;
        if (r < 0)
            die("the reader lost the relay");
        if (port_acked(p) > 0)
            atomic_store(&board->reading, true);
        if (!deadline && atomic_load(&board->stop))
            deadline = now_ms() + END_MS;
        if (deadline && now_ms() > deadline)
            die("the reader never got to the end");
        if (r == 0)
            guest_rest(p);
    }
    if (!says && port_acked(p) != 1)
        die("the reader was overtaken, though it had nothing to read");
    printf("read without a gap: %llu messages\n", (unsigned long long)total);
    port_close(p);
    return 0;
}

/* ---- the victim ---- */

static void await_acks(struct port *p)
{
    const uint8_t *f;
    for (uint64_t deadline = now_ms() + RAW_MS; port_unacked(p) > 0;) {
        int r;
        while ((r = port_next(p, &f)) == 1)
            ;
        if (r < 0)
            die("the victim lost the relay");
        if (now_ms() > deadline)
            die("the victim's message was not acknowledged in time");
        if (port_unacked(p) > 0)
            guest_rest(p);
    }
}

static void speak(struct port *p, const char *room, const char *text)
{
    if (port_say(p, room, text_of(text), false) < 0 || port_flush(p) < 0)
        die("the victim cannot send");
    await_acks(p);
}

static int victim(unsigned messages)
{
    struct port *p = guest_open(instance, END_MS);
    char text[32];
    uint64_t longest = 0, start_ms = now_ms();
    for (unsigned n = 1; n <= messages; n++) {
        uint64_t then = now_ms();
        snprintf(text, sizeof text, "message %u", n);
        speak(p, "victim", text);
        longest = max_u64(longest, now_ms() - then);
    }
    printf("%u messages acknowledged in %llu ms, the slowest after %llu ms, beside %llu queue "
           "messages\n",
           messages, (unsigned long long)(now_ms() - start_ms), (unsigned long long)longest,
           (unsigned long long)atomic_load(&board->put));
    port_close(p);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned n = argc == 5 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    pid_t flooder[FLOODERS_MAX];
    if (n < 1 || n > FLOODERS_MAX) {
        fprintf(stderr, "usage: flood INSTANCE FLOODERS MESSAGES say|join\n");
        return 2;
    }
    instance = argv[1];
    says = strcmp(argv[4], "say") == 0;
    board = children_board(sizeof *board);
    pid_t reading = children_start(reader, 0);
    while (!atomic_load(&board->reading))
        poll(NULL, 0, 1);
    for (unsigned i = 0; i < n; i++)
        flooder[i] = children_start(flood, i);
    while (atomic_load(&board->put) < n) /* all queues are full by now, or will be at once */
        poll(NULL, 0, 1);
    int bad = children_end(children_start(victim, (unsigned)strtoul(argv[3], NULL, 10)));
    atomic_store(&board->stop, true);
    for (unsigned i = 0; i < n; i++)
        bad |= children_end(flooder[i]);
    struct port *p = guest_open(instance, END_MS);
    speak(p, ROOM, LAST);
    bad |= children_end(reading);
    port_close(p);
    return bad ? 1 : 0;
}
