/* test_rules.c -- what a frame from a client does to journal and tables, and what is refused.
 */
#include "rules/rules.h"

#include "base/hash.h"
#include "small.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UID = 1000, CLIENT = 77, WALL = 1000000, ALL_ONES = 0xff };

static struct rules rules;
static uint32_t alice, alice2, bob;
static uint8_t f[FRAME_MAX];

static uint32_t attach(uint64_t client, uint32_t uid, const char *user)
{
    return roster_attach(&small.a.edit, client, uid, text_of(user), 0, false);
}

static int setup(void **state)
{
    if (small_setup(state) < 0 || rules_open(&rules, &small.a) < 0)
        return -1;
    small_begin();
    alice = attach(CLIENT, UID, "alice");
    alice2 = attach(CLIENT + 1, UID, "alice");
    bob = attach(CLIENT + 2, UID + 1, "bob");
    small_end();
    return 0;
}

static int teardown(void **state)
{
    free(rules.session_saved);
    return small_teardown(state);
}

static struct session *session(uint32_t s)
{
    return &small.r->session[s];
}

/* ---- frames as a client sends them ---- */

static void room_change(enum frame_type type, const char *room, uint32_t seq)
{
    struct room_change c = {text_of("alice"), text_of(room)};
    assert_true(write_room_change(f, type, &c, room_id(c.room), CLIENT,
                                  type == FRAME_OPEN ? 0 : seq) > 0);
}

static void say(const char *room, const char *text, uint32_t seq)
{
    struct say s = {text_of("alice"), text_of(text)};
    assert_true(write_say(f, &s, room_id(text_of(room)), CLIENT, seq, 0) > 0);
}

static void act(uint8_t which, const char *room, const char *target, uint32_t seq)
{
    struct room_act a = {.act = which, .user = text_of("alice"), .target = text_of(target)};
    a.host = act_aims(which) ? small.a.seg->shape.origin : 0;
    a.mode = act_of_mode(which) ? MODE_TOPIC_BY_OPERATORS : 0;
    a.topic = text_of(which == ACT_TOPIC ? "to do" : "");
    assert_true(write_room_act(f, &a, room_id(text_of(room)), CLIENT, seq) > 0);
}

static void query(uint32_t seq)
{
    struct query q = {.kind = QUERY_ROOMS, .fifo = "0123456789abcdef0123456789abcdef"};
    assert_true(write_query(f, &q, 0, CLIENT, seq) > 0);
}

static void from(uint32_t s)
{
    frame_set_client(f, session(s)->client);
}

static int check(void)
{
    return rules_check(session(alice), f);
}

/* ---- a section ---- */

static void begin(void)
{
    small_begin();
    rules_section(&rules, WALL);
}

static int apply(uint32_t s, uint32_t *room)
{
    return rules_apply(&rules, s, f, room);
}

/* apply_one -- in a section of its own. */
static int apply_one(void)
{
    uint32_t room;
    begin();
    int r = apply(alice, &room);
    small_end();
    return r;
}

/* put_since -- the only frame in the journal since then. */
static const uint8_t *put_since(uint64_t pos)
{
    const uint8_t *put = state_at(&small.a, pos);
    assert_true(small.a.next > pos);
    assert_int_equal(pos + frame_stride(put), small.a.next);
    assert_int_equal(frame_pos(put), pos);
    return put;
}

static uint64_t head(void)
{
    return journal_head(&small.a.seg->journal);
}

static void assert_refused(uint64_t pos, unsigned reason, uint32_t seq)
{
    const uint8_t *put = put_since(pos);
    struct reasoned r;
    assert_int_equal(frame_type(put), FRAME_REFUSED);
    assert_int_equal(read_reasoned(put, &r), 0);
    assert_int_equal(r.reason, reason);
    assert_true(r.text.len > 0);
    assert_int_equal(frame_client(put), CLIENT);
    assert_int_equal(frame_client_seq(put), seq);
    assert_true(frame_flags(put) & FRAME_SELF);
}

static void assert_stamped(const uint8_t *put)
{
    assert_int_equal(frame_origin(put), small.a.seg->shape.origin);
    assert_int_equal(frame_epoch(put), small.a.seg->shape.epoch);
    assert_true(frame_hlc(put) >= (uint64_t)WALL << 16 && frame_hlc(put) == small.a.seg->hlc);
}

