/* check.c -- what must hold, looked at whenever something happened: I1 durability, I2 exactly
 * once, I3 prefix, I4 no forgery, I5 causes first, I6 causes before effects in the order of
 * display, I7 convergence, I8 confinement (pairs.c), I9 honest acknowledgements, I13 the clock. */
#include "sim.h"

#include "keep/after.h"

#include <stdio.h>
#include <stdlib.h>

#define LATE_US (30 * S) /* longer than any process is stopped */
enum { CAUSES = 4, SLACK = 1 << 12 };

/* What an origin said once and for all. */
struct fact {
    uint64_t hash, hlc, client;
    uint32_t client_seq;
    uint8_t n_causes;
    struct {
        uint32_t stream, seq;
    } cause[CAUSES]; /* what its author had seen last of others, in that room */
};

struct truth {
    uint64_t origin, epoch, room;
    struct node *node;
    struct fact *fact; /* [1 .. n] */
    uint64_t n, durable, max;
    uint64_t fork; /* a second version exists from here on; 0: none */
};

struct seen {
    uint64_t seq, hash; /* of the last segment */
};

/* What one host has, by our own count. */
struct checks {
    uint64_t scanned;
    struct seen *seen; /* by stream */
    uint32_t max;
    uint64_t adopted,
        kept; /* the newest stamp its clock must be beyond; the same of what is on disk */
    struct {
        uint64_t room;
        uint32_t stream[CAUSES];
        unsigned n;
    } recent[ROOMS_TOP];
    struct map early; /* (origin ^ epoch of a stream, of one that it answers, room) -> of that one up to here it was reported to be missing */
    struct map parked; /* (origin ^ epoch, room, stamp) -> 1: not shown yet; 2: shown */
    unsigned n_parked; /* of these, not shown yet */
    uint64_t left;       /* segments on disk that check_boot() has still to look at */
    uint64_t late_since; /* something is due and not shown; 0: nothing is */
};

static struct map streams;
static struct truth *truth;
static uint32_t n_truths, max_truths;
static struct map signed_hashes;

static void reset(struct checks *c)
{
    if (c->max)
        memset(c->seen, 0, c->max * sizeof *c->seen);
    memset(c->recent, 0, sizeof c->recent);
    map_free(&c->parked);
    c->n_parked = 0;
    c->late_since = 0;
}

void check_reset(void)
{
    for (uint32_t i = 0; i < n_truths; i++)
        free(truth[i].fact);
    n_truths = 0;
    map_free(&streams);
    map_free(&signed_hashes);
}

void check_free(struct node *n)
{
    if (n->checks)
        free(n->checks->seen);
    if (n->checks)
        map_free(&n->checks->parked), map_free(&n->checks->early);
    free(n->checks);
    n->checks = NULL;
}

void check_signed(const struct node *n, uint64_t hash)
{
    map_add(&signed_hashes, hash, n->id, 0, 1);
}

static uint32_t truth_of(uint64_t origin, uint64_t epoch, uint64_t room)
{
    uint32_t *i = map_find(&streams, origin, epoch, room);
    if (i)
        return *i;
    if (n_truths == max_truths) {
        max_truths = max_truths ? max_truths * 2 : 256;
        truth = realloc(truth, max_truths * sizeof *truth);
        ASSERT(truth);
    }
    truth[n_truths] = (struct truth){
        .origin = origin, .epoch = epoch, .room = room, .node = node_by_id(origin)};
    map_add(&streams, origin, epoch, room, n_truths);
    return n_truths++;
}

static struct seen *seen(struct checks *c, uint32_t stream)
{
    if (stream >= c->max) {
        uint32_t max = (stream + 64) * 2;
        c->seen = realloc(c->seen, max * sizeof *c->seen);
        ASSERT(c->seen);
        memset(c->seen + c->max, 0, (max - c->max) * sizeof *c->seen);
        c->max = max;
    }
    return &c->seen[stream];
}

static uint64_t hash_of(const uint8_t *f)
{
    uint64_t h = frame_len(f);
    for (size_t i = 0; i < frame_stride(f); i += 8)
        h = i == 8 ? h : (h ^ get_u64(f + i)) * 0x9fb21c651e98df25u,
        h ^= h >> 31; /* without pos */
    return h;
}

