/* take.c -- what peers bring: looked at, judged, and put into the journal or given to the keeper. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "rules/remote.h"
#include "state/scope.h"
#include "trust/seal.h"

#include <errno.h>
#include <stdlib.h>

#define NOT_SEALED "A segment came whose seal or content is wrong."

const uint8_t *hub_key(const struct hub *h, uint64_t host)
{
    const struct peer *p = peers_by_host(&h->peers, host);
    return p ? p->key : host == h->core.self ? tls_own_key(h->tls) : NULL;
}

/* make_room -- for another stream.  Returns 0 or -EAGAIN. */
static int make_room(struct hub *h)
{
    uint32_t max = h->core.ours.max * 2;
    if (!link_full(&h->core))
        return 0;
    void *memory = malloc(have_size(max));
    if (!memory)
        return -EAGAIN;
    free(link_grow(&h->core, memory, max));
    return 0;
}

/* append -- returns 0, -EAGAIN, -ENOSPC. */
static int append(struct hub *h, const uint8_t *segment, const uint8_t *frames, size_t len)
{
    struct state *st = h->st;
    uint64_t wall = wall_ms();
    if (make_room(h) < 0)
        return -EAGAIN;
    hub_take_lock(h);
    int r = remote_apply(st, segment, frames, len, wall);
    if (r == 0)
        link_took(&h->core, segment, st->next);
    state_publish(st);
    state_give(st);
    if (r == 0)
        state_ring_all(st);
    return r;
}

/* tell_ahead -- once, until it says something again that can be shown; of what is shown to nobody, not at all. */
static void tell_ahead(struct hub *h, const uint8_t *segment)
{
    if (frame_room(segment) == MEMBERS_ROOM)
        return;
    uint64_t stamp = frame_hlc(segment) >> 16, wall = wall_ms();
    bool ahead = stamp > wall + SKEW_MAX_MS && frame_origin(segment) != h->core.self;
    for (size_t i = 0; i < h->n_lines; i++) {
        struct line *ln = &h->line[i];
        if (!ln->known || ln->peer.host != frame_origin(segment) || ln->ahead == ahead)
            continue;
        ln->ahead = ahead;
        if (ahead)
            hub_tell(h, REASON_CLOCK,
                     "The clock of %s is %llu min ahead of this host's: what is said there is shown when its time comes.",
                     ln->peer.name, (unsigned long long)(stamp - wall) / 60000);
    }
}

/* take -- a segment that is new.  Returns -EAGAIN: not now. */
static int take(struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len)
{
    struct hub *h = hub_of(l);
    const uint8_t *key = hub_key(h, frame_origin(segment));
    if (!key || seal_check(segment, frames, len, key) < 0 || remote_check(frames, len) < 0 || !hub_members_ok(frames, len) ||
        !scope_takes(h->st->seg, l->line->peer.host, frames, len)) {
        log_warn("a segment from %s is not what its origin can have sealed", l->line->peer.name);
        link_farewell(l, REASON_DENIED, NOT_SEALED);
        return 0;
    }
    int r = append(h, segment, frames, len);
    if (r == 0)
        tell_ahead(h, segment);
    if (r == 0 && scope_public(h->st->seg, frame_room(segment)))
        (void)link_early(&h->core, (unsigned)l->peer, segment, now_ms());
    if (r == -ENOSPC)
        log_error("the table of rooms is full: %s has more rooms than fit here", l->line->peer.name);
    if (r == -ENOSPC || r == -EMSGSIZE) {
        link_farewell(l, REASON_LIMIT, "The table of rooms is full.");
        return 0;
    }
    return r;
}

/* give_chain -- to the keeper, who is to look at it when all is stored that was taken so far. */
static void give_chain(struct link *l, uint8_t *chain)
{
    struct hub *h = hub_of(l);
    frame_set_client(chain, h->core.peer[l->peer].feed);
    frame_set_pos(chain, MUTANT(FORK_LOOKED_EARLY) ? 0 : h->core.taken);
    keeper_line_say(&h->keeper, chain, frame_stride(chain));
}

