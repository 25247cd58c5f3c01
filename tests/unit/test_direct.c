/* test_direct.c -- names of conversations of two: one form for each pair, and nothing else passes. */
#include "base/direct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct person who(const char *user, const char *host)
{
    return (struct person){text_of(user), text_of(host)};
}

static bool reads(const char *name)
{
    struct direct d;
    return direct_read(text_of(name), &d);
}

static void test_a_pair_has_one_name(void **state)
{
    char one[DIRECT_NAME_MAX + 1], other[DIRECT_NAME_MAX + 1];
    struct direct d;
    (void)state;
    assert_int_equal(direct_name(who("bob", "beta"), who("alice", "alpha"), one), 21);
    assert_int_equal(direct_name(who("alice", "alpha"), who("bob", "beta"), other), 21);
    assert_string_equal(one, "@alice@alpha,bob@beta");
    assert_string_equal(other, one);
    assert_true(direct_read(text_of(one), &d));
    assert_int_equal(d.n, 2);
    assert_true(text_eq(d.who[0].user, text_of("alice")) && text_eq(d.who[1].host, text_of("beta")));
    assert_false(reads("@bob@beta,alice@alpha"));
}

/* By the bytes of the whole: '-' and '.' come before the '@' that ends a shorter name, letters and digits around it. */
static void test_the_order_is_of_bytes(void **state)
{
    static const char *const names[] = {"@al-x@a,al@a", "@al.x@a,al@a", "@al0@a,al@a", "@al@a,al_x@a", "@al@a,alx@a",
                                        "@Zoe@a,al@a",  "@al@a,al@b",   "@al@a,al@a.b", "@al@a-b,al@a.b"};
    char name[DIRECT_NAME_MAX + 1];
    struct direct d;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(direct_read(text_of(names[i]), &d));
        direct_name(d.who[1], d.who[0], name);
        assert_string_equal(name, names[i]);
    }
}

