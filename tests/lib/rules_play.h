/* rules_play.h -- sessions of two users, what one of them sends, and what becomes of it. */
#ifndef RULES_PLAY_H
#define RULES_PLAY_H

#include "rules/rules.h"
#include "small.h"

enum { UID = 1000, CLIENT = 77, WALL = 1000000, ALL_ONES = 0xff };

extern struct rules rules;
extern uint32_t alice, alice2, bob; /* sessions, two of them hers */
extern uint8_t sent[FRAME_MAX];     /* the frame in question */

/* rules_play_open, rules_play_close -- for cmocka. */
int rules_play_open(void **state);
int rules_play_close(void **state);
struct session *session(uint32_t s);

/* room_change, says, act, query -- what alice sends.  from -- another session sends it. */
void room_change(enum frame_type type, const char *room, uint32_t seq);
void says(const char *room, const char *text, uint32_t seq);
void act(uint8_t which, const char *room, const char *target, uint32_t seq);
void query(uint32_t seq);
void from(uint32_t s);

/* check -- what rules_check() says of it.  begin -- a section, which small_end() ends.  apply -- in it.  apply_one -- in a section of its
 * own, for alice. */
int check(void);
void begin(void);
int apply(uint32_t s, uint32_t *room);
int apply_one(void);

/* head -- where the journal ends.  put_since -- the only frame in it since then. */
uint64_t head(void);
const uint8_t *put_since(uint64_t pos);
void assert_refused(uint64_t pos, unsigned reason);
void assert_stamped(const uint8_t *put);

/* refused -- it is well-formed, and not taken, for that reason.  taken -- as an entry, stamped like what is said. */
void refused(unsigned reason);
void taken(void);

#endif
