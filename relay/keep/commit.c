/* commit.c -- group commit: one pass over the journal, one segment per stream, one transaction. */
#include "keep/commit.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "keep/after.h"
#include "keep/restore.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ENTRIES_MAX = COMMIT_BYTES / FRAME_HEAD + 1,
    CLIENTS_MAX = 8192, /* a power of two; more senders in one commit end it early */
};

struct entry {
    uint64_t pos;
    uint32_t next; /* entry of the same room + 1; 0: last */
    uint32_t after; /* what it answers: afters_said() */
    bool answer;   /* something of another host lies before it: a new segment begins */
};

/* A room of which this commit holds entries of our own stream. */
struct open_stream {
    uint32_t first, last; /* entry + 1 */
    uint64_t messages, hlc; /* among its entries; of the last of them */
    bool active, acts; /* acts: there are any among its entries */
    bool heard;        /* a segment of another host came after `last` */
    uint8_t head[HASH_LEN], new_head[HASH_LEN];
};

struct sender {
    uint64_t client;
    uint32_t seq, uid;
};

struct commit {
    struct state *st;
    struct history *h;
    const struct identity *id;
    struct folds *folds;
    struct afters *afters;
    bool acted, gaps, asks; /* there are acts, gaps, queries among the entries of this commit */
    void (*on_gap)(void *arg, const uint8_t *gap);
    void *gap_arg;
    struct entry entry[ENTRIES_MAX];
    uint32_t n_entries;
    struct open_stream stream[ROOMS_MAX];
    uint32_t active[ROOMS_MAX], n_active;
    struct sender sender[CLIENTS_MAX];
    uint16_t sent[CLIENTS_MAX / 2 + 1]; /* which of them this commit holds */
    uint32_t n_senders;
    uint64_t asked;    /* queries before this were answered */
    uint64_t recorded; /* durable position the store knows */
    uint64_t own;      /* commit_own() */
    uint64_t own_back; /* of these, in this commit, those that a peer gave back */
    uint8_t *blob;     /* frames of one segment */
};

static void count_own(void *arg, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t last_seq, const uint8_t head[HASH_LEN])
{
    struct commit *c = arg;
    (void)epoch;
    (void)room;
    (void)head;
    if (origin == c->st->seg->shape.origin)
        c->own += last_seq;
}

uint64_t commit_own(const struct commit *c)
{
    return c->own;
}

int commit_open(struct commit **out, struct state *st, struct history *h, const struct identity *id, struct folds *folds)
{
    struct commit *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->st = st;
    c->h = h;
    c->id = id;
    c->folds = folds;
    c->blob = malloc(SEGMENT_BYTES);
    if (!c->blob || afters_open(&c->afters, st->seg) < 0) {
        free(c->blob);
        free(c);
        return -ENOMEM;
    }
    const struct segment *seg = st->seg;
    uint64_t pos, ring;
    history_durable(h, &pos, &ring);
    c->recorded = pos;
    /* Started again within a generation: the store may be further than the number says. */
    if (atomic_load(&st->seg->ready) && pos > journal_durable(&st->seg->journal) && pos <= journal_head(&st->seg->journal))
        atomic_store(&st->seg->journal.durable, pos);
    for (uint32_t r = 1; r <= seg->roster.n_rooms; r++) {
        uint64_t seq;
        if (history_stream(h, seg->shape.origin, seg->shape.epoch, seg->roster.room[r].id, &seq, c->stream[r].head) < 0)
            log_warn("cannot read the head of a stream");
    }
    if (history_streams(h, count_own, c) < 0)
        log_warn("cannot count what is stored");
    if (afters_restore(c->afters, h) < 0)
        log_warn("cannot read what came last");
    *out = c;
    return 0;
}

void commit_close(struct commit *c)
{
    afters_close(c->afters);
    free(c->blob);
    free(c);
}

int commit_restore(struct commit *c)
{
    int r = restore(c->st, c->h);
    return r < 0 ? r : afters_restore(c->afters, c->h);
}

/* ---- gather ---- */

static struct sender *find_sender(struct commit *c, uint64_t client)
{
    uint64_t i = client * 0x9e3779b97f4a7c15u >> 40;
    for (;; i++) {
        struct sender *s = &c->sender[i % CLIENTS_MAX];
        if (s->client == client || s->client == 0)
            return s;
    }
}

