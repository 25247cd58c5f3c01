/* test_identity.c -- the key file, what it refuses, signatures, and the certificates. */
#include "trust/identity.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "scratch.h"
#include "skip.h"


static struct identity *load(void)
{
    struct identity *id = NULL;
    assert_int_equal(identity_load(&id, scratch.dir, scratch.why, sizeof scratch.why), 0);
    assert_non_null(id);
    return id;
}

/* refused -- identity_load() says `err` and a sentence with `word` in it. */
static void refused(int err, const char *word)
{
    struct identity *id = NULL;
    assert_int_equal(identity_load(&id, scratch.dir, scratch.why, sizeof scratch.why), err);
    assert_null(id);
    assert_non_null(strstr(scratch.why, word));
}

static void test_made_once_and_kept(void **state)
{
    (void)state;
    struct stat st;
    struct identity *first = load(), *second = load();
    assert_memory_equal(identity_key(first), identity_key(second), KEY_LEN);
    assert_true(identity_host(first) == identity_host(second));
    assert_int_equal(fstatat(scratch.dir, "identity.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(unlinkat(scratch.dir, "identity.key", 0), 0);
    struct identity *other = load();
    assert_memory_not_equal(identity_key(first), identity_key(other), KEY_LEN);
    assert_true(identity_host(first) != identity_host(other));
    identity_free(first);
    identity_free(second);
    identity_free(other);
}

static void test_key_that_others_can_read_is_refused(void **state)
{
    (void)state;
    static const mode_t bad[] = {0644, 0640, 0620, 0604, 0666, 0610};
    identity_free(load());
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(fchmodat(scratch.dir, "identity.key", bad[i], 0), 0);
        refused(-EPERM, "chmod 600");
    }
    assert_int_equal(fchmodat(scratch.dir, "identity.key", 0400, 0), 0);
    identity_free(load());
}

static void test_foreign_key_file_is_refused(void **state)
{
    (void)state;
    if (skip_unless(geteuid() == 0, __func__, "needs root"))
        return;
    identity_free(load());
    assert_int_equal(fchownat(scratch.dir, "identity.key", 65534, (gid_t)-1, 0), 0);
    refused(-EPERM, "this user");
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    identity_free(load());
    assert_int_equal(renameat(scratch.dir, "identity.key", scratch.dir, "elsewhere"), 0);
    assert_int_equal(symlinkat("elsewhere", scratch.dir, "identity.key"), 0);
    refused(-EPERM, "this user");
    assert_int_equal(unlinkat(scratch.dir, "identity.key", 0), 0);
    assert_int_equal(mkfifoat(scratch.dir, "identity.key", 0600), 0);
    refused(-EPERM, "this user");
}

static void put_key(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    char path[128];
    scratch_path(&scratch, "identity.key", path, sizeof path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(chmod(path, 0600), 0);
    char passphrase[] = "secret";
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, key, cipher, cipher ? passphrase : NULL,
                                               cipher ? 6 : 0, NULL, NULL),
                     1);
    fclose(f);
    EVP_PKEY_free(key);
}

static void test_garbage_is_refused(void **state)
{
    (void)state;
    scratch_put(&scratch, "identity.key", "");
    refused(-EBADMSG, "backup");
    scratch_put(&scratch, "identity.key",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refused(-EBADMSG, "backup");
    char big[6000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    scratch_put(&scratch, "identity.key", big);
    refused(-EBADMSG, "backup");
    put_key(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), NULL);
    refused(-EBADMSG, "Ed25519");
    /* One with a passphrase: must not ask the terminal. */
    put_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_aes_128_cbc());
    refused(-EBADMSG, "Ed25519");
    /* None of this was overwritten by a new one. */
    put_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    identity_free(load());
}

/* The first test of RFC 8032, 7.1; the number is SHA-256 of its SubjectPublicKeyInfo. */
static void test_host_number_never_changes(void **state)
{
    (void)state;
    static const uint8_t key[KEY_LEN] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                         0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                         0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                         0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    static const uint8_t signature[64] = {
        0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80,
        0x6e, 0x82, 0x8a, 0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73,
        0xe0, 0x65, 0x22, 0x49, 0x01, 0x55, 0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b,
        0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b, 0xd2, 0x5b, 0xf5, 0xf0,
        0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b};
    assert_true(key_verify(key, "", 0, signature));
    assert_true(host_of_key(key) == 0x60bb29da8ffde306);
}

static void test_signatures(void **state)
{
    (void)state;
    static const char text[] = "what was said";
    struct identity *id = load();
    uint8_t signature[64], key[KEY_LEN];
    identity_sign(id, text, sizeof text, signature);
    assert_true(key_verify(identity_key(id), text, sizeof text, signature));
    assert_false(key_verify(identity_key(id), text, sizeof text - 1, signature));
    assert_false(key_verify(identity_key(id), "What was said", sizeof text, signature));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_false(key_verify(identity_key(id), text, sizeof text, signature));
        signature[i] ^= 1;
    }
    memcpy(key, identity_key(id), KEY_LEN);
    key[0] ^= 1;
    assert_false(key_verify(key, text, sizeof text, signature));
    memset(key, 0xff, KEY_LEN); /* not a point on the curve */
    assert_false(key_verify(key, text, sizeof text, signature));
    identity_free(id);
}

