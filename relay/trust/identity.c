/* identity.c -- the host's Ed25519 key: kept in a file, used to sign segments and certificates.
 */
#include "trust/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"

#define KEY_FILE  "identity.key"
#define NEXT_FILE "identity.next"

enum { PEM_MAX = 4096, DAY_S = 86400 };

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

/* write_key -- as PKCS #8 PEM into a file that only this user can read. */
static int write_key(int dirfd, const char *name, EVP_PKEY *key)
{
    BIO *pem = BIO_new(BIO_s_mem());
    int err = -ENOMEM;
    if (pem && PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
        char *text;
        long len = BIO_get_mem_data(pem, &text);
        err = replace_file(dirfd, name, text, (size_t)len, 0600);
        OPENSSL_cleanse(text, (size_t)len);
    }
    BIO_free(pem);
    return err;
}

static int make_key(struct identity **id, int dirfd, const char *file, char *why, size_t why_size)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int err = key ? write_key(dirfd, file, key) : -ENOMEM;
    if (err == 0)
        return keep(id, key);
    snprintf(why, why_size, "cannot write %s into the state directory: %s", file,
             strerror(-err));
    EVP_PKEY_free(key);
    return err;
}

static bool only_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

/* read_key_file -- its length, -errno, -EPERM when others may have read it. */
static ssize_t read_key_file(int dirfd, const char *file, char *to, size_t size)
{
    int fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = only_ours(fd) ? read_all(fd, to, size) : -EPERM;
    close_fd(&fd);
    return n;
}

/* no_passphrase -- or OpenSSL would ask the terminal for one. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

/* parse_key -- the Ed25519 key in this PEM (RFC 8410), or NULL.  PEM_read_bio_PrivateKey() would look for all kinds of keys, for
 * half a millisecond at each start. */
static EVP_PKEY *parse_key(const char *text, size_t len)
{
    enum { RAW_LEN = 32, OCTET_STRING = 4 };
    BIO *pem = BIO_new_mem_buf(text, (int)len);
    PKCS8_PRIV_KEY_INFO *info = pem ? PEM_read_bio_PKCS8_PRIV_KEY_INFO(pem, NULL, no_passphrase, NULL) : NULL;
    const ASN1_OBJECT *kind;
    const unsigned char *der;
    int n;
    EVP_PKEY *key = NULL;
    if (info && PKCS8_pkey_get0(&kind, &der, &n, NULL, info) == 1 && OBJ_obj2nid(kind) == NID_ED25519 && n == 2 + RAW_LEN &&
        der[0] == OCTET_STRING && der[1] == RAW_LEN)
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, der + 2, RAW_LEN);
    PKCS8_PRIV_KEY_INFO_free(info);
    BIO_free(pem);
    ERR_clear_error();
    return key;
}

int identity_load(struct identity **id, int state_dirfd, char *why, size_t why_size)
{
    char text[PEM_MAX];
    snprintf(why, why_size, "out of memory");
    ssize_t n = read_key_file(state_dirfd, KEY_FILE, text, sizeof text);
    if (n == -ENOENT)
        return make_key(id, state_dirfd, KEY_FILE, why, why_size);
    if (n == -EPERM || n == -ELOOP) {
        snprintf(why, why_size,
                 KEY_FILE " must be a file of this user that nobody else can read; if nobody "
                          "else has, run: chmod 600 " KEY_FILE);
        return -EPERM;
    }
    if (n < 0) {
        snprintf(why, why_size, "cannot read " KEY_FILE ": %s", strerror((int)-n));
        return (int)n;
    }
    EVP_PKEY *key = parse_key(text, (size_t)n);
    OPENSSL_cleanse(text, sizeof text);
    if (key)
        return keep(id, key);
    snprintf(why, why_size,
             KEY_FILE " is not an Ed25519 private key; restore it from a backup, or remove it: "
                      "this host then gets a new identity that its peers must be told");
    return -EBADMSG;
}

int identity_next(struct identity **id, int state_dirfd, char *why, size_t why_size)
{
    char text[PEM_MAX];
    ssize_t n = read_key_file(state_dirfd, NEXT_FILE, text, sizeof text);
    EVP_PKEY *key = n > 0 ? parse_key(text, (size_t)n) : NULL;
    OPENSSL_cleanse(text, sizeof text);
    return key ? keep(id, key) : make_key(id, state_dirfd, NEXT_FILE, why, why_size);
}

