/* test_attest.c -- rows of who is where, signed by their host, and everything that can be wrong with one. */
#include "trust/attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identities.h"

enum { EPOCH = 77, ROOM = 88, VERSION = 99 };

static size_t row(uint8_t *f)
{
    struct presence_row p = {2, true, text_of("ann"), text_of("lobby"), NULL};
    int n = write_presence(f, &p, identity_host(id), EPOCH, ROOM, VERSION);
    assert_true(n > 0);
    attest(id, f);
    assert_int_equal(frame_check(f, FRAME_MAX), n);
    return frame_len(f);
}

static void a_row_is_its_hosts(void **state)
{
    uint8_t f[FRAME_MAX];
    struct presence_row p;
    (void)state;
    row(f);
    assert_true(presence_attested(f, identity_key(id)));
    assert_false(presence_attested(f, identity_key(other)));
    assert_int_equal(read_presence(f, &p), 0);
    assert_int_equal(p.sessions, 2);
    frame_set_flags(f, FRAME_CONT); /* who tells it says whether it is news */
    assert_true(presence_attested(f, identity_key(id)));
}

static void every_bit_of_a_row_counts(void **state)
{
    uint8_t f[FRAME_MAX];
    (void)state;
    size_t len = row(f);
    for (size_t i = FRAME_HEAD; i < len; i++) {
        f[i] ^= 1;
        assert_false(presence_attested(f, identity_key(id)));
        f[i] ^= 1;
    }
    frame_set_origin(f, identity_host(other));
    assert_false(presence_attested(f, identity_key(id)));
    row(f);
    frame_set_epoch(f, EPOCH + 1);
    assert_false(presence_attested(f, identity_key(id)));
    row(f);
    frame_set_room(f, ROOM + 1);
    assert_false(presence_attested(f, identity_key(id)));
    row(f);
    frame_set_seq(f, VERSION + 1);
    assert_false(presence_attested(f, identity_key(id)));
}

static void every_beat_of_a_frame_is_its_hosts(void **state)
{
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BEAT);
    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        write_beat_row(&w, &(struct beat_row){identity_host(id), EPOCH, i, {0}});
    assert_true(frame_end(f, &w) > 0);
    attest(id, f);
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    for (uint64_t i = 1; i <= 3; i++) {
        struct beat_row b;
        read_beat_row(&r, &b);
        assert_int_equal(b.beat, i);
        assert_true(beat_attested(&b, identity_key(id)));
        assert_false(beat_attested(&b, identity_key(other)));
        b.beat++;
        assert_false(beat_attested(&b, identity_key(id)));
        b.beat--;
        b.epoch++;
        assert_false(beat_attested(&b, identity_key(id)));
        b.epoch--;
        b.host++;
        assert_false(beat_attested(&b, identity_key(id)));
        b.host--;
        b.signature[63] ^= 1;
        assert_false(beat_attested(&b, identity_key(id)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_its_hosts),
        cmocka_unit_test(every_bit_of_a_row_counts),
        cmocka_unit_test(every_beat_of_a_frame_is_its_hosts),
    };
    return cmocka_run_group_tests(tests, identities_setup, identities_teardown);
}
