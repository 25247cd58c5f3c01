/* test_peers.c -- lines, the file of them, and how it changes. */
#include "trust/peers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "scratch.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
#define KEY_C "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA"

static struct peers ps;

static int read_peer(const char *line, struct peer *p)
{
    return peer_from_line(line, p, scratch.why, sizeof scratch.why);
}

static int load(void)
{
    return peers_load(&ps, scratch.dir, scratch.why, sizeof scratch.why);
}

static int put(const struct peer *p)
{
    return peers_add(scratch.dir, p, scratch.why, sizeof scratch.why);
}

static struct peer peer_of(const char *line)
{
    struct peer p;
    assert_int_equal(read_peer(line, &p), 0);
    return p;
}

static int add(const char *line)
{
    struct peer p = peer_of(line);
    return put(&p);
}

static void assert_file(const char *expected)
{
    char content[4096];
    assert_true(scratch_get(&scratch, "peers", content, sizeof content) >= 0);
    assert_string_equal(content, expected);
}

static void test_line(void **state)
{
    (void)state;
    char line[256];
    struct peer p = peer_of("  north.example \t10.0.0.1:7400  " KEY_B "\r\n");
    uint8_t key[KEY_LEN];
    assert_string_equal(p.name, "north.example");
    assert_string_equal(p.address, "10.0.0.1:7400");
    assert_true(key_from_text(KEY_B, key));
    assert_memory_equal(p.key, key, KEY_LEN);
    assert_true(p.host == host_of_key(key));
    peer_to_line(&p, line, sizeof line);
    assert_string_equal(line, "north.example 10.0.0.1:7400 " KEY_B);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {
        "-",
        "h:1",
        "h:65535",
        "north.example.org:7400",
        "192.0.2.1:7400",
        "[::1]:7400",
        "[2001:db8::7]:1",
    };
    static const char *const bad[] = {
        "h",           "h:",    ":1",          "h:0",      "h:65536", "h:0147325", "h:99999999999999999999",
        "h:-1",        "h:1x",  "h:+1",        "[::1]",    "[::1]:",  "[::1:7400",
        "[]:1",        "[h]:1", "::1:7400",    "[::1]x:1", "a/b:1",   "h:1:2",
        "[1::2::3]:4", "--",    "$(reboot):1",
    };
    char line[300], back[256];
    struct peer p;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        snprintf(line, sizeof line, "a %s " KEY_A, good[i]);
        assert_int_equal(read_peer(line, &p), 0);
        peer_to_line(&p, back, sizeof back);
        assert_string_equal(line, back);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(line, sizeof line, "a %s " KEY_A, bad[i]);
        assert_int_equal(read_peer(line, &p), -EINVAL);
        assert_non_null(strstr(scratch.why, "second word"));
    }
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"", "first word"},
        {"  \n", "first word"},
        {"North - " KEY_A, "first word"},
        {"../etc - " KEY_A, "first word"},
        {"north", "second word"},
        {"north -", "third word"},
        {"north - " KEY_A "A", "third word"},
        {"north - abc", "third word"},
        {"north - AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "third word"},
        {"north - " KEY_A " more", "behind"},
    };
    struct peer p;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(read_peer(bad[i].line, &p), -EINVAL);
        assert_non_null(strstr(scratch.why, bad[i].why));
    }
}

static void test_longest_line(void **state)
{
    (void)state;
    char name[66] = "", address[130] = "", line[256], back[256];
    struct peer p;
    memset(name, 'n', PEER_NAME_MAX);
    memset(address, 'h', PEER_ADDRESS_MAX - 2);
    memcpy(address + PEER_ADDRESS_MAX - 2, ":1", 3);
    snprintf(line, sizeof line, "%s %s " KEY_A, name, address);
    assert_int_equal(read_peer(line, &p), 0);
    peer_to_line(&p, back, sizeof back);
    assert_string_equal(line, back);
    assert_int_equal(put(&p), 0);
    assert_int_equal(load(), 0);
    assert_int_equal(ps.n, 1);
    memcpy(address + PEER_ADDRESS_MAX - 2, "h:1", 4);
    snprintf(line, sizeof line, "n %s " KEY_A, address);
    assert_int_equal(read_peer(line, &p), -EINVAL);
}

