/* people_play.c -- three tables, and what they tell each other. */
#include "people_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct presence *host[4];
struct presence_cursor told[4][4];
int changed, news;
unsigned beats, beat_frames, looked;

void put_signature(uint8_t *to, uint64_t by)
{
    memset(to, (int)by, SIGNATURE_LEN);
}

static bool is_of(const uint8_t *signature, uint64_t host_)
{
    uint8_t good[SIGNATURE_LEN];
    looked++;
    put_signature(good, host_);
    return memcmp(signature, good, sizeof good) == 0;
}

static bool row_signed(void *arg, const uint8_t *f)
{
    (void)arg;
    return is_of(frame_body(f), frame_origin(f));
}

static bool beat_signed(void *arg, const struct beat_row *b)
{
    (void)arg;
    return is_of(b->signature, b->host);
}

void start(int at, uint64_t epoch)
{
    presence_init(host[at], (uint64_t)at, epoch);
    host[at]->row_signed = row_signed;
    host[at]->beat_signed = beat_signed;
}

unsigned sign(int at)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (int len; (len = presence_unsigned(host[at], f)) != 0; n++) {
        assert_int_equal(frame_check(f, FRAME_MAX), len);
        put_signature(f + FRAME_HEAD + (frame_type(f) == FRAME_BEAT ? 24 : 0), (uint64_t)at);
        presence_signed(host[at], f);
    }
    return n;
}

static void hear_beats(int at, uint64_t from, const uint8_t *f, uint64_t now)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    for (struct beat_row b; rd_left(&r) > 0; beats++) {
        read_beat_row(&r, &b);
        assert_int_equal(presence_heard_beat(host[at], from, &b, now), 0);
    }
    beat_frames++;
}

unsigned tell(int from, int to, uint64_t now)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    changed = news = 0;
    beats = beat_frames = 0;
    sign(from);
    for (int len; (len = presence_next(host[from], &told[from][to], (uint64_t)to, true, f)) != 0;) {
        assert_int_equal(frame_check(f, FRAME_MAX), len);
        if (frame_type(f) == FRAME_BEAT) {
            hear_beats(to, (uint64_t)from, f, now);
            continue;
        }
        int r = presence_heard(host[to], (uint64_t)from, f, now);
        assert_true(r >= -1);
        changed += r >= 0;
        news += r >= 0 && !(frame_flags(f) & FRAME_CONT);
        n++;
    }
    return n;
}

int people_play_open(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= GAMMA; i++) {
        host[i] = calloc(1, sizeof *host[i]);
        assert_non_null(host[i]);
        start(i, 100);
        assert_true(presence_beat(host[i], 1));
    }
    for (int i = ALPHA; i <= GAMMA; i++)
        for (int k = ALPHA; k <= GAMMA; k++)
            if (i != k)
                tell(i, k, 1);
    for (int i = ALPHA; i <= GAMMA; i++)
        while (presence_expire(host[i], 1) != 0)
            ;
    memset(told, 0, sizeof told);
    return 0;
}

int people_play_close(void **state)
{
    (void)state;
    for (int i = ALPHA; i <= GAMMA; i++)
        free(host[i]);
    return 0;
}

void see(int at, const char *user)
{
    presence_see(host[at], text_of(user), LOBBY, text_of("lobby"), false);
}

unsigned sessions(int at, int of, const char *user)
{
    for (uint32_t i = 0; i < host[at]->n; i++) {
        const struct presence_entry *e = &host[at]->entry[i];
        if (e->host == (uint64_t)of && text_eq(text_of(user), (struct text){e->user, e->user_len}))
            return presence_sessions(host[at], e);
    }
    return 0;
}
