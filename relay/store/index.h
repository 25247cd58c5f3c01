/* index.h -- which messages hold which words: a database of its own beside the store, made from it and never its equal.
 *
 * FTS5 without the texts.  A message is known by a number that grows with its hlc, so that the newest hits are the first that
 * are found; beside the words stand three marks (room, author, host), so that a search within one room passes over all others.
 *   found   words, marks
 *   place   the same number -> where the message's last frame lies in the journal, its room
 *   meta    the range of the journal that is indexed: it grows at both ends, upwards with what is said, downwards through what
 *           was said before there was an index; and the seal of the last segment in it, by which it knows its store
 * Whatever happens to it, it may be thrown away and made anew: so it waits for no disk (synchronous=NORMAL: a power cut
 * takes the newest part of it away, and of the range with it).
 * Errors: as in history.h. */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "frame/body.h"

struct index;

/* index_open -- open or make it; NULL: one in memory.  index_open_reader -- to look only, beside the one that writes.
 * Returns  0; -EBADMSG damaged, or of another version: remove it (index_remove); -EACCES; -ENOSPC; -EIO */
int index_open(struct index **x, const char *path) MUST_USE;
int index_open_reader(struct index **x, const char *path) MUST_USE;
void index_close(struct index *x);

/* index_remove -- the files of one that is closed. */
void index_remove(const char *path);

/* What of the journal is in it: all with low <= pos < high. */
struct index_range {
    uint64_t low, high;
    uint64_t seal_pos;      /* a segment in it, 0: none */
    uint8_t seal[HASH_LEN]; /* and its hash */
};
int index_range(struct index *x, struct index_range *range) MUST_USE;

/* index_oldest -- where the oldest message in it lies, or lay: about.  UINT64_MAX: there is none. */
int index_oldest(struct index *x, uint64_t *pos) MUST_USE;

struct index_entry {
    uint64_t hlc, pos, room, origin;
    struct text user, words;
};

/* index_begin, index_add, index_commit -- one transaction; any failure rolls all of it back.  Entries that come in the order of
 * their hlc cost least. */
int index_begin(struct index *x) MUST_USE;
int index_add(struct index *x, const struct index_entry *e) MUST_USE;
int index_commit(struct index *x, const struct index_range *range) MUST_USE;

struct index_search {
    const struct wanted *wanted; /* only the words of it */
    uint64_t room[WANTED_ROOMS_MAX];
    unsigned n_rooms;    /* 0: in all */
    struct text user;    /* "": of anybody */
    uint64_t origin;     /* 0: of any host */
    uint64_t since, until; /* hlc; until 0: no end */
    uint64_t deadline_us;  /* now_us() when it is given up */
};

/* index_find -- call `each` for what was found, the newest first, until it returns false.  What stands just outside of since and
 * until may be among it, and so may what is not there any more: whoever asks looks at the message itself.
 * Returns  0; -ETIMEDOUT; else as above */
int index_find(struct index *x, const struct index_search *s, bool (*each)(void *arg, uint64_t pos, uint64_t room), void *arg)
    MUST_USE;

#endif
