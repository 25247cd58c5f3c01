/* test_members.c -- sets of who says what of whom: the same in whatever order it is heard. */
#include "state/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

enum { US = 100, ALPHA = 101, BETA = 102, GAMMA = 103, DELTA = 104, SAID_MAX = 64 };

static struct {
    struct undo undo;
    struct members m;
} mem;

static uint8_t said[SAID_MAX][FRAME_MAX];
static unsigned n_said;

static int setup(void **state)
{
    (void)state;
    n_said = 0;
    members_init(&mem.m, US);
    return 0;
}

/* says -- an entry of host `by`, stamped; what was said later has the larger stamp. */
static void says_called(uint64_t by, enum member_op op, uint64_t of, const char *name, const char *address)
{
    uint8_t key[KEY_LEN];
    memset(key, (int)of, sizeof key);
    struct member_entry e = {(uint8_t)op, of, key, text_of(name), text_of(address)};
    uint8_t *f = said[n_said++];
    assert_true(write_member(f, &e) > 0);
    frame_set_origin(f, by);
    frame_set_epoch(f, 1);
    frame_set_seq(f, n_said);
    frame_set_hlc(f, 1000 + n_said);
}

static void says(uint64_t by, enum member_op op, uint64_t of)
{
    char name[16];
    snprintf(name, sizeof name, "h%u", (unsigned)of);
    says_called(by, op, of, name, "-");
}

static void hear(unsigned i)
{
    undo_begin(&mem.undo, 0);
    members_apply(&mem.m, &mem.undo, &mem, said[i]);
    undo_done(&mem.undo);
}

static void hear_all(void)
{
    members_init(&mem.m, US);
    for (unsigned i = 0; i < n_said; i++)
        hear(i);
}

static enum standing standing_of(uint64_t host)
{
    uint8_t standing[MEMBERS_MAX];
    int slot = members_find(&mem.m, host);
    members_stand(&mem.m, standing);
    return slot < 0 ? STANDING_NONE : (enum standing)standing[slot];
}

static void test_alone(void **state)
{
    (void)state;
    assert_int_equal(standing_of(US), STANDING_FULL);
    assert_int_equal(mem.m.version, 0);
    assert_false(members_guest(&mem.m));
}

static void test_a_chain_of_vouching(void **state)
{
    (void)state;
    says(ALPHA, MEMBER_FULL, BETA); /* nobody knows alpha yet */
    says(BETA, MEMBER_FULL, GAMMA);
    hear_all();
    assert_int_equal(standing_of(BETA), STANDING_NONE);
    says(US, MEMBER_FULL, ALPHA);
    hear_all();
    assert_int_equal(standing_of(ALPHA), STANDING_FULL);
    assert_int_equal(standing_of(BETA), STANDING_FULL);
    assert_int_equal(standing_of(GAMMA), STANDING_FULL);
}

static void test_nobody_vouches_for_himself(void **state)
{
    (void)state;
    says(ALPHA, MEMBER_FULL, ALPHA);
    hear_all();
    assert_int_equal(standing_of(ALPHA), STANDING_NONE);
}

static void test_guests_do_not_count(void **state)
{
    (void)state;
    says(US, MEMBER_GUEST, ALPHA);
    says(ALPHA, MEMBER_FULL, BETA);
    says(ALPHA, MEMBER_FULL, ALPHA);
    says(US, MEMBER_FULL, GAMMA);
    says(ALPHA, MEMBER_REVOKE, GAMMA);
    hear_all();
    assert_int_equal(standing_of(ALPHA), STANDING_GUEST);
    assert_int_equal(standing_of(BETA), STANDING_NONE);
    assert_int_equal(standing_of(GAMMA), STANDING_FULL);
    says(GAMMA, MEMBER_FULL, ALPHA); /* from now on it does, and did */
    hear_all();
    assert_int_equal(standing_of(BETA), STANDING_FULL);
    assert_int_equal(standing_of(GAMMA), STANDING_REVOKED);
}

static void test_we_as_a_guest(void **state)
{
    (void)state;
    says(US, MEMBER_FULL, ALPHA);
    says(ALPHA, MEMBER_GUEST, US);
    hear_all();
    assert_true(members_guest(&mem.m));
    says(ALPHA, MEMBER_FULL, US);
    hear_all();
    assert_false(members_guest(&mem.m));
}

