/* attest.h -- what a host says of its people, and that it is alive: signed with its identity, so that all who hear it from others know
 * that it said so. */
#ifndef TRUST_ATTEST_H
#define TRUST_ATTEST_H

#include "frame/body.h"
#include "trust/identity.h"

/* attest -- put the signature into a PRESENCE frame, or into each row of a BEAT, that passed frame_check().  It is over "chat
 * presence 1" or "chat beat 1", so that it can mean nothing else, and all that the row says, its host and run among it. */
void attest(const struct identity *id, uint8_t *frame);

/* presence_attested, beat_attested -- is the signature in it that of the owner of `key`?  The frame passed frame_check(). */
bool presence_attested(const uint8_t *frame, const uint8_t key[KEY_LEN]) MUST_USE;
bool beat_attested(const struct beat_row *b, const uint8_t key[KEY_LEN]) MUST_USE;

#endif
