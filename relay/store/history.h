/* history.h -- the store: segments in SQLite, one row per stream and commit; SQL is here and in index.c only.
 *
 * WAL, synchronous=FULL.  A segment's frames are kept as they lie in the journal, with their pos.  Rows:
 *   segment  pos (journal position of its first frame, primary key), batch (position where its commit began),
 *            origin, epoch, room, first_seq, last_seq, hlc_min, hlc_max, prev, hash, signature, frames (or, of large
 *            segments, their place in bulk.h's file), after (what it answers, as it travels; NULL: nothing)
 *   stream   (origin, epoch, room) -> last_seq, head hash
 *   room     id -> name, messages, last_hlc
 *   client   client number -> uid, last_seq, when: what each client has had accepted
 *   act      (room, place in the order of display) -> frame: the STATE entries once more, to be folded in that order
 *   fork     (origin, epoch, room) -> the CHAIN that proves the smallest point known
 *   gap      pos (where the last missing entry lay, or the GAP that came), origin, epoch, room, first_seq, last_seq -> GAP
 *   meta     one row: durable (journal position), ring_size, newest_hlc
 *   bulk     one row: how much of that file counts
 *   dropped  one row: how much of that is a hole
 * The schema version is the database's user_version.
 * Errors: -ENOSPC the disk is full (nothing was stored, try again later); -EIO anything else the database
 * says (leave, reopen, look what is there); -EBADMSG not our database or a damaged one. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "frame/body.h"

struct history;

/* history_open -- open or make DIR/history.db, and history.db-bulk beside it.
 * why      on failure, one sentence with the remedy; nothing is destroyed
 * Returns  0; -EBADMSG not a database, damaged, or of a newer version; -EACCES; -ENOSPC; -EIO */
int history_open(struct history **h, const char *path, char *why, size_t why_size) MUST_USE;

/* history_begin_log -- make SQLite's log and sync that there is one, which the first transaction would have to wait for otherwise.  What goes
 * wrong here goes wrong again there. */
void history_begin_log(struct history *h);
void history_close(struct history *h);

/* history_open_reader -- the same to look only, beside the process that writes; the store is there and up to date.
 * Between two calls it holds no version of the store: each sees what is committed by then. */
int history_open_reader(struct history **h, const char *path) MUST_USE;

/* history_durable -- where the stored journal ends, and the ring size it had; zeros in a new store. */
void history_durable(struct history *h, uint64_t *pos, uint64_t *ring_size);

/* history_newest_hlc -- the largest hlc stored that was not `apart`, for the clock to go on from. */
uint64_t history_newest_hlc(struct history *h);

/* history_rooms -- call `each` for every room; history_clients -- for the `max` clients last heard of. */
int history_rooms(struct history *h,
                  void (*each)(void *arg, uint64_t id, struct text name, uint64_t messages, uint64_t last_hlc),
                  void *arg) MUST_USE;
int history_clients(struct history *h, uint32_t max,
                    void (*each)(void *arg, uint64_t client, uint32_t uid, uint32_t last_seq), void *arg) MUST_USE;

/* One stream's part of a commit.  All pointers stay the caller's. */
struct history_segment {
    uint64_t origin, epoch, room, first_seq, last_seq, hlc_min, hlc_max;
    uint64_t pos; /* of its first frame */
    const uint8_t *prev, *hash, *signature;
    const uint8_t *frames; /* with pos */
    size_t len;
    bool apart; /* its stamps are not our clock's: they do not count for history_newest_hlc() */
    struct after after;
};
_Static_assert(offsetof(struct history_segment, after) + sizeof(struct after) == sizeof(struct history_segment),
               "what it answers is last: behind an array of structs GCC 12 clears padding in the wrong place (-ftrivial-auto-var-init)");

/* history_begin, history_add, history_client, history_room, history_act, history_commit -- one transaction: the journal from
 * `batch` to `end` is stored.  Any failure rolls everything back; nothing of it is stored then.  history_commit
 * returns only when it is on disk. */
int history_begin(struct history *h, uint64_t batch) MUST_USE;
int history_add(struct history *h, const struct history_segment *s) MUST_USE;
int history_client(struct history *h, uint64_t client, uint32_t uid, uint32_t last_seq, uint64_t wall) MUST_USE;
int history_client_forget(struct history *h, uint64_t client) MUST_USE;
int history_room(struct history *h, uint64_t id, struct text name, uint64_t new_messages, uint64_t last_hlc)
    MUST_USE; /* name empty: known already */
int history_act(struct history *h, const uint8_t *frame) MUST_USE; /* a STATE frame of one of the segments */
int history_commit(struct history *h, uint64_t end, uint64_t ring_size) MUST_USE;
void history_rollback(struct history *h);

