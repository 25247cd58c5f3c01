/* check_causes.c -- I5: no host has an answer before what it answers, unless that is named as missing, or must be. */
#include "check_inside.h"

/* ---- what was answered ---- */

static unsigned recent_room(struct checks *c, uint64_t room)
{
    unsigned i = 0;
    while (i < ROOMS_TOP - 1 && c->recent[i].room != room && c->recent[i].room != 0)
        i++;
    c->recent[i].room = room;
    return i;
}

void note_recent(struct checks *c, uint64_t room, uint32_t stream)
{
    unsigned r = recent_room(c, room), i = 0, n = c->recent[r].n;
    while (i < n && c->recent[r].stream[i] != stream)
        i++;
    if (i == n && n < CAUSES)
        c->recent[r].n++;
    else if (i == n)
        i = CAUSES - 1;
    memmove(&c->recent[r].stream[1], &c->recent[r].stream[0], i * sizeof c->recent[r].stream[0]);
    c->recent[r].stream[0] = stream;
}

void note_causes(struct node *n, struct fact *f, uint64_t room)
{
    struct checks *c = n->checks;
    unsigned r = recent_room(c, room);
    for (unsigned i = 0; i < c->recent[r].n; i++) {
        f->cause[i].stream = c->recent[r].stream[i];
        f->cause[i].seq = (uint32_t)seen(c, c->recent[r].stream[i])->seq;
    }
    f->n_causes = (uint8_t)c->recent[r].n;
}

/* ---- what is named as missing ---- */

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

/* ---- what may be missing ---- */

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

void check_causes(struct node *n, const struct truth *t, const struct fact *fact, const uint8_t *f)
{
    for (unsigned i = 0; i < fact->n_causes; i++) {
        uint64_t has = seen(n->checks, fact->cause[i].stream)->seq;
        if (has >= fact->cause[i].seq)
            continue;
        const struct truth *cause = &truth[fact->cause[i].stream];
        if (may_lack(t, cause, has + 1, f) || is_early(n, t, cause, fact->cause[i].seq)) {
            w.stats.reordered++;
            return;
        }
        broken("I5: %s has an answer of %s before what it answers, by %s", node_name(n->id), node_name(t->origin),
               node_name(cause->origin));
    }
}
