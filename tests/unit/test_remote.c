/* test_remote.c -- segments of other hosts: what may be shown to people, and what becomes of it
 * in the journal. */
#include "rules/remote.h"

#include "base/hash.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared.h"

enum { RING = SHARED_RING, START = 1 << 20, THERE = 77 };

static const uint64_t wall = 1000000;

/* ---- content ---- */

static uint8_t frames[SEGMENT_BYTES];
static size_t len;

static void put(int n, uint64_t room, uint64_t seq, uint64_t hlc)
{
    uint8_t *f = frames + len;
    assert_true(n > 0);
    frame_set_origin(f, THERE);
    frame_set_epoch(f, 5);
    frame_set_room(f, room);
    frame_set_seq(f, seq);
    frame_set_hlc(f, hlc);
    len += (size_t)n;
}

static void put_create(const char *name, uint64_t seq)
{
    struct room_change c = {text_of(""), text_of(name)};
    uint64_t id = room_id(c.room);
    put(write_room_change(frames + len, FRAME_CREATE, &c, id, 0, 0), id, seq, wall << 16);
}

static void put_say(const char *room, const char *user, const char *text, uint64_t seq,
                    uint8_t flags)
{
    struct say s = {text_of(user), text_of(text)};
    uint64_t id = room_id(text_of(room));
    put(write_say(frames + len, &s, id, 9, 1, flags), id, seq, (wall << 16) + seq);
}

static int check(void)
{
    int r = remote_check(frames, len);
    len = 0;
    return r;
}

static void test_good(void **state)
{
    (void)state;
    put_create("lobby", 1);
    put_say("lobby", "alice", "hello", 2, 0);
    put_say("lobby", "alice", "one", 3, FRAME_MORE);
    put_say("lobby", "alice", "two", 4, FRAME_CONT);
    put_say("lobby", "bob", "waves", 5, FRAME_ACTION);
    assert_int_equal(check(), 0);
    put_say("lobby", "alice", "later", 41, 0);
    assert_int_equal(check(), 0);
}

static void test_a_stream_begins_with_its_name(void **state)
{
    (void)state;
    put_say("lobby", "alice", "hello", 1, 0);
    assert_int_equal(check(), -EBADMSG);
    put_create("lobby", 2);
    assert_int_equal(check(), -EBADMSG);
    put_create("lobby", 1);
    put_create("lobby", 2);
    assert_int_equal(check(), -EBADMSG);
    put_create("lobby", 1);
    frame_set_room(frames, room_id(text_of("build"))); /* a room under another's name */
    assert_int_equal(check(), -EBADMSG);
    put_create("lobby", 1);
    frame_set_flags(frames, FRAME_MORE);
    assert_int_equal(check(), -EBADMSG);
}

static void put_act(const char *room, struct room_act a, uint64_t seq, uint8_t flags)
{
    uint64_t id = room_id(text_of(room));
    int n = write_room_act(frames + len, &a, id, 9, 1);
    frame_set_flags(frames + len, flags);
    put(n, id, seq, (wall << 16) + seq);
}

/* Well-formed is enough here: whether its author may is for the fold, on every host alike. */
static void test_acts(void **state)
{
    struct room_act topic = {.act = ACT_TOPIC, .user = text_of("alice"), .topic = text_of("to do")};
    struct room_act ban = {.act = ACT_BAN, .user = text_of("alice"), .host = THERE, .target = text_of("*")};
    (void)state;
    put_act("lobby", topic, 2, 0);
    put_act("lobby", ban, 3, 0);
    assert_int_equal(check(), 0);
    for (unsigned flag = 1; flag < 256; flag *= 2) {
        put_act("lobby", topic, 2, (uint8_t)flag);
        assert_int_equal(check(), -EBADMSG);
    }
    put_act("lobby", topic, 1, 0);
    assert_int_equal(check(), -EBADMSG);
    put_act("lobby", ban, 2, 0);
    frames[FRAME_HEAD] = ACTS_END;
    assert_int_equal(check(), -EBADMSG);
    ban.act = ACT_KICK;
    put_act("lobby", ban, 2, 0);
    assert_int_equal(check(), -EBADMSG);
    put_act("lobby", topic, 2, 0);
    frame_set_room(frames, MEMBERS_ROOM);
    assert_int_equal(check(), -EBADMSG);
}

