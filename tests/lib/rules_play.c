/* rules_play.c -- sessions of two users, what one of them sends, and what becomes of it. */
#include "rules_play.h"

#include "base/hash.h"
#include "some.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct rules rules;
uint32_t alice, alice2, bob;
uint8_t sent[FRAME_MAX];

static uint32_t attach(uint64_t client, uint32_t uid, const char *user)
{
    return roster_attach(&small.a.edit, client, uid, text_of(user), 0, false);
}

int rules_play_open(void **state)
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

int rules_play_close(void **state)
{
    free(rules.session_saved);
    return small_teardown(state);
}

struct session *session(uint32_t s)
{
    return &small.r->session[s];
}

void room_change(enum frame_type type, const char *room, uint32_t seq)
{
    struct room_change c = {text_of("alice"), text_of(room)};
    assert_true(write_room_change(sent, type, &c, room_id(c.room), CLIENT, type == FRAME_OPEN ? 0 : seq) > 0);
}

void says(const char *room, const char *text, uint32_t seq)
{
    struct say s = {text_of("alice"), text_of(text)};
    assert_true(write_say(sent, &s, room_id(text_of(room)), CLIENT, seq, 0) > 0);
}

void act(uint8_t which, const char *room, const char *target, uint32_t seq)
{
    struct room_act a = {.act = which, .user = text_of("alice"), .target = text_of(target)};
    a.host = act_aims(which) ? small.a.seg->shape.origin : 0;
    a.mode = act_of_mode(which) ? MODE_TOPIC_BY_OPERATORS : 0;
    a.topic = text_of(which == ACT_TOPIC ? "to do" : "");
    assert_true(write_room_act(sent, &a, room_id(text_of(room)), CLIENT, seq) > 0);
}

void query(uint32_t seq)
{
    struct query q = {.kind = QUERY_ROOMS, .fifo = SOME_FIFO};
    assert_true(write_query(sent, &q, 0, CLIENT, seq) > 0);
}

void from(uint32_t s)
{
    frame_set_client(sent, session(s)->client);
}

int check(void)
{
    return rules_check(session(alice), sent);
}

void begin(void)
{
    small_begin();
    rules_section(&rules, WALL);
}

int apply(uint32_t s, uint32_t *room)
{
    return rules_apply(&rules, s, sent, room);
}

int apply_one(void)
{
    uint32_t room;
    begin();
    int r = apply(alice, &room);
    small_end();
    return r;
}

uint64_t head(void)
{
    return journal_head(&small.a.seg->journal);
}

const uint8_t *put_since(uint64_t pos)
{
    const uint8_t *put = state_at(&small.a, pos);
    assert_true(small.a.next > pos);
    assert_int_equal(pos + frame_stride(put), small.a.next);
    assert_int_equal(frame_pos(put), pos);
    return put;
}

void assert_refused(uint64_t pos, unsigned reason)
{
    const uint8_t *put = put_since(pos);
    struct reasoned r;
    assert_int_equal(frame_type(put), FRAME_REFUSED);
    assert_int_equal(read_reasoned(put, &r), 0);
    assert_int_equal(r.reason, reason);
    assert_true(r.text.len > 0);
    assert_int_equal(frame_client(put), CLIENT);
    assert_int_equal(frame_client_seq(put), frame_client_seq(sent));
    assert_true(frame_flags(put) & FRAME_SELF);
}

void assert_stamped(const uint8_t *put)
{
    assert_int_equal(frame_origin(put), small.a.seg->shape.origin);
    assert_int_equal(frame_epoch(put), small.a.seg->shape.epoch);
    assert_true(frame_hlc(put) >= (uint64_t)WALL << 16 && frame_hlc(put) == small.a.seg->hlc);
}

void refused(unsigned reason)
{
    uint64_t pos = head();
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    assert_refused(pos, reason);
}

void taken(void)
{
    assert_int_equal(check(), 0);
    assert_int_equal(apply_one(), RULES_NOTHING);
    uint64_t pos = session(alice)->last_pos - frame_stride(sent);
    assert_int_equal(frame_type(state_at(&small.a, pos)), frame_type(sent));
    assert_stamped(state_at(&small.a, pos));
    assert_int_equal(session(alice)->last_seq, frame_client_seq(sent));
}