/* ---- what a host says itself ---- */

static unsigned recent_room(struct checks *c, uint64_t room)
{
    unsigned i = 0;
    while (i < ROOMS_TOP - 1 && c->recent[i].room != room && c->recent[i].room != 0)
        i++;
    c->recent[i].room = room;
    return i;
}

static void note_causes(struct node *n, struct fact *f, uint64_t room)
{
    struct checks *c = n->checks;
    unsigned r = recent_room(c, room);
    for (unsigned i = 0; i < c->recent[r].n; i++) {
        f->cause[i].stream = c->recent[r].stream[i];
        f->cause[i].seq = (uint32_t)seen(c, c->recent[r].stream[i])->seq;
    }
    f->n_causes = (uint8_t)c->recent[r].n;
}

static void said_by(struct node *n, const uint8_t *f)
{
    uint32_t stream = truth_of(frame_origin(f), frame_epoch(f), frame_room(f));
    struct truth *t = &truth[stream];
    if (frame_origin(f) != n->id || frame_epoch(f) != n->st.seg->shape.epoch)
        broken("I3: %s says something in a stream that is not its own", node_name(n->id));
    if (frame_seq(f) != t->n + 1)
        broken("I3: %s gives number %llu after %llu", node_name(n->id),
               (unsigned long long)frame_seq(f), (unsigned long long)t->n);
    if (frame_hlc(f) <= n->checks->adopted)
        broken("I6: %s stamps an answer before what it answers", node_name(n->id));
    n->checks->adopted = frame_hlc(f);
    if (++t->n >= t->max) {
        t->max = t->max ? t->max * 2 : 16;
        t->fact = realloc(t->fact, t->max * sizeof *t->fact);
        ASSERT(t->fact);
    }
    t->fact[t->n] = (struct fact){.hash = hash_of(f), .hlc = frame_hlc(f), .client = frame_client(f), .client_seq = frame_client_seq(f)};
    note_causes(n, &t->fact[t->n], t->room);
    w.stats.entries++;
    struct message *m = message_of(frame_client(f), frame_client_seq(f));
    if (!m)
        return;
    if (m->appended == n->incarnation + 1)
        broken("I2: %s takes message %u of %llx a second time", node_name(n->id),
               frame_client_seq(f), (unsigned long long)frame_client(f));
    m->appended = (uint32_t)n->incarnation + 1;
}

/* ---- what it takes from others ---- */

static void note_recent(struct checks *c, uint64_t room, uint32_t stream)
{
    unsigned r = recent_room(c, room), i = 0, n = c->recent[r].n;
    while (i < n && c->recent[r].stream[i] != stream)
        i++;
    if (i == n && n < CAUSES)
        c->recent[r].n++;
    else if (i == n)
        i = CAUSES - 1;
    memmove(&c->recent[r].stream[1], &c->recent[r].stream[0],
            i * sizeof c->recent[r].stream[0]);
    c->recent[r].stream[0] = stream;
}

void check_early(struct node *n, const struct node *from, const uint8_t *f)
{
    struct segment_head s;
    int r = read_segment(f, &s);
    ASSERT(r == 0);
    for (uint32_t i = 0; i < s.after.n; i++) {
        const struct after_row *a = &s.after.row[i];
        const struct have_entry *e = have_find(&n->hub->core.ours, a->origin, a->epoch, frame_room(f));
        trace("        it answers %s/%04llx %llu, here %llu", node_name(a->origin), (unsigned long long)(a->epoch & 0xffff),
              (unsigned long long)a->seq, (unsigned long long)(e ? e->row.seq : 0));
        uint64_t stream = frame_origin(f) ^ frame_epoch(f), cause = a->origin ^ a->epoch;
        const uint32_t *known = map_find(&n->checks->early, stream, cause, frame_room(f));
        map_add(&n->checks->early, stream, cause, frame_room(f), (uint32_t)max_u64(known ? *known : 0, a->seq));
    }
    if (!w.stats.evil_runs && !w.stats.membership && !w.prunes)
        broken("I5: %s has an answer of %s before what it names, by %s", node_name(n->id), node_name(frame_origin(f)), node_name(from->id));
    w.stats.early++;
}

