/* people.c -- who writes: numbered messages, sent again until they are acknowledged, through
 * the relay's own rules. */
#include "sim.h"

#include "base/hash.h"
#include "base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { OUTSTANDING_MAX = 8, AGAIN_MS = 1500, COMING_US = 10 * 1000 * 1000 };

static const char *const rooms[ROOMS] = {"lobby", "ops", "quiet"};

void people_reset(void)
{
    w.n_clients = w.n_nodes * CLIENTS_PER_NODE;
    w.client = calloc(w.n_clients, sizeof *w.client);
    ASSERT(w.client);
    for (unsigned i = 0; i < w.n_clients; i++) {
        w.client[i] = (struct client){.node = w.node[i / CLIENTS_PER_NODE],
                                      .id = ((uint64_t)(i + 1) << 32) | 77};
        at(chance(w.measured ? COMING_US : 2 * w.pace_us), EV_CLIENT, i, 0);
    }
    if (w.n_clients <= ALONE_MAX)
        pairs_reset();
}

void people_free(void)
{
    for (unsigned i = 0; i < w.n_clients; i++)
        free(w.client[i].msg);
    free(w.client);
    w.client = NULL;
    w.n_clients = 0;
}

static unsigned number(const struct client *c)
{
    return (unsigned)(c - w.client);
}

struct message *message_of(uint64_t client, uint32_t seq)
{
    uint64_t i = (client >> 32) - 1;
    if (i >= w.n_clients || w.client[i].id != client || seq == 0 || seq > w.client[i].said)
        return NULL;
    return &w.client[i].msg[seq];
}

static struct message *new_message(struct client *c)
{
    c->msg = grown(c->msg, ++c->said, &c->max, sizeof *c->msg);
    /* one room a lot, one now and then; some of it to one other alone */
    bool alone = w.n_clients <= ALONE_MAX && one_in(4);
    unsigned where = alone ? PAIR + (unsigned)chance(2 + c->invited) : 0;
    c->msg[c->said] = (struct message){.room = (uint8_t)(alone ? where : (one_in(8) ? 2 : chance(2)) % w.n_rooms)};
    return &c->msg[c->said];
}

static struct text user_of(const struct client *c, char user[16])
{
    snprintf(user, 16, "u%u", number(c));
    return text_of(user);
}

/* in_section -- one frame through the rules.  Returns what rules_apply() does, -EALREADY, or
 * the reason of a refusal. */
static int in_section(struct client *c, uint8_t *frame)
{
    struct node *n = c->node;
    struct state *st = &n->st;
    uint32_t room = 0;
    here = n;
    int r = rules_check(&st->seg->roster.session[c->session], frame);
    if (r != 0)
        return r;
    uint64_t wall = wall_ms();
    r = state_take(st);
    ASSERT(r == 0);
    uint64_t from = st->next;
    rules_section(&n->rules, wall);
    r = rules_apply(&n->rules, c->session, frame, &room);
    state_publish(st);
    state_give(st);
    if (r == RULES_NOTHING && st->next > from &&
        frame_type(state_at(st, from)) == FRAME_REFUSED)
        return REASON_DISK_FULL;
    check_journal(n);
    turn_wake(&n->keeper_turn, n->commit_us / 2 + chance(n->commit_us));
    return r;
}

static void open_room(struct client *c, const char *room)
{
    uint8_t frame[FRAME_MAX];
    char user[16];
    struct room_change rc = {user_of(c, user), text_of(room)};
    int len = write_room_change(frame, FRAME_OPEN, &rc, room_id(rc.room), c->id, 0);
    ASSERT(len > 0);
    (void)in_section(c, frame);
}

static void attach(struct client *c)
{
    struct node *n = c->node;
    char user[16];
    int r = state_take(&n->st);
    ASSERT(r == 0);
    c->session = roster_attach(&n->st.edit, c->id, 1000 + number(c), user_of(c, user), 0, true);
    state_give(&n->st);
    ASSERT(c->session != 0 && c->session != UINT32_MAX);
    c->life = n->life;
    c->again_at = 0;
    for (unsigned i = 0; i < w.n_rooms; i++)
        open_room(c, rooms[i]);
}

/* move -- into a room, or out of it: who is in which is told to other hosts. */
static void move(struct client *c, unsigned r)
{
    struct node *n = c->node;
    const struct session *s = &n->st.seg->roster.session[c->session];
    uint32_t room = roster_room(&n->st.seg->roster, room_id(text_of(rooms[r])));
    if (room == 0)
        return;
    w.stats.moves++;
    int taken = state_take(&n->st);
    ASSERT(taken == 0);
    if (roster_is_member(&n->st.seg->roster, s, room))
        (void)roster_leave(&n->st.edit, c->session, room);
    else
        ASSERT(roster_join(&n->st.edit, c->session, room) >= 0);
    state_give(&n->st);
}