/* ---- rules_check ---- */

static void good_frames_pass(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        assert_int_equal(check(), 0);
    }
    say("build", "hello", 1);
    assert_int_equal(check(), 0);
    struct wr w = frame_begin(f, FRAME_BYE);
    assert_true(frame_end(f, &w) > 0);
    from(alice);
    assert_int_equal(check(), 0);
}

static void a_query_bears_the_uid_of_the_kernel(void **state)
{
    struct query q;
    (void)state;
    query(1);
    frame_set_flags(f, FRAME_SELF);
    put_u32(f + FRAME_HEAD + 5, 4711); /* the uid that the client claims */
    assert_int_equal(check(), 0);
    assert_int_equal(read_query(f, &q), 0);
    assert_int_equal(q.uid, UID);
    assert_int_equal(frame_client_seq(f), 1);
    assert_int_equal(frame_client(f), CLIENT);
    assert_int_equal(frame_flags(f), FRAME_SELF);
}

static void types_of_others_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        const struct frame_row *row = frame_row((uint8_t)type);
        if (row && row->who == FRAME_BY_SESSION)
            continue;
        room_change(FRAME_JOIN, "build", 1);
        f[2] = (uint8_t)type;
        assert_int_equal(check(), REASON_MALFORMED);
    }
}

static void other_numbers_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        from(bob);
        assert_int_equal(check(), REASON_MALFORMED);
    }
    say("build", "hello", 1);
    from(bob);
    assert_int_equal(check(), REASON_MALFORMED);
    query(1);
    from(bob);
    assert_int_equal(check(), REASON_MALFORMED);
}

static void other_names_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        f[FRAME_HEAD + 1] = 'b';
        assert_int_equal(check(), REASON_DENIED);
    }
    say("build", "hello", 1);
    f[FRAME_HEAD + 1] = 'b';
    assert_int_equal(check(), REASON_DENIED);
    act(ACT_OP, "build", "bob", 1);
    f[FRAME_HEAD + 11] = 'b';
    assert_int_equal(check(), REASON_DENIED);
}

static void a_room_is_its_name(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_LEAVE; t++) {
        room_change(t, "build", 1);
        frame_set_room(f, room_id(text_of("other")));
        assert_int_equal(check(), REASON_MALFORMED);
    }
}

/* Each byte of the body set to what no name, text or length can have. */
static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    for (enum frame_type t = FRAME_OPEN; t <= FRAME_SAY; t++) {
        if (t == FRAME_CREATE)
            continue;
        for (size_t i = FRAME_HEAD;; i++) {
            if (t == FRAME_SAY)
                say("build", "hello", 1);
            else if (t == FRAME_QUERY)
                query(1);
            else
                room_change(t, "build", 1);
            if (i == frame_len(f))
                break;
            if (t == FRAME_QUERY && i > FRAME_HEAD && i < (size_t)frame_len(f) - FIFO_NAME_LEN)
                continue; /* numbers: any will do */
            f[i] = ALL_ONES;
            assert_int_equal(check(), REASON_MALFORMED);
        }
    }
}

static void what_was_taken_is_dropped(void **state)
{
    (void)state;
    session(alice)->last_seq = 5;
    say("build", "hello", 5);
    assert_int_equal(check(), -EALREADY);
    say("build", "hello", 6);
    assert_int_equal(check(), 0);
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(check(), -EALREADY);
    query(5);
    assert_int_equal(check(), -EALREADY);
    room_change(FRAME_OPEN, "build", 0); /* not numbered */
    assert_int_equal(check(), 0);
}

/* ---- rules_apply ---- */

