/* people_play.h -- three hosts that tell each other who is where: tables alone, without links. */
#ifndef PEOPLE_PLAY_H
#define PEOPLE_PLAY_H

#include "link/presence.h"

enum { ALPHA = 1, BETA, GAMMA, LOBBY = 77 };

extern struct presence *host[4];
extern struct presence_cursor told[4][4]; /* [x][y]: what x told y */
extern int changed, news;                 /* entries that changed in the last tell(); of them, told as news */
extern unsigned beats, beat_frames;       /* in the last tell() */
extern unsigned looked;                   /* at signatures */

/* people_play_open, people_play_close -- for cmocka: everybody has heard everybody's beat. */
int people_play_open(void **state);
int people_play_close(void **state);

/* start -- another run of a host. */
void start(int at, uint64_t epoch);

/* put_signature -- the number of the host whose it is, as often as it fits. */
void put_signature(uint8_t *to, uint64_t by);

/* sign -- all that a host wants signed.  Returns how many frames that were. */
unsigned sign(int at);

/* tell -- everything `from` has to say to `to`, signed.  Returns the number of rows. */
unsigned tell(int from, int to, uint64_t now);

/* see -- a user in the lobby; before presence_settle().  sessions -- of that user there, as `at` knows it. */
void see(int at, const char *user);
unsigned sessions(int at, int of, const char *user);

#endif
