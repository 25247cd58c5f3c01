/* test_room_state.c -- the fold: who may do what, what decides, and that the way things came here does not matter. */
#include "base/prng.h"
#include "rules/room_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALPHA = 0xa, BETA = 0xb, ROOM = 7, FRAME_SMALL = 512 };

struct who {
    uint64_t host;
    const char *user;
};
static const struct who alice = {ALPHA, "alice"}, bob = {BETA, "bob"}, carl = {ALPHA, "carl"}, bob_of_alpha = {ALPHA, "bob"},
                        all_of_beta = {BETA, "*"}, nobody = {0, ""};

static struct room_state s;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    now = 100;
    return 0;
}

static const uint8_t *make(struct who by, uint8_t act, struct who target, const char *topic, uint64_t hlc)
{
    static uint8_t f[FRAME_MAX];
    struct room_act a = {.act = act, .mode = act_of_mode(act) ? MODE_TOPIC_BY_OPERATORS : 0, .host = target.host,
                         .user = text_of(by.user), .target = text_of(target.user), .topic = text_of(topic)};
    assert_true(write_room_act(f, &a, ROOM, 77, 1) > 0);
    frame_set_origin(f, by.host);
    frame_set_epoch(f, 5);
    frame_set_seq(f, hlc);
    frame_set_hlc(f, hlc);
    return f;
}

static enum room_verdict does(struct who by, uint8_t act, struct who target)
{
    return room_state_step(&s, make(by, act, target, "", ++now));
}

static enum room_verdict says_topic(struct who by, const char *topic)
{
    return room_state_step(&s, make(by, ACT_TOPIC, nobody, topic, ++now));
}

static unsigned role(struct who w)
{
    return room_state_role(&s, w.host, text_of(w.user));
}

static void assert_topic(const char *topic)
{
    assert_true(text_eq((struct text){s.topic, s.topic_len}, text_of(topic)));
}

/* ---- rules ---- */

static void a_room_without_an_owner(void **state)
{
    (void)state;
    assert_int_equal(says_topic(bob, "to do"), ROOM_COUNTS);
    assert_topic("to do");
    for (uint8_t act = ACT_SET; act <= ACT_KICK; act++)
        assert_int_equal(does(alice, act, act_aims(act) ? bob : nobody), ROOM_HAS_NO_OWNER);
    assert_int_equal(s.n, 1);
    assert_int_equal(room_state_flags(&s), 0);
}

static void the_first_owner_stays(void **state)
{
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_OWN, nobody), ROOM_HAS_OWNER);
    assert_int_equal(role(alice), ROLE_OWNER);
    assert_int_equal(role(bob), 0);
    assert_int_equal(does(alice, ACT_OP, bob), ROOM_COUNTS);
    for (uint8_t act = ACT_MUTE; act <= ACT_KICK; act++)
        assert_int_equal(does(bob, act, alice), ROOM_OF_OWNER);
    assert_int_equal(does(alice, ACT_DEOP, alice), ROOM_OF_OWNER);
    assert_int_equal(role(alice), ROLE_OWNER);
}

static void operators_are_the_owners(void **state)
{
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_MUTE, carl), ROOM_NOT_OPERATOR);
    assert_int_equal(does(bob, ACT_SET, nobody), ROOM_NOT_OPERATOR);
    assert_int_equal(does(alice, ACT_OP, bob), ROOM_COUNTS);
    assert_int_equal(role(bob), ROLE_OPERATOR);
    assert_int_equal(role(bob_of_alpha), 0); /* another one of that name */
    assert_int_equal(does(bob, ACT_OP, carl), ROOM_NOT_OWNER);
    assert_int_equal(does(bob, ACT_DEOP, bob), ROOM_NOT_OWNER);
    assert_int_equal(does(bob, ACT_MUTE, carl), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_KICK, carl), ROOM_COUNTS);
    assert_int_equal(role(carl), ROLE_MUTED);
    assert_int_equal(does(alice, ACT_DEOP, bob), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_UNMUTE, carl), ROOM_NOT_OPERATOR);
    assert_int_equal(role(carl), ROLE_MUTED);
    assert_int_equal(does(alice, ACT_UNMUTE, carl), ROOM_COUNTS);
    assert_int_equal(role(carl), 0);
}

