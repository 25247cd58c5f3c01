/* people.c -- who is where: our users to the peers, theirs into the tables of this host. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/mutant.h"
#include "base/sys.h"
#include "trust/attest.h"

/* look_around -- every (session, room) of this host, under the lock: no call into the system, no memory. */
static void look_around(struct presence *p, const struct roster *r)
{
    for (uint32_t i = 1; i < r->unused_session; i++) {
        const struct session *s = &r->session[i];
        if (s->state == SESSION_FREE)
            continue;
        for (uint32_t room = 0; (room = roster_next_room(r, s, room + 1)) != 0;) {
            struct text name = {r->room[room].name, r->room[room].name_len};
            if (!direct_is(name) && !private_is(name)) /* who talks with whom is nobody's business */
                presence_see(p, (struct text){s->user, s->user_len}, r->room[room].id, name, s->quiet);
        }
    }
}

/* place_guest -- in a section: an entry of the presence table into the slot that is its. */
static void place_guest(struct hub *h, uint32_t i)
{
    const struct presence_entry *e = &h->core.presence.entry[i];
    struct guest g = {.host = e->host, .room = e->room, .user_len = e->user_len};
    g.sessions = e->host == h->core.self ? 0 : presence_sessions(&h->core.presence, e);
    memcpy(g.user, e->user, e->user_len);
    roster_guest(&h->st->edit, i, &g);
}

void hub_guest(struct hub *h, uint32_t entry, bool news)
{
    const struct presence_entry *e = &h->core.presence.entry[entry];
    uint8_t frame[FRAME_MAX];
    bool came = presence_sessions(&h->core.presence, e) > 0;
    struct room_change c = {{e->user, e->user_len}, {e->room_name, e->room_len}};
    int n = write_room_change(frame, came ? FRAME_JOIN : FRAME_LEAVE, &c, e->room, 0, 0);
    ASSERT(n > 0);
    frame_set_origin(frame, e->host);
    hub_take_lock(h);
    bool was_there = entry < h->st->seg->roster.n_guests && h->st->seg->roster.guest[entry].sessions > 0;
    place_guest(h, entry);
    if (news && !e->quiet && was_there != came && state_room_for(h->st, FRAME_MAX) == 0)
        state_put(h->st, frame);
    state_publish(h->st);
    state_give(h->st);
    state_ring_all(h->st);
}

/* show_anew -- all of a host that fell silent or came back, without a word for each. */
static void show_anew(struct hub *h, uint64_t host)
{
    for (uint32_t i = 0; i < h->core.presence.n; i++)
        if (h->core.presence.entry[i].host == host)
            hub_guest(h, i, false);
}

unsigned hub_guests_of(const struct hub *h, uint64_t host)
{
    const struct presence *p = &h->core.presence;
    unsigned n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        n += p->entry[i].host == host && presence_sessions(p, &p->entry[i]) > 0;
    return n;
}

/* ask_signatures -- of the keeper, who has the key. */
static void ask_signatures(struct hub *h)
{
    uint8_t frame[FRAME_MAX];
    for (int n; (n = presence_unsigned(&h->core.presence, frame)) > 0;)
        keeper_line_say(&h->keeper, frame, (size_t)n);
}

void hub_signed(struct hub *h, const uint8_t *frame)
{
    presence_signed(&h->core.presence, frame);
    ask_signatures(h);
    h->people_signed = true;
}

bool hub_row_signed(void *hub, const uint8_t *presence)
{
    const uint8_t *key = hub_key(hub, frame_origin(presence));
    return (key && presence_attested(presence, key)) || MUTANT(PRESENCE_UNVERIFIED);
}

bool hub_beat_signed(void *hub, const struct beat_row *b)
{
    const uint8_t *key = hub_key(hub, b->host);
    return (key && beat_attested(b, key)) || MUTANT(BEAT_UNVERIFIED);
}

void hub_people_tick(struct hub *h)
{
    struct presence *p = &h->core.presence;
    uint64_t now = now_ms();
    if (h->moves != h->st->seg->roster.moves) { /* read without the lock: seen at the latest the next time */
        hub_take_lock(h);
        h->moves = h->st->seg->roster.moves;
        look_around(p, &h->st->seg->roster);
        state_give(h->st);
        (void)presence_settle(p);
    }
    (void)presence_beat(p, now);
    ask_signatures(h);
    for (uint64_t host; (host = presence_expire(p, now)) != 0;)
        show_anew(h, host);
}

void hub_people_begin(struct hub *h)
{
    hub_take_lock(h);
    roster_no_guests(&h->st->edit);
    state_give(h->st);
    h->moves = UINT64_MAX;
}
