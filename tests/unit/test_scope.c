/* test_scope.c -- who may have what is said in a room: hosts, users, and those who send it. */
#include "state/scope.h"

#include "base/hash.h"
#include "frame/body.h"
#include "small.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HERE = 11, THERE = 12, ELSEWHERE = 13, NOBODY = 14, DOUBLE = 15 }; /* hosts */

#define PAIR   "@alice@here,bob@there"
#define OTHERS "@bob@there,carol@elsewhere"
#define LOCAL  "@alice@here,dave@here"

static uint8_t frames[8 * FRAME_MAX];
static size_t len;

static uint64_t id(const char *room)
{
    return room_id(text_of(room));
}

static void open_room(const char *name)
{
    small_begin();
    assert_int_not_equal(roster_room_open(&small.a.edit, id(name), text_of(name)), 0);
    small_end();
}

static void open_host(uint64_t host, const char *name)
{
    small_begin();
    assert_int_not_equal(roster_host_open(&small.a.edit, host, text_of(name)), 0);
    small_end();
}

static int setup(void **state)
{
    if (small_setup(state) < 0)
        return -1;
    len = 0;
    open_host(HERE, "here");
    open_host(THERE, "there");
    open_host(ELSEWHERE, "elsewhere");
    return 0;
}

static bool host_may(const char *room, uint64_t host)
{
    return scope_host(small.a.seg, id(room), host);
}

static void test_hosts(void **state)
{
    (void)state;
    open_room("lobby");
    open_room(PAIR);
    open_room(LOCAL);
    open_room(OTHERS);
    for (uint64_t host = HERE; host <= NOBODY; host++)
        assert_true(host_may("lobby", host));
    assert_true(host_may(PAIR, HERE) && host_may(PAIR, THERE));
    assert_false(host_may(PAIR, ELSEWHERE) || host_may(PAIR, NOBODY) || host_may(PAIR, 0));
    assert_true(host_may(LOCAL, HERE));
    assert_false(host_may(LOCAL, THERE));
    assert_false(host_may(OTHERS, HERE));
}

/* Of what is not known nothing is passed on. */
static void test_a_room_that_is_not_known(void **state)
{
    (void)state;
    assert_false(host_may("lobby", THERE));
    assert_false(scope_host(small.a.seg, 0, HERE));
    assert_false(scope_user(small.a.seg, 0, text_of("alice")));
}

static void test_a_host_that_takes_our_name(void **state)
{
    (void)state;
    open_room(LOCAL);
    open_host(DOUBLE, "here");
    assert_false(host_may(LOCAL, DOUBLE));
    assert_true(host_may(LOCAL, HERE));
}

static void test_a_host_that_goes_by_another_name(void **state)
{
    (void)state;
    open_room(PAIR);
    atomic_store(&small.a.seg->link[3].host, THERE);
    assert_true(host_may(PAIR, THERE));
    atomic_store(&small.a.seg->link[3].misnamed, 1);
    assert_false(host_may(PAIR, THERE));
    assert_true(host_may(PAIR, HERE));
}

static bool user_may(const char *room, const char *user)
{
    return scope_user(small.a.seg, roster_room(small.r, id(room)), text_of(user));
}

static void test_users(void **state)
{
    (void)state;
    open_room("lobby");
    open_room(PAIR);
    open_room(LOCAL);
    open_room(OTHERS);
    open_room("@alice@here");
    assert_true(user_may("lobby", "alice") && user_may("lobby", "dave"));
    assert_true(user_may(PAIR, "alice"));
    assert_false(user_may(PAIR, "bob")); /* he is of another host */
    assert_false(user_may(PAIR, "dave") || user_may(PAIR, ""));
    assert_true(user_may(LOCAL, "alice") && user_may(LOCAL, "dave"));
    assert_false(user_may(OTHERS, "bob") || user_may(OTHERS, "alice"));
    assert_true(user_may("@alice@here", "alice"));
    assert_false(user_may("@alice@here", "dave"));
    small_begin();
    uint32_t members = roster_room_open(&small.a.edit, MEMBERS_ROOM, text_of(".members"));
    small_end();
    assert_false(scope_user(small.a.seg, members, text_of("alice")));
}

static unsigned name_says(const char *name, const char *user)
{
    return scope_name(small.a.seg, id(name), text_of(name), text_of(user));
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(name_says("lobby", "dave"), REASON_OK);
    assert_int_equal(name_says(PAIR, "alice"), REASON_OK);
    assert_int_equal(name_says(PAIR, "dave"), REASON_NO_ROOM);
    assert_int_equal(name_says("@alice@here,bob@nowhere", "alice"), REASON_NO_HOST);
    assert_int_equal(name_says("@alice@here,bob@nowhere", "dave"), REASON_NO_ROOM); /* first who, then whether */
    assert_int_equal(name_says("@bob@there,alice@here", "alice"), REASON_NO_ROOM);  /* not in its one form */
    assert_int_equal(name_says("@dave@here", "dave"), REASON_OK);
}