static void who_sets_the_topic(void **state)
{
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "bob's"), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_SET, nobody), ROOM_COUNTS);
    assert_int_equal(room_state_flags(&s), ROOM_OWNED | ROOM_TOPIC_BY_OPERATORS);
    assert_int_equal(says_topic(bob, "again"), ROOM_NOT_OPERATOR);
    assert_topic("bob's");
    assert_int_equal(says_topic(alice, ""), ROOM_COUNTS);
    assert_topic("");
    assert_int_equal(does(alice, ACT_UNSET, nobody), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "again"), ROOM_COUNTS);
    assert_topic("again");
    assert_int_equal(does(alice, ACT_MUTE, bob), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "muted"), ROOM_BY_MUTED);
    assert_topic("again");
}

static void a_ban_of_a_host(void **state)
{
    (void)state;
    assert_int_equal(does(bob, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_OP, carl), ROOM_COUNTS);
    assert_int_equal(does(carl, ACT_BAN, all_of_beta), ROOM_COUNTS);
    assert_int_equal(role((struct who){BETA, "dora"}), ROLE_BANNED);
    assert_int_equal(role(bob), ROLE_OWNER); /* but not he */
    assert_int_equal(role(carl), ROLE_OPERATOR);
    assert_int_equal(says_topic((struct who){BETA, "dora"}, "x"), ROOM_BY_BANNED);
    assert_int_equal(does(bob, ACT_UNBAN, (struct who){BETA, "dora"}), ROOM_COUNTS);
    assert_int_equal(role((struct who){BETA, "dora"}), ROLE_BANNED);
    assert_int_equal(does(bob, ACT_UNBAN, all_of_beta), ROOM_COUNTS);
    assert_int_equal(role((struct who){BETA, "dora"}), 0);
}

static void a_banned_operator_cannot_help_himself(void **state)
{
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_OP, bob), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_BAN, bob), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_UNBAN, bob), ROOM_BY_BANNED);
    assert_int_equal(role(bob), ROLE_OPERATOR | ROLE_BANNED);
}

static void a_room_can_be_full(void **state)
{
    char name[USER_NAME_MAX];
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    for (unsigned i = 0; i < ROOM_FACTS_AIMED; i++) {
        snprintf(name, sizeof name, "u%u", i);
        assert_int_equal(does(alice, i % 2 ? ACT_MUTE : ACT_BAN, (struct who){BETA, name}), ROOM_COUNTS);
    }
    assert_int_equal(does(alice, ACT_OP, carl), ROOM_FULL);
    assert_int_equal(says_topic(alice, "full"), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_SET, nobody), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_BAN, (struct who){BETA, "u0"}), ROOM_COUNTS); /* he is already */
    assert_int_equal(does(alice, ACT_UNBAN, (struct who){BETA, "u0"}), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_OP, carl), ROOM_COUNTS);
}

/* ---- private rooms ---- */

static void nobody_is_invited_to_what_is_everybodys(void **state)
{
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_NOT_PRIVATE);
    assert_int_equal(does(alice, ACT_UNINVITE, bob), ROOM_NOT_PRIVATE);
    assert_int_equal(s.n, 1);
}

static void set_up_private(void)
{
    room_state_begin(&s, text_of("alice@alpha/plans"));
    assert_int_equal(room_state_flags(&s), ROOM_PRIVATE);
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(room_state_flags(&s), ROOM_PRIVATE | ROOM_OWNED);
}

static void who_is_not_invited_does_nothing(void **state)
{
    (void)state;
    set_up_private();
    assert_int_equal(says_topic(bob, "mine"), ROOM_NOT_MEMBER);
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_COUNTS);
    assert_int_equal(role(bob), ROLE_MEMBER);
    assert_int_equal(role(bob_of_alpha), 0);
    assert_int_equal(says_topic(bob, "ours"), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_OP, bob), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_MUTE, carl), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_UNINVITE, bob), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "mine"), ROOM_NOT_MEMBER);
    assert_int_equal(does(bob, ACT_UNMUTE, carl), ROOM_NOT_MEMBER); /* an operator who is out */
    assert_topic("ours");
}

