/* test_seal.c -- a sealed segment, and everything that can be wrong with one. */
#include "trust/seal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identities.h"

enum { ENTRIES = 5, SEGMENT_SIZE = FRAME_MAX * ENTRIES };

static const uint64_t epoch = 77, room = 88, first_seq = 41, first_hlc = 1000;

/* A good segment, and what a test makes of it. */
struct sample {
    uint8_t head[FRAME_MAX], frames[SEGMENT_SIZE];
    size_t len, at[ENTRIES]; /* where the entries begin */
    struct segment_head h;
    uint64_t last_seq, last_hlc;
};

static void write_head(struct sample *s)
{
    int n =
        write_segment(s->head, &s->h, identity_host(id), epoch, room, s->last_seq, s->last_hlc);
    assert_true(n > 0);
}

static struct sealed head_of(const struct sample *s)
{
    struct sealed head = {.first_seq = s->h.first_seq, .last_seq = s->last_seq};
    memcpy(head.prev, s->h.prev, HASH_LEN);
    memcpy(head.hash, s->h.hash, HASH_LEN);
    memcpy(head.signature, s->h.signature, SIGNATURE_LEN);
    return head;
}

static void sign(const struct identity *by, struct sample *s)
{
    struct sealed head = head_of(s);
    seal_sign(by, epoch, room, &head);
    memcpy(s->h.signature, head.signature, SIGNATURE_LEN);
}

/* seal -- hash and sign what is there now, so that only its structure can be wrong. */
static void seal(struct sample *s)
{
    seal_hash(s->h.prev, s->frames, s->len, &s->h.after, s->h.hash);
    sign(id, s);
    write_head(s);
}

static void make(struct sample *s)
{
    char text[] = "one of several things that were said";
    *s = (struct sample){.last_seq = first_seq + ENTRIES - 1,
                         .last_hlc = first_hlc + ENTRIES - 1};
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint8_t *f = s->frames + s->len;
        struct say say = {text_of("alice"), {text, 10 + i}};
        int n = write_say(f, &say, room, 9, (uint32_t)i + 1, 0);
        assert_true(n > 0);
        frame_set_origin(f, identity_host(id));
        frame_set_epoch(f, epoch);
        frame_set_seq(f, first_seq + i);
        frame_set_hlc(f, first_hlc + i);
        s->at[i] = s->len;
        s->len += (size_t)n;
    }
    memset(s->h.prev, 5, HASH_LEN);
    s->h.count = ENTRIES;
    s->h.bytes = (uint32_t)s->len;
    s->h.first_seq = first_seq;
    seal(s);
}

static int check(const struct sample *s)
{
    return seal_check(s->head, s->frames, s->len, identity_key(id));
}

static void test_good(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    assert_int_equal(check(&s), 0);
}

static void test_one_entry(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    s.len = s.at[1];
    s.h.bytes = (uint32_t)s.len;
    s.h.count = 1;
    s.last_seq = first_seq;
    s.last_hlc = first_hlc;
    seal(&s);
    assert_int_equal(check(&s), 0);
}

static void test_wrong_key(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    assert_int_equal(seal_check(s.head, s.frames, s.len, identity_key(other)), -EPROTO);
}

/* Whatever bit is flipped, in the header or in an entry, it is seen.  Only pos, client and
 * client_seq of the segment's own header mean nothing here, and its flags. */
static void test_every_byte_counts(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    s.h.after = (struct after){2, {{0x4444, 7, 9}, {0x5555, 8, 20}}};
    seal(&s);
    for (size_t i = 0; i < s.len; i++) {
        s.frames[i] ^= 0x10;
        assert_true(check(&s) < 0);
        s.frames[i] ^= 0x10;
    }
    for (size_t i = 2; i < frame_len(s.head); i++) {
        if ((i >= 3 && i < 16) || (i >= 56 && i < 64))
            continue;
        s.head[i] ^= 0x10;
        assert_true(check(&s) < 0);
        s.head[i] ^= 0x10;
    }
    assert_int_equal(check(&s), 0);
}

static void test_hash_and_signature(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    s.h.hash[31] ^= 1;
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);

    make(&s);
    s.h.signature[0] ^= 1;
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);

    make(&s);
    s.h.after = (struct after){1, {{0x4444, 7, 9}}}; /* it answers something */
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);
    seal(&s);
    assert_int_equal(check(&s), 0);
    s.h.after.n = 0; /* ... and now nothing */
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);

    make(&s);
    s.h.prev[0] ^= 1; /* moved behind another segment */
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);

    make(&s);
    sign(other, &s);
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);

    make(&s);
    identity_sign(id, s.h.hash, HASH_LEN, s.h.signature); /* signed for another purpose */
    write_head(&s);
    assert_int_equal(check(&s), -EACCES);
}