/* ---- segments ---- */

static void put(int n, const char *room, uint64_t origin)
{
    assert_true(n > 0);
    frame_set_origin(frames + len, origin);
    frame_set_room(frames + len, id(room));
    len += (size_t)n;
}

static void put_create(const char *room, uint64_t origin)
{
    struct room_change c = {.room = text_of(room)};
    put(write_room_change(frames + len, FRAME_CREATE, &c, 0, 0, 0), room, origin);
}

static void put_say(const char *room, const char *user, uint64_t origin)
{
    struct say s = {text_of(user), text_of("hello")};
    put(write_say(frames + len, &s, 0, 9, 1, 0), room, origin);
}

static void put_act(const char *room, const char *user, uint64_t origin)
{
    struct room_act a = {.act = ACT_TOPIC, .user = text_of(user), .topic = text_of("us"), .target = text_of("")};
    put(write_room_act(frames + len, &a, 0, 9, 1), room, origin);
}

static bool takes(uint64_t from)
{
    bool good = scope_takes(small.a.seg, from, frames, len);
    len = 0;
    return good;
}

/* first, later -- the first segment of a stream, and one of a room that is known. */
static bool first(const char *room, const char *user, uint64_t origin, uint64_t from)
{
    put_create(room, origin);
    put_say(room, user, origin);
    return takes(from);
}

static bool later(const char *room, const char *user, uint64_t origin, uint64_t from)
{
    put_say(room, user, origin);
    return takes(from);
}

static void test_segments(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        bool (*came)(const char *, const char *, uint64_t, uint64_t) = known ? later : first;
        assert_true(came("lobby", "anybody", THERE, ELSEWHERE));
        assert_true(came(PAIR, "bob", THERE, THERE));
        assert_true(came(PAIR, "alice", HERE, THERE)); /* of our own, lost with a disk */
        assert_false(came(PAIR, "bob", THERE, ELSEWHERE));  /* how does that one have it? */
        assert_false(came(PAIR, "carol", ELSEWHERE, ELSEWHERE));
        assert_false(came(PAIR, "bob", ELSEWHERE, THERE));
        assert_false(came(PAIR, "alice", THERE, THERE)); /* she is not of that host */
        assert_false(came(PAIR, "mallory", THERE, THERE));
        assert_false(came(OTHERS, "bob", THERE, THERE)); /* not for us */
        assert_false(came(LOCAL, "alice", THERE, THERE));
        assert_false(came("@alice@here", "alice", HERE, THERE)); /* an inbox holds nothing */
        assert_false(came("@bob@there", "bob", THERE, THERE));
        if (!known) {
            open_room("lobby");
            open_room(PAIR);
            open_room(OTHERS);
            open_room(LOCAL);
            open_room("@alice@here");
            open_room("@bob@there");
        }
    }
}

static void test_every_word_is_looked_at(void **state)
{
    (void)state;
    put_create(PAIR, THERE);
    put_say(PAIR, "bob", THERE);
    put_say(PAIR, "mallory", THERE);
    assert_false(takes(THERE));
}

static void test_two_have_no_state(void **state)
{
    (void)state;
    put_create(PAIR, THERE);
    put_act(PAIR, "bob", THERE);
    assert_false(takes(THERE));
    put_create("lobby", THERE);
    put_act("lobby", "bob", THERE);
    assert_true(takes(THERE));
}

/* ---- private rooms ---- */

#define THEIRS "bob@there/plans"
#define OURS   "alice@here/plans"

/* invited -- the keeper has folded what the owner said: these hosts are in it, those were. */
static void invited(const char *room, uint64_t in, uint64_t left)
{
    uint64_t now[HOST_WORDS] = {0}, then[HOST_WORDS] = {0};
    now[0] = in ? UINT64_C(1) << (roster_host(small.r, in) - 1) : 0;
    then[0] = left ? UINT64_C(1) << (roster_host(small.r, left) - 1) : 0;
    small_begin();
    roster_audience(&small.a.edit, roster_room(small.r, id(room)), now, then);
    small_end();
}