static void test_flags(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        put_say("lobby", "alice", "hello", 2, (uint8_t)flags);
        bool good = (flags & ~(unsigned)(FRAME_MORE | FRAME_CONT | FRAME_ACTION)) == 0;
        assert_int_equal(check(), good ? 0 : -EBADMSG);
    }
}

/* spoil -- one byte of a good message's body. */
static int spoil(size_t at, uint8_t with)
{
    put_say("lobby", "alice", "hello", 2, 0);
    frames[FRAME_HEAD + at] = with;
    return check();
}

static void test_bodies(void **state)
{
    (void)state;
    size_t user = 0;
    put_say("lobby", "alice", "hello", 2, 0);
    while (frames[FRAME_HEAD + user] != 'a')
        user++;
    len = 0;
    assert_int_equal(spoil(user, 'b'), 0);
    assert_int_equal(spoil(user, '\n'), -EBADMSG); /* no user is called so */
    assert_int_equal(spoil(user, '-'), -EBADMSG);
    assert_int_equal(spoil(user + 8, 0xff), -EBADMSG); /* no UTF-8 */
    assert_int_equal(spoil(user + 8, '\0'), -EBADMSG);
    for (size_t type = 0; type < 256; type++) { /* whatever else can be in a frame */
        put_say("lobby", "alice", "hello", 2, 0);
        frames[2] = (uint8_t)type;
        assert_int_equal(check(), type == FRAME_SAY ? 0 : -EBADMSG);
    }
}

/* ---- journal ---- */

struct play {
    struct state st;
    struct lock lock;
};

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    if (!p || shared_open(&p->st, &p->lock, 1, 2, "here", PROC_LINK) < 0)
        return -1;
    journal_init(&p->st.seg->journal, RING, START);
    *state = p;
    len = 0;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    shared_close(&p->st, &p->lock);
    free(p);
    return 0;
}

/* apply -- what was put, as one segment; forgets it. */
static int apply(struct state *st)
{
    uint8_t segment[FRAME_MAX];
    const uint8_t *last = frames;
    for (size_t at = 0; at < len; at += frame_stride(frames + at))
        last = frames + at;
    struct segment_head h = {
        .count = 1, .bytes = (uint32_t)len, .first_seq = frame_seq(frames)};
    assert_true(write_segment(segment, &h, THERE, 5, frame_room(frames), frame_seq(last),
                              frame_hlc(last)) > 0);
    assert_int_equal(state_take(st), 0);
    int r = remote_apply(st, segment, frames, len, wall);
    state_publish(st);
    state_give(st);
    if (r == 0)
        len = 0;
    return r;
}

static void test_applied(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    put_create("lobby", 1);
    put_say("lobby", "alice", "hello", 2, 0);
    put_say("lobby", "alice", "one", 3, FRAME_MORE);
    put_say("lobby", "alice", "two", 4, FRAME_CONT);
    size_t bytes = len;
    assert_int_equal(apply(st), 0);
    uint32_t slot = roster_room(&st->seg->roster, room_id(text_of("lobby")));
    assert_int_not_equal(slot, 0);
    const struct room *room = &st->seg->roster.room[slot];
    assert_memory_equal(room->name, "lobby", room->name_len);
    assert_int_equal(room->name_len, 5);
    assert_int_equal(room->messages, 2);
    assert_int_equal(room->last_hlc, (wall << 16) + 4);
    const uint8_t *f = state_at(st, START);
    assert_int_equal(frame_type(f), FRAME_SEGMENT);
    uint64_t pos = START + frame_stride(f);
    assert_int_equal(journal_head(&st->seg->journal), pos + bytes);
    static const uint8_t types[] = {FRAME_CREATE, FRAME_SAY, FRAME_SAY, FRAME_SAY};
    for (size_t i = 0; i < ARRAY_LEN(types); i++, pos += frame_stride(state_at(st, pos))) {
        assert_int_equal(frame_type(state_at(st, pos)), types[i]);
        assert_int_equal(frame_pos(state_at(st, pos)), pos);
        assert_int_equal(frame_origin(state_at(st, pos)), THERE);
    }
    put_say("lobby", "bob", "more", 5, 0);
    assert_int_equal(apply(st), 0);
    assert_int_equal(room->messages, 3);
}