/* Of a head alone, every part is what its origin signed. */
static void test_signed_heads(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    struct sealed head = head_of(&s), changed;
    const uint8_t *key = identity_key(id);
    assert_true(seal_signed(&head, epoch, room, key));
    assert_false(seal_signed(&head, epoch + 1, room, key));
    assert_false(seal_signed(&head, epoch, room + 1, key));
    assert_false(seal_signed(&head, epoch, room, identity_key(other)));
    for (size_t i = 0; i < sizeof head; i++) {
        changed = head;
        ((uint8_t *)&changed)[i] ^= 1;
        assert_false(seal_signed(&changed, epoch, room, key));
    }
}

/* What an entry must not be, though its origin sealed it so. */
static void set_epoch(uint8_t *f)
{
    frame_set_epoch(f, epoch + 1);
}
static void set_room(uint8_t *f)
{
    frame_set_room(f, room + 1);
}
static void set_origin(uint8_t *f)
{
    frame_set_origin(f, identity_host(other));
}
static void set_pos(uint8_t *f)
{
    frame_set_pos(f, 1);
}
static void skip_seq(uint8_t *f)
{
    frame_set_seq(f, frame_seq(f) + 1);
}
static void repeat_seq(uint8_t *f)
{
    frame_set_seq(f, frame_seq(f) - 1);
}
static void repeat_hlc(uint8_t *f)
{
    frame_set_hlc(f, frame_hlc(f) - 1);
}
static void jump_hlc(uint8_t *f)
{
    frame_set_hlc(f, frame_hlc(f) + 100);
}
static void make_passing(uint8_t *f)
{
    f[2] = FRAME_NOTICE; /* well-formed, but not durable */
}
static void make_unknown(uint8_t *f)
{
    f[2] = 200;
}
static void fill_padding(uint8_t *f)
{
    assert_true(frame_len(f) < frame_stride(f));
    f[frame_len(f)] = 1;
}

static void test_entries(void **state)
{
    (void)state;
    static void (*const wrong[])(uint8_t *) = {
        set_epoch,  set_room, set_origin,   set_pos,      skip_seq,     repeat_seq,
        repeat_hlc, jump_hlc, make_passing, make_unknown, fill_padding,
    };
    struct sample s;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        make(&s);
        wrong[i](s.frames + s.at[2]);
        seal(&s);
        assert_int_equal(check(&s), -EBADMSG);
    }
}

/* sealed_as -- the verdict on a segment whose header says this. */
static int sealed_as(uint32_t count, size_t len, uint64_t from, uint64_t last_seq,
                     uint64_t last_hlc)
{
    struct sample s;
    make(&s);
    s.h.count = count;
    s.h.first_seq = from;
    s.h.bytes = (uint32_t)len;
    s.len = len;
    s.last_seq = last_seq;
    s.last_hlc = last_hlc;
    seal(&s);
    return check(&s);
}

static void test_header(void **state)
{
    (void)state;
    const uint64_t seq = first_seq + ENTRIES - 1, hlc = first_hlc + ENTRIES - 1;
    struct sample s;
    make(&s);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq, seq, hlc), 0);
    assert_int_equal(sealed_as(ENTRIES - 1, s.len, first_seq, seq, hlc), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES + 1, s.len, first_seq, seq, hlc), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq + 1, seq, hlc), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq, seq + 1, hlc), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq, first_seq - 1, hlc), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq, seq, hlc + 1), -EBADMSG);
    assert_int_equal(sealed_as(ENTRIES, s.len, first_seq, seq, hlc - 1), -EBADMSG);
    assert_int_equal(sealed_as(0, 0, first_seq, first_seq - 1, 0), -EBADMSG);
    assert_int_equal(sealed_as(0, 0, 0, UINT64_MAX, 0), -EBADMSG);
    s.head[2] = FRAME_SAY; /* its body would do */
    assert_int_equal(check(&s), -EBADMSG);
}

/* The entry before the first would be number 0, and the one after the last wraps round. */
static void test_numbers_at_the_edge(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    for (uint64_t i = 0; i < ENTRIES; i++)
        frame_set_seq(s.frames + s.at[i], i);
    s.h.first_seq = 0;
    s.last_seq = ENTRIES - 1;
    seal(&s);
    assert_int_equal(check(&s), -EBADMSG);

    for (uint64_t i = 0; i < ENTRIES; i++)
        frame_set_seq(s.frames + s.at[i], UINT64_MAX - 2 + i);
    s.h.first_seq = UINT64_MAX - 2;
    s.last_seq = UINT64_MAX - 2 + ENTRIES - 1;
    seal(&s);
    assert_int_equal(check(&s), -EBADMSG);
}

static void test_truncated(void **state)
{
    (void)state;
    struct sample s;
    make(&s);
    for (size_t len = 0; len < s.len; len++) {
        /* exactly as long, so that reading on would be seen */
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, s.frames, len);
        assert_int_equal(seal_check(s.head, copy, len, identity_key(id)), -EBADMSG);
        s.h.bytes = (uint32_t)len;
        write_head(&s);
        assert_int_equal(seal_check(s.head, copy, len, identity_key(id)), -EBADMSG);
        make(&s);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_one_entry),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_hash_and_signature),
        cmocka_unit_test(test_signed_heads),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_numbers_at_the_edge),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, identities_setup, identities_teardown);
}