static void a_stream_begins_with_its_name(void **state)
{
    struct room_change c;
    uint32_t room;
    (void)state;
    room_change(FRAME_OPEN, "build", 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    uint64_t pos = head();
    assert_int_equal(pos, 0); /* a room that exists is no entry yet */
    say("build", "hello", 3);
    frame_set_flags(f, ALL_ONES);
    frame_set_seq(f, 99);
    frame_set_hlc(f, UINT64_MAX);
    begin();
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    small_end();
    const uint8_t *create = state_at(&small.a, pos), *said = create + frame_stride(create);
    assert_int_equal(frame_type(create), FRAME_CREATE);
    assert_int_equal(read_room_change(create, &c), 0);
    assert_true(text_eq(c.room, text_of("build")));
    assert_int_equal(frame_seq(create), 1);
    assert_int_equal(frame_type(said), FRAME_SAY);
    assert_int_equal(frame_seq(said), 2);
    assert_int_equal(frame_flags(said), FRAME_MORE | FRAME_CONT | FRAME_ACTION);
    assert_int_equal(frame_pos(said), pos + frame_stride(create));
    assert_stamped(said);
    assert_int_equal(session(alice)->last_seq, 3);
    assert_int_equal(session(alice)->last_pos, head());
    pos = head();
    say("build", "again", 4);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(frame_seq(put_since(pos)), 3);
    assert_int_equal(small.r->room[room].messages,
                     1); /* the first was said to have another part */
}

/* ---- roles ---- */

/* build -- the room, with its flags, and what alice is in it.  Returns its slot */
static uint32_t build(uint32_t flags, uint8_t role)
{
    small_begin();
    uint32_t room = roster_room_open(&small.a.edit, room_id(text_of("build")), text_of("build"));
    roster_room_edit(&small.a.edit, room)->flags = flags;
    while (roster_roles_clear(&small.a.edit, room))
        ;
    if (role)
        assert_int_equal(roster_role_add(&small.a.edit, room, small.a.seg->shape.origin, text_of("alice"), role), 0);
    small_end();
    return room;
}

static void bob_is(uint32_t room, uint8_t role)
{
    small_begin();
    assert_int_equal(roster_role_add(&small.a.edit, room, small.a.seg->shape.origin, text_of("bob"), role), 0);
    small_end();
}

/* refused -- what is in `f`: was it, and why? */
static void refused(unsigned reason, uint32_t seq)
{
    uint64_t pos = head();
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, reason, seq);
}

/* taken -- as an entry, stamped like what is said. */
static void is_taken(void)
{
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    uint64_t pos = session(alice)->last_pos - frame_stride(f);
    assert_int_equal(frame_type(state_at(&small.a, pos)), frame_type(f));
    assert_stamped(state_at(&small.a, pos));
    assert_int_equal(session(alice)->last_seq, frame_client_seq(f));
}

static void who_is_muted_may_read_only(void **state)
{
    (void)state;
    uint32_t room = build(ROOM_OWNED, ROLE_MUTED | ROLE_OPERATOR);
    say("build", "hello", 1);
    refused(REASON_DENIED, 1);
    act(ACT_TOPIC, "build", "", 2);
    refused(REASON_DENIED, 2);
    room_change(FRAME_JOIN, "build", 3);
    assert_int_equal(apply_one(), RULES_JOINED);
    say("elsewhere", "hello", 4); /* only there */
    refused(REASON_NO_ROOM, 4);
    build(ROOM_OWNED, 0);
    bob_is(room, ROLE_MUTED);
    say("build", "hello", 5);
    is_taken();
}

static void who_is_banned_stays_outside(void **state)
{
    (void)state;
    build(ROOM_OWNED, ROLE_BANNED);
    room_change(FRAME_JOIN, "build", 1);
    refused(REASON_DENIED, 1);
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
    say("build", "hello", 2);
    refused(REASON_DENIED, 2);
    room_change(FRAME_LEAVE, "build", 3); /* one may always go */
    assert_int_equal(apply_one(), RULES_LEFT);
}

static void acts_need_the_right_to_them(void **state)
{
    (void)state;
    build(0, 0);
    act(ACT_TOPIC, "build", "", 1);
    is_taken();
    act(ACT_OP, "build", "bob", 2);
    refused(REASON_DENIED, 2);
    uint32_t room = build(ROOM_OWNED, ROLE_OPERATOR);
    act(ACT_OP, "build", "bob", 3);
    refused(REASON_DENIED, 3);
    act(ACT_MUTE, "build", "bob", 4);
    is_taken();
    bob_is(room, ROLE_OWNER);
    act(ACT_MUTE, "build", "bob", 5);
    refused(REASON_DENIED, 5);
    build(ROOM_OWNED, 0);
    act(ACT_SET, "build", "", 6);
    refused(REASON_DENIED, 6);
    act(ACT_TOPIC, "nowhere", "", 7);
    refused(REASON_NO_ROOM, 7);
}