void check_kept_back(const struct node *n, const struct link_early *e)
{
    if (!w.stats.evil_runs && !node_by_id(e->missing.origin)->disputed)
        broken("I5: %s says that %s keeps back what %s answers: %s's %llu", node_name(n->id), node_name(e->by), node_name(e->author),
               node_name(e->missing.origin), (unsigned long long)e->missing.seq);
    w.stats.kept_back++;
}

/* is_early -- was it taken, and reported, before so much of the stream `cause`?  Once named, it is not named again. */
static bool is_early(const struct node *n, const struct truth *t, const struct truth *cause, uint32_t seq)
{
    const uint32_t *known = map_find(&n->checks->early, t->origin ^ t->epoch, cause->origin ^ cause->epoch, t->room);
    return known && *known >= seq;
}

/* is_deleted -- did somebody?  Then the gap may come behind the answer, which lives longer if it is stamped ahead, and nobody who named
 * it may be left. */
static bool is_deleted(const struct truth *t, uint64_t seq)
{
    const struct message *m = message_of(t->fact[seq].client, t->fact[seq].client_seq);
    return m && !hosts_none(&m->gone);
}

/* may_lack -- an answer without what it answers, of which `first` is the first that is missing: when hosts have different peers; in a
 * private room, where the owner's word comes first to who is new in it; of a host with two versions; with somebody who withholds or
 * deletes, where nothing is named: in conversations, in acts; with both, for what named it may be deleted; and what is deleted. */
static bool may_lack(const struct truth *t, const struct truth *cause, uint64_t first, const uint8_t *f)
{
    bool unnamed = pair_is(t->room) || frame_type(f) != FRAME_SAY;
    return w.stats.membership || pair_is_private(t->room) || (cause->node->evil && w.stats.forks) ||
           ((w.stats.evil_runs || w.prunes) && unnamed) || (w.stats.evil_runs && w.prunes) || is_deleted(cause, first);
}

static void check_causes(struct node *n, const struct truth *t, const struct fact *fact, const uint8_t *f)
{
    for (unsigned i = 0; i < fact->n_causes; i++) {
        uint64_t has = seen(n->checks, fact->cause[i].stream)->seq;
        if (has < fact->cause[i].seq) {
            const struct truth *cause = &truth[fact->cause[i].stream];
            if (may_lack(t, cause, has + 1, f) || is_early(n, t, cause, fact->cause[i].seq)) {
                w.stats.reordered++;
                return;
            }
            broken("I5: %s has an answer of %s before what it answers, by %s", node_name(n->id),
                   node_name(t->origin), node_name(cause->origin));
        }
    }
}

static void taken_frame(struct node *n, const struct truth *t, const uint8_t *f)
{
    if (t->node->evil && w.stats.forks)
        return;
    if (frame_seq(f) > t->durable)
        broken("I3: %s has %s's number %llu, which that one has not on disk", node_name(n->id),
               node_name(t->origin), (unsigned long long)frame_seq(f));
    const struct fact *fact = &t->fact[frame_seq(f)];
    if (fact->hash != hash_of(f))
        broken("I4: %s has as %s's number %llu what that one never said", node_name(n->id),
               node_name(t->origin), (unsigned long long)frame_seq(f));
    check_causes(n, t, fact, f);
}

