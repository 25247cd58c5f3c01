/* test_tls_refusals.c -- who is not let in: certificates that lack one thing each, and streams that are not as they
 * should be.  (The same against a running relay: tests/scenario/strangers.bats.) */
#include "tls_play.h"
#include "trust/identity.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "rough.h"

static struct host good;
static struct tls_end a, b; /* a dials, b is dialled */

static int make_host(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    host_forge(&good, &(struct forgery){0});
    return 0;
}

static int free_host(void **state)
{
    (void)state;
    host_free(&good);
    return 0;
}

/* refused -- a host with this forgery, dialling or dialled, is not let in by one who expects its pin. */
static void refused(const struct forgery *how, const char *why)
{
    struct host bad;
    host_forge(&bad, how);
    for (int dialled = 0; dialled < 2; dialled++) {
        int fd[2];
        socket_pair(fd);
        end_open(&a, dialled ? &good : &bad, fd[0], false, dialled ? bad.pin : good.pin);
        end_open(&b, dialled ? &bad : &good, fd[1], true, dialled ? good.pin : bad.pin);
        play(&a, &b, both_over);
        struct tls_end *judge = dialled ? &a : &b;
        assert_false(judge->ready);
        assert_non_null(strstr(tls_why(judge->t), why));
        assert_non_null(strstr(tls_why((dialled ? &b : &a)->t), "refused"));
        end_close(&a);
        end_close(&b);
    }
    host_free(&bad);
}

static void test_a_leaf_that_has_expired(void **state)
{
    (void)state;
    refused(&(struct forgery){.from_s = -7200, .until_s = -3600}, "has expired");
}

static void test_a_leaf_that_is_not_valid_yet(void **state)
{
    (void)state;
    refused(&(struct forgery){.from_s = 3600, .until_s = 7200}, "not valid yet");
}

static void test_a_leaf_signed_by_another_key(void **state)
{
    (void)state;
    refused(&(struct forgery){.leaf_by_another_key = true}, "not signed by its identity");
}

static void test_a_leaf_of_another_issuer(void **state)
{
    (void)state;
    refused(&(struct forgery){.other_issuer = true}, "not signed by its identity");
}

static void test_an_identity_not_signed_by_itself(void **state)
{
    (void)state;
    refused(&(struct forgery){.identity_not_selfmade = true}, "not signed by itself");
}

static void test_an_identity_of_another_kind(void **state)
{
    (void)state;
    refused(&(struct forgery){.identity_p256 = true}, "not an Ed25519 key");
}

/* Right in everything, but not the one who was expected; the key is named for who looks into the log. */
static void test_another_key(void **state)
{
    (void)state;
    struct host stranger;
    int fd[2];
    char text[KEY_TEXT_LEN + 1];
    host_forge(&stranger, &(struct forgery){0});
    socket_pair(fd);
    end_open(&a, &stranger, fd[0], false, good.pin);
    end_open(&b, &good, fd[1], true, good.pin);
    play(&a, &b, both_over);
    key_to_text(tls_own_key(stranger.id), text);
    assert_int_equal(b.asked, 1);
    assert_non_null(strstr(tls_why(b.t), "none that we know"));
    assert_non_null(strstr(tls_why(b.t), text));
    end_close(&a);
    end_close(&b);
    host_free(&stranger);
}

/* ---- new keys ---- */

static struct rough rough;

/* meet_rough -- one who can do more than our own side of a stream can. */
static void meet_rough(struct scratch *files, uint8_t pin[KEY_PIN_LEN])
{
    int fd[2];
    scratch_open(files);
    rough_certificate(files->path, 90);
    struct tls_identity *id;
    char pem[128], why[128];
    scratch_path(files, LEAF_FILE, pem, sizeof pem);
    assert_int_equal(tls_identity_load(&id, pem, pem, why, sizeof why), 0);
    key_pin(tls_own_key(id), pin);
    tls_identity_free(id);
    socket_pair(fd);
    rough_begin(&rough, fd[0], files->path);
    end_open(&b, &good, fd[1], true, pin);
    for (unsigned i = 0; !b.ready || !SSL_is_init_finished(rough.ssl); i++) {
        assert_true(i < 100);
        (void)rough_shake(&rough, false, 0);
        end_run(&b);
    }
}

static void part_rough(struct scratch *files)
{
    rough_close(&rough);
    end_close(&b);
    scratch_close(files);
}

static bool new_keys(int how)
{
    return SSL_key_update(rough.ssl, how) == 1 && SSL_do_handshake(rough.ssl) == 1;
}

/* As a peer does that sends a lot: with bytes in between, any number of them. */
static void test_new_keys_now_and_then(void **state)
{
    (void)state;
    static uint8_t bytes[65536];
    struct scratch files;
    uint8_t pin[KEY_PIN_LEN];
    meet_rough(&files, pin);
    for (unsigned i = 0; i < 40; i++) {
        assert_true(new_keys(SSL_KEY_UPDATE_NOT_REQUESTED));
        for (unsigned k = 0; k < 16; k++) {
            assert_true(rough_send(&rough, bytes, sizeof bytes));
            end_run(&b);
            assert_false(end_over(&b));
        }
    }
    assert_int_equal(b.received, 40 << 20);
    part_rough(&files);
}

static void test_new_keys_all_the_time(void **state)
{
    (void)state;
    struct scratch files;
    uint8_t pin[KEY_PIN_LEN];
    unsigned n = 0;
    meet_rough(&files, pin);
    while (n < 1000 && !end_over(&b) && new_keys(SSL_KEY_UPDATE_REQUESTED)) {
        n++;
        end_run(&b);
    }
    assert_true(end_over(&b));
    assert_in_range(n, 16, 18);
    assert_string_equal(tls_why(b.t), "the peer changes its keys all the time");
    part_rough(&files);
}

/* What comes in one piece is looked at in one go: they are counted then, too, and what lies behind them is read. */
static void test_new_keys_in_one_piece(void **state)
{
    (void)state;
    struct scratch files;
    uint8_t pin[KEY_PIN_LEN];
    meet_rough(&files, pin);
    for (unsigned i = 0; i < 10; i++)
        assert_true(new_keys(SSL_KEY_UPDATE_NOT_REQUESTED));
    assert_true(rough_send(&rough, "\0\1\2", 3));
    end_run(&b);
    assert_int_equal(b.received, 3);
    assert_false(b.wrong);
    for (unsigned i = 0; i < 100; i++)
        (void)new_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
    end_run(&b);
    assert_true(end_over(&b));
    part_rough(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leaf_that_has_expired),
        cmocka_unit_test(test_a_leaf_that_is_not_valid_yet),
        cmocka_unit_test(test_a_leaf_signed_by_another_key),
        cmocka_unit_test(test_a_leaf_of_another_issuer),
        cmocka_unit_test(test_an_identity_not_signed_by_itself),
        cmocka_unit_test(test_an_identity_of_another_kind),
        cmocka_unit_test(test_another_key),
        cmocka_unit_test(test_new_keys_now_and_then),
        cmocka_unit_test(test_new_keys_all_the_time),
        cmocka_unit_test(test_new_keys_in_one_piece),
    };
    return cmocka_run_group_tests(tests, make_host, free_host);
}