/* Its sender may not have heard of all that is here: the gap begins behind that, and stamps of the future are none. */
static void test_a_gap(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    uint8_t f[FRAME_MAX];
    uint64_t room = room_id(text_of("lobby"));
    struct gap g = {.why = GAP_OLD, .first_seq = 2, .hlc_min = 7, .messages = 8, .last = {.first_seq = 8, .last_seq = 9}};
    assert_true(write_gap(f, &g, THERE, 5, room, UINT64_MAX) > 0);
    assert_int_equal(state_take(st), 0);
    assert_int_equal(remote_gap(st, f, 5, wall), -ENOSPC);
    state_give(st);
    put_create("lobby", 1);
    assert_int_equal(apply(st), 0);
    uint64_t pos = journal_head(&st->seg->journal);
    assert_int_equal(state_take(st), 0);
    assert_int_equal(remote_gap(st, f, 5, wall), 0);
    state_publish(st);
    state_give(st);
    assert_int_equal(read_gap(state_at(st, pos), &g), 0);
    assert_int_equal(frame_seq(state_at(st, pos)), 9);
    assert_true(frame_hlc(state_at(st, pos)) == wall << 16 && g.hlc_min == 7);
    assert_true(g.why == GAP_AWAY && g.first_seq == 5 && g.messages == 5 && g.last.first_seq == 8);
}

/* A clock that is ahead is followed, one that is far ahead is not. */
static void test_clock(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    uint64_t limit = (wall + SKEW_MAX_MS) << 16;
    st->seg->hlc = (wall << 16) + 100;
    put_create("lobby", 1);
    assert_int_equal(apply(st), 0);
    assert_int_equal(st->seg->hlc, (wall << 16) + 100); /* never back */
    put_say("lobby", "alice", "ahead", 2, 0);
    frame_set_hlc(frames, limit | 0xffff);
    assert_int_equal(apply(st), 0);
    assert_int_equal(st->seg->hlc, limit | 0xffff);
    put_say("lobby", "alice", "far ahead", 3, 0);
    frame_set_hlc(frames, limit + 0x10000);
    assert_int_equal(apply(st), 0);
    assert_int_equal(st->seg->hlc, limit | 0xffff);
    put_say("lobby", "alice", "for ever", 4, 0);
    frame_set_hlc(frames, UINT64_MAX);
    assert_int_equal(apply(st), 0);
    assert_int_equal(st->seg->hlc, limit | 0xffff);
}

/* flags_of -- of the last SEGMENT in the journal. */
static uint8_t flags_of_last(struct state *st)
{
    uint64_t head = journal_head(&st->seg->journal);
    uint8_t flags = 0xff;
    for (uint64_t pos = START; pos < head; pos += frame_stride(state_at(st, pos)))
        if (frame_type(state_at(st, pos)) == FRAME_SEGMENT)
            flags = frame_flags(state_at(st, pos));
    return flags;
}