static void taken_by(struct node *n, const uint8_t *f, const struct segment_head *s,
                     const uint8_t *frames)
{
    struct node *origin = node_by_id(frame_origin(f));
    if (!origin || (origin != n && !hosts_have(&n->knows, origin->n)))
        broken("I4: %s took a segment of an unknown host", node_name(n->id));
    if (!map_find(&signed_hashes, get_u64(s->hash), origin->id, 0))
        broken("I4: %s took a segment that %s never sealed", node_name(n->id),
               node_name(origin->id));
    uint32_t stream = truth_of(frame_origin(f), frame_epoch(f), frame_room(f));
    struct seen *have = seen(n->checks, stream);
    if (s->first_seq != have->seq + 1)
        broken(s->first_seq > have->seq + 1 ? "I3: %s took %s's %llu.. after %llu"
                                            : "I2: %s took %s's %llu.. again after %llu",
               node_name(n->id), node_name(origin->id), (unsigned long long)s->first_seq,
               (unsigned long long)have->seq);
    if (get_u64(s->prev) != have->hash)
        broken("I3: %s took a segment of %s that does not continue the one before",
               node_name(n->id), node_name(origin->id));
    for (size_t i = 0; i < s->bytes; i += frame_stride(frames + i))
        taken_frame(n, &truth[stream], frames + i);
    have = seen(n->checks, stream); /* the table may have moved */
    have->seq = frame_seq(f);
    have->hash = get_u64(s->hash);
    if (origin != n)
        note_recent(n->checks, frame_room(f), stream);
    if (frame_hlc(f) >> 16 <= wall_of(n) + SKEW_MAX_MS)
        n->checks->adopted = max_u64(n->checks->adopted, frame_hlc(f));
}

/* taken_gap -- what its origin said there, and nobody who is asked has. */
static void taken_gap(struct node *n, const uint8_t *f)
{
    const struct node *origin = node_by_id(frame_origin(f));
    uint32_t stream = truth_of(frame_origin(f), frame_epoch(f), frame_room(f));
    struct seen *have = seen(n->checks, stream);
    struct gap g;
    int r = read_gap(f, &g);
    if (r < 0 || !origin || !map_find(&signed_hashes, get_u64(g.last.hash), origin->id, 0))
        broken("I4: %s took a gap that %s never sealed", node_name(n->id), origin ? node_name(origin->id) : "nobody");
    if (have->seq == 0 || g.first_seq > have->seq + 1)
        broken("I3: %s took a gap of %s's %llu.. after %llu", node_name(n->id), node_name(origin->id),
               (unsigned long long)g.first_seq, (unsigned long long)have->seq);
    if (frame_seq(f) <= have->seq)
        broken("I2: %s took a gap of %s's up to %llu again", node_name(n->id), node_name(origin->id),
               (unsigned long long)frame_seq(f));
    trace("<- GAP %s/%04llx/%04llx %llu..%llu", node_name(origin->id), (unsigned long long)(frame_epoch(f) & 0xffff),
          (unsigned long long)(frame_room(f) & 0xffff), (unsigned long long)g.first_seq, (unsigned long long)frame_seq(f));
    w.stats.gaps++;
    have->seq = frame_seq(f);
    have->hash = get_u64(g.last.hash);
}

/* ---- what is ahead of its time ---- */

static bool ahead(const struct node *n, uint64_t hlc)
{
    return hlc >> 16 > wall_of(n) + SKEW_MAX_MS;
}

static void check_parked(struct node *n, const uint8_t *segment)
{
    bool parked = frame_flags(segment) & FRAME_PARKED;
    bool must = ahead(n, frame_hlc(segment)) && frame_origin(segment) != n->id;
    if (parked != must)
        broken("I14: %s %s what is stamped %lld ms ahead", node_name(n->id), parked ? "hides" : "shows",
               (long long)((frame_hlc(segment) >> 16) - wall_of(n)));
    if (parked)
        map_add(&n->checks->parked, frame_origin(segment) ^ frame_epoch(segment), frame_room(segment), frame_hlc(segment), 1);
    n->checks->n_parked += parked;
    w.stats.parked += parked;
}

/* shown_by -- a segment that was parked, for its second time.  Returns its bytes. */
static size_t shown_by(struct node *n, const uint8_t *due, const uint8_t *frames)
{
    uint32_t bytes;
    int r = read_due(due, &bytes);
    ASSERT(r == 0);
    const uint8_t *last = frames;
    for (size_t i = 0; i < bytes; i += frame_stride(frames + i))
        last = frames + i;
    if (ahead(n, frame_hlc(last)))
        broken("I14: %s shows what is stamped %lld ms ahead", node_name(n->id),
               (long long)((frame_hlc(last) >> 16) - wall_of(n)));
    uint32_t *parked = map_find(&n->checks->parked, frame_origin(last) ^ frame_epoch(last), frame_room(last), frame_hlc(last));
    if (parked && *parked == 1) {
        *parked = 2;
        n->checks->n_parked--;
    }
    return bytes;
}