/* read_chain -- the two certificates of LEAF_FILE, and nothing behind them. */
static void read_chain(X509 *cert[2])
{
    char path[128];
    scratch_path(&scratch, LEAF_FILE, path, sizeof path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (int i = 0; i < 2; i++)
        assert_non_null(cert[i] = PEM_read_X509(f, NULL, NULL, NULL));
    assert_null(PEM_read_X509(f, NULL, NULL, NULL));
    fclose(f);
}

static void test_leaf_is_signed_by_the_identity(void **state)
{
    (void)state;
    struct identity *id = load();
    X509 *cert[2], *again[2];
    struct stat st;
    uint8_t raw[KEY_LEN];
    size_t len = sizeof raw;
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "a.example", 90), 0);
    assert_int_equal(fstatat(scratch.dir, LEAF_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    read_chain(cert);
    EVP_PKEY *key = X509_get0_pubkey(cert[1]);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    assert_memory_equal(raw, identity_key(id), KEY_LEN);
    assert_int_equal(X509_verify(cert[0], key), 1);
    assert_int_equal(X509_verify(cert[1], key), 1);
    assert_int_equal(X509_check_issued(cert[1], cert[0]), X509_V_OK);
    assert_int_equal(X509_check_issued(cert[1], cert[1]), X509_V_OK);
    assert_int_equal(X509_check_host(cert[0], "a.example", 0, 0, NULL), 1);

    /* Another leaf has another key and number; the identity's certificate is the same. */
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "a.example", 90), 0);
    read_chain(again);
    assert_int_equal(X509_cmp(cert[1], again[1]), 0);
    assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(cert[0]), X509_get0_pubkey(again[0])), 1);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(cert[0]), X509_get0_serialNumber(again[0])), 0);
    for (int i = 0; i < 2; i++) {
        X509_free(cert[i]);
        X509_free(again[i]);
    }
    identity_free(id);
}

/* Two who find none write one at the same time: `relay join` and the keeper of a relay that has just started. */
static void test_leaf_and_its_key_belong_together_whoever_else_writes(void **state)
{
    (void)state;
    struct identity *id = load();
    char path[128];
    int status;
    scratch_path(&scratch, LEAF_FILE, path, sizeof path);
    pid_t other = fork();
    for (int i = 0; i < 40; i++) {
        int r = identity_issue_leaf(id, scratch.dir, "a.example", 90);
        if (other == 0 && (r < 0 || i == 39))
            _exit(r == 0 ? 0 : 1);
        if (other == 0)
            continue;
        assert_int_equal(r, 0);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
        X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
        fclose(f);
        assert_int_equal(X509_check_private_key(cert, key), 1);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    identity_free(id);
}

static void test_leaf_is_valid_from_a_day_ago(void **state)
{
    (void)state;
    struct identity *id = load();
    X509 *cert[2];
    int days, seconds;
    time_t now = time(NULL);
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "a", 30), 0);
    read_chain(cert);
    const ASN1_TIME *from = X509_get0_notBefore(cert[0]), *until = X509_get0_notAfter(cert[0]);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, from, until), 1);
    assert_int_equal(days, 30);
    assert_int_equal(seconds, 0);
    time_t start = now - 86400 + 60, end = now - 86400 - 60;
    assert_int_equal(X509_cmp_time(from, &start), -1);
    assert_int_equal(X509_cmp_time(from, &end), 1);
    X509_free(cert[0]);
    X509_free(cert[1]);
    identity_free(id);
}

static void test_leaf_needs_a_host_name_and_a_place(void **state)
{
    (void)state;
    struct identity *id = load();
    char name[66];
    memset(name, 'a', 65);
    name[65] = '\0';
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "", 90), -EINVAL);
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "Not a host", 90), -EINVAL);
    assert_int_equal(identity_issue_leaf(id, scratch.dir, name, 90), -EINVAL);
    assert_int_equal(identity_issue_leaf(id, scratch.dir, "a", 36501), -EINVAL);
    assert_int_equal(identity_issue_leaf(id, scratch.dir, name + 1, 90), 0);
    assert_int_equal(identity_issue_leaf(id, -1, "a", 90), -EBADF);
    identity_free(id);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made_once_and_kept),
        TEST(test_key_that_others_can_read_is_refused),
        TEST(test_foreign_key_file_is_refused),
        TEST(test_what_is_no_file_is_refused),
        TEST(test_garbage_is_refused),
        TEST(test_host_number_never_changes),
        TEST(test_signatures),
        TEST(test_leaf_is_signed_by_the_identity),
        TEST(test_leaf_and_its_key_belong_together_whoever_else_writes),
        TEST(test_leaf_is_valid_from_a_day_ago),
        TEST(test_leaf_needs_a_host_name_and_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