/* What is far ahead is parked, with its whole segment, and waited for from now on. */
static void test_parked(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    uint64_t limit = (wall + SKEW_MAX_MS) << 16 | 0xffff;
    put_create("lobby", 1);
    assert_int_equal(apply(st), 0);
    const struct room *room = &st->seg->roster.room[roster_room(&st->seg->roster, room_id(text_of("lobby")))];
    put_say("lobby", "alice", "just so", 2, 0);
    frame_set_hlc(frames, limit);
    assert_int_equal(apply(st), 0);
    assert_int_equal(flags_of_last(st), 0);
    assert_int_equal(atomic_load(&st->seg->waiting), 0);
    put_say("lobby", "alice", "far ahead", 3, 0);
    frame_set_hlc(frames, limit + 1);
    assert_int_equal(apply(st), 0);
    assert_int_equal(flags_of_last(st), FRAME_PARKED);
    assert_int_equal(room->parked, limit + 1);
    assert_int_equal(room->last_hlc, limit); /* the newest that can be shown */
    assert_int_equal(room->due, limit);
    assert_int_equal(atomic_load(&st->seg->waiting), 1);
    put_say("lobby", "alice", "further", 4, 0);
    frame_set_hlc(frames, limit + 100);
    uint32_t slot = roster_room(&st->seg->roster, room->id);
    st->seg->roster.room[slot].due = limit - 50; /* that waiting goes on where it stands */
    assert_int_equal(apply(st), 0);
    assert_int_equal(room->due, limit - 50);
    assert_int_equal(room->parked, limit + 100);
}

static void test_full_journal(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    struct journal *j = &st->seg->journal;
    char text[TEXT_PART_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int r = 0;
    put_create("lobby", 1);
    for (uint64_t seq = 2; r == 0; seq++) {
        r = apply(st);
        if (r == 0)
            put_say("lobby", "alice", text, seq, 0);
    }
    assert_int_equal(r, -EAGAIN);
    uint64_t head = journal_head(j);
    assert_int_equal(apply(st), -EAGAIN);
    assert_int_equal(journal_head(j), head);
    atomic_store(&j->durable, head);
    assert_int_equal(apply(st), 0);
    assert_true(journal_head(j) > head);
}

static void test_full_table(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    struct journal *j = &st->seg->journal;
    char name[32];
    for (unsigned i = 1; i < ROOMS_MAX; i++) {
        snprintf(name, sizeof name, "room%u", i);
        put_create(name, 1);
        assert_int_equal(apply(st), 0);
        atomic_store(&j->durable, journal_head(j));
    }
    uint64_t head = journal_head(j);
    put_create("one-more", 1);
    assert_int_equal(apply(st), -ENOSPC);
    assert_int_equal(journal_head(j), head);
    len = 0;
    put_say("room7", "alice", "the others go on", 2, 0);
    assert_int_equal(apply(st), 0);
}

/* A section that is cut off by a crash leaves nothing of a segment. */
static void test_killed_before_publishing(void **state)
{
    struct state *st = &((struct play *)*state)->st;
    uint8_t segment[FRAME_MAX];
    put_create("lobby", 1);
    struct segment_head h = {.count = 1, .bytes = (uint32_t)len, .first_seq = 1};
    assert_true(write_segment(segment, &h, THERE, 5, frame_room(frames), 1, frame_hlc(frames)) >
                0);
    assert_int_equal(state_take(st), 0);
    assert_int_equal(remote_apply(st, segment, frames, len, wall), 0);
    lock_give(&st->lock); /* as the kernel does for the dead */
    assert_int_equal(state_take(st), 0);
    assert_int_equal(roster_room(&st->seg->roster, room_id(text_of("lobby"))), 0);
    assert_int_equal(journal_head(&st->seg->journal), START);
    state_give(st);
    len = 0;
}

#define PLAY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_a_stream_begins_with_its_name),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_acts),
        cmocka_unit_test(test_bodies),
        PLAY(test_applied),
        PLAY(test_a_gap),
        PLAY(test_clock),
        PLAY(test_parked),
        PLAY(test_full_journal),
        PLAY(test_full_table),
        PLAY(test_killed_before_publishing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
