/* check_journal.c -- what comes into a journal: what its host says is new and stamped behind what it answers (I2, I3, I6); what it takes
 * from others continues what it has, and they said and sealed it (I2, I3, I4). */
#include "check_inside.h"

static uint64_t hash_of(const uint8_t *f)
{
    uint64_t h = frame_len(f);
    for (size_t i = 0; i < frame_stride(f); i += 8) {
        h = i == 8 ? h : (h ^ get_u64(f + i)) * 0x9fb21c651e98df25u; /* without pos */
        h ^= h >> 31;
    }
    return h;
}

/* ---- what a host says itself ---- */

static void said_by(struct node *n, const uint8_t *f)
{
    struct truth *t = truth_of(f);
    if (frame_origin(f) != n->id || frame_epoch(f) != n->st.seg->shape.epoch)
        broken("I3: %s says something in a stream that is not its own", node_name(n->id));
    if (frame_seq(f) != t->n + 1)
        broken("I3: %s gives number %llu after %llu", node_name(n->id), (unsigned long long)frame_seq(f), (unsigned long long)t->n);
    if (frame_hlc(f) <= n->checks->adopted)
        broken("I6: %s stamps an answer before what it answers", node_name(n->id));
    n->checks->adopted = frame_hlc(f);
    t->fact = grown(t->fact, ++t->n, &t->max, sizeof *t->fact);
    t->fact[t->n] = (struct fact){.hash = hash_of(f), .hlc = frame_hlc(f), .client = frame_client(f), .client_seq = frame_client_seq(f)};
    note_causes(n, &t->fact[t->n], t->room);
    w.stats.entries++;
    struct message *m = message_of(frame_client(f), frame_client_seq(f));
    if (!m)
        return;
    if (m->appended == n->incarnation + 1)
        broken("I2: %s takes message %u of %llx a second time", node_name(n->id), frame_client_seq(f), (unsigned long long)frame_client(f));
    m->appended = (uint32_t)n->incarnation + 1;
}

/* ---- what it takes from others ---- */

static void taken_frame(struct node *n, const struct truth *t, const uint8_t *f)
{
    if (t->node->evil && w.stats.forks)
        return;
    if (frame_seq(f) > t->durable)
        broken("I3: %s has %s's number %llu, which that one has not on disk", node_name(n->id), node_name(t->origin),
               (unsigned long long)frame_seq(f));
    const struct fact *fact = &t->fact[frame_seq(f)];
    if (fact->hash != hash_of(f))
        broken("I4: %s has as %s's number %llu what that one never said", node_name(n->id), node_name(t->origin),
               (unsigned long long)frame_seq(f));
    check_causes(n, t, fact, f);
}

static void taken_by(struct node *n, const uint8_t *f, const struct segment_head *s, const uint8_t *frames)
{
    struct node *origin = node_by_id(frame_origin(f));
    if (!origin || (origin != n && !hosts_have(&n->knows, origin->n)))
        broken("I4: %s took a segment of an unknown host", node_name(n->id));
    if (!was_sealed(origin->id, s->hash))
        broken("I4: %s took a segment that %s never sealed", node_name(n->id), node_name(origin->id));
    uint32_t stream = stream_of(f);
    struct seen have = *seen(n->checks, stream);
    if (s->first_seq != have.seq + 1)
        broken(s->first_seq > have.seq + 1 ? "I3: %s took %s's %llu.. after %llu" : "I2: %s took %s's %llu.. again after %llu",
               node_name(n->id), node_name(origin->id), (unsigned long long)s->first_seq, (unsigned long long)have.seq);
    if (get_u64(s->prev) != have.hash)
        broken("I3: %s took a segment of %s that does not continue the one before", node_name(n->id), node_name(origin->id));
    for (size_t i = 0; i < s->bytes; i += frame_stride(frames + i))
        taken_frame(n, &truth[stream], frames + i);
    has_now(n->checks, stream, frame_seq(f), s->hash);
    if (origin != n)
        note_recent(n->checks, frame_room(f), stream);
    if (frame_hlc(f) >> 16 <= wall_of(n) + SKEW_MAX_MS)
        n->checks->adopted = max_u64(n->checks->adopted, frame_hlc(f));
}

/* taken_gap -- what its origin said there, and nobody who is asked has. */
static void taken_gap(struct node *n, const uint8_t *f)
{
    const struct node *origin = node_by_id(frame_origin(f));
    uint32_t stream = stream_of(f);
    uint64_t has = seen(n->checks, stream)->seq;
    struct gap g;
    int r = read_gap(f, &g);
    if (r < 0 || !origin || !was_sealed(origin->id, g.last.hash))
        broken("I4: %s took a gap that %s never sealed", node_name(n->id), origin ? node_name(origin->id) : "nobody");
    if (has == 0 || g.first_seq > has + 1)
        broken("I3: %s took a gap of %s's %llu.. after %llu", node_name(n->id), node_name(origin->id), (unsigned long long)g.first_seq,
               (unsigned long long)has);
    if (frame_seq(f) <= has)
        broken("I2: %s took a gap of %s's up to %llu again", node_name(n->id), node_name(origin->id), (unsigned long long)frame_seq(f));
    trace("<- GAP %s/%04llx/%04llx %llu..%llu", node_name(origin->id), (unsigned long long)(frame_epoch(f) & 0xffff),
          (unsigned long long)(frame_room(f) & 0xffff), (unsigned long long)g.first_seq, (unsigned long long)frame_seq(f));
    w.stats.gaps++;
    has_now(n->checks, stream, frame_seq(f), g.last.hash);
}

void check_journal(struct node *n)
{
    struct checks *c = n->checks;
    struct segment_head s;
    uint64_t head = journal_head(&n->st.seg->journal);
    while (c->scanned < head) {
        const uint8_t *f = state_at(&n->st, c->scanned);
        c->scanned += frame_stride(f);
        if (frame_type(f) == FRAME_SEGMENT && read_segment(f, &s) == 0) {
            taken_by(n, f, &s, state_at(&n->st, c->scanned));
            check_parked(n, f);
            c->scanned += s.bytes;
        } else if (frame_type(f) == FRAME_GAP) {
            taken_gap(n, f);
        } else if (frame_type(f) == FRAME_DUE) {
            c->scanned += check_due(n, f, state_at(&n->st, c->scanned));
        } else if (frame_row(frame_type(f)) && frame_row(frame_type(f))->durable) {
            said_by(n, f);
        }
    }
    check_clock(n);
}

/* check_log -- where everybody is honest nobody is refused for what he sent. */
void check_log(const char *line)
{
    if (!w.stats.evil_runs && strstr(line, "seal or content is wrong"))
        broken("I4: in a run without liars: %s", line);
}