static void what_is_not_so_cannot_be_taken_back(void **state)
{
    (void)state;
    uint32_t room = build(ROOM_OWNED, ROLE_OWNER);
    bob_is(room, ROLE_BANNED);
    act(ACT_DEOP, "build", "bob", 1);
    refused(REASON_NOT_SO, 1);
    act(ACT_UNMUTE, "build", "bob", 2);
    refused(REASON_NOT_SO, 2);
    act(ACT_UNBAN, "build", "carl", 3);
    refused(REASON_NOT_SO, 3);
    act(ACT_UNBAN, "build", "bob", 4);
    is_taken();
}

static void only_a_new_room_can_be_ones_own(void **state)
{
    (void)state;
    build(0, 0);
    act(ACT_OWN, "build", "", 1);
    is_taken();
    act(ACT_OWN, "build", "", 2); /* not yet known to be owned, but there */
    refused(REASON_DENIED, 2);
}

static void there_is_no_such_room(void **state)
{
    (void)state;
    say("nowhere", "hello", 1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_NO_ROOM, 1);
    assert_int_equal(session(alice)->last_seq, 1);
    room_change(FRAME_LEAVE, "nowhere", 2);
    pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_NO_ROOM, 2);
    assert_int_equal(small.r->n_rooms, 0);
}

static void there_is_no_room_for_a_room(void **state)
{
    (void)state;
    for (uint64_t id = 1; id < ROOMS_MAX; id++) {
        small_begin();
        roster_room_open(&small.a.edit, id, text_of("r"));
        small_end();
    }
    room_change(FRAME_JOIN, "one-more", 1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_LIMIT, 1);
}

static void a_session_may_be_in_so_many_rooms(void **state)
{
    (void)state;
    small_begin();
    for (uint32_t room = ROOMS_MAX - 1; room >= ROOMS_MAX - ROOMS_PER_SESSION; room--)
        assert_int_equal(roster_join(&small.a.edit, alice, room), 1);
    small_end();
    room_change(FRAME_JOIN, "one-more", 1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_LIMIT, 1);
    assert_int_equal(small.r->room[roster_room(small.r, room_id(text_of("one-more")))].members, 0);
    small_begin();
    roster_leave(&small.a.edit, alice, ROOMS_MAX - 1);
    small_end();
    room_change(FRAME_JOIN, "one-more", 2);
    assert_int_equal(apply_one(), RULES_JOINED);
}

static void a_store_that_takes_nothing_refuses_what_is_said(void **state)
{
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    atomic_store(&small.a.seg->store_reason, REASON_DISK_FULL);
    say("build", "hello", 2);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_DISK_FULL, 2);
    room_change(FRAME_LEAVE, "build", 3);
    assert_int_equal(apply_one(), RULES_LEFT);
}

/* come -- alice joins or leaves with one of her sessions; the flags of what is put. */
static unsigned come(uint32_t s, enum frame_type type, uint8_t flags, int effect)
{
    uint32_t room;
    uint64_t pos = head();
    room_change(type, "build", session(s)->last_seq + 1);
    from(s);
    frame_set_flags(f, flags);
    begin();
    assert_int_equal(apply(s, &room), effect);
    small_end();
    assert_int_equal(room, roster_room(small.r, room_id(text_of("build"))));
    assert_stamped(put_since(pos));
    assert_int_equal(frame_type(put_since(pos)), type);
    return frame_flags(put_since(pos));
}