/* come -- to stay, in every room. */
static void come(struct client *c)
{
    attach(c);
    for (unsigned r = 0; r < w.n_rooms; r++)
        move(c, r);
}

uint32_t pair_of(const struct client *c, uint8_t room)
{
    return room == OWN ? c->own : room == GUEST ? c->guest : c->pair;
}

static void send_one(struct client *c, uint32_t seq)
{
    char user[16], text[TEXT_PART_MAX];
    uint8_t frame[FRAME_MAX];
    struct message *m = &c->msg[seq];
    if (m->refused)
        return;
    int n = snprintf(text, sizeof text, "message %u of client %u", seq, number(c));
    size_t len = seq % 16 == 7 ? 2000 : (size_t)n;
    memset(text + n, '.', sizeof text - (size_t)n);
    struct say say = {user_of(c, user), {text, len}};
    uint32_t pair = pair_of(c, m->room);
    const char *called = m->room >= PAIR ? pair_name(pair) : rooms[m->room];
    if (m->room >= PAIR) /* not at the start: the other host may not be known by then */
        open_room(c, called);
    uint64_t room = room_id(text_of(called));
    n = m->room == OWN                          ? pair_act(pair, c, say.user, seq, frame)
        : m->room < PAIR && acts_here(c, seq) ? act_frame(c, say.user, room, seq, frame)
                                                : 0;
    if (n == 0)
        n = write_say(frame, &say, room, c->id, seq, 0);
    ASSERT(n > 0);
    int r = in_section(c, frame);
    if (r == REASON_DISK_FULL)
        m->refused = true;
    else if (r > 0 && r != RULES_JOINED)
        broken("I12: a good message was refused, reason %d", r);
}

/* ack -- as the relay's shard does: what was taken, once the disk is as far. */
static void ack(struct client *c)
{
    struct node *n = c->node;
    const struct session *s = &n->st.seg->roster.session[c->session];
    if (s->client != c->id ||
        (journal_durable(&n->st.seg->journal) < s->last_pos && !MUTANT(CLIENT_ACK_EARLY)))
        return;
    if (one_in(8))
        return; /* it got lost */
    for (; c->acked < c->said && (c->acked < s->last_seq || c->msg[c->acked + 1].refused);
         c->acked++)
        if (!c->msg[c->acked + 1].refused)
            check_acked(n, &c->msg[c->acked + 1], c->id, c->acked + 1);
}

void people_durable(struct node *n)
{
    for (unsigned i = 0; i < CLIENTS_PER_NODE && w.client; i++) {
        struct client *c = &w.client[n->n * CLIENTS_PER_NODE + i];
        if (c->life == n->life && c->session)
            ack(c);
    }
}

/* may_speak -- when all is calm, nobody; but for those at a host with two tongues, for a moment: what it does then nobody finds by
 * linking anew. */
static bool may_speak(const struct node *n)
{
    return !w.calm || (n->evil && n->evil_modes & EVIL_FORK && !w.one_sided && w.now < w.calm_us + LATE_S * S);
}

void people_turn(uint32_t i)
{
    struct client *c = &w.client[i];
    struct node *n = c->node;
    at(w.now + (w.calm ? w.pace_us / 2 : about(w.pace_us)) + 1, EV_CLIENT, i, 0);
    if (!n->up)
        return;
    here = n;
    if (c->life != n->life && w.measured) {
        come(c);
        return;
    }
    if (c->life != n->life)
        attach(c);
    else if (!w.calm && one_in(200))
        attach(c); /* it was started again */
    if (!w.calm && one_in(8))
        move(c, (unsigned)chance(w.n_rooms));
    ack(c);
    if (c->acked < c->said && w.now >= c->again_at) {
        for (uint32_t s = c->acked + 1; s <= c->said; s++)
            send_one(c, s);
        c->again_at = w.now + AGAIN_MS * MS;
    }
    if (may_speak(n) && c->said - c->acked < OUTSTANDING_MAX) {
        uint32_t burst = one_in(10) ? 4 : 1;
        while (burst-- > 0 && c->said - c->acked < OUTSTANDING_MAX) {
            new_message(c);
            send_one(c, c->said);
        }
    }
}

bool people_content(void)
{
    for (unsigned i = 0; i < w.n_clients; i++)
        if (w.client[i].acked < w.client[i].said)
            return false;
    return true;
}
