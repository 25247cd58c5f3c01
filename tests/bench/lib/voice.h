/* voice.h -- what a sender does to be heard: at a relay through the client library, at a peer over TCP. */
#ifndef BENCH_VOICE_H
#define BENCH_VOICE_H

#include "message.h"
#include "peer.h"

struct voice;

/* voice_at_relay -- speaks in these rooms, whose names must stay. voice_at_peer -- in rooms `first` and following; number: of
 * the client. */
struct voice *voice_at_relay(const char *instance, const char *const *room);
struct voice *voice_at_peer(const struct peer *p, unsigned number, unsigned first, unsigned rooms);

/* voice_say -- in the room of that index; packed, goes out with voice_flush() or when there is much of it. */
void voice_say(struct voice *v, unsigned room, const char text[MESSAGE_LEN]);
void voice_flush(struct voice *v);

/* voice_unacked -- how many are not acknowledged; 0 at a peer, where nothing is. */
uint32_t voice_unacked(const struct voice *v);

/* voice_pump -- take in what came; when it acknowledges nothing, wait up to `ms` for more or for
 * `other`. */
void voice_pump(struct voice *v, int other, int ms);

#endif