static void test_what_is_no_name(void **state)
{
    static const char *const bad[] = {"",       "@",       "@a",      "@a@",      "@@a",       "@a@b,",      "@a@b,c",  "@a@b,c@",
                                      "@,a@b",  "@a@b,,c@d", "@a@b,c@d,e@f", "@a@b,@c@d", "a@b,c@d", "@a@b@c", "@a@b c@d", "@a@B",
                                      "@-a@b",  "@a@-b",   "@a@b,c@d ", " @a@b", "@a/b@c", "@a@b/c", "@\xc3\xa4@b", "lobby"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(reads(bad[i]));
    assert_false(direct_room_ok(text_of("@a")));
    assert_false(direct_room_ok(text_of("")));
    assert_true(direct_room_ok(text_of("lobby")));
    assert_true(direct_room_ok(text_of("@a@b,c@d")));
    assert_false(text_room_ok(text_of("@a@b,c@d"))); /* never taken for an ordinary room */
}

static void test_the_longest(void **state)
{
    static char user[USER_NAME_MAX + 2], host[HOST_NAME_MAX_LEN + 2];
    char name[DIRECT_NAME_MAX + 2];
    struct direct d;
    (void)state;
    memset(user, 'u', USER_NAME_MAX);
    memset(host, 'h', HOST_NAME_MAX_LEN);
    size_t n = direct_name(who(user, host), who(user, host), name);
    assert_int_equal(n, DIRECT_NAME_MAX);
    assert_true(direct_read((struct text){name, n}, &d));
    name[n] = 'h';
    assert_false(direct_read((struct text){name, n + 1}, &d));
    user[USER_NAME_MAX] = 'u';
    snprintf(name, sizeof name, "@%s@h", user);
    assert_false(reads(name));
}

static void test_who_is_in_it(void **state)
{
    struct direct d;
    (void)state;
    assert_true(direct_read(text_of("@alice@alpha,bob@beta"), &d));
    assert_true(direct_has(&d, who("alice", "alpha")) && direct_has(&d, who("bob", "beta")));
    assert_false(direct_has(&d, who("alice", "beta")) || direct_has(&d, who("bob", "alpha")));
    assert_false(direct_has(&d, who("alic", "alpha")) || direct_has(&d, who("alice", "alph")) || direct_has(&d, who("", "")));
    assert_true(direct_has_host(&d, text_of("alpha")) && direct_has_host(&d, text_of("beta")));
    assert_false(direct_has_host(&d, text_of("gamma")) || direct_has_host(&d, text_of("")));
    assert_true(text_eq(direct_other(&d, who("alice", "alpha")).user, text_of("bob")));
    assert_true(text_eq(direct_other(&d, who("bob", "beta")).user, text_of("alice")));
    assert_true(direct_read(text_of("@alice@alpha,alice@alpha"), &d)); /* a note to herself */
    assert_true(text_eq(direct_other(&d, who("alice", "alpha")).user, text_of("alice")));
}

static void test_inboxes(void **state)
{
    char name[PERSON_MAX + 2];
    struct direct d;
    (void)state;
    assert_int_equal(direct_inbox(who("alice", "alpha"), name), 12);
    assert_string_equal(name, "@alice@alpha");
    assert_true(direct_read(text_of(name), &d));
    assert_int_equal(d.n, 1);
    assert_true(direct_has(&d, who("alice", "alpha")));
    assert_false(direct_has(&d, who("bob", "alpha")));
}

static bool reads_private(const char *name)
{
    struct person owner;
    struct text room;
    return private_read(text_of(name), &owner, &room);
}

static void test_private_rooms(void **state)
{
    static const char *const bad[] = {"alice@alpha", "alice@alpha/", "alice/plans", "alice@/plans", "@alpha/plans", "alice@alpha//x",
                                      "alice@alpha/Plans", "alice@alpha/x@y", "al ice@alpha/x", "alice@Alpha/x", "plans", "", "/",
                                      "@alice@alpha", "@a@b,c@d", "a@b,c@d/x"};
    static char user[USER_NAME_MAX + 1], host[HOST_NAME_MAX_LEN + 1], room[ROOM_NAME_MAX + 2];
    char name[PRIVATE_NAME_MAX + 2];
    struct person owner;
    struct text what;
    (void)state;
    assert_int_equal(private_name(who("alice", "alpha"), text_of("plans/2"), name), 19);
    assert_string_equal(name, "alice@alpha/plans/2");
    assert_true(private_read(text_of(name), &owner, &what));
    assert_true(text_eq(owner.user, text_of("alice")) && text_eq(owner.host, text_of("alpha")) && text_eq(what, text_of("plans/2")));
    assert_true(direct_room_ok(text_of(name)) && private_is(text_of(name)) && !direct_is(text_of(name)));
    assert_false(text_room_ok(text_of(name))); /* never taken for an ordinary room */
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(reads_private(bad[i]));
    assert_false(private_is(text_of("@a@b,c@d")) || private_is(text_of("plans")) || private_is(text_of("")));
    memset(user, 'u', USER_NAME_MAX);
    memset(host, 'h', HOST_NAME_MAX_LEN);
    memset(room, 'r', ROOM_NAME_MAX);
    assert_int_equal(private_name(who(user, host), text_of(room), name), PRIVATE_NAME_MAX);
    assert_true(reads_private(name));
    assert_true(PRIVATE_NAME_MAX <= DIRECT_NAME_MAX);
    strcat(name, "r");
    assert_false(reads_private(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pair_has_one_name), cmocka_unit_test(test_the_order_is_of_bytes),
        cmocka_unit_test(test_what_is_no_name),     cmocka_unit_test(test_the_longest),
        cmocka_unit_test(test_who_is_in_it),        cmocka_unit_test(test_inboxes),
        cmocka_unit_test(test_private_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
