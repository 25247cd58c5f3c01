/* traffic.c -- what comes and goes over links: segments between journal, keeper and peers. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "rules/remote.h"
#include "state/scope.h"
#include "trust/seal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TURN_FRAMES = 256, /* taken from one connection before the others have their turn */
    RETRY_MS = 125,    /* before a peer that was lost is dialled, at most */
};

#define NOT_SEALED "A segment came whose seal or content is wrong."

static struct hub *hub_of(const struct link *l)
{
    return l->c.arg;
}

void hub_take_lock(struct hub *h)
{
    if (state_take(h->st) < 0) {
        log_error("the shared memory was left in a state that makes no sense");
        exit(EXIT_RESET);
    }
}

bool hub_may_hear(void *hub, uint64_t room, uint64_t host)
{
    const struct hub *h = hub;
    return scope_host(h->st->seg, room, host);
}

bool hub_is_private(void *hub, uint64_t room)
{
    const struct hub *h = hub;
    return scope_private(h->st->seg, room);
}

/* ---- what people are told ---- */

/* publish -- one frame without a room: every client gets it. */
static void publish(struct hub *h, const uint8_t *frame)
{
    struct state *st = h->st;
    hub_take_lock(h);
    if (state_room_for(st, FRAME_MAX) == 0)
        state_put(st, frame);
    state_publish(st);
    state_give(st);
    state_ring_all(st);
}

void hub_tell(struct hub *h, enum reason reason, const char *fmt, ...)
{
    char text[SENTENCE_MAX + 1];
    uint8_t frame[FRAME_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct reasoned r = {(uint8_t)reason, text_of(text)};
    int n = write_reasoned(frame, FRAME_NOTICE, &r, 0, 0);
    ASSERT(n > 0);
    publish(h, frame);
}

void hub_name(struct hub *h, const struct peer *p)
{
    uint8_t frame[FRAME_MAX];
    hub_take_lock(h);
    bool fits = roster_host_open(&h->st->edit, p->host, text_of(p->name)) != 0;
    state_give(h->st);
    if (!fits)
        log_error("no room for the name of another host");
    if (write_host(frame, p->host, text_of(p->name)) > 0)
        publish(h, frame);
}

const char *hub_called(const struct hub *h, uint64_t host)
{
    const struct peer *p = peers_by_host(&h->peers, host);
    return p ? p->name : h->st->seg->shape.host;
}

void hub_show(struct hub *h, const struct line *ln)
{
    struct link_row *row = &h->st->seg->link[ln - h->line];
    const struct link_peer *p = ln->link ? &h->core.peer[ln->link->peer] : NULL;
    uint32_t up = !p || p->phase < LINK_VECTOR ? LINK_IS_DOWN : p->through ? LINK_IS_INDIRECT : LINK_IS_UP;
    bool fresh = atomic_load(&row->host) != ln->peer.host;
    if (fresh || atomic_load(&row->up) != up)
        atomic_store(&row->since_ms, fresh && !up ? 0 : wall_ms());
    if (fresh) {
        atomic_store(&row->heard_ms, 0);
        atomic_store(&row->early, 0);
    }
    atomic_store(&row->host, ln->peer.host);
    atomic_store(&row->up, up);
    if (up) {
        atomic_store(&row->rtt_ms, p->rtt_ms);
        atomic_store(&row->heard_ms, wall_ms() - (now_ms() - p->heard_ms));
    }
}

/* ---- the end of a connection ---- */

void link_end(struct link *l, const char *why)
{
    struct hub *h = hub_of(l);
    struct line *ln = l->line;
    struct link_update up;
    if (l->over)
        return;
    l->over = true;
    if (ln && ln->dialing == l) {
        ln->dialing = NULL;
        if (strcmp(ln->why, why) != 0)
            log_info("cannot link with %s (%s): %s", ln->peer.name, ln->peer.address, why);
        snprintf(ln->why, sizeof ln->why, "%s", why);
    }
    if (ln && ln->through == l)
        ln->through = NULL;
    if (l->peer < 0)
        return;
    link_down(&h->core, (unsigned)l->peer, &up);
    keeper_line_say(&h->keeper, up.feed, up.feed_len);
    if (!ln || ln->link != l)
        return;
    if (strcmp(ln->why, why) != 0)
        log_info("link with %s ended: %s", ln->peer.name, why);
    snprintf(ln->why, sizeof ln->why, "%s", why);
    ln->link = NULL;
    ln->down_since = ln->down_since ? ln->down_since : now_ms();
    ln->retry_at = now_ms() + prng_below(&h->prng, RETRY_MS);
    ln->tries = 0;
    hub_show(h, ln);
}

void link_farewell(struct link *l, enum reason reason, const char *why)
{
    uint8_t frame[FRAME_MAX];
    struct reasoned r = {(uint8_t)reason, text_of(why)};
    int n = write_reasoned(frame, FRAME_FAREWELL, &r, 0, 0);
    if (n > 0 && conn_waiting(&l->c) == 0 && conn_say(&l->c, frame, (size_t)n) == 0)
        conn_flush(&l->c);
    link_end(l, why);
}

/* ---- out ---- */

static void speak_all(struct hub *h)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        link_speak(&h->link[i]);
}

