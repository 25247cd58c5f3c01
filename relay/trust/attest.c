/* attest.c -- sign and verify rows of PRESENCE and BEAT. */
#include "trust/attest.h"

static const char presence_purpose[] = "chat presence 1", beat_purpose[] = "chat beat 1"; /* with their NULs, as in seal.c */

enum { ROW_TEXT_MAX = 256, BEAT_TEXT_LEN = sizeof beat_purpose + 3 * 8 };

/* row_text -- returns its length. */
static size_t row_text(const uint8_t *f, uint8_t text[ROW_TEXT_MAX])
{
    struct wr w = wr_to(text, ROW_TEXT_MAX);
    size_t said = frame_body_len(f) - SIGNATURE_LEN;
    wr_bytes(&w, presence_purpose, sizeof presence_purpose);
    wr_u64(&w, frame_origin(f));
    wr_u64(&w, frame_epoch(f));
    wr_u64(&w, frame_room(f));
    wr_u64(&w, frame_seq(f));
    wr_bytes(&w, frame_body(f) + SIGNATURE_LEN, said);
    ASSERT(wr_done(&w));
    return sizeof presence_purpose + 4 * 8 + said;
}

static void beat_text(const struct beat_row *b, uint8_t text[BEAT_TEXT_LEN])
{
    struct wr w = wr_to(text, BEAT_TEXT_LEN);
    wr_bytes(&w, beat_purpose, sizeof beat_purpose);
    wr_u64(&w, b->host);
    wr_u64(&w, b->epoch);
    wr_u64(&w, b->beat);
    ASSERT(wr_done(&w));
}

static void attest_beats(const struct identity *id, uint8_t *f)
{
    uint8_t text[BEAT_TEXT_LEN];
    struct beat_row b;
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    for (uint8_t *row = f + FRAME_HEAD; rd_left(&r) >= sizeof b; row += sizeof b) {
        read_beat_row(&r, &b);
        beat_text(&b, text);
        identity_sign(id, text, sizeof text, row + sizeof b - SIGNATURE_LEN);
    }
}

void attest(const struct identity *id, uint8_t *f)
{
    uint8_t text[ROW_TEXT_MAX];
    if (frame_type(f) == FRAME_BEAT)
        attest_beats(id, f);
    else
        identity_sign(id, text, row_text(f, text), f + FRAME_HEAD);
}

bool presence_attested(const uint8_t *f, const uint8_t key[KEY_LEN])
{
    uint8_t text[ROW_TEXT_MAX];
    return key_verify(key, text, row_text(f, text), frame_body(f));
}

bool beat_attested(const struct beat_row *b, const uint8_t key[KEY_LEN])
{
    uint8_t text[BEAT_TEXT_LEN];
    beat_text(b, text);
    return key_verify(key, text, sizeof text, b->signature);
}
