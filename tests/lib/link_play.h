/* link_play.h -- the link protocol on a stage: two cores against each other in memory, A and B,
 * who know each other.
 *
 * What is said and ordered is noted in a transcript, which the test compares: `A GREETING AB`
 * is what A says, `A: open 1` what A orders of its keeper for feed 1. */
#ifndef LINK_PLAY_H
#define LINK_PLAY_H

#include "link/core.h"

enum { START_MS = 1000000, WALL_MS = 77000000, ROOM = 5 };

struct side {
    char name;
    uint64_t host;
    struct link_core core;
    void *memory;
    unsigned peer;
};

extern struct side *a, *b;
extern struct link_update up; /* of the last step */
extern uint64_t now;
extern char transcript[65536];
extern size_t bytes_said; /* by both */

/* link_play_open, link_play_close -- for cmocka: A of run 10 and B of run 20. */
int link_play_open(void **state);
int link_play_close(void **state);

/* side, leave -- one more. */
struct side *side(char name, uint64_t epoch);
void leave(struct side *s);

/* meet -- a connection is there.  say -- all that `from` has to say now, to `to`; returns how
 * much.  talk -- both, until neither has more to say.  meet_in_silence -- set up, nothing
 * noted. */
void meet(void);
unsigned say(struct side *from, struct side *to);
void talk(void);
void meet_in_silence(void);

/* hear -- one frame.  note_orders -- what the last step wants of the keeper, and how it ends.
 */
void hear(struct side *s, const uint8_t *f);
void note_orders(char who);

/* assert_noted -- exactly this, then forget it. */
void assert_noted(const char *all);

/* segment -- entries first..last of a stream of ROOM, with hash `hash` behind a segment with
 * hash `prev`; good until the next call.  judge -- what a side thinks of it. */
const uint8_t *segment(uint64_t origin, uint64_t epoch, uint64_t first, uint64_t last,
                       uint8_t prev, uint8_t hash);
enum link_verdict judge(struct side *s, const uint8_t *f);

#endif