static void only_news_is_told_to_the_room(void **state)
{
    (void)state;
    assert_int_equal(come(alice, FRAME_JOIN, 0, RULES_JOINED), 0);
    assert_int_equal(come(alice, FRAME_JOIN, 0, RULES_JOINED), FRAME_SELF);  /* is in it */
    assert_int_equal(come(alice2, FRAME_JOIN, 0, RULES_JOINED), FRAME_SELF); /* she is */
    assert_int_equal(come(alice, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);   /* she still is */
    assert_int_equal(come(alice2, FRAME_LEAVE, 0, RULES_LEFT), 0);
    assert_int_equal(come(alice2, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);
    assert_int_equal(come(alice, FRAME_JOIN, FRAME_SELF, RULES_JOINED),
                     FRAME_SELF); /* quietly */
    assert_int_equal(come(alice, FRAME_LEAVE, 0, RULES_LEFT), FRAME_SELF);
}

static void a_query_is_for_the_keeper_alone(void **state)
{
    (void)state;
    query(1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(frame_flags(put_since(pos)), FRAME_SELF);
    assert_int_equal(session(alice)->last_seq, 1);
}

/* ---- rooms that are not everybody's ---- */

#define PAIR "@alice@here,zoe@there"

static void know_hosts(void)
{
    small_begin();
    roster_host_open(&small.a.edit, small.a.seg->shape.origin, text_of("here"));
    roster_host_open(&small.a.edit, 12, text_of("there"));
    small_end();
}

/* as_bob -- what alice sent, under his name and number. */
static void as_bob(enum frame_type type, const char *room, uint32_t seq)
{
    struct room_change c = {text_of("bob"), text_of(room)};
    struct say s = {text_of("bob"), text_of("hello")};
    uint64_t id = room_id(text_of(room)), client = session(bob)->client;
    assert_true((type == FRAME_SAY ? write_say(f, &s, id, client, seq, 0) : write_room_change(f, type, &c, id, client, seq)) > 0);
    assert_int_equal(rules_check(session(bob), f), 0);
}

static unsigned refused_to_bob(void)
{
    uint32_t room;
    uint64_t pos = head();
    struct reasoned r;
    begin();
    assert_int_equal(apply(bob, &room), RULES_NOTHING);
    small_end();
    assert_int_equal(room, 0);
    assert_int_equal(read_reasoned(put_since(pos), &r), 0);
    return frame_type(put_since(pos)) == FRAME_REFUSED ? r.reason : REASON_OK;
}

static void a_conversation_is_for_two(void **state)
{
    static const enum frame_type types[] = {FRAME_OPEN, FRAME_JOIN, FRAME_LEAVE, FRAME_SAY};
    uint32_t seq = 0;
    (void)state;
    know_hosts();
    for (int exists = 0; exists < 2; exists++) { /* and the others cannot tell whether there is one */
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
            as_bob(types[i], PAIR, types[i] == FRAME_OPEN ? 0 : ++seq);
            assert_int_equal(refused_to_bob(), REASON_NO_ROOM);
        }
        assert_int_equal(roster_room(small.r, room_id(text_of(PAIR))) != 0, exists);
        room_change(FRAME_OPEN, PAIR, 0);
        assert_int_equal(apply_one(), RULES_NOTHING);
    }
    say(PAIR, "hello", 1);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, 1);
    assert_int_equal(small.r->room[roster_room(small.r, room_id(text_of(PAIR)))].messages, 1);
}

static void a_conversation_needs_hosts_that_are_known(void **state)
{
    (void)state;
    know_hosts();
    room_change(FRAME_JOIN, "@alice@here,zoe@nowhere", 1);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_NO_HOST, 1);
    assert_int_equal(small.r->n_rooms, 0);
}

static void nobody_is_told_who_listens_to_two(void **state)
{
    uint32_t room;
    (void)state;
    know_hosts();
    for (int i = 0; i < 2; i++) {
        room_change(i ? FRAME_LEAVE : FRAME_JOIN, PAIR, (uint32_t)i + 1);
        uint64_t pos = head();
        assert_int_equal(apply_one(), i ? RULES_LEFT : RULES_JOINED);
        assert_int_equal(frame_flags(put_since(pos)), FRAME_SELF);
    }
    room_change(FRAME_JOIN, PAIR, 3);
    begin();
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    uint64_t next = small.a.next;
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    assert_int_equal(small.a.next, next);
    small_end();
    assert_false(roster_is_member(small.r, session(alice), room));
}

