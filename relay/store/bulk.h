/* bulk.h -- the frames of large segments: a file beside the database that only grows.
 *
 * In the database a byte is written twice, into its WAL and then into its pages, and both times a page at a time.  So what is
 * large lies here, written once and in one piece, and the database holds its place.  The file has no format of its own and says
 * nothing: the database says how much of it counts.  What lies beyond is left over from a transaction that came to nothing, and
 * is written over. */
#ifndef STORE_BULK_H
#define STORE_BULK_H

#include "base/base.h"

struct bulk {
    int fd;
    uint64_t end;  /* what counts */
    uint64_t next; /* and what the open transaction added */
};

/* bulk_open -- open or make the file, of which the database knows `end` bytes.
 * Returns  0; -EBADMSG it is shorter than that; -EACCES; -ENOSPC; -EIO.  b->fd is -1 unless 0 was returned. */
int bulk_open(struct bulk *b, const char *path, uint64_t end) MUST_USE;
void bulk_close(struct bulk *b);

/* bulk_add -- write these bytes behind the last ones, for the transaction that is open.
 * at       where they lie
 * Returns  0; -ENOSPC; -EIO */
int bulk_add(struct bulk *b, const uint8_t *p, size_t len, uint64_t *at) MUST_USE;

/* bulk_sync -- returns when all that was added is on disk, or -EIO; bulk_keep -- the database has committed to it;
 * bulk_undo -- what was added does not count. */
int bulk_sync(struct bulk *b) MUST_USE;
void bulk_keep(struct bulk *b);
void bulk_undo(struct bulk *b);

/* bulk_read -- `len` bytes from `at`.  Returns  0; -EBADMSG they are not there; -EIO */
int bulk_read(const struct bulk *b, uint64_t at, uint8_t *to, size_t len) MUST_USE;

#endif