static void the_owner_alone_invites(void **state)
{
    (void)state;
    set_up_private();
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_OP, bob), ROOM_COUNTS);
    assert_int_equal(does(bob, ACT_INVITE, carl), ROOM_NOT_OWNER);
    assert_int_equal(does(bob, ACT_UNINVITE, bob), ROOM_NOT_OWNER);
    assert_int_equal(does(alice, ACT_UNINVITE, alice), ROOM_OF_OWNER);
    assert_int_equal(does(carl, ACT_INVITE, carl), ROOM_NOT_OWNER);
    assert_int_equal(role(carl), 0);
}

/* What an operator did to others must not decide which hosts have the room. */
static void nothing_but_the_owners_word_makes_members(void **state)
{
    char name[USER_NAME_MAX];
    (void)state;
    set_up_private();
    for (unsigned i = 0; i < ROOM_FACTS_AIMED; i++) {
        snprintf(name, sizeof name, "u%u", i);
        assert_int_equal(does(alice, ACT_MUTE, (struct who){BETA, name}), ROOM_COUNTS);
    }
    assert_int_equal(does(alice, ACT_MUTE, bob), ROOM_FULL);
    for (unsigned i = 0; i < ROOM_MEMBERS_MAX; i++) {
        snprintf(name, sizeof name, "u%u", i);
        assert_int_equal(does(alice, ACT_INVITE, (struct who){BETA, name}), ROOM_COUNTS);
    }
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_MEMBERS_FULL);
    assert_int_equal(does(alice, ACT_UNINVITE, (struct who){BETA, "u0"}), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_MEMBERS_FULL); /* who was one is remembered */
    assert_int_equal(does(alice, ACT_INVITE, (struct who){BETA, "u0"}), ROOM_COUNTS);
    assert_int_equal(role((struct who){BETA, "u0"}), ROLE_MEMBER | ROLE_MUTED);
}

static void when_the_last_one_of_a_host_was_out(void **state)
{
    (void)state;
    set_up_private();
    assert_int_equal(does(alice, ACT_UNINVITE, bob), ROOM_COUNTS); /* he never was a member */
    assert_int_equal(room_state_out(&s, BETA), 0);
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_INVITE, (struct who){BETA, "dora"}), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_UNINVITE, bob), ROOM_COUNTS);
    assert_int_equal(room_state_out(&s, BETA), now);
    assert_int_equal(does(alice, ACT_UNINVITE, (struct who){BETA, "dora"}), ROOM_COUNTS);
    assert_int_equal(room_state_out(&s, BETA), now);
    assert_int_equal(room_state_out(&s, ALPHA), 0);
    assert_int_equal(does(alice, ACT_INVITE, bob), ROOM_COUNTS);
    assert_int_equal(role(bob), ROLE_MEMBER);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.n_invited, 2);
    assert_int_equal(s.n_aimed, 0);
}

static void what_is_no_act_changes_nothing(void **state)
{
    uint8_t f[FRAME_MAX];
    (void)state;
    memcpy(f, make(alice, ACT_OWN, nobody, "", ++now), FRAME_SMALL);
    f[FRAME_HEAD] = ACTS_END;
    assert_int_equal(room_state_step(&s, f), ROOM_MALFORMED);
    assert_int_equal(s.n, 0);
}

static void each_fact_names_its_entry(void **state)
{
    uint8_t f[FRAME_MAX];
    struct fact_row row;
    (void)state;
    assert_int_equal(does(alice, ACT_OWN, nobody), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "one"), ROOM_COUNTS);
    assert_int_equal(says_topic(bob, "two"), ROOM_COUNTS);
    assert_int_equal(does(alice, ACT_BAN, carl), ROOM_COUNTS);
    assert_int_equal(s.n, 3);
    room_fact_row(&s, 1, ROOM, f);
    assert_int_equal(read_fact_row(f, &row), 0);
    assert_true(row.act.act == ACT_TOPIC && text_eq(row.act.topic, text_of("two")) && text_eq(row.act.user, text_of("bob")));
    assert_true(frame_origin(f) == BETA && frame_epoch(f) == 5 && frame_seq(f) == 103 && frame_hlc(f) == 103 && frame_room(f) == ROOM);
    room_fact_row(&s, 2, ROOM, f);
    assert_int_equal(read_fact_row(f, &row), 0);
    assert_true(row.act.act == ACT_BAN && row.act.host == ALPHA && text_eq(row.act.target, text_of("carl")));
    assert_int_equal(frame_origin(f), ALPHA);
    for (unsigned v = 0; v <= ROOM_MALFORMED; v++)
        assert_true(strlen(room_why((enum room_verdict)v)) <= FACT_WHY_MAX);
}