static void an_inbox_is_for_hearing(void **state)
{
    (void)state;
    know_hosts();
    room_change(FRAME_JOIN, "@alice@here", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    say("@alice@here", "hello", 2);
    uint64_t pos = head();
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, REASON_NO_ROOM, 2);
    as_bob(FRAME_JOIN, "@alice@here", 1);
    assert_int_equal(refused_to_bob(), REASON_NO_ROOM);
}

static void two_have_no_state(void **state)
{
    static const char *const names[] = {PAIR, "@alice@here"};
    uint32_t seq = 0;
    (void)state;
    know_hosts();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        room_change(FRAME_OPEN, names[i], 0);
        assert_int_equal(apply_one(), RULES_NOTHING);
        for (enum act which = ACT_OWN; which < ACTS_END; which++) {
            act(which, names[i], act_aims(which) ? "bob" : "", ++seq);
            refused(REASON_NO_ROOM, seq);
        }
    }
}

/* What hosts tell each other of their network is for no client, whatever he sends. */
static void members_are_for_hosts(void **state)
{
    (void)state;
    small_begin();
    assert_int_not_equal(roster_room_open(&small.a.edit, MEMBERS_ROOM, text_of(".members")), 0);
    small_end();
    act(ACT_OWN, "build", "", 1);
    frame_set_room(f, MEMBERS_ROOM);
    refused(REASON_NO_ROOM, 1);
    say("build", "hello", 2);
    frame_set_room(f, MEMBERS_ROOM);
    refused(REASON_NO_ROOM, 2);
}

static void twice_in_a_batch_is_once(void **state)
{
    uint32_t room;
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(check(), 0);
    begin();
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    uint64_t next = small.a.next;
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    say("build", "late", 1);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    query(1);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    assert_int_equal(small.a.next, next);
    small_end();
}

/* A refusal of what came before does not let it come again. */
static void what_is_refused_is_taken(void **state)
{
    (void)state;
    say("build", "hello", 4);
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_refuse(&rules, alice, f, REASON_DENIED), 0);
    small_end();
    assert_refused(pos, REASON_DENIED, 4);
    assert_int_equal(session(alice)->last_seq, 4);
    say("build", "hello", 2); /* and an older number takes nothing back */
    begin();
    assert_int_equal(rules_refuse(&rules, alice, f, REASON_MALFORMED), 0);
    small_end();
    assert_int_equal(session(alice)->last_seq, 4);
}

/* ---- full ---- */

static void a_full_journal_takes_nothing_of_a_frame(void **state)
{
    char text[TEXT_PART_MAX + 1];
    uint32_t room, n = 1;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    room_change(FRAME_OPEN, "build", 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    int r = RULES_NOTHING;
    while (r == RULES_NOTHING) {
        say("build", text, n++);
        r = apply_one();
        assert_true(n < SMALL_RING / TEXT_PART_MAX + 2);
    }
    assert_int_equal(r, -EAGAIN);
    assert_true(head() > SMALL_RING - 4 * FRAME_MAX && head() <= SMALL_RING);
    small_note();
    begin();
    assert_int_equal(apply(alice, &room), -EAGAIN);
    assert_int_equal(rules_refuse(&rules, alice, f, REASON_DENIED), -EAGAIN);
    room_change(FRAME_JOIN, "other", n);
    assert_int_equal(apply(alice, &room), -EAGAIN);
    assert_int_equal(small.a.next, head());
    small_end();
    assert_memory_equal(small.r, small.before, small.size);
    atomic_store(&small.a.seg->journal.durable, head());
    say("build", text, n - 1);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, n - 1);
}

static void a_full_undo_area_ends_a_section_in_time(void **state)
{
    uint32_t room, seq = 0, done = 0;
    int r = RULES_NOTHING;
    (void)state;
    begin();
    while (r >= 0) {
        room_change(seq % 2 ? FRAME_LEAVE : FRAME_JOIN, "build", seq + 1);
        r = apply(alice, &room);
        seq += r >= 0;
        assert_true(seq < 2000);
    }
    assert_int_equal(r, -EAGAIN);
    assert_int_equal(session(alice)->last_seq, seq);
    small_end();
    done = seq;
    atomic_store(&small.a.seg->journal.durable, head());
    room_change(seq % 2 ? FRAME_LEAVE : FRAME_JOIN, "build", seq + 1);
    assert_true(apply_one() > RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, done + 1);
}