static void gather_entry(struct commit *c, const uint8_t *f, uint64_t pos)
{
    uint32_t slot = roster_room(&c->st->seg->roster, frame_room(f));
    if (slot == 0)
        return;
    struct open_stream *s = &c->stream[slot];
    uint32_t e = ++c->n_entries;
    c->entry[e - 1] = (struct entry){pos, 0, frame_type(f) == FRAME_SAY ? afters_said(c->afters, slot) : 0, s->heard};
    s->heard = false;
    if (!s->active) {
        s->active = true;
        s->acts = false;
        s->messages = 0;
        s->first = e;
        c->active[c->n_active++] = slot;
    } else {
        c->entry[s->last - 1].next = e;
    }
    s->last = e;
    s->hlc = frame_hlc(f);
    s->messages += frame_type(f) == FRAME_SAY && !(frame_flags(f) & FRAME_MORE);
    s->acts |= frame_type(f) == FRAME_STATE;
    if (frame_client(f) != 0) {
        struct sender *sender = find_sender(c, frame_client(f));
        if (sender->client == 0)
            c->sent[c->n_senders++] = (uint16_t)(sender - c->sender);
        sender->client = frame_client(f);
        sender->seq = frame_client_seq(f);
    }
}

/* store_act -- if it is one. */
static int store_act(struct commit *c, const uint8_t *f)
{
    if (frame_type(f) != FRAME_STATE)
        return 0;
    c->acted = true;
    return history_act(c->h, f);
}

/* A segment of another host: SEGMENT, then its frames.  Stamps beyond `clock` were not adopted and must not be at the
 * next start either. */
static int add_remote(struct commit *c, const uint8_t *f, uint64_t pos, uint64_t clock)
{
    struct segment_head head;
    if (read_segment(f, &head) < 0)
        return -EBADMSG;
    uint64_t first = pos + frame_stride(f);
    const uint8_t *frames = state_at(c->st, first);
    struct history_segment s = {
        .origin = frame_origin(f), .epoch = frame_epoch(f), .room = frame_room(f),
        .first_seq = head.first_seq, .last_seq = frame_seq(f), .hlc_min = frame_hlc(frames), .hlc_max = frame_hlc(f),
        .pos = first, .prev = head.prev, .hash = head.hash, .signature = head.signature,
        .frames = frames, .len = head.bytes, .after = head.after, .apart = frame_hlc(f) > clock && !MUTANT(LIE_RESTORED),
    };
    int r = history_add(c->h, &s);
    uint64_t messages = 0;
    c->own_back += s.origin == c->st->seg->shape.origin ? s.last_seq - s.first_seq + 1 : 0;
    for (size_t at = 0; r == 0 && at < head.bytes; at += frame_stride(frames + at)) {
        messages += frame_type(frames + at) == FRAME_SAY && !(frame_flags(frames + at) & FRAME_MORE);
        r = store_act(c, frames + at);
    }
    uint32_t slot = roster_room(&c->st->seg->roster, s.room);
    const struct room *room = &c->st->seg->roster.room[slot];
    return r < 0 ? r : history_room(c->h, s.room, (struct text){room->name, slot ? room->name_len : 0}, messages, s.hlc_max);
}

/* add_gap -- what another host says is missing. */
static int add_gap(struct commit *c, const uint8_t *f)
{
    uint8_t gap[FRAME_MAX];
    memcpy(gap, f, frame_stride(f));
    c->gaps = true;
    return MUTANT(GAP_UNSTORED) ? 0 : history_gap(c->h, gap);
}

/* gather -- sort what lies in [from, to) to its streams.  Returns where it stopped, or -errno in *err. */
static uint64_t gather(struct commit *c, uint64_t from, uint64_t to, bool *entries, bool *remote)
{
    uint64_t pos = from;
    while (pos < to && c->n_entries < ENTRIES_MAX && c->n_senders < CLIENTS_MAX / 2 && !afters_full(c->afters)) {
        const uint8_t *f = state_at(c->st, pos);
        const struct frame_row *row = frame_row(frame_type(f));
        if (frame_type(f) == FRAME_SEGMENT) {
            struct segment_head head;
            *remote = true;
            uint32_t slot = roster_room(&c->st->seg->roster, frame_room(f));
            c->stream[slot].heard = true;
            afters_heard(c->afters, slot, f);
            pos += read_segment(f, &head) == 0 ? head.bytes : 0;
        } else if (frame_type(f) == FRAME_GAP) {
            *remote = true;
        } else if (frame_type(f) == FRAME_DUE) {
            uint32_t bytes; /* stored already */
            pos += read_due(f, &bytes) == 0 && !MUTANT(DUE_STORED) ? bytes : 0;
        } else if (frame_type(f) == FRAME_QUERY) {
            c->asks = true;
        } else if (row && row->durable) {
            gather_entry(c, f, pos);
        }
        pos += frame_stride(f);
    }
    *entries = c->n_entries > 0;
    return pos;
}