int identity_change(int state_dirfd)
{
    if (linkat(state_dirfd, KEY_FILE, state_dirfd, KEY_FILE ".old", 0) < 0 && errno != EEXIST)
        return -errno;
    if (renameat(state_dirfd, NEXT_FILE, state_dirfd, KEY_FILE) < 0)
        return -errno;
    (void)unlinkat(state_dirfd, LEAF_FILE, 0); /* it names the old one */
    return fsync(state_dirfd) < 0 ? -errno : 0;
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
    uint8_t pin[KEY_PIN_LEN];
    key_pin(key, pin);
    uint64_t v = get_u64(pin);
    return v ? v : 1; /* 0 is no host */
}

uint64_t identity_host(const struct identity *id)
{
    return host_of_key(id->pub);
}

/* ---- certificates -------------------------------------------------------- */

static bool set_name(X509_NAME *name, const char *common)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)common, -1, -1, 0) == 1;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool added = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return added;
}

/* set_times -- the identity's are for ever and always the same, so that so is its certificate.
 */
static bool set_times(X509 *cert, bool identity, unsigned days)
{
    ASN1_TIME *from = X509_getm_notBefore(cert), *until = X509_getm_notAfter(cert);
    if (identity)
        return ASN1_TIME_set_string(from, "20000101000000Z") == 1 &&
               ASN1_TIME_set_string(until, "99991231235959Z") == 1;
    return X509_gmtime_adj(from, -DAY_S) && X509_gmtime_adj(until, ((long)days - 1) * DAY_S);
}

/* fill -- everything in a certificate but its serial number and times, then the signature. */
static bool fill(X509 *cert, const struct identity *id, const char *name, EVP_PKEY *key)
{
    bool ca = key == id->key;
    char issuer[KEY_TEXT_LEN + 1];
    key_to_text(id->pub, issuer);
    return X509_set_version(cert, X509_VERSION_3) == 1 && X509_set_pubkey(cert, key) == 1 &&
           set_name(X509_get_subject_name(cert), name ? name : issuer) &&
           set_name(X509_get_issuer_name(cert), issuer) &&
           add_extension(cert, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE") &&
           add_extension(cert, NID_key_usage,
                         ca ? "critical,keyCertSign" : "critical,digitalSignature") &&
           X509_sign(cert, id->key, NULL) > 0;
}

/* add_cert -- behind what is in `pem`; `name` NULL: the identity's own. */
static bool add_cert(BIO *pem, const struct identity *id, const char *name, EVP_PKEY *key,
                     unsigned days)
{
    X509 *cert = X509_new();
    uint64_t serial = name ? os_random_u64() >> 1 : 1;
    bool good = cert && ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) == 1 &&
                set_times(cert, !name, days) && fill(cert, id, name, key) &&
                PEM_write_bio_X509(pem, cert) == 1;
    X509_free(cert);
    return good;
}

int identity_issue_leaf(const struct identity *id, int dirfd, const char *host_name,
                        unsigned days)
{
    if (!text_host_ok(text_of(host_name)) || days > 36500)
        return -EINVAL;
    /* P-256: OpenSSL signs and verifies with it 1.5 times as fast as with Ed25519. */
    EVP_PKEY *leaf = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIO *pem = BIO_new(BIO_s_mem());
    int err = -ENOMEM;
    if (leaf && pem && PEM_write_bio_PKCS8PrivateKey(pem, leaf, NULL, NULL, 0, NULL, NULL) == 1 &&
        add_cert(pem, id, host_name, leaf, days) && add_cert(pem, id, NULL, id->key, 0)) {
        char *text;
        long len = BIO_get_mem_data(pem, &text);
        err = replace_file(dirfd, LEAF_FILE, text, (size_t)len, 0600);
        OPENSSL_cleanse(text, (size_t)len);
    }
    BIO_free(pem);
    EVP_PKEY_free(leaf);
    return err;
}

/* ---- signatures ---------------------------------------------------------- */

void identity_sign(const struct identity *id, const void *p, size_t len, uint8_t signature[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 64;
    int ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, id->key) == 1 &&
             EVP_DigestSign(ctx, signature, &n, p, len) == 1;
    EVP_MD_CTX_free(ctx);
    ASSERT(ok && n == 64);
}

bool key_verify(const uint8_t key[KEY_LEN], const void *p, size_t len,
                const uint8_t signature[64])
{
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pub && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pub) == 1 &&
                EVP_DigestVerify(ctx, signature, 64, p, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pub);
    return good;
}