/* ---- leaving for good, and being killed ---- */

static void who_is_gone_leaves_all_rooms(void **state)
{
    (void)state;
    static const char *const rooms[] = {"a", "b", "c"};
    for (uint32_t i = 0; i < ARRAY_LEN(rooms); i++) {
        room_change(FRAME_JOIN, rooms[i], i + 1);
        assert_int_equal(apply_one(), RULES_JOINED);
    }
    uint32_t seq = session(alice)->last_seq;
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    small_end();
    unsigned left = 0;
    for (; pos < head(); pos += frame_stride(state_at(&small.a, pos)), left++) {
        assert_int_equal(frame_type(state_at(&small.a, pos)), FRAME_LEAVE);
        assert_int_equal(frame_client(state_at(&small.a, pos)), CLIENT);
        assert_int_equal(frame_flags(state_at(&small.a, pos)), 0);
    }
    assert_int_equal(left, ARRAY_LEN(rooms));
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
    assert_int_equal(session(alice)->last_seq, seq);
    for (uint32_t i = 1; i <= small.r->n_rooms; i++)
        assert_int_equal(small.r->room[i].members, 0);
}

static void who_came_quietly_goes_quietly(void **state)
{
    (void)state;
    assert_int_equal(come(alice, FRAME_JOIN, FRAME_SELF, RULES_JOINED), FRAME_SELF);
    uint64_t pos = head();
    begin();
    assert_int_equal(rules_leave_all(&rules, alice), 0);
    small_end();
    assert_int_equal(head(), pos);
    assert_int_equal(roster_next_room(small.r, session(alice), 1), 0);
}

static void a_killed_section_never_was(void **state)
{
    uint32_t room;
    (void)state;
    room_change(FRAME_JOIN, "build", 1);
    assert_int_equal(apply_one(), RULES_JOINED);
    uint64_t was = head();
    small_note();
    begin();
    say("build", "hello", 2);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    room_change(FRAME_JOIN, "new", 3);
    assert_int_equal(apply(alice, &room), RULES_JOINED);
    room_change(FRAME_LEAVE, "build", 4);
    assert_int_equal(apply(alice, &room), RULES_LEFT);
    query(5);
    assert_int_equal(apply(alice, &room), RULES_NOTHING);
    small_die();
    small_assert_undone();
    assert_int_equal(head(), was);
    say("build", "hello", 2); /* and can be said again */
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_int_equal(session(alice)->last_seq, 2);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(good_frames_pass),
        TEST(a_query_bears_the_uid_of_the_kernel),
        TEST(types_of_others_are_refused),
        TEST(other_numbers_are_refused),
        TEST(other_names_are_refused),
        TEST(a_room_is_its_name),
        TEST(malformed_bodies_are_refused),
        TEST(what_was_taken_is_dropped),
        TEST(a_stream_begins_with_its_name),
        TEST(who_is_muted_may_read_only),
        TEST(who_is_banned_stays_outside),
        TEST(acts_need_the_right_to_them),
        TEST(what_is_not_so_cannot_be_taken_back),
        TEST(only_a_new_room_can_be_ones_own),
        TEST(there_is_no_such_room),
        TEST(there_is_no_room_for_a_room),
        TEST(a_session_may_be_in_so_many_rooms),
        TEST(a_store_that_takes_nothing_refuses_what_is_said),
        TEST(only_news_is_told_to_the_room),
        TEST(a_query_is_for_the_keeper_alone),
        TEST(a_conversation_is_for_two),
        TEST(a_conversation_needs_hosts_that_are_known),
        TEST(nobody_is_told_who_listens_to_two),
        TEST(an_inbox_is_for_hearing),
        TEST(two_have_no_state),
        TEST(members_are_for_hosts),
        TEST(twice_in_a_batch_is_once),
        TEST(what_is_refused_is_taken),
        TEST(a_full_journal_takes_nothing_of_a_frame),
        TEST(a_full_undo_area_ends_a_section_in_time),
        TEST(who_is_gone_leaves_all_rooms),
        TEST(who_came_quietly_goes_quietly),
        TEST(a_killed_section_never_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