static void test_revocation_wins(void **state)
{
    (void)state;
    says(US, MEMBER_FULL, ALPHA);
    says(US, MEMBER_FULL, BETA);
    says(BETA, MEMBER_FULL, DELTA);
    says(ALPHA, MEMBER_REVOKE, BETA);
    says(US, MEMBER_FULL, BETA); /* too late */
    hear_all();
    assert_int_equal(standing_of(BETA), STANDING_REVOKED);
    assert_int_equal(standing_of(DELTA), STANDING_FULL); /* what it vouched for stays */
    says(BETA, MEMBER_REVOKE, ALPHA); /* also what it says of others */
    hear_all();
    assert_int_equal(standing_of(ALPHA), STANDING_REVOKED);
    assert_int_equal(standing_of(BETA), STANDING_REVOKED);
}

static void test_revoked_by_itself_and_ourselves(void **state)
{
    (void)state;
    says(US, MEMBER_FULL, ALPHA);
    says(US, MEMBER_GUEST, BETA);
    says(BETA, MEMBER_REVOKE, BETA);
    says(GAMMA, MEMBER_REVOKE, US); /* a stranger */
    hear_all();
    assert_int_equal(standing_of(BETA), STANDING_REVOKED);
    assert_int_equal(standing_of(US), STANDING_FULL);
    says(ALPHA, MEMBER_REVOKE, US);
    hear_all();
    assert_int_equal(standing_of(US), STANDING_REVOKED);
}

static const struct member *row(uint64_t host)
{
    int slot = members_find(&mem.m, host);
    assert_true(slot >= 0);
    return &mem.m.member[slot];
}

static void test_what_a_host_says_of_itself_counts_for_more(void **state)
{
    (void)state;
    says_called(US, MEMBER_FULL, ALPHA, "alpha", "old:1");
    says_called(ALPHA, MEMBER_FULL, ALPHA, "alpha", "new:1");
    says_called(BETA, MEMBER_FULL, ALPHA, "omega", "bad:1"); /* later */
    hear_all();
    assert_string_equal(row(ALPHA)->address, "new:1");
    assert_string_equal(row(ALPHA)->name, "alpha");
    says_called(ALPHA, MEMBER_FULL, ALPHA, "aleph", "-");
    hear_all();
    assert_string_equal(row(ALPHA)->name, "aleph");
    hear(1); /* heard once more, out of order */
    assert_string_equal(row(ALPHA)->name, "aleph");
}

static void test_two_of_one_name(void **state)
{
    (void)state;
    uint8_t standing[MEMBERS_MAX];
    char name[HOST_NAME_MAX_LEN + 1];
    says_called(US, MEMBER_FULL, GAMMA, "twin", "-");
    says_called(US, MEMBER_FULL, DELTA, "twin", "-");
    hear_all();
    members_stand(&mem.m, standing);
    members_name(&mem.m, standing, members_find(&mem.m, GAMMA), name);
    assert_string_equal(name, "twin");
    members_name(&mem.m, standing, members_find(&mem.m, DELTA), name);
    assert_string_equal(name, "twin-8600"); /* 0x68 */
    says(US, MEMBER_REVOKE, GAMMA);
    hear_all();
    members_stand(&mem.m, standing);
    members_name(&mem.m, standing, members_find(&mem.m, DELTA), name);
    assert_string_equal(name, "twin");
}

/* shown -- all that people and other modules see, as text. */
static size_t shown(char *to, size_t size)
{
    uint8_t standing[MEMBERS_MAX];
    char name[HOST_NAME_MAX_LEN + 1];
    size_t len = 0;
    members_stand(&mem.m, standing);
    for (uint64_t host = US; host <= DELTA; host++) {
        int slot = members_find(&mem.m, host);
        if (slot < 0)
            continue;
        members_name(&mem.m, standing, slot, name);
        len += (size_t)snprintf(to + len, size - len, "%u %s %s %u\n", (unsigned)host, name, mem.m.member[slot].address, standing[slot]);
    }
    return len;
}

static void test_the_order_does_not_matter(void **state)
{
    (void)state;
    char first[1024], now[1024];
    uint32_t lcg = 1;
    for (unsigned i = 0; i < 40; i++) {
        lcg = lcg * 1664525 + 1013904223;
        uint64_t by = US + (lcg >> 16) % 5, of = US + (lcg >> 20) % 5;
        char address[16];
        snprintf(address, sizeof address, "a%u:1", i);
        says_called(by, (enum member_op)(1 + (lcg >> 26) % 8 / 3), of, (lcg >> 28) % 2 ? "x" : "y", address);
    }
    hear_all();
    size_t len = shown(first, sizeof first);
    for (unsigned round = 0; round < 200; round++) {
        members_init(&mem.m, US);
        unsigned order[40];
        for (unsigned i = 0; i < n_said; i++)
            order[i] = i;
        for (unsigned i = n_said - 1; i > 0; i--) {
            lcg = lcg * 1664525 + 1013904223;
            unsigned k = (lcg >> 8) % (i + 1), t = order[i];
            order[i] = order[k], order[k] = t;
        }
        for (unsigned i = 0; i < n_said; i++)
            hear(order[i]);
        assert_int_equal(shown(now, sizeof now), len);
        assert_string_equal(now, first);
    }
}

