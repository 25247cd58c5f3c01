/* page.c -- copies of frames in one buffer, and their offsets, which are sorted in their place. */
#include "keep/page.h"

#include "frame/session.h"

#include <errno.h>
#include <stdlib.h>

int page_add(struct page *p, const uint8_t *f)
{
    size_t at = p->frames.end;
    if (p->n == p->size) {
        size_t size = p->size ? p->size * 2 : 256, *all = realloc(p->at, size * sizeof *all);
        if (!all)
            return -ENOMEM;
        p->at = all;
        p->size = size;
    }
    if (buffer_add(&p->frames, f, frame_stride(f)) < 0)
        return -ENOMEM;
    p->at[p->n++] = at;
    p->messages += !(frame_flags(f) & FRAME_MORE);
    return 0;
}

static int compare_pos(const void *a, const void *b, void *base)
{
    const uint8_t *p = base;
    uint64_t x = frame_pos(p + *(const size_t *)a), y = frame_pos(p + *(const size_t *)b);
    return (x > y) - (x < y);
}

static int compare_order(const void *a, const void *b, void *base)
{
    const uint8_t *p = base;
    return frame_order(p + *(const size_t *)a, p + *(const size_t *)b);
}

static void sort(struct page *p, size_t i, int (*compare)(const void *, const void *, void *))
{
    if (p->n > i + 1)
        qsort_r(p->at + i, p->n - i, sizeof *p->at, compare, p->frames.p);
}

void page_by_pos(struct page *p)
{
    sort(p, 0, compare_pos);
}

void page_by_order(struct page *p, size_t i)
{
    sort(p, i, compare_order);
}

size_t page_newest(const struct page *p, size_t limit)
{
    size_t i = p->n, seen = 0;
    while (i > 0 && (seen < limit || frame_flags(page_frame(p, i - 1)) & FRAME_MORE)) {
        i--;
        seen += !(frame_flags(page_frame(p, i)) & FRAME_MORE);
    }
    if (i > 0 && seen >= limit) /* the parts of a message that did not make it */
        while (i < p->n && frame_flags(page_frame(p, i)) & FRAME_CONT)
            i++;
    return i;
}

size_t page_oldest(const struct page *p, size_t limit)
{
    size_t i = 0, seen = 0;
    while (i < p->n && seen < limit)
        seen += !(frame_flags(page_frame(p, i++)) & FRAME_MORE);
    return i;
}

void page_join_gone(struct page *p, size_t from)
{
    size_t to = from, run = from; /* run: where the lines began that follow each other */
    for (size_t i = from; i < p->n; i++) {
        const uint8_t *f = page_frame(p, i);
        struct gone g, before;
        size_t k = run;
        if (frame_type(f) != FRAME_GONE || read_gone(f, &g) < 0) {
            p->at[to++] = p->at[i];
            run = to;
            continue;
        }
        while (k < to && frame_origin(page_frame(p, k)) != frame_origin(f))
            k++;
        if (k < to && read_gone(page_frame(p, k), &before) == 0) {
            g.messages += before.messages;
            g.hlc_min = min_u64(g.hlc_min, before.hlc_min);
            int n = write_gone(page_frame(p, k), &g, frame_origin(f), frame_room(f), frame_hlc(f));
            ASSERT(n > 0);
        } else {
            p->at[to++] = p->at[i];
        }
    }
    p->n = to;
}

void page_clear(struct page *p)
{
    p->n = p->frames.end = p->messages = 0;
}

void page_free(struct page *p)
{
    buffer_free(&p->frames);
    free(p->at);
    *p = (struct page){.n = 0};
}