/* tell_fork -- once for each stream. */
static void tell_fork(struct hub *h, const uint8_t *proof)
{
    const struct roster *r = &h->st->seg->roster;
    hub_take_lock(h);
    const struct room room = r->room[roster_room(r, frame_room(proof))];
    state_give(h->st);
    const char *name = hub_called(h, frame_origin(proof));
    log_error("%s said two different things to different hosts; nothing more of that stream is taken", name);
    if (room.name_len > 0 && room.id != MEMBERS_ROOM && scope_public(h->st->seg, room.id))
        hub_tell(h, REASON_FORK, "%s told different hosts different things: what it said in #%.*s from then on is hidden.", name,
                 (int)room.name_len, room.name);
    else /* not a room that everybody may know of */
        hub_tell(h, REASON_FORK, "%s told different hosts different things: some of what it said is hidden.", name);
}

void hub_take_proof(struct hub *h, const uint8_t *proof)
{
    if (make_room(h) == 0 && link_fork(&h->core, proof)) /* without room it stays frozen */
        tell_fork(h, proof);
}

/* forked -- does its origin contradict itself, or did somebody make this up? */
static void forked(struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len, const struct link_update *up)
{
    struct hub *h = hub_of(l);
    const uint8_t *key = hub_key(h, frame_origin(segment));
    if (!key || seal_check(segment, frames, len, key) < 0) {
        link_farewell(l, up->reason, up->why);
        return;
    }
    uint8_t chain[FRAME_MAX];
    struct sealed s;
    int r = read_sealed(segment, &s);
    int n = write_chain(chain, &s, 1, frame_origin(segment), frame_epoch(segment), frame_room(segment), 0);
    ASSERT(r == 0 && n > 0);
    link_freeze(&h->core, segment);
    give_chain(l, chain);
}

/* pries -- of a room that this peer may not know of it gets no verdict, or it could ask whether there is one: it hears what
 * one hears who makes up a segment. */
static bool pries(const struct link *l, const uint8_t *segment)
{
    const struct segment *seg = hub_of(l)->st->seg;
    uint64_t room = frame_room(segment);
    bool known = roster_room(&seg->roster, room) != 0;
    return known && !scope_host(seg, room, l->line->peer.host) && !MUTANT(PRYING_ANSWERED);
}

/* is_owners -- of a private room, from its owner's host?  Sealed, that proves itself, whoever brings it. */
static bool is_owners(const struct link *l, const uint8_t *frame)
{
    return scope_owns(hub_of(l)->st->seg, frame_room(frame), frame_origin(frame)) && !MUTANT(OWNER_UNHEARD);
}

static bool is_sealed(const struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len)
{
    const uint8_t *key = hub_key(hub_of(l), frame_origin(segment));
    return key && seal_check(segment, frames, len, key) == 0;
}

/* turn_away -- who pries.  A host that was uninvited may not know that yet: what it says is dropped without a word.
 * Returns -EAGAIN: not now, for what lets it in may be on its way to the disk (it was brought by itself, if we lost our own), or the keeper
 * does not know yet that there is such a host. */
static int turn_away(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    if (link_on_its_way(&h->core, frame_room(frame)) || journal_durable(&h->st->seg->journal) < h->named)
        return -EAGAIN;
    if (!scope_left(h->st->seg, frame_room(frame), l->line->peer.host))
        link_farewell(l, REASON_DENIED, NOT_SEALED);
    return 0;
}

