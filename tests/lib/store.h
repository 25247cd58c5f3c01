/* store.h -- a store in a directory of its own, and segments to put into it. */
#ifndef STORE_H
#define STORE_H

#include "store/history.h"

/* Ids use all 64 bits. */
#define HERE  UINT64_C(0xfedcba9876543210)
#define THERE UINT64_C(0x8000000000000001)
#define ROOM  UINT64_C(0xffffffffffffffff)
#define OTHER UINT64_C(7)

/* The directory, the database in it, and what history_open had to say. */
extern char store_dir[64], store_path[96], store_why[256];

/* store_setup, store_teardown -- for cmocka: an empty directory. */
int store_setup(void **state);
int store_teardown(void **state);

/* store_open, store_reopen -- or the test fails. */
struct history *store_open(void);
struct history *store_reopen(struct history *h);

/* store_filled -- `len` bytes of value `with`; good until four calls later. */
const uint8_t *store_filled(unsigned with, size_t len);

/* store_segment -- a segment of two messages, whose every field follows from these. */
struct history_segment store_segment(uint64_t origin, uint64_t room, uint64_t pos, uint64_t seq,
                                     uint64_t hlc);
void store_add(struct history *h, uint64_t origin, uint64_t room, uint64_t pos, uint64_t seq,
               uint64_t hlc);

/* store_commit -- one commit of one segment: [pos, pos + 10). */
void store_commit(struct history *h, uint64_t room, uint64_t pos, uint64_t seq, uint64_t hlc);

/* store_see -- callback that notes where each row was, having checked all that is in it; `arg`
 * is a struct store_seen. */
struct store_seen {
    unsigned n, stop_after; /* 0: never */
    uint64_t pos[16], batch[16];
};
bool store_see(void *arg, const struct history_row *row);

/* SEEN -- exactly these positions, in this order; forgets them. */
#define SEEN(w, ...)                                                                           \
    store_assert_seen((w), ARRAY_LEN(((uint64_t[]){__VA_ARGS__})), (uint64_t[]){__VA_ARGS__})
void store_assert_seen(struct store_seen *w, size_t n, const uint64_t *pos);

/* store_count -- how many segments there are. */
unsigned store_count(struct history *h);

void store_assert_durable(struct history *h, uint64_t pos, uint64_t ring);

#endif