void link_speak(struct link *l)
{
    struct hub *h = hub_of(l);
    if (!link_is_up(l))
        return;
    uint8_t frame[FRAME_MAX]; /* behind the check: compilers that zero it would do so for every free place */
    conn_flush(&l->c);
    while (conn_waiting(&l->c) < FRAME_MAX) {
        int n = link_next(&h->core, (unsigned)l->peer, wall_ms(), now_ms(), frame);
        if (n == 0)
            break;
        if (conn_say(&l->c, frame, (size_t)n) < 0)
            link_end(l, "out of memory");
        conn_flush(&l->c);
    }
    uint64_t gone = l->fed - min_u64(l->fed, conn_waiting(&l->c));
    if (gone >= FEED_CREDIT_BYTES / 4) {
        keeper_line_credit(&h->keeper, h->core.peer[l->peer].feed, (uint32_t)gone);
        l->fed -= gone;
    }
}

/* ---- in ---- */

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

static void on_proof(struct hub *h, const uint8_t *proof)
{
    if (make_room(h) < 0)
        return; /* it stays frozen */
    if (link_fork(&h->core, proof))
        tell_fork(h, proof);
    speak_all(h);
}

void hub_on_fed(void *arg, uint8_t *frame, const uint8_t *frames, size_t len)
{
    struct hub *h = arg;
    uint64_t feed = frame_client(frame);
    if (frame_type(frame) == FRAME_PRESENCE || frame_type(frame) == FRAME_BEAT) {
        hub_signed(h, frame);
        return;
    }
    if (feed == 0) {
        on_proof(h, frame);
        return;
    }
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!link_is_up(l) || h->core.peer[l->peer].feed != feed)
            continue;
        frame_set_client(frame, 0);
        if (conn_say(&l->c, frame, frame_stride(frame)) < 0 || (len > 0 && conn_say(&l->c, frames, len) < 0))
            link_end(l, "out of memory");
        if (frame_type(frame) == FRAME_SEGMENT)
            l->fed += frame_stride(frame) + len;
        link_speak(l);
        return;
    }
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
 * Returns -EAGAIN: not now, for what lets it in may be on its way to the disk; it was brought by itself, if we lost our own. */
static int turn_away(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    if (link_on_its_way(&h->core, frame_room(frame)))
        return -EAGAIN;
    if (!scope_left(h->st->seg, frame_room(frame), l->line->peer.host))
        link_farewell(l, REASON_DENIED, NOT_SEALED);
    return 0;
}

/* on_chain -- heads of segments, from which the keeper may learn of a fork. */
static void on_chain(struct link *l, const uint8_t *frame)
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

static int on_gap(struct link *l, const uint8_t *gap)
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

static int on_remote_segment(struct link *l, const uint8_t *segment, const uint8_t *frames, size_t len)
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

/* welcome -- the other side has let us in: only its own words prove that. */
static void welcome(struct hub *h, const struct link *l)
{
    char where[ADDRESS_MAX];
    struct line *ln = l->line;
    if (l->through)
        snprintf(where, sizeof where, "no address of its own: through others");
    else
        address_remote(l->c.src.fd, where, sizeof where);
    log_info("linked with %s at %s", ln->peer.name, where);
    if (ln->lost)
        hub_tell(h, REASON_LINK_UP, "%s is back.", ln->peer.name);
    ln->met = true;
    ln->lost = false;
    ln->down_since = 0;
    hub_show(h, ln);
}

/* on_greeting -- its clock, and whether it goes by the name that we have for it. */
static void on_greeting(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    struct link_row *row = &h->st->seg->link[l->line - h->line];
    struct greeting g;
    if (read_greeting(frame, &g) < 0)
        return;
    bool misnamed = !text_eq(g.name, text_of(l->line->peer.name));
    atomic_store(&row->skew_ms, (int64_t)(g.wall_ms - wall_ms()));
    if (atomic_exchange(&row->misnamed, misnamed) != misnamed && misnamed)
        log_warn("%s calls itself %.*s: messages to single users cannot go there; correct its name in the file `peers`",
                 l->line->peer.name, (int)g.name.len, g.name.p);
}