/* check_shown -- is everything shown whose time has come since it was parked?  Soon, that is; not while the disk is full, and
 * not what lies behind a fork. */
void check_shown(struct node *n)
{
    const struct map *m = &n->checks->parked;
    bool late = false;
    for (uint32_t i = 0; n->checks->n_parked > 0 && i < m->max; i++)
        late |= m->slot[i].used && m->slot[i].value == 1 && !ahead(n, m->slot[i].room);
    late &= !n->failing && w.stats.forks == 0;
    if (!late || n->checks->late_since == 0)
        n->checks->late_since = late ? w.now : 0;
    else if (w.now - n->checks->late_since > LATE_US)
        broken("I14: %s does not show what has been due for a while", node_name(n->id));
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
            c->scanned += shown_by(n, f, state_at(&n->st, c->scanned));
        } else if (frame_row(frame_type(f)) && frame_row(frame_type(f))->durable) {
            said_by(n, f);
        }
    }
    check_clock(n);
}

/* ---- what is on disk ---- */

bool held_by_nobody(const struct message *m, unsigned but)
{
    struct hosts holders = m->holders;
    uint64_t any = 0;
    if (but < NODES_MAX)
        hosts_put(&holders, but, false);
    for (unsigned i = 0; i < ARRAY_LEN(holders.bit); i++)
        any |= holders.bit[i];
    return any == 0;
}

static void hold(struct node *n, const struct history_segment *s)
{
    for (size_t i = 0; i < s->len && !n->evil; i += frame_stride(s->frames + i)) {
        struct message *m =
            message_of(frame_client(s->frames + i), frame_client_seq(s->frames + i));
        if (m)
            hosts_put(&m->holders, n->n, true);
    }
}

void check_stored(struct node *n, const struct history_segment *s)
{
    uint32_t stream = truth_of(s->origin, s->epoch, s->room);
    struct truth *t = &truth[stream];
    bool own = s->origin == n->id && n->up && s->epoch == n->st.seg->shape.epoch;
    pair_check(s->room, n, "stores words");
    if (s->first_seq != disk_has(n->disk, s->origin, s->epoch, s->room) + 1)
        broken("I3: %s stores %s's %llu.. after %llu", node_name(n->id), node_name(s->origin),
               (unsigned long long)s->first_seq,
               (unsigned long long)disk_has(n->disk, s->origin, s->epoch, s->room));
    if (own) {
        t->durable = max_u64(t->durable, s->last_seq);
        struct seen *have = seen(n->checks, stream);
        have->seq = s->last_seq;
        have->hash = get_u64(s->hash);
    }
    if (own || s->hlc_max <= n->checks->adopted)
        n->checks->kept = max_u64(n->checks->kept, s->hlc_max);
    hold(n, s);
    w.stats.segments++;
    digest(get_u64(s->hash));
}

void check_missing(struct node *n, const uint8_t *gap, uint64_t from)
{
    const struct truth *t = &truth[truth_of(frame_origin(gap), frame_epoch(gap), frame_room(gap))];
    for (uint64_t seq = from; seq <= frame_seq(gap) && seq < t->max && !n->evil; seq++) {
        struct message *m = message_of(t->fact[seq].client, t->fact[seq].client_seq);
        if (m)
            hosts_put(&m->gone, n->n, true);
    }
}

void check_dropped(struct node *n, const struct history_segment *s)
{
    for (size_t i = 0; i < s->len && !n->evil; i += frame_stride(s->frames + i)) {
        const uint8_t *f = s->frames + i;
        struct message *m = message_of(frame_client(f), frame_client_seq(f));
        if (m) {
            hosts_put(&m->gone, n->n, true);
            hosts_put(&m->holders, n->n, false);
        }
    }
    uint32_t *parked = n->checks ? map_find(&n->checks->parked, s->origin ^ s->epoch, s->room, s->hlc_max) : NULL;
    if (parked && *parked == 1) {
        *parked = 2;
        n->checks->n_parked--;
    }
    gone_dropped(n, s);
}

static void each_stored(void *arg, const struct history_segment *s)
{
    hold(arg, s);
}

