/* test_body_peer.c -- what relays say to each other: written, read back, and refused where nobody could have written it. */
#include "frame/peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_round_trip_of_links_and_tunnels(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    uint64_t link[] = {3, 4, 5};
    struct links_row row;
    assert_true(write_links(buf, 1, 2, 9, link, 3) > 0);
    assert_int_equal(read_links(buf, &row), 0);
    assert_true(row.n == 3 && get_u64(row.link + 16) == 5);
    assert_true(frame_origin(buf) == 1 && frame_epoch(buf) == 2 && frame_seq(buf) == 9);

    struct tunnel_part part = {6, 77, TUNNEL_BYTES, 3, (const uint8_t *)"some", 4}, p;
    assert_true(write_tunnel(buf, &part, 5) > 0);
    assert_int_equal(read_tunnel(buf, &p), 0);
    assert_true(p.to == 6 && p.id == 77 && p.op == TUNNEL_BYTES && p.hops == 3 && p.len == 4 && frame_origin(buf) == 5);
    assert_memory_equal(p.bytes, "some", 4);
}

static void test_round_trip_of_a_knock(void **state)
{
    (void)state;
    uint8_t buf[FRAME_MAX];
    struct echo e = {17, 1000, 1002}, got;
    uint64_t number;
    assert_true(write_knock(buf, 17, 6) > 0);
    assert_int_equal(read_knock(buf, &number), 0);
    assert_int_equal(number, 17);
    assert_int_equal(frame_origin(buf), 6);
    assert_true(write_echo(buf, &e) > 0);
    assert_int_equal(read_echo(buf, &got), 0);
    assert_memory_equal(&e, &got, sizeof e);
}

static int tunnel(uint8_t op, size_t len)
{
    static const uint8_t bytes[TUNNEL_BYTES_MAX + 1];
    uint8_t buf[FRAME_MAX];
    struct tunnel_part p = {1, 2, op, 3, bytes, len};
    int n = write_tunnel(buf, &p, 4);
    return n < 0 ? n : read_tunnel(buf, &p);
}

static void test_bad_tunnels_are_refused(void **state)
{
    (void)state;
    assert_int_equal(tunnel(TUNNEL_OPEN, 0), 0);
    assert_int_equal(tunnel(TUNNEL_OPEN, 1), -EBADMSG);
    assert_int_equal(tunnel(TUNNEL_BYTES, TUNNEL_BYTES_MAX), 0);
    assert_int_equal(tunnel(TUNNEL_BYTES, TUNNEL_BYTES_MAX + 1), -EMSGSIZE);
    assert_int_equal(tunnel(TUNNEL_CREDIT, 4), 0);
    assert_int_equal(tunnel(TUNNEL_CREDIT, 3), -EBADMSG);
    assert_int_equal(tunnel(TUNNEL_CLOSE, 0), 0);
    assert_int_equal(tunnel(TUNNEL_CLOSE + 1, 0), -EBADMSG);
    assert_int_equal(tunnel(0, 0), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_links_and_tunnels),
        cmocka_unit_test(test_round_trip_of_a_knock),
        cmocka_unit_test(test_bad_tunnels_are_refused),
    };
    return cmocka_run_group_tests_name("body_peer", tests, NULL, NULL);
}