/* ---- the way things come ---- */

enum { ACTS = 60, RUNS = 300 };
static uint8_t act_of[ACTS][FRAME_SMALL];

static int by_order(const void *a, const void *b)
{
    return frame_order(a, b);
}

static void random_acts(struct prng *p)
{
    static const struct who people[] = {{ALPHA, "alice"}, {BETA, "bob"}, {ALPHA, "carl"}, {BETA, "dora"}};
    for (size_t i = 0; i < ACTS; i++) {
        uint8_t act = (uint8_t)(i == 0 ? ACT_OWN : 1 + prng_below(p, ACTS_END - 1));
        const char *topic = act == ACT_TOPIC ? (const char *const[]){"", "x", "y"}[prng_below(p, 3)] : "";
        uint64_t hlc = 1 + prng_below(p, ACTS); /* also the same at two hosts */
        memcpy(act_of[i], make(people[prng_below(p, 4)], act, act_aims(act) ? people[prng_below(p, 4)] : nobody, topic, hlc), FRAME_SMALL);
        frame_set_seq(act_of[i], i + 1);
    }
}

/* arrive -- one after the other, as the keeper does it: onto what there is, or all anew. */
static void arrive(struct room_state *to)
{
    static uint8_t there[ACTS][FRAME_SMALL];
    memset(to, 0, sizeof *to);
    for (size_t n = 0; n < ACTS; n++) {
        memcpy(there[n], act_of[n], FRAME_SMALL);
        if (room_state_follows(to, act_of[n])) {
            (void)room_state_step(to, act_of[n]);
            continue;
        }
        memset(to, 0, sizeof *to);
        qsort(there, n + 1, FRAME_SMALL, by_order);
        for (size_t i = 0; i <= n; i++)
            (void)room_state_step(to, there[i]);
    }
}

static void shuffle(struct prng *p)
{
    uint8_t swap[FRAME_SMALL];
    for (size_t i = ACTS; i > 1; i--) {
        size_t k = prng_below(p, i);
        memcpy(swap, act_of[i - 1], FRAME_SMALL);
        memcpy(act_of[i - 1], act_of[k], FRAME_SMALL);
        memcpy(act_of[k], swap, FRAME_SMALL);
    }
}

static bool same_facts(const struct room_state *a, const struct room_state *b)
{
    if (a->n != b->n || !text_eq((struct text){a->topic, a->topic_len}, (struct text){b->topic, b->topic_len}))
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        uint8_t x[FRAME_MAX], y[FRAME_MAX];
        int n = room_fact_row(a, i, ROOM, x);
        if (room_fact_row(b, i, ROOM, y) != n || memcmp(x, y, (size_t)n) != 0)
            return false;
    }
    return true;
}

static void any_order_of_arrival_gives_the_same(void **state)
{
    static struct room_state once, again;
    struct prng p = {.s = 1};
    unsigned facts = 0;
    (void)state;
    for (unsigned run = 0; run < RUNS; run++) {
        random_acts(&p);
        arrive(&once);
        facts += once.n;
        for (unsigned k = 0; k < 5; k++) {
            shuffle(&p);
            arrive(&again);
            assert_true(same_facts(&once, &again));
        }
    }
    assert_true(facts > RUNS * 3); /* it was about something */
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup(t, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_room_without_an_owner),
        TEST(the_first_owner_stays),
        TEST(operators_are_the_owners),
        TEST(who_sets_the_topic),
        TEST(a_ban_of_a_host),
        TEST(a_banned_operator_cannot_help_himself),
        TEST(a_room_can_be_full),
        TEST(nobody_is_invited_to_what_is_everybodys),
        TEST(who_is_not_invited_does_nothing),
        TEST(the_owner_alone_invites),
        TEST(nothing_but_the_owners_word_makes_members),
        TEST(when_the_last_one_of_a_host_was_out),
        TEST(what_is_no_act_changes_nothing),
        TEST(each_fact_names_its_entry),
        TEST(any_order_of_arrival_gives_the_same),
    };
    return cmocka_run_group_tests_name("room_state", tests, NULL, NULL);
}
