/* key.c -- base64url by libcrypto, and the one encoding that pins are taken of. */
#include "base/key.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/hash.h"

void key_to_text(const uint8_t key[KEY_LEN], char text[KEY_TEXT_LEN + 1])
{
    unsigned char b64[KEY_TEXT_LEN + 2]; /* the last of its 44 characters is '=' */
    EVP_EncodeBlock(b64, key, KEY_LEN);
    for (size_t i = 0; i < KEY_TEXT_LEN; i++)
        text[i] = b64[i] == '+' ? '-' : b64[i] == '/' ? '_' : (char)b64[i];
    text[KEY_TEXT_LEN] = '\0';
}

bool key_from_text(const char *text, uint8_t key[KEY_LEN])
{
    unsigned char b64[KEY_TEXT_LEN + 1], raw[KEY_LEN + 1];
    if (strlen(text) != KEY_TEXT_LEN)
        return false;
    for (size_t i = 0; i < KEY_TEXT_LEN; i++)
        b64[i] = (unsigned char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    b64[KEY_TEXT_LEN] = '=';
    if (EVP_DecodeBlock(raw, b64, sizeof b64) != sizeof raw)
        return false;
    char again[KEY_TEXT_LEN + 1]; /* the decoder is lenient: white space, '+', unused bits */
    key_to_text(raw, again);
    if (strcmp(again, text) != 0)
        return false;
    memcpy(key, raw, KEY_LEN);
    return true;
}

void key_pin(const uint8_t key[KEY_LEN], uint8_t pin[KEY_PIN_LEN])
{
    /* SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING } up to the key itself: RFC 8410, 4.
     */
    static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    sha256(prefix, sizeof prefix, key, KEY_LEN, pin);
}
