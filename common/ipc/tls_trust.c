/* tls_trust.c -- what a stream is made by: our certificates, and whose of a peer's are taken. */
#include "ipc/tls_inside.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTS_MAX = 8192 }; /* bytes of a peer's chain; ours has some 900 */

/* ---- the peer's certificates --------------------------------------------- */

/* refuse -- note the reason for us; `error` decides which alert the peer gets to see. */
static int PRINTF_LIKE(3, 4) refuse(struct tls *t, int error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->why, sizeof t->why, fmt, args);
    va_end(args);
    return error;
}

static int check_validity(struct tls *t, X509 *leaf)
{
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0)
        return refuse(
            t, X509_V_ERR_CERT_NOT_YET_VALID,
            "the peer's certificate is not valid yet: check the clocks of both hosts");
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0)
        return refuse(t, X509_V_ERR_CERT_HAS_EXPIRED,
                      "the peer's certificate has expired: check the clocks of both hosts");
    return X509_V_OK;
}

static bool raw_key(EVP_PKEY *key, uint8_t raw[KEY_LEN])
{
    size_t len = KEY_LEN;
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, raw, &len) == 1 && len == KEY_LEN;
}

/* check_chain -- is it a leaf, in force, signed by an identity that we know?
 *
 * The pin comes first: to be refused, a stranger costs one hash and no signature.
 * Returns  X509_V_OK or the X509_V_ERR_* with the fitting alert. */
static int check_chain(struct tls *t, STACK_OF(X509) * chain)
{
    int n = sk_X509_num(chain);
    if (n != 2)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's chain must be a leaf and its identity, but has length %d", n);
    X509 *leaf = sk_X509_value(chain, 0), *identity = sk_X509_value(chain, 1);
    EVP_PKEY *key = X509_get0_pubkey(identity);
    if (!raw_key(key, t->key))
        return refuse(t, X509_V_ERR_CERT_REJECTED, "the peer's identity is not an Ed25519 key");
    key_pin(t->key, t->pin);
    if (!t->known(t->arg, t->pin)) {
        char text[KEY_TEXT_LEN + 1];
        key_to_text(t->key, text);
        return refuse(t, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                      "the peer's key %s is none that we know", text);
    }
    if (X509_verify(identity, key) != 1)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's identity is not signed by itself");
    if (X509_check_issued(identity, leaf) != X509_V_OK || X509_verify(leaf, key) != 1)
        return refuse(t, X509_V_ERR_CERT_REJECTED,
                      "the peer's certificate is not signed by its identity");
    return check_validity(t, leaf);
}

/* verify -- takes the place of OpenSSL's own chain building, names and purposes. */
static int verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    int error = check_chain(SSL_get_app_data(ssl), X509_STORE_CTX_get0_untrusted(store));
    X509_STORE_CTX_set_error(store, error);
    return error == X509_V_OK;
}

/* ---- our certificates ---------------------------------------------------- */

/* no_passphrase -- or OpenSSL would ask the terminal for one. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* a read ends with what is buffered, even if nothing but KeyUpdates come */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_max_cert_list(ctx, CERTS_MAX);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_read_ahead(ctx, 1); /* one read(2) a record instead of two */
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, "ed25519:ecdsa_secp256r1_sha256") == 1;
}

/* bad_file -- why OpenSSL did not take this file. */
static int bad_file(const char *path, char *why, size_t why_size)
{
    unsigned long e = ERR_peek_error();
    int err = ERR_SYSTEM_ERROR(e) ? -(int)ERR_GET_REASON(e) : -EBADMSG;
    const char *reason = ERR_SYSTEM_ERROR(e) ? strerror(-err) : ERR_reason_error_string(e);
    snprintf(why, why_size, "cannot use %s: %s", path,
             reason ? reason : "not what it should be");
    ERR_clear_error();
    return err;
}

static int load(struct tls_identity *id, const char *chain_pem, const char *key_pem, char *why,
                size_t why_size)
{
    SSL_CTX *ctx = id->ctx;
    STACK_OF(X509) *more = NULL;
    if (SSL_CTX_use_certificate_chain_file(ctx, chain_pem) != 1)
        return bad_file(chain_pem, why, why_size);
    if (SSL_CTX_get_extra_chain_certs(ctx, &more) != 1 || sk_X509_num(more) != 1) {
        snprintf(why, why_size, "%s must hold a certificate and the identity that signed it",
                 chain_pem);
        return -EBADMSG;
    }
    /* This also refuses a key that is not the certificate's. */
    if (SSL_CTX_use_PrivateKey_file(ctx, key_pem, SSL_FILETYPE_PEM) != 1)
        return bad_file(key_pem, why, why_size);
    if (!raw_key(X509_get0_pubkey(sk_X509_value(more, 0)), id->key))
        memset(id->key, 0, KEY_LEN); /* no peer will take it */
    return 0;
}

int tls_identity_load(struct tls_identity **id, const char *chain_pem, const char *key_pem,
                      char *why, size_t why_size)
{
    ERR_clear_error();
    struct tls_identity *made = calloc(1, sizeof *made);
    if (made)
        made->ctx = SSL_CTX_new(TLS_method());
    int err = -ENOMEM;
    if (made && made->ctx && set_rules(made->ctx))
        err = load(made, chain_pem, key_pem, why, why_size);
    else
        snprintf(why, why_size, "cannot set up TLS");
    if (err == 0)
        *id = made;
    else
        tls_identity_free(made);
    return err;
}

const uint8_t *tls_own_key(const struct tls_identity *id)
{
    return id->key;
}

void tls_identity_free(struct tls_identity *id)
{
    if (id)
        SSL_CTX_free(id->ctx);
    free(id);
}