static void on_frame(struct link *l, const uint8_t *frame)
{
    struct hub *h = hub_of(l);
    struct link_update up;
    struct reasoned last;
    if (frame_type(frame) == FRAME_FAREWELL) {
        char why[SENTENCE_MAX + 32] = "it said goodbye";
        if (read_reasoned(frame, &last) == 0)
            snprintf(why, sizeof why, "it said: %.*s", (int)last.text.len, last.text.p);
        link_end(l, why);
        return;
    }
    if ((frame_type(frame) == FRAME_KNOCK || frame_type(frame) == FRAME_ECHO) && h->core.peer[l->peer].phase == LINK_OPEN) {
        link_knock(l, frame);
        return;
    }
    if (frame_type(frame) == FRAME_CHAIN) {
        on_chain(l, frame);
        return;
    }
    uint8_t before = h->core.peer[l->peer].phase;
    if (frame_type(frame) == FRAME_TUNNEL && before == LINK_OPEN && h->tunnels && !l->through) {
        link_stirs(&h->core, (unsigned)l->peer, now_ms());
        h->tunnel_heard(l, frame);
        return;
    }
    link_heard(&h->core, (unsigned)l->peer, frame, now_ms(), &up);
    keeper_line_say(&h->keeper, up.feed, up.feed_len);
    if (up.reason != REASON_OK) {
        link_farewell(l, up.reason, up.why);
        return;
    }
    if (up.presence >= 0)
        hub_guest(h, (uint32_t)up.presence, !(frame_flags(frame) & FRAME_CONT));
    const struct link_peer *p = &h->core.peer[l->peer];
    if (before == LINK_GREETING && p->phase == LINK_VECTOR) {
        on_greeting(l, frame);
        welcome(h, l);
    }
    if (before != LINK_OPEN && p->phase == LINK_OPEN)
        keeper_line_credit(&h->keeper, p->feed, FEED_CREDIT_BYTES);
    if (frame_type(frame) == FRAME_CAUGHT)
        speak_all(h); /* it is somebody else's turn */
}

/* weight -- in frames: of one with many signatures in it, as it takes as long as so many. */
static size_t weight(const uint8_t *frame)
{
    bool many = frame_type(frame) == FRAME_BEAT || frame_type(frame) == FRAME_CHAIN;
    return many ? 1 + frame_body_len(frame) / sizeof(struct beat_row) : 1;
}

static void hear(struct link *l)
{
    const uint8_t *frame, *frames;
    size_t len, n = 0;
    l->unread = false;
    while (!l->over) {
        if (n >= TURN_FRAMES) {
            l->unread = true;
            return;
        }
        int r = conn_next(&l->c, &frame, &frames, &len);
        if (r == 0)
            return;
        if (r < 0) {
            link_end(l, r == -EPIPE ? tls_why(l->c.tls) : strerror(-r));
            return;
        }
        n += weight(frame);
        if (frame_type(frame) != FRAME_SEGMENT && frame_type(frame) != FRAME_GAP)
            on_frame(l, frame);
        else if ((frame_type(frame) == FRAME_GAP ? on_gap(l, frame) : on_remote_segment(l, frame, frames, len)) == -EAGAIN)
            conn_back(&l->c, frame);
    }
}

void link_hear(struct link *l)
{
    uint64_t came = l->c.came;
    hear(l);
    if (l->c.came != came && link_is_up(l)) /* a large segment takes its time */
        link_stirs(&hub_of(l)->core, (unsigned)l->peer, now_ms());
}

/* ---- turns ---- */

/* gap_due -- one that named a gap is asked again with every turn: whom it waits for may be done. */
static bool gap_due(const struct hub *h, const struct link *l)
{
    return l->c.deaf && link_gap_waits(&h->core, (unsigned)l->peer);
}

/* plan_on -- tell the keeper what changed in who brings what to whom. */
static void plan_on(struct hub *h)
{
    uint8_t frame[FRAME_MAX];
    for (int n; (n = link_plan(&h->core, now_ms(), frame)) > 0;)
        keeper_line_say(&h->keeper, frame, (size_t)n);
}

/* look_at_audiences -- did other hosts come to private rooms?  Then there is news for them. */
static bool look_at_audiences(struct hub *h)
{
    const struct roster *r = &h->st->seg->roster;
    uint32_t now = atomic_load(&r->audiences);
    bool news = false;
    for (uint32_t i = 1; now != h->audiences && i <= r->n_rooms; i++)
        if (atomic_load(&r->audience[i].moved) - h->audiences - 1 < now - h->audiences && !MUTANT(NEWCOMER_UNTOLD)) {
            link_tell_room(&h->core, r->room[i].id);
            news = true;
        }
    h->audiences = now;
    return news;
}

bool hub_go_on(struct hub *h)
{
    uint64_t durable = journal_durable(&h->st->seg->journal);
    bool moved = durable != h->durable, again = false;
    h->durable = durable;
    plan_on(h);
    bool news = moved && link_durable(&h->core, durable);
    news |= look_at_audiences(h) | h->people_signed;
    h->people_signed = false;
    if (news)
        speak_all(h);
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!link_is_up(l) || !(l->unread || (moved && l->c.deaf && !MUTANT(STAYS_DEAF)) || gap_due(h, l)))
            continue;
        conn_listen(&l->c);
        link_hear(l);
        link_speak(l);
        again |= l->unread;
    }
    return hub_admit(h) || again;
}

bool hub_waits(const struct hub *h)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (link_is_up(&h->link[i]) && h->link[i].c.deaf)
            return true;
    return h->core.pending_first != h->core.pending_next;
}