static void each_missing(void *arg, const uint8_t *gap)
{
    struct gap g;
    if (read_gap(gap, &g) == 0)
        check_missing(arg, gap, g.first_seq);
}

void check_restored(struct node *n)
{
    n->checks->kept = 0;
    for (unsigned c = 0; c < w.n_clients; c++)
        for (uint32_t i = 1; i <= w.client[c].said; i++)
            hosts_put(&w.client[c].msg[i].holders, n->n, false), hosts_put(&w.client[c].msg[i].gone, n->n, false);
    disk_each(n->disk, each_stored, n);
    disk_gaps(n->disk, each_missing, n);
    for (unsigned c = 0; c < w.n_clients; c++)
        for (uint32_t i = 1; i <= w.client[c].said; i++) {
            struct message *m = &w.client[c].msg[i];
            if (m->acked && held_by_nobody(m, NODES_MAX) && !m->lost && !w.client[c].node->evil) {
                m->lost = true; /* nobody else had it yet: that is what a lost disk costs */
                w.stats.lost_by_rollback++;
            }
        }
}

static void count(void *arg, const struct history_segment *s)
{
    struct node *n = arg;
    (void)s;
    n->checks->left++;
}

static void see_again(void *arg, const struct history_segment *s)
{
    struct node *n = arg;
    uint32_t stream = truth_of(s->origin, s->epoch, s->room);
    struct seen *have = seen(n->checks, stream);
    if (s->last_seq > have->seq) {
        have->seq = s->last_seq;
        have->hash = get_u64(s->hash);
    }
    if (s->origin != n->id && n->checks->left <= AFTER_RECENT)
        note_recent(n->checks, s->room, stream);
    n->checks->left--;
}

static void see_gap(void *arg, const uint8_t *gap)
{
    struct node *n = arg;
    struct seen *have = seen(n->checks, truth_of(frame_origin(gap), frame_epoch(gap), frame_room(gap)));
    struct gap g;
    if (frame_seq(gap) > have->seq && read_gap(gap, &g) == 0) {
        have->seq = frame_seq(gap);
        have->hash = get_u64(g.last.hash);
    }
}

void check_boot(struct node *n)
{
    if (!n->checks)
        n->checks = calloc(1, sizeof *n->checks);
    ASSERT(n->checks);
    reset(n->checks);
    disk_each(n->disk, count, n);
    disk_each(n->disk, see_again, n);
    disk_gaps(n->disk, see_gap, n);
    n->checks->scanned = journal_head(&n->st.seg->journal);
    n->checks->adopted = n->checks->kept;
    check_clock(n);
}

/* check_stop -- what it said and had not on disk was never said. */
void check_stop(struct node *n)
{
    for (uint32_t i = 0; i < n_truths; i++) {
        struct truth *t = &truth[i];
        if (t->node != n)
            continue;
        for (uint64_t seq = t->durable + 1; seq <= t->n; seq++) {
            struct message *m = message_of(t->fact[seq].client, t->fact[seq].client_seq);
            if (m)
                m->appended = 0;
        }
        t->n = t->durable;
    }
}

void check_acked(struct node *n, struct message *m, uint64_t client, uint32_t seq)
{
    if (!m->acked && !n->evil && !hosts_have(&m->holders, n->n) && !hosts_have(&m->gone, n->n))
        broken("I1: %s acknowledges message %u of %llx, which is not on its disk",
               node_name(n->id), seq, (unsigned long long)client);
    w.stats.acked += !m->acked;
    m->acked = true;
}

/* check_log -- where everybody is honest nobody is refused for what he sent. */
void check_log(const char *line)
{
    if (!w.stats.evil_runs && strstr(line, "seal or content is wrong"))
        broken("I4: in a run without liars: %s", line);
}

void check_clock(struct node *n)
{
    if (n->evil)
        return;
    w.wall_max_ms = max_u64(w.wall_max_ms, wall_of(n));
    if (n->st.seg->hlc >> 16 > w.wall_max_ms + SKEW_MAX_MS + 1)
        broken("I13: the clock of %s runs %llu s ahead of every honest one", node_name(n->id),
               (unsigned long long)((n->st.seg->hlc >> 16) - w.wall_max_ms) / 1000);
}