/* history_stream -- last_seq and head hash of a stream; zeros when it has none. */
int history_stream(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t *last_seq,
                   uint8_t head[HASH_LEN]) MUST_USE;

/* history_streams -- call `each` for every stream. */
int history_streams(struct history *h,
                    void (*each)(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq,
                                 const uint8_t head[HASH_LEN]),
                    void *arg) MUST_USE;

/* A stored segment as a reader sees it; pointers are valid until the callback returns. */
struct history_row {
    struct history_segment s;
    uint64_t batch;
};

/* history_scan -- segments in journal order with pos >= from, until `each` returns false or `max` rows.
 * room 0: of all rooms.  For a room, `from` is compared with batch, so that whole commits come. */
int history_scan(struct history *h, uint64_t room, uint64_t from, unsigned max,
                 bool (*each)(void *arg, const struct history_row *row), void *arg) MUST_USE;

/* history_newest -- segments of a room by falling hlc_max, until `each` returns false. */
int history_newest(struct history *h, uint64_t room, bool (*each)(void *arg, const struct history_row *row),
                   void *arg) MUST_USE;

/* history_since -- segments of a room with hlc_max >= hlc by rising hlc_max, until `each` returns false. */
int history_since(struct history *h, uint64_t room, uint64_t hlc, bool (*each)(void *arg, const struct history_row *row),
                  void *arg) MUST_USE;

/* history_back -- segments in the journal before pos, backwards, until `each` returns false.
 * history_at -- the one that holds the frame at pos, if any does.
 * history_holding -- the one of a stream that holds the entry seq, or the next one when that is missing, if there is one. */
int history_back(struct history *h, uint64_t pos, bool (*each)(void *arg, const struct history_row *row), void *arg) MUST_USE;
int history_at(struct history *h, uint64_t pos, bool (*each)(void *arg, const struct history_row *row), void *arg) MUST_USE;
int history_holding(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
                    bool (*each)(void *arg, const struct history_row *row), void *arg) MUST_USE;

/* history_acts -- the STATE frames of a room in the order of display; history_acted -- the rooms that have any. */
int history_acts(struct history *h, uint64_t room, void (*each)(void *arg, const uint8_t *frame), void *arg) MUST_USE;
int history_acted(struct history *h, void (*each)(void *arg, uint64_t room), void *arg) MUST_USE;

/* history_first_missing -- pos of the first segment or gap of a stream with last_seq > seq; UINT64_MAX: none. */
int history_first_missing(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq,
                          uint64_t *pos) MUST_USE;

/* history_heads -- heads of the segments of a stream with last_seq >= seq, rising, until `each` returns false or `max`. */
int history_heads(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, unsigned max,
                  bool (*each)(void *arg, const struct sealed *s), void *arg) MUST_USE;

/* history_fork -- keep this proof, a CHAIN frame, in the place of any other of its stream; a transaction of its own.
 * history_fork_of -- the one of a stream, into FRAME_MAX bytes.  Returns 1; 0: none; -errno.
 * history_forks -- call `each` for all of them. */
int history_fork(struct history *h, const uint8_t *proof) MUST_USE;
int history_fork_of(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint8_t *proof) MUST_USE;
int history_forks(struct history *h, void (*each)(void *arg, const uint8_t *proof), void *arg) MUST_USE;

/* ---- what is not kept any more ---- */

/* history_drop -- in a transaction: delete one segment; its stream has a gap there from now on, or a longer one.  Nothing else
 * deletes segments, so what is kept beside them (an index) loses its rows here.
 *
 * messages  that people said, in it
 * last_pos  where its last frame lies */
int history_drop(struct history *h, const struct history_segment *s, uint32_t messages, uint64_t last_pos) MUST_USE;

/* history_gap -- in a transaction: what another host says is missing: the stream goes on behind it.  When what lies before the
 * gap is here, the gap begins after it; the frame is changed to say so. */
int history_gap(struct history *h, uint8_t *gap) MUST_USE;

/* history_gap_at -- the first gap with pos >= from, into FRAME_MAX bytes.  Returns 1; 0: none; -errno
 * history_gap_end -- the one of a stream that ends with the entry seq: the same.
 * history_gaps -- those of a room (0: of all) with pos >= from, rising. */
int history_gap_at(struct history *h, uint64_t from, uint8_t *gap) MUST_USE;
int history_gap_end(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint8_t *gap) MUST_USE;
int history_gaps(struct history *h, uint64_t room, uint64_t from, void (*each)(void *arg, const uint8_t *gap), void *arg) MUST_USE;

/* history_bytes -- how much of the two files is in use.  What is deleted leaves room in the database for what comes, and a hole in
 * the other; neither gets shorter. */
int history_bytes(struct history *h, uint64_t *bytes) MUST_USE;

#endif