static void test_a_full_table(void **state)
{
    (void)state;
    for (uint64_t host = 1000; host < 1000 + MEMBERS_MAX + 10; host++) {
        n_said = 0;
        says(US, MEMBER_FULL, host);
        hear(0);
    }
    assert_int_equal(mem.m.n, MEMBERS_MAX);
    assert_int_equal(standing_of(1000 + MEMBERS_MAX - 2), STANDING_FULL);
    assert_int_equal(standing_of(1000 + MEMBERS_MAX - 1), STANDING_NONE);
}

static void test_a_kill_in_the_middle(void **state)
{
    (void)state;
    says(US, MEMBER_FULL, ALPHA);
    hear_all();
    struct members before = mem.m;
    says(ALPHA, MEMBER_FULL, BETA);
    undo_begin(&mem.undo, 0);
    members_apply(&mem.m, &mem.undo, &mem, said[1]);
    assert_int_equal(standing_of(BETA), STANDING_FULL);
    assert_int_equal(undo_recover(&mem.undo, &mem, sizeof mem, 0), 1);
    assert_int_equal(mem.m.n, before.n);
    assert_int_equal(mem.m.version, before.version);
    assert_int_equal(standing_of(BETA), STANDING_NONE);
}

/* reach -- links from host slot 0 to the one farthest away; *most: links of the host that has the most. */
static unsigned reach(unsigned hosts, unsigned *most)
{
    static unsigned distance[MEMBERS_MAX];
    uint8_t standing[MEMBERS_MAX];
    members_init(&mem.m, US);
    for (unsigned i = 1; i < hosts; i++) {
        n_said = 0;
        says(US, MEMBER_FULL, 2000 + i * 7919 % 65537);
        hear(0);
    }
    members_stand(&mem.m, standing);
    unsigned seen = 1, far = 0;
    *most = 0;
    memset(distance, 0xff, sizeof distance);
    distance[0] = 0;
    for (unsigned d = 0; seen < hosts && d < hosts; d++)
        for (unsigned a = 0; a < hosts; a++) {
            unsigned links = 0;
            for (unsigned b = 0; b < hosts; b++) {
                bool near = a != b && members_near(&mem.m, standing, (int)a, (int)b);
                assert_int_equal(near, a != b && members_near(&mem.m, standing, (int)b, (int)a));
                links += near;
                if (near && distance[a] == d && distance[b] > hosts) {
                    distance[b] = far = d + 1;
                    seen++;
                }
            }
            *most = links > *most ? links : *most;
        }
    assert_int_equal(seen, hosts);
    return far;
}

static void test_who_is_near(void **state)
{
    (void)state;
    unsigned most;
    assert_int_equal(reach(16, &most), 1);
    assert_int_equal(most, 15);
    assert_in_range(reach(17, &most), 2, 3);
    assert_in_range(most, 1, 9);
    assert_in_range(reach(100, &most), 2, 5);
    assert_in_range(most, 1, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_alone, setup),
        cmocka_unit_test_setup(test_a_chain_of_vouching, setup),
        cmocka_unit_test_setup(test_nobody_vouches_for_himself, setup),
        cmocka_unit_test_setup(test_guests_do_not_count, setup),
        cmocka_unit_test_setup(test_we_as_a_guest, setup),
        cmocka_unit_test_setup(test_revocation_wins, setup),
        cmocka_unit_test_setup(test_revoked_by_itself_and_ourselves, setup),
        cmocka_unit_test_setup(test_what_a_host_says_of_itself_counts_for_more, setup),
        cmocka_unit_test_setup(test_two_of_one_name, setup),
        cmocka_unit_test_setup(test_the_order_does_not_matter, setup),
        cmocka_unit_test_setup(test_a_full_table, setup),
        cmocka_unit_test_setup(test_a_kill_in_the_middle, setup),
        cmocka_unit_test_setup(test_who_is_near, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
