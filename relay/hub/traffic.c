/* traffic.c -- what comes and goes over links: segments between journal, keeper and peers. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "state/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TURN_FRAMES = 256, /* taken from one connection before the others have their turn */
    REDIAL_MS = 125,   /* before a peer that was lost is dialled, at most */
    REFUSALS_MAX = 5,  /* one after the other, each of which doubles that */
    GOOD_MS = 10000,   /* a link that lasted so long was none of these */
    ORDERS_MAX = 1 << 20, /* bytes that wait for the keeper, before nothing more is read that may be for him */
};

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
    ln->refusals = now_ms() - l->since < GOOD_MS ? ln->refusals : 0;
    ln->retry_at = now_ms() + prng_below(&h->prng, (uint64_t)REDIAL_MS << ln->refusals);
    ln->tries = 0;
    hub_show(h, ln);
}

/* refused -- for what came over it: if the next one ends soon, too, it is not to be at once. */
static void refused(struct link *l, uint8_t reason)
{
    bool again = reason == REASON_VERSION || reason == REASON_DENIED || reason == REASON_MALFORMED || reason == REASON_LIMIT;
    if (l->line && again)
        l->line->refusals = (unsigned)min_size(l->line->refusals + 1, REFUSALS_MAX);
}

void link_farewell(struct link *l, enum reason reason, const char *why)
{
    uint8_t frame[FRAME_MAX];
    struct reasoned r = {(uint8_t)reason, text_of(why)};
    int n = write_reasoned(frame, FRAME_FAREWELL, &r, 0, 0);
    if (n > 0 && conn_waiting(&l->c) == 0 && conn_say(&l->c, frame, (size_t)n) == 0)
        conn_flush(&l->c);
    refused(l, r.reason);
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

/* say_before_gap -- however much waits already. */
static int say_before_gap(struct link *l)
{
    struct hub *h = hub_of(l);
    uint8_t frame[FRAME_MAX];
    int n, r = 0;
    while (r == 0 && (n = link_before_gap(&h->core, (unsigned)l->peer, wall_ms(), now_ms(), frame)) > 0)
        r = conn_say(&l->c, frame, (size_t)n);
    return r;
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
        hub_take_proof(h, frame);
        speak_all(h);
        return;
    }
    for (size_t i = 0; i < CONNS_MAX; i++) {
        struct link *l = &h->link[i];
        if (!link_is_up(l) || h->core.peer[l->peer].feed != feed)
            continue;
        frame_set_client(frame, 0);
        if ((frame_type(frame) == FRAME_GAP && say_before_gap(l) < 0) ||
            conn_say(&l->c, frame, frame_stride(frame)) < 0 ||
            (len > 0 && conn_say(&l->c, frames, len) < 0))
            link_end(l, "out of memory");
        if (frame_type(frame) == FRAME_SEGMENT)
            l->fed += frame_stride(frame) + len;
        link_speak(l);
        return;
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
        if (read_reasoned(frame, &last) == 0) {
            snprintf(why, sizeof why, "it said: %.*s", (int)last.text.len, last.text.p);
            refused(l, last.reason);
        }
        link_end(l, why);
        return;
    }
    if ((frame_type(frame) == FRAME_KNOCK || frame_type(frame) == FRAME_ECHO) && h->core.peer[l->peer].phase == LINK_OPEN) {
        link_knock(l, frame);
        return;
    }
    if (frame_type(frame) == FRAME_CHAIN) {
        link_take_chain(l, frame);
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

/* keeper_is_full -- of orders; one whose disk is full may read none for hours. */
static bool keeper_is_full(struct hub *h)
{
    if (keeper_line_waits(&h->keeper) >= ORDERS_MAX)
        (void)keeper_line_flush(&h->keeper); /* the caller of hub_go_on() sees that it is gone */
    return keeper_line_waits(&h->keeper) >= ORDERS_MAX;
}

static void hear(struct link *l)
{
    const uint8_t *frame, *frames;
    size_t len, n = 0;
    l->unread = false;
    while (!l->over) {
        bool full = keeper_is_full(hub_of(l));
        if (full)
            conn_rest(&l->c);
        if (n >= TURN_FRAMES || full) {
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
        else if ((frame_type(frame) == FRAME_GAP ? link_take_gap(l, frame) : link_take_segment(l, frame, frames, len)) == -EAGAIN)
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
    return hub_admit(h) || (again && !keeper_is_full(h));
}

bool hub_waits(const struct hub *h)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (link_is_up(&h->link[i]) && h->link[i].c.deaf)
            return true;
    return h->core.pending_first != h->core.pending_next;
}