/* ---- store ---- */

/* is_last_word -- a host that is out of a private room gets what was said till then, and segments go whole. */
static bool is_last_word(const uint8_t *f)
{
    struct room_act a;
    return frame_type(f) == FRAME_STATE && read_room_act(f, &a) == 0 && a.act == ACT_UNINVITE;
}

/* seal -- entries from *e on into one segment; *e becomes where the next one starts, 0 when all are in. */
static int seal(struct commit *c, struct open_stream *s, uint32_t *e)
{
    const uint8_t *first = state_at(c->st, c->entry[*e - 1].pos);
    uint64_t span = (uint64_t)SEGMENT_SPAN_MS << 16;
    struct sealed head;
    size_t len = 0;
    const uint8_t *f = first, *last = first; /* what is kept for ever and what people say never share a segment (keep/prune.h) */
    uint32_t from = *e;
    const struct after *after = afters_get(c->afters, c->entry[from - 1].after);
    while (*e != 0) {
        f = state_at(c->st, c->entry[*e - 1].pos);
        bool ends = (frame_type(f) == FRAME_SAY) != (frame_type(last) == FRAME_SAY) || (len > 0 && is_last_word(last));
        if (ends || len + frame_stride(f) > SEGMENT_BYTES || frame_hlc(f) - frame_hlc(first) > span ||
            (len > 0 && c->entry[*e - 1].answer && !MUTANT(ANSWER_FIRST))) /* peers get whole segments: none may hold an answer and lie before what it answers */
            break;
        memcpy(c->blob + len, f, frame_stride(f));
        frame_set_pos(c->blob + len, 0);
        len += frame_stride(f);
        last = f;
        *e = c->entry[*e - 1].next;
    }
    head.first_seq = frame_seq(first);
    head.last_seq = frame_seq(last);
    memcpy(head.prev, s->new_head, HASH_LEN);
    seal_hash(head.prev, c->blob, len, after, head.hash);
    seal_sign(c->id, frame_epoch(first), frame_room(first), &head);
    for (size_t at = 0; at < len; at += frame_stride(c->blob + at), from = c->entry[from - 1].next)
        frame_set_pos(c->blob + at, c->entry[from - 1].pos);
    struct history_segment row = {
        .origin = frame_origin(first), .epoch = frame_epoch(first), .room = frame_room(first),
        .first_seq = frame_seq(first), .last_seq = frame_seq(last), .hlc_min = frame_hlc(first), .hlc_max = frame_hlc(last),
        .pos = frame_pos(first), .prev = head.prev, .hash = head.hash, .signature = head.signature, .frames = c->blob, .len = len,
        .after = *after,
    };
    int r = history_add(c->h, &row);
    memcpy(s->new_head, head.hash, HASH_LEN);
    return r;
}

static int store_stream(struct commit *c, uint32_t slot)
{
    struct open_stream *s = &c->stream[slot];
    const struct room *room = &c->st->seg->roster.room[slot];
    int r = 0;
    for (uint32_t e = s->first; s->acts && r == 0 && e != 0; e = c->entry[e - 1].next)
        r = store_act(c, state_at(c->st, c->entry[e - 1].pos));
    memcpy(s->new_head, s->head, HASH_LEN);
    for (uint32_t e = s->first; r == 0 && e != 0;)
        r = seal(c, s, &e);
    return r < 0 ? r : history_room(c->h, room->id, (struct text){room->name, room->name_len}, s->messages, s->hlc);
}

/* owners -- whose clients they are; one who said goodbye needs no memory. */
static int owners(struct commit *c)
{
    const struct roster *r = &c->st->seg->roster;
    if (c->n_senders == 0)
        return 0;
    if (state_take(c->st) < 0)
        return -EIDRM;
    for (uint32_t i = 0; i < c->n_senders; i++) {
        struct sender *s = &c->sender[c->sent[i]];
        uint32_t slot = roster_client(r, s->client);
        s->uid = slot ? r->session[slot].uid : UINT32_MAX;
    }
    state_give(c->st);
    return 0;
}

static int store_senders(struct commit *c)
{
    uint64_t wall = wall_ms();
    int r = owners(c);
    for (uint32_t i = 0; r == 0 && i < c->n_senders && !MUTANT(SENDERS_NOT_STORED); i++) {
        const struct sender *s = &c->sender[c->sent[i]];
        if (s->uid != UINT32_MAX)
            r = history_client(c->h, s->client, s->uid, s->seq, wall);
    }
    return r;
}

