/* test_hash.c -- SHA-256 against the vectors of FIPS 180-4, and the numbers cut from it. */
#include "base/hash.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(struct text a, struct text b, const char *expected)
{
    uint8_t digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    sha256(a.p, a.len, b.p, b.len, digest);
    text_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static void test_known_vectors(void **state)
{
    (void)state;
    check((struct text){NULL, 0}, (struct text){NULL, 0},
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(text_of("abc"), (struct text){NULL, 0},
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(text_of(""), text_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    check((struct text){million, 400000}, (struct text){million, 600000},
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void test_two_pieces_are_one(void **state)
{
    (void)state;
    for (size_t i = 0; i <= 3; i++)
        check((struct text){"abc", i}, (struct text){&"abc"[i], 3 - i},
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_numbers_are_the_same_on_every_host(void **state)
{
    (void)state;
    assert_true(hash_u64("abc", 3) == 0xeacf018fbf1678ba);
    assert_true(room_id(text_of("abc")) == 0xeacf018fbf1678ba);
    assert_true(room_id(text_of("build")) != room_id(text_of("build/kernel")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_two_pieces_are_one),
        cmocka_unit_test(test_numbers_are_the_same_on_every_host),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
