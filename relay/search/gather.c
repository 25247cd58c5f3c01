/* gather.c -- one entry for each message, found by its last part. */
#include "search/gather.h"

#include "search/whole.h"

#include <stdlib.h>

struct gathered {
    uint64_t hlc, pos, room, origin;
    size_t user_at, words_at, words_len;
    uint8_t user_len;
};

static void gather_message(struct gather *g, const uint8_t *last)
{
    struct buffer frames = {0};
    struct say say;
    if (read_say(last, &say) < 0)
        return;
    struct gathered e = {frame_hlc(last), frame_pos(last), frame_room(last), frame_origin(last),
                         .user_at = g->texts.end, .user_len = (uint8_t)say.user.len};
    int r = buffer_add(&g->texts, say.user.p, say.user.len);
    e.words_at = g->texts.end;
    if (r == 0 && frame_flags(last) & FRAME_CONT)
        r = whole_message(g->h, last, &frames);
    if (r == 0)
        r = frames.end > 0 ? whole_text(frames.p, frames.end, &g->texts) : buffer_add(&g->texts, say.text.p, say.text.len);
    e.words_len = g->texts.end - e.words_at;
    if (r == 0)
        r = buffer_add(&g->entries, &e, sizeof e);
    g->n += r == 0;
    g->error = r;
    buffer_free(&frames);
}

void gather_row(struct gather *g, const struct history_row *row)
{
    for (size_t at = 0; at < row->s.len && g->error == 0;) {
        const uint8_t *f = row->s.frames + at;
        int n = frame_check(f, row->s.len - at);
        if (n <= 0)
            return; /* damaged: what is behind it is not found */
        if (frame_type(f) == FRAME_SAY && !(frame_flags(f) & FRAME_MORE))
            gather_message(g, f);
        at += (size_t)n;
    }
}

static int by_hlc(const void *a, const void *b)
{
    uint64_t x = ((const struct gathered *)a)->hlc, y = ((const struct gathered *)b)->hlc;
    return (x > y) - (x < y);
}

int gather_add(struct gather *g, struct index *x)
{
    struct gathered *e = (struct gathered *)(void *)g->entries.p;
    const char *text = (const char *)g->texts.p;
    int r = 0;
    if (g->n > 1)
        qsort(e, g->n, sizeof *e, by_hlc);
    for (size_t i = 0; r == 0 && i < g->n; i++) {
        struct index_entry entry = {e[i].hlc, e[i].pos, e[i].room, e[i].origin,
                                    {text + e[i].user_at, e[i].user_len}, {text + e[i].words_at, e[i].words_len}};
        r = index_add(x, &entry);
    }
    return r;
}

void gather_clear(struct gather *g)
{
    g->entries.end = g->texts.end = g->n = 0;
    g->error = 0;
}

void gather_free(struct gather *g)
{
    buffer_free(&g->entries);
    buffer_free(&g->texts);
}