static void test_file(void **state)
{
    (void)state;
    ps.n = 7;
    assert_int_equal(load(), 0);
    assert_int_equal(ps.n, 0);
    scratch_put(&scratch, "peers",
                "# our hosts\n\n  \t\nnorth n.example:7400 " KEY_A " # the big one\n"
                "   # indented\nsouth - " KEY_B);
    assert_int_equal(load(), 0);
    assert_int_equal(ps.n, 2);
    assert_string_equal(ps.peer[0].name, "north");
    assert_string_equal(ps.peer[1].name, "south");
    assert_string_equal(ps.peer[1].address, "-");
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *content, *why;
        int err;
    } bad[] = {
        {"# one\n\nnorth n:1\n", "line 3: ", -EINVAL},
        {"a - " KEY_A "\na - " KEY_B "\n", "line 2: this name", -EEXIST},
        {"a - " KEY_A "\nb - " KEY_A "\n", "line 2: this name or this key", -EEXIST},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        scratch_put(&scratch, "peers", bad[i].content);
        assert_int_equal(load(), bad[i].err);
        assert_non_null(strstr(scratch.why, bad[i].why));
    }
    char *big = calloc(1, 70000);
    memset(big, ' ', 300);
    scratch_put(&scratch, "peers", big);
    assert_int_equal(load(), -EINVAL);
    memset(big, '#', 69999);
    scratch_put(&scratch, "peers", big);
    assert_int_equal(load(), -EFBIG);
    free(big);
}

static void test_add(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(add("north - " KEY_A), 0);
    assert_file("north - " KEY_A "\n");
    assert_int_equal(fstatat(scratch.dir, "peers", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    scratch_put(&scratch, "peers", "# north is far\nnorth - " KEY_A "\n\n# end");
    assert_int_equal(add("south h:1 " KEY_B), 0);
    assert_file("# north is far\nnorth - " KEY_A "\n\n# end\nsouth h:1 " KEY_B "\n");
    assert_int_equal(add("north n:2 " KEY_A), 0);
    assert_file("# north is far\nnorth n:2 " KEY_A "\n\n# end\nsouth h:1 " KEY_B "\n");
    assert_int_equal(add("north n:2 " KEY_A), 0);
    assert_int_equal(load(), 0);
    assert_int_equal(ps.n, 2);
}

static void test_add_never_replaces_a_key(void **state)
{
    (void)state;
    const char *content = "north - " KEY_A "\nsouth - " KEY_B "\n";
    scratch_put(&scratch, "peers", content);
    assert_int_equal(add("north - " KEY_C), -EEXIST);
    assert_non_null(strstr(scratch.why, "north stands for another key"));
    assert_int_equal(add("north - " KEY_B), -EEXIST);
    assert_int_equal(add("west - " KEY_B), -EEXIST);
    assert_non_null(strstr(scratch.why, "that of south"));
    assert_file(content);
    scratch_put(&scratch, "peers", "nonsense\n");
    assert_int_equal(add("north - " KEY_C), -EINVAL);
    assert_file("nonsense\n");
}

static void test_full_table(void **state)
{
    (void)state;
    char line[256];
    struct peer p = peer_of("n0 - " KEY_A);
    for (int i = 0; i < PEERS_MAX; i++) {
        snprintf(p.name, sizeof p.name, "n%d", i);
        p.key[0] = (uint8_t)i;
        p.host = host_of_key(p.key);
        assert_int_equal(put(&p), 0);
    }
    assert_int_equal(add("one-more - " KEY_B), -ENOSPC);
    memcpy(p.address, "h:1", 4);
    assert_int_equal(put(&p), 0);
    peer_to_line(&p, line, sizeof line);
    assert_int_equal(load(), 0);
    assert_int_equal(ps.n, PEERS_MAX);
    assert_string_equal(ps.peer[PEERS_MAX - 1].address, "h:1");
}

static void test_look_up(void **state)
{
    (void)state;
    uint8_t pin[KEY_PIN_LEN];
    scratch_put(&scratch, "peers", "north - " KEY_A "\nsouth - " KEY_B "\n");
    assert_int_equal(load(), 0);
    struct peer b = peer_of("b - " KEY_B), c = peer_of("c - " KEY_C);
    key_pin(b.key, pin);
    assert_ptr_equal(peers_by_pin(&ps, pin), &ps.peer[1]);
    assert_ptr_equal(peers_by_host(&ps, b.host), &ps.peer[1]);
    key_pin(c.key, pin);
    assert_null(peers_by_pin(&ps, pin));
    assert_null(peers_by_host(&ps, c.host));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_line),       TEST(test_addresses),
        TEST(test_bad_lines),  TEST(test_longest_line),
        TEST(test_file),       TEST(test_bad_files),
        TEST(test_add),        TEST(test_add_never_replaces_a_key),
        TEST(test_full_table), TEST(test_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
