/* key.h -- an Ed25519 public key as people copy it, and the pin that stands for it. */
#ifndef BASE_KEY_H
#define BASE_KEY_H

#include "base/base.h"

/* Hosts of one network: the size of every table of them.  The simulator has more. */
#ifndef HOSTS_MAX
#define HOSTS_MAX 256
#endif

enum {
    KEY_LEN = 32,      /* raw, as in RFC 8032 */
    KEY_TEXT_LEN = 43, /* base64url without padding */
    KEY_PIN_LEN = 32,
};

/* key_to_text, key_from_text -- exactly one text per key. */
void key_to_text(const uint8_t key[KEY_LEN], char text[KEY_TEXT_LEN + 1]);
bool key_from_text(const char *text, uint8_t key[KEY_LEN]) MUST_USE;

/* key_pin -- SHA-256 of the key's SubjectPublicKeyInfo. */
void key_pin(const uint8_t key[KEY_LEN], uint8_t pin[KEY_PIN_LEN]);

#endif
