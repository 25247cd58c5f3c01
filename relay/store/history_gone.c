/* history_gone.c -- what is not in the store any more, or never came: segments deleted, and the gaps in their place. */
#include "store/history_inside.h"

static int gap_add(struct history *h, const uint8_t *f, uint64_t first_seq)
{
    sqlite3_stmt *s = BIND(h, GAP_ADD, frame_pos(f), frame_origin(f), frame_epoch(f), frame_room(f), first_seq, frame_seq(f));
    history_blob(s, 7, f, frame_stride(f));
    return history_step(h, s);
}

/* join -- to the gap that this one continues, if it is of the same kind.  Returns 0 or -errno */
static int join(struct history *h, struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint8_t before[FRAME_MAX];
    struct gap b;
    int r = history_frame(h, BIND(h, GAP_END, origin, epoch, room, g->first_seq - 1), FRAME_GAP, before);
    if (r <= 0 || read_gap(before, &b) < 0 || b.why != g->why)
        return r < 0 ? r : 0;
    g->first_seq = b.first_seq;
    g->messages += b.messages;
    g->hlc_min = min_u64(g->hlc_min, b.hlc_min);
    return history_step(h, BIND(h, GAP_DROP, frame_pos(before)));
}

/* drop_bulk -- the frames of this segment, if they lie there.  Returns 0 or -errno */
static int drop_bulk(struct history *h, uint64_t pos)
{
    sqlite3_stmt *s = BIND(h, PLACE, pos);
    int rc = sqlite3_step(s);
    uint64_t place = rc == SQLITE_ROW ? column(s, 0) : 0;
    size_t len = bulk_place_len(place);
    int r = history_done(h, s, rc);
    if (r < 0 || len == 0)
        return r;
    bulk_drop(&h->bulk, bulk_place_at(place), len);
    return history_step(h, BIND(h, DROPPED, len));
}

int history_drop(struct history *h, const struct history_segment *s, uint32_t messages, uint64_t last_pos)
{
    uint8_t gap[FRAME_MAX];
    struct gap g = {.why = GAP_OLD, .first_seq = s->first_seq, .hlc_min = s->hlc_min, .messages = messages,
                    .last = {.first_seq = s->first_seq, .last_seq = s->last_seq}};
    memcpy(g.last.prev, s->prev, HASH_LEN);
    memcpy(g.last.hash, s->hash, HASH_LEN);
    memcpy(g.last.signature, s->signature, SIGNATURE_LEN);
    int r = join(h, &g, s->origin, s->epoch, s->room);
    if (r < 0)
        return r;
    int n = write_gap(gap, &g, s->origin, s->epoch, s->room, s->hlc_max);
    ASSERT(n > 0);
    frame_set_pos(gap, last_pos);
    r = gap_add(h, gap, g.first_seq);
    r = r < 0 ? r : drop_bulk(h, s->pos);
    return r < 0 ? r : history_step(h, BIND(h, DROP, s->pos));
}

int history_gap(struct history *h, uint8_t *f)
{
    struct gap g;
    int r = read_gap(f, &g);
    if (r < 0)
        return r;
    sqlite3_stmt *s = BIND(h, BEFORE, frame_origin(f), frame_epoch(f), frame_room(f), g.first_seq - 1);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        g.hlc_min = min_u64(max_u64(g.hlc_min, column(s, 0)), frame_hlc(f));
    r = history_done(h, s, rc);
    if (r < 0)
        return r;
    uint64_t pos = frame_pos(f);
    int n = write_gap(f, &g, frame_origin(f), frame_epoch(f), frame_room(f), frame_hlc(f));
    ASSERT(n > 0);
    frame_set_pos(f, pos);
    r = gap_add(h, f, g.first_seq);
    if (r < 0)
        return r;
    s = BIND(h, STREAM_SET, frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f));
    history_blob(s, 5, g.last.hash, HASH_LEN);
    return history_step(h, s);
}

int history_gap_at(struct history *h, uint64_t from, uint8_t *gap)
{
    return history_frame(h, BIND(h, GAP_NEXT, limit(from)), FRAME_GAP, gap);
}

int history_gap_end(struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq, uint8_t *gap)
{
    return history_frame(h, BIND(h, GAP_END, origin, epoch, room, limit(seq)), FRAME_GAP, gap);
}

int history_gaps(struct history *h, uint64_t room, uint64_t from, void (*each)(void *arg, const uint8_t *gap), void *arg)
{
    from = limit(from);
    sqlite3_stmt *s = room ? BIND(h, GAPS_ROOM, room, from) : BIND(h, GAPS_ALL, from);
    return history_each_frame(h, s, FRAME_GAP, each, arg);
}

int history_bytes(struct history *h, uint64_t *bytes)
{
    int64_t pages = 0, unused = 0, size = 0, dropped = 0;
    int r = history_number(h, "PRAGMA page_count", &pages);
    r = r < 0 ? r : history_number(h, "PRAGMA freelist_count", &unused);
    r = r < 0 ? r : history_number(h, "PRAGMA page_size", &size);
    r = r < 0 ? r : history_number(h, "SELECT bytes FROM dropped", &dropped);
    *bytes = (uint64_t)((pages - unused) * size) + h->bulk.end - (uint64_t)dropped;
    return r;
}
