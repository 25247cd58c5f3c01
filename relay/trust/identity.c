/* identity.c -- the host's Ed25519 key: kept in a file, shown as text, used to sign. */
#include "trust/identity.h"

#include "base/hash.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 4096 };

struct identity {
    EVP_PKEY *key;
    uint8_t pub[KEY_LEN];
};

static int keep(struct identity **out, EVP_PKEY *key)
{
    struct identity *id = calloc(1, sizeof *id);
    size_t len = KEY_LEN;
    if (!id || EVP_PKEY_get_raw_public_key(key, id->pub, &len) != 1 || len != KEY_LEN) {
        free(id);
        EVP_PKEY_free(key);
        return -ENOMEM;
    }
    id->key = key;
    *out = id;
    return 0;
}

static int make_key(struct identity **id, int dirfd, char *why, size_t why_size)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    int r = -ENOMEM;
    if (key && pem && PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long len = BIO_get_mem_data(pem, &text);
        r = replace_file(dirfd, "identity.key", text, (size_t)len, 0600);
    }
    BIO_free(pem);
    if (r < 0) {
        snprintf(why, why_size, "cannot write identity.key into the state directory: %s", strerror(-r));
        EVP_PKEY_free(key);
        return r;
    }
    return keep(id, key);
}

static int check_file(int dirfd, char *why, size_t why_size)
{
    struct stat st;
    if (fstatat(dirfd, "identity.key", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        snprintf(why, why_size, "identity.key must be a file of this user that nobody else can read; run: chmod 600 identity.key");
        return -EPERM;
    }
    return 0;
}

int identity_load(struct identity **id, int state_dirfd, char *why, size_t why_size)
{
    char text[PEM_MAX];
    int r = check_file(state_dirfd, why, why_size);
    if (r == -ENOENT)
        return make_key(id, state_dirfd, why, why_size);
    ssize_t n = r == 0 ? read_file(state_dirfd, "identity.key", text, sizeof text) : r;
    if (n < 0) {
        if (r == 0)
            snprintf(why, why_size, "cannot read identity.key: %s", strerror((int)-n));
        return (int)n;
    }
    BIO *pem = BIO_new_mem_buf(text, (int)n);
    EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL) : NULL;
    BIO_free(pem);
    OPENSSL_cleanse(text, sizeof text);
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
        snprintf(why, why_size,
                 "identity.key is not an Ed25519 private key; restore it from a backup, or remove it and this host "
                 "gets a new identity that its peers must be told");
        EVP_PKEY_free(key);
        return -EBADMSG;
    }
    return keep(id, key);
}

void identity_free(struct identity *id)
{
    if (id)
        EVP_PKEY_free(id->key);
    free(id);
}

const uint8_t *identity_key(const struct identity *id)
{
    return id->pub;
}

uint64_t host_of_key(const uint8_t key[KEY_LEN])
{
    /* SubjectPublicKeyInfo of an Ed25519 key: this prefix, then the key (RFC 8410). */
    static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t spki[sizeof prefix + KEY_LEN];
    memcpy(spki, prefix, sizeof prefix);
    memcpy(spki + sizeof prefix, key, KEY_LEN);
    return hash_u64(spki, sizeof spki);
}

uint64_t identity_host(const struct identity *id)
{
    return host_of_key(id->pub);
}

void key_to_text(const uint8_t key[KEY_LEN], char text[KEY_TEXT_LEN + 1])
{
    char b64[48];
    EVP_EncodeBlock((unsigned char *)b64, key, KEY_LEN); /* 44 characters, the last is '=' */
    for (int i = 0; i < KEY_TEXT_LEN; i++)
        text[i] = b64[i] == '+' ? '-' : b64[i] == '/' ? '_' : b64[i];
    text[KEY_TEXT_LEN] = '\0';
}

bool key_from_text(const char *text, uint8_t key[KEY_LEN])
{
    unsigned char b64[KEY_TEXT_LEN + 1], raw[36];
    if (strlen(text) != KEY_TEXT_LEN)
        return false;
    for (int i = 0; i < KEY_TEXT_LEN; i++)
        b64[i] = (unsigned char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    b64[KEY_TEXT_LEN] = '=';
    if (EVP_DecodeBlock(raw, b64, sizeof b64) != 33)
        return false;
    memcpy(key, raw, KEY_LEN);
    char again[KEY_TEXT_LEN + 1];
    key_to_text(key, again);
    return strcmp(again, text) == 0; /* one text a key */
}

void identity_sign(const struct identity *id, const void *p, size_t len, uint8_t signature[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 64;
    int ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, id->key) == 1 &&
             EVP_DigestSign(ctx, signature, &n, p, len) == 1;
    EVP_MD_CTX_free(ctx);
    ASSERT(ok && n == 64);
}

bool key_verify(const uint8_t key[KEY_LEN], const void *p, size_t len, const uint8_t signature[64])
{
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pub && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pub) == 1 &&
                EVP_DigestVerify(ctx, signature, 64, p, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);
    return good;
}
