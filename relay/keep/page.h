/* page.h -- the frames of one piece of an answer, gathered as they lie in the store, then put in order and cut. */
#ifndef KEEP_PAGE_H
#define KEEP_PAGE_H

#include "base/buffer.h"
#include "frame/frame.h"

/* Zeroed: empty.  A message of several parts is counted at its last one. */
struct page {
    struct buffer frames; /* copies */
    size_t *at;           /* where each begins, in the order they have now */
    size_t n, size;
    size_t messages;
};

/* page_add -- a copy of this frame behind the others.  Returns 0 or -ENOMEM. */
int page_add(struct page *p, const uint8_t *frame) MUST_USE;

/* page_frame -- the i-th, to be changed in place but not in length; valid until the next page_add(). */
static inline uint8_t *page_frame(const struct page *p, size_t i)
{
    return p->frames.p + p->at[i];
}

/* page_by_pos -- in the order of the journal; page_by_order -- those from the i-th on as they are displayed (frame_order()). */
void page_by_pos(struct page *p);
void page_by_order(struct page *p, size_t i);

/* page_newest -- of a page in the order of display: the index from which on there are the last `limit` messages, whole ones.
 * page_oldest -- the index up to which there are the first `limit`. */
size_t page_newest(const struct page *p, size_t limit);
size_t page_oldest(const struct page *p, size_t limit);

/* page_join_gone -- GONE frames from the i-th on that follow each other and are of one host become one. */
void page_join_gone(struct page *p, size_t i);

/* page_clear -- it is empty again and keeps its memory; page_free -- and gives it back. */
void page_clear(struct page *p);
void page_free(struct page *p);

#endif
