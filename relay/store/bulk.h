/* bulk.h -- the frames of large segments: a file beside the database, written at its end alone.
 *
 * In the database a byte is written twice, into its WAL and then into its pages, and both times a page at a time.  So what is
 * large lies here, written once and in one piece, and the database holds its place.  The file has no format of its own and says
 * nothing: the database says how much of it counts.  What lies beyond is left over from a transaction that came to nothing, and
 * is written over.
 *
 * What is not needed any more becomes a hole: the file is as long as before, and the file system has its blocks back.  Where that
 * is not supported, and of what was dropped when the relay was killed before the holes were made, the space stays lost. */
#ifndef STORE_BULK_H
#define STORE_BULK_H

#include "base/base.h"

enum { BULK_HOLES_MAX = 64 }; /* apart from each other, in one transaction; of what is more the space stays lost */

struct bulk {
    int fd;
    uint64_t end;  /* what counts */
    uint64_t next; /* and what the open transaction added */
    struct bulk_hole {
        uint64_t at, len;
    } hole[BULK_HOLES_MAX]; /* what it dropped */
    size_t n_holes;
    uint64_t hole_end;      /* where the last one ends that was made */
};

/* bulk_open -- open or make the file, of which the database knows `end` bytes.
 * Returns  0; -EBADMSG it is shorter than that; -EACCES; -ENOSPC; -EIO.  b->fd is -1 unless 0 was returned. */
int bulk_open(struct bulk *b, const char *path, uint64_t end) MUST_USE;
void bulk_close(struct bulk *b);

/* bulk_add -- write these bytes behind the last ones, for the transaction that is open.
 * at       where they lie
 * Returns  0; -ENOSPC; -EIO */
int bulk_add(struct bulk *b, const uint8_t *p, size_t len, uint64_t *at) MUST_USE;

/* bulk_drop -- these bytes are not needed any more once the open transaction is committed. */
void bulk_drop(struct bulk *b, uint64_t at, size_t len);

/* bulk_sync -- returns when all that was added is on disk, or -EIO; bulk_keep -- the database has committed to it;
 * bulk_undo -- what was added does not count, what was dropped stays. */
int bulk_sync(struct bulk *b) MUST_USE;
void bulk_keep(struct bulk *b);
void bulk_undo(struct bulk *b);

/* bulk_read -- `len` bytes from `at`.  Returns  0; -EBADMSG they are not there; -EIO */
int bulk_read(const struct bulk *b, uint64_t at, uint8_t *to, size_t len) MUST_USE;

#endif