static void test_hosts_of_a_private_room(void **state)
{
    (void)state;
    open_room("lobby");
    open_room(THEIRS);
    assert_true(scope_private(small.a.seg, id(THEIRS)) && !scope_public(small.a.seg, id(THEIRS)));
    assert_false(scope_private(small.a.seg, id("lobby")) || scope_private(small.a.seg, id(OURS)));
    assert_true(scope_owns(small.a.seg, id(THEIRS), THERE));
    assert_false(scope_owns(small.a.seg, id(THEIRS), HERE) || scope_owns(small.a.seg, id(OURS), HERE)); /* that is not known */
    assert_true(host_may(THEIRS, THERE));
    assert_false(host_may(THEIRS, HERE) || host_may(THEIRS, ELSEWHERE) || host_may(THEIRS, NOBODY) || host_may(OURS, HERE));
    uint32_t before = atomic_load(&small.r->audiences);
    invited(THEIRS, ELSEWHERE, 0);
    assert_int_equal(atomic_load(&small.r->audiences), before + 1);
    assert_true(host_may(THEIRS, ELSEWHERE) && host_may(THEIRS, THERE) && !host_may(THEIRS, HERE));
    assert_false(scope_left(small.a.seg, id(THEIRS), ELSEWHERE));
    invited(THEIRS, HERE, ELSEWHERE);
    assert_true(host_may(THEIRS, HERE) && !host_may(THEIRS, ELSEWHERE));
    assert_true(scope_left(small.a.seg, id(THEIRS), ELSEWHERE) && !scope_left(small.a.seg, id(THEIRS), HERE));
    invited(THEIRS, HERE, ELSEWHERE); /* nothing new */
    assert_int_equal(atomic_load(&small.r->audiences), before + 2);
}

static void make_member(const char *room, uint64_t host, const char *user, uint8_t role)
{
    small_begin();
    assert_int_equal(roster_role_add(&small.a.edit, roster_room(small.r, id(room)), host, text_of(user), role), 0);
    small_end();
}

static void test_users_of_a_private_room(void **state)
{
    (void)state;
    open_room(THEIRS);
    open_room(OURS);
    assert_true(user_may(OURS, "alice")); /* who may make it */
    assert_false(user_may(OURS, "dave") || user_may(THEIRS, "alice") || user_may(THEIRS, "bob"));
    make_member(THEIRS, HERE, "alice", ROLE_MEMBER);
    make_member(THEIRS, THERE, "dave", ROLE_MEMBER); /* another one of that name */
    make_member(THEIRS, HERE, "carol", ROLE_OPERATOR);
    assert_true(user_may(THEIRS, "alice"));
    assert_false(user_may(THEIRS, "dave") || user_may(THEIRS, "carol"));
    assert_int_equal(name_says(THEIRS, "alice"), REASON_OK);
    assert_int_equal(name_says(THEIRS, "dave"), REASON_NO_ROOM);
    assert_int_equal(name_says("bob@there/other", "alice"), REASON_NO_ROOM);
    assert_int_equal(name_says("alice@here/other", "alice"), REASON_OK);
    assert_int_equal(name_says("alice@here/other", "dave"), REASON_NO_ROOM);
    assert_int_equal(name_says("alice@there/other", "alice"), REASON_NO_ROOM);
}

static void put_own(const char *room, const char *user, uint64_t origin)
{
    struct room_act a = {.act = ACT_OWN, .user = text_of(user), .topic = text_of(""), .target = text_of("")};
    put(write_room_act(frames + len, &a, 0, 9, 1), room, origin);
}

static bool created(const char *user, uint64_t origin, uint64_t from)
{
    put_create(THEIRS, origin);
    put_own(THEIRS, user, origin);
    return takes(from);
}

static void test_segments_of_a_private_room(void **state)
{
    (void)state;
    assert_true(created("bob", THERE, THERE));
    assert_true(created("bob", THERE, ELSEWHERE)); /* his word proves itself, whoever brings it */
    assert_false(created("mallory", THERE, THERE));
    assert_false(created("bob", ELSEWHERE, ELSEWHERE));
    assert_false(first(THEIRS, "carol", ELSEWHERE, THERE)); /* before the room is known */
    assert_false(first(THEIRS, "carol", ELSEWHERE, ELSEWHERE));
    open_room(THEIRS);
    assert_true(first(THEIRS, "carol", ELSEWHERE, THERE));
    assert_false(first(THEIRS, "carol", ELSEWHERE, ELSEWHERE)); /* is she in it? */
    assert_false(created("bob", ELSEWHERE, THERE));
    invited(THEIRS, ELSEWHERE, 0);
    assert_true(first(THEIRS, "carol", ELSEWHERE, ELSEWHERE));
    assert_false(created("bob", ELSEWHERE, ELSEWHERE));
    invited(THEIRS, 0, ELSEWHERE);
    assert_false(first(THEIRS, "carol", ELSEWHERE, ELSEWHERE));
    assert_true(later(THEIRS, "bob", THERE, ELSEWHERE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, small_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hosts), TEST(test_a_room_that_is_not_known), TEST(test_a_host_that_takes_our_name),
        TEST(test_a_host_that_goes_by_another_name),
        TEST(test_users), TEST(test_names), TEST(test_segments), TEST(test_every_word_is_looked_at),
        TEST(test_two_have_no_state), TEST(test_hosts_of_a_private_room), TEST(test_users_of_a_private_room),
        TEST(test_segments_of_a_private_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
