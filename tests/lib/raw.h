/* raw.h -- a client that keeps no rule: frames and queue messages as it pleases, without chat's
 * port.
 *
 * For tests against a running relay.  What must work for the test to make sense ends the
 * program with a sentence when it does not. */
#ifndef RAW_H
#define RAW_H

#include "frame/body.h"
#include "instance/instance.h"
#include "ipc/mq.h"

enum { RAW_MS = 30 * 1000, REASONS = 32 };

struct raw_relay {
    struct instance inst;
    struct generation gen;
    int rendezvous;
    struct mq queue[INSTANCE_QUEUES_MAX];
};

struct raw {
    struct raw_relay *relay;
    unsigned queue; /* which one it uses */
    int fifo;
    uint64_t client;
    uint32_t session, seq; /* seq: the last number used */
    uint8_t secret[SECRET_LEN];
    char user[USER_NAME_MAX + 1], host[HOST_NAME_MAX_LEN + 1];
    struct splitter split;
    uint8_t buf[64 * 1024];
    unsigned refused[REASONS];     /* REFUSED frames that came, by reason */
    unsigned refused_all, strange; /* strange: frames that it should not have got ... */
    uint8_t strangest;             /* ... and the type of the last one */
};

/* die -- say why, and exit 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* raw_find -- the running relay of that instance: the system's if there is one, else this
 * user's. */
void raw_find(struct raw_relay *relay, const char *instance);

/* raw_put -- these bytes into a queue, whatever they are, waiting for room. */
void raw_put(struct raw_relay *relay, unsigned queue, const void *p, size_t len);

/* raw_max -- bytes of the largest message this queue takes: less than QUEUE_MESSAGE_MAX on a
 * host with low limits. */
size_t raw_max(const struct raw_relay *relay, unsigned queue);

/* raw_client -- a random client number that belongs to that queue. */
uint64_t raw_client(const struct raw_relay *relay, unsigned queue);

/* raw_hello -- say hello through a queue.
 * Returns  0 and the session; the negative enum reason when it was refused; -ETIMEDOUT after
 * wait_ms */
int raw_hello(struct raw *c, struct raw_relay *relay, unsigned queue, uint64_t client,
              int wait_ms) MUST_USE;

/* raw_send -- frames behind the session's own envelope.  raw_envelope -- one with whatever is
 * in it; returns its length. */
void raw_send(struct raw *c, const uint8_t *frames, size_t len);
size_t raw_envelope(uint8_t *to, uint32_t session, const uint8_t secret[SECRET_LEN],
                    const uint8_t *frames, size_t len);

/* raw_say, raw_room -- build a frame of the session's own under the next number; its stride. */
size_t raw_say(struct raw *c, uint8_t *f, const char *room, const char *text);
size_t raw_room(struct raw *c, uint8_t *f, enum frame_type type, const char *room);

/* raw_next -- the next frame off the FIFO, valid until the next call.
 * Returns  1; 0 when none came in time; -EPIPE when it was closed */
int raw_next(struct raw *c, const uint8_t **f, int wait_ms) MUST_USE;

/* raw_settle -- say `text` in `room` (joined quietly before) and read until it came back and is
 * acknowledged: whatever was put into this session's queue before has then been dealt with.
 * Counts REFUSED frames and what else came. */
void raw_settle(struct raw *c, const char *room, const char *text);

void raw_close(struct raw *c);

#endif