static int store_remote(struct commit *c, uint64_t from, uint64_t to)
{
    int r = 0;
    if (state_take(c->st) < 0)
        return -EIDRM;
    uint64_t clock = c->st->seg->hlc;
    state_give(c->st);
    for (uint64_t pos = from; r == 0 && pos < to; pos += frame_stride(state_at(c->st, pos))) {
        const uint8_t *f = state_at(c->st, pos);
        if (frame_type(f) == FRAME_SEGMENT)
            r = add_remote(c, f, pos, clock);
        else if (frame_type(f) == FRAME_GAP)
            r = add_gap(c, f);
    }
    return r;
}

static int store(struct commit *c, uint64_t from, uint64_t to, bool remote)
{
    int r = history_begin(c->h, from);
    for (uint32_t i = 0; r == 0 && i < c->n_active; i++)
        r = store_stream(c, c->active[i]);
    if (r == 0 && remote)
        r = store_remote(c, from, to);
    if (r == 0)
        r = store_senders(c);
    if (r == 0)
        r = history_commit(c->h, to, c->st->seg->shape.ring_size);
    if (r < 0)
        history_rollback(c->h);
    return r;
}

static void forget(struct commit *c, bool stored)
{
    for (uint32_t i = 0; i < c->n_active; i++) {
        struct open_stream *s = &c->stream[c->active[i]];
        s->active = false;
        if (stored)
            memcpy(s->head, s->new_head, HASH_LEN);
    }
    for (uint32_t i = 0; i < c->n_senders; i++)
        c->sender[c->sent[i]] = (struct sender){0};
    afters_stored(c->afters);
    if (!stored && afters_restore(c->afters, c->h) < 0)
        log_warn("cannot read what came last");
    c->n_senders = c->n_active = c->n_entries = 0;
    c->own_back = 0;
    c->acted = c->gaps = c->asks = false;
}

static void tell_gap(void *arg, const uint8_t *gap)
{
    struct commit *c = arg;
    struct gap g;
    if (read_gap(gap, &g) == 0 && g.why == GAP_AWAY)
        c->on_gap(c->gap_arg, gap);
}

/* tell_gaps -- as the store has them, which knows what lies before them. */
static void tell_gaps(struct commit *c, uint64_t from)
{
    if (c->on_gap && history_gaps(c->h, 0, from, tell_gap, c) < 0)
        log_warn("what is missing cannot be read from the store");
}

void commit_on_gap(struct commit *c, void (*gone)(void *arg, const uint8_t *gap), void *arg)
{
    c->on_gap = gone;
    c->gap_arg = arg;
}

static void queries(struct commit *c, uint64_t from, uint64_t to, void (*on_query)(void *arg, const uint8_t *frame),
                    void *arg)
{
    for (uint64_t pos = max_u64(from, c->asked); pos < to; pos += frame_stride(state_at(c->st, pos)))
        if (frame_type(state_at(c->st, pos)) == FRAME_QUERY)
            on_query(arg, state_at(c->st, pos));
    c->asked = max_u64(c->asked, to);
}

int commit_some(struct commit *c, void (*on_query)(void *arg, const uint8_t *frame), void *arg)
{
    struct journal *j = &c->st->seg->journal;
    uint64_t from = journal_durable(j), head = journal_head(j);
    bool entries = false, remote = false;
    if (!MUTANT(HOST_UNLEARNT))
        folds_know_hosts(c->folds);
    if (from == head)
        return 0;
    uint64_t to = gather(c, from, min_u64(head, from + COMMIT_BYTES), &entries, &remote);
    int r = 0;
    if (entries || remote || to - c->recorded > j->size / 2) {
        r = store(c, from, to, remote);
        if (r == 0)
            c->recorded = to;
        c->own += r == 0 ? c->n_entries + c->own_back : 0;
        if (r == 0 && c->acted)
            r = folds_take(c->folds, from, to);
        if (r == 0 && c->gaps)
            tell_gaps(c, from);
    }
    bool asks = c->asks;
    forget(c, r == 0 || MUTANT(HEAD_WITHOUT_COMMIT));
    if (r < 0 && !MUTANT(DURABLE_WITHOUT_COMMIT))
        return r;
    if (asks)
        queries(c, from, to, on_query, arg); /* before the bytes may be overwritten */
    atomic_store_explicit(&j->durable, to, memory_order_release); /* with journal_durable() */
    folds_enforce(c->folds);
    state_ring_all(c->st);
    state_ring(c->st, PROC_LINK);
    if (entries || remote)
        state_ring(c->st, PROC_SEARCH);
    return 1;
}

void commit_queries(struct commit *c, void (*on_query)(void *arg, const uint8_t *frame), void *arg)
{
    struct journal *j = &c->st->seg->journal;
    queries(c, journal_durable(j), journal_head(j), on_query, arg);
}