void link_take_chain(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    struct link_update up;
    struct sealed s[CHAIN_HEADS_MAX];
    uint8_t chain[FRAME_MAX];
    enum link_verdict v = link_judge_chain(&h->core, (unsigned)l->peer, frame, now_ms(), &up);
    if (v == LINK_BAD)
        link_farewell(l, up.reason, up.why);
    if (v != LINK_NEW)
        return;
    const uint8_t *key = hub_key(h, frame_origin(frame));
    int n = read_chain(frame, s);
    for (int i = 0; i < n; i++)
        if (!key || !(seal_signed(&s[i], frame_epoch(frame), frame_room(frame), key) || MUTANT(CHAIN_UNCHECKED))) {
            link_farewell(l, REASON_DENIED, "The head of a segment came whose signature is wrong.");
            return;
        }
    memcpy(chain, frame, frame_stride(frame));
    if (!pries(l, frame))
        give_chain(l, chain);
}

/* contradicts -- the signed head of a gap that its origin never can have said, if what it said before is here. */
static void contradicts(struct link *l, const uint8_t *gap, const struct sealed *s)
{
    struct hub *h = hub_of(l);
    uint8_t chain[FRAME_MAX];
    int n = write_chain(chain, s, 1, frame_origin(gap), frame_epoch(gap), frame_room(gap), 0);
    ASSERT(n > 0);
    link_freeze(&h->core, gap);
    give_chain(l, chain);
}

/* append_gap -- as append(). */
static int append_gap(struct hub *h, const uint8_t *gap)
{
    struct state *st = h->st;
    uint64_t wall = wall_ms(), have = have_find(&h->core.ours, frame_origin(gap), frame_epoch(gap), frame_room(gap))->row.seq;
    hub_take_lock(h);
    int r = remote_gap(st, gap, have + 1, wall);
    if (r == 0 && MUTANT(GAP_TWICE))
        r = remote_gap(st, gap, have + 1, wall);
    if (r == 0)
        link_took(&h->core, gap, st->next);
    state_publish(st);
    state_give(st);
    if (r == 0)
        state_ring_all(st);
    return r;
}

int link_take_gap(struct link *l, const uint8_t *gap)
{
    struct hub *h = hub_of(l);
    struct link_update up;
    struct gap g;
    const uint8_t *key = hub_key(h, frame_origin(gap));
    bool good = read_gap(gap, &g) == 0 && key && seal_signed(&g.last, frame_epoch(gap), frame_room(gap), key);
    if (pries(l, gap) && !(is_owners(l, gap) && good))
        return turn_away(l, gap);
    enum link_verdict v = link_judge_gap(&h->core, (unsigned)l->peer, gap, now_ms(), &up);
    keeper_line_say(&h->keeper, up.feed, up.feed_len);
    if (v == LINK_LATER)
        return -EAGAIN;
    if (v == LINK_BAD || (v == LINK_FORKED && !good))
        link_farewell(l, up.reason, up.why);
    else if (v == LINK_FORKED)
        contradicts(l, gap, &g.last);
    else if (v == LINK_NEW && !good)
        link_farewell(l, REASON_DENIED, NOT_SEALED);
    else if (v == LINK_NEW)
        return append_gap(h, gap);
    return 0;
}

int link_take_segment(struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len)
{
    struct hub *h = hub_of(l);
    struct link_update up;
    if (pries(l, segment) && !(is_owners(l, segment) && is_sealed(l, segment, frames, len)))
        return turn_away(l, segment);
    enum link_verdict v = link_judge(&h->core, (unsigned)l->peer, segment, now_ms(), &up);
    keeper_line_say(&h->keeper, up.feed, up.feed_len);
    switch (v) {
    case LINK_NEW:
        return take(l, segment, frames, len);
    case LINK_LATER:
        return -EAGAIN;
    case LINK_BAD:
        if (roster_room(&h->st->seg->roster, frame_room(segment)) == 0)
            link_farewell(l, REASON_DENIED, NOT_SEALED); /* as of a room that it may not know of */
        else
            link_farewell(l, up.reason, up.why);
        return 0;
    case LINK_FORKED:
        forked(l, segment, frames, len, &up);
        return 0;
    case LINK_OLD:
    default:
        return 0;
    }
}
