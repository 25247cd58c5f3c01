/* undo.h -- before-images, so that whoever takes the lock after a killed holder can roll back. */
#ifndef STATE_UNDO_H
#define STATE_UNDO_H

#include "base/base.h"

#include <stdatomic.h>

enum { UNDO_BYTES = 128 * 1024 };

/* In shared memory; written by the holder of the lock only.  `used` is the dirty word: while it is not
 * zero, a change is half-done.  An image counts only once `used` covers it, and memory is changed only
 * after that, so a kill between any two instructions leaves either no trace or a complete image. */
struct undo {
    _Atomic uint64_t used; /* bytes of images */
    uint64_t head;         /* journal head when the change began; if it moved since, the change is done */
    uint8_t image[UNDO_BYTES];
};

/* undo_begin -- start a change at this journal head.  Nothing is dirty yet. */
void undo_begin(struct undo *u, uint64_t head);

/* undo_save -- keep what `len` bytes at `at` are now, before they are changed.
 *
 * base     where the segment is mapped; `at` must lie behind it
 * A change that does not fit is a bug of the caller, who bounds what one section does. */
void undo_save(struct undo *u, const void *base, const void *at, size_t len);

/* undo_done -- the change is complete; forget the images. */
void undo_done(struct undo *u);

/* undo_recover -- what the next holder does first: roll back a half-done change, or let stand one whose
 * journal head was already published.  May itself be killed at any point and repeated.
 *
 * size     bytes of the segment: images that point outside are refused
 * Returns  0 nothing to do; 1 rolled back; 2 let stand; -EBADMSG the images make no sense: new generation */
int undo_recover(struct undo *u, void *base, size_t size, uint64_t head) MUST_USE;

#endif
