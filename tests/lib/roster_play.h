/* roster_play.h -- sessions, rooms and who is in them, for tests of the tables. */
#ifndef ROSTER_PLAY_H
#define ROSTER_PLAY_H

#include "small.h"

enum { ALICE = 1000, BOB = 1001 };

/* edit -- what every change needs.  attach, open_room -- in a section; their slots. */
const struct roster_edit *edit(void);
uint32_t attach(uint64_t client, uint32_t uid);
uint32_t open_room(uint64_t id);

/* sit -- into the first `n` rooms; how many of them it got into.  stand_up -- out of all of them. */
uint32_t sit(uint32_t session, uint32_t n);
void stand_up(uint32_t session);

/* people -- some of everything: sessions 1 to 4, of which 3 and 4 are gone, in rooms 1 and 2. */
void people(void);

#endif
