/* unread.c -- somebody who asks and does not read the answers.
 *
 * usage: unread INSTANCE ROOM N      asks for the history of ROOM N times over, each answer
 * into a FIFO of its own; says "asked" and holds them until it is killed
 */
#include "base/hash.h"
#include "ipc/fifo.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct raw_relay relay;
static struct raw self;

static void ask(const char *room)
{
    struct query q = {.kind = QUERY_NEWEST, .limit = 10000};
    uint8_t f[FRAME_MAX];
    if (fifo_make(relay.rendezvous, q.fifo) < 0)
        die("cannot make a FIFO");
    int n = write_query(f, &q, room_id(text_of(room)), self.client, ++self.seq);
    if (n < 0)
        die("cannot ask");
    raw_send(&self, f, (size_t)n);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: unread INSTANCE ROOM N");
    raw_find(&relay, argv[1]);
    int r = raw_hello(&self, &relay, 0, raw_client(&relay, 0), RAW_MS);
    if (r < 0)
        die("no session: %d", r);
    for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
        ask(argv[2]);
    uint8_t f[FRAME_MAX];
    raw_send(&self, f, raw_room(&self, f, FRAME_JOIN, "unread"));
    raw_settle(&self, "unread", "what was asked before is being answered");
    puts("asked");
    fflush(stdout);
    pause();
    return 0;
}
