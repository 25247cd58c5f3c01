/* test_key.c -- keys as text, and pins against what OpenSSL encodes itself. */
#include "base/key.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/sys.h"

static void test_text_of_known_keys(void **state)
{
    (void)state;
    uint8_t key[KEY_LEN];
    char text[KEY_TEXT_LEN + 1];
    memset(key, 0, sizeof key);
    key_to_text(key, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    memset(key, 0xff, sizeof key);
    key_to_text(key, text);
    assert_string_equal(text, "__________________________________________8");
    memset(key, 0xfb, sizeof key); /* 62 and 63 are '-' and '_' */
    key_to_text(key, text);
    assert_string_equal(text, "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
}

static void test_every_key_comes_back(void **state)
{
    (void)state;
    uint8_t key[KEY_LEN], back[KEY_LEN];
    char text[KEY_TEXT_LEN + 1];
    for (int i = 0; i < 1000; i++) {
        os_random(key, sizeof key);
        key_to_text(key, text);
        assert_true(key_from_text(text, back));
        assert_memory_equal(key, back, KEY_LEN);
    }
}

static void test_one_text_per_key(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",   /* one less */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* one more */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",  /* bits behind the end */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",  /* 31 bytes */
        "+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  /* the other alphabet */
        "/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        ("\xc3\xa4"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    };
    uint8_t key[KEY_LEN], before[KEY_LEN];
    memset(key, 7, sizeof key);
    memcpy(before, key, sizeof key);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(key_from_text(wrong[i], key));
        assert_memory_equal(key, before, KEY_LEN);
    }
}

static void test_pin_is_that_of_openssl(void **state)
{
    (void)state;
    uint8_t raw[KEY_LEN], pin[KEY_PIN_LEN], expected[KEY_PIN_LEN];
    size_t len = sizeof raw;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    unsigned char *der = NULL;
    int der_len = i2d_PUBKEY(key, &der);
    assert_true(der_len > 0);
    sha256(der, (size_t)der_len, NULL, 0, expected);
    key_pin(raw, pin);
    assert_memory_equal(pin, expected, KEY_PIN_LEN);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_known_keys),
        cmocka_unit_test(test_every_key_comes_back),
        cmocka_unit_test(test_one_text_per_key),
        cmocka_unit_test(test_pin_is_that_of_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
