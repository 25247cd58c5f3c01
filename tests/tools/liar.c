/* liar.c -- a member of the net by every right, who speaks for others.
 *
 * usage: liar ADDRESS DIR KEY      DIR holds the member's identity; KEY: of another member
 *
 * First the truth: a message of his own is taken and acknowledged.  Then every lie of the table, each
 * on a link of its own: the link must end, in time, for the reason given, or the lie is to be passed over
 * and the link to stay.  Whether anything of it is shown, the caller looks up: all texts of lies are "lie". */
#include "base/hash.h"
#include "base/sys.h"
#include "patience.h"
#include "raw.h"
#include "rough.h"
#include "trust/attest.h"
#include "trust/seal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAIT_MS = 5000, NOBODY = 12345 };

static const char *address, *dir;
static struct identity *id;
static uint64_t other, epoch;
static struct rough r;

/* ---- links ---- */

/* greeted -- or the relay greets all of its peers anew just now, because there is another one. */
static bool greeted(uint64_t as)
{
    int fd = rough_dial(address, 0);
    const uint8_t *f;
    if (fd < 0)
        die("cannot dial");
    rough_begin(&r, fd, dir);
    r.us = identity_host(id);
    return rough_shake(&r, false, patience(WAIT_MS)) && rough_greet(&r, as) && rough_next(&r, &f, patience(WAIT_MS)) == 1 &&
           frame_type(f) == FRAME_GREETING;
}

static void enter(uint64_t as)
{
    for (unsigned tries = 0; !greeted(as); tries++) {
        if (tries == 3)
            die("a member is not greeted: %s", r.why);
        rough_close(&r);
    }
}

/* await_have -- until it says that it has this much of our room, ... */
static void await_have(uint64_t room, uint64_t seq)
{
    const uint8_t *f;
    struct have_row row;
    for (int n; (n = rough_next(&r, &f, patience(WAIT_MS))) != 0;) {
        if (n < 0)
            die("the truth is not taken: %s", r.why);
        struct rd rd = rd_from(frame_body(f), frame_body_len(f));
        while (frame_type(f) == FRAME_HAVE && rd_left(&rd) > 0) {
            read_have_row(&rd, &row);
            if (row.origin == r.us && row.epoch == epoch && row.room == room && row.seq == seq)
                return;
        }
    }
    die("the truth is not acknowledged");
}

/* await_pong -- ... until it has heard all that we said, and is still there, ... */
static void await_pong(const char *lie)
{
    uint8_t f[FRAME_MAX];
    const uint8_t *said;
    int n = write_ping(f, FRAME_PING, 1);
    if (n < 0 || !rough_send(&r, f, (size_t)n))
        die("\"%s\": the link is gone", lie);
    while ((n = rough_next(&r, &said, patience(WAIT_MS))) == 1)
        if (frame_type(said) == FRAME_PONG)
            return;
    die("\"%s\": %s", lie, n ? r.why : "no answer");
}

/* await_end -- ... until it ends the link, with these words. */
static void await_end(const char *lie, const char *words)
{
    const uint8_t *f;
    struct reasoned last;
    char why[SENTENCE_MAX + 1] = "without a word";
    int n;
    while ((n = rough_next(&r, &f, patience(WAIT_MS))) == 1)
        if (frame_type(f) == FRAME_FAREWELL && read_reasoned(f, &last) == 0)
            snprintf(why, sizeof why, "%.*s", (int)last.text.len, last.text.p);
    if (n == 0)
        die("\"%s\": believed, or at least not minded", lie);
    if (!strstr(why, words))
        die("\"%s\": ended with \"%s\"", lie, why);
}

/* ---- segments ---- */

/* A segment to be: its frames, one behind the other. */
struct draft {
    uint64_t origin, epoch, seq; /* of the last frame */
    const char *room;
    uint8_t frames[4 * FRAME_MAX];
    size_t len, last; /* last: where the last frame is */
    uint32_t count;
    struct after after; /* what it answers */
};

static uint64_t stamp(void)
{
    static uint16_t n;
    return wall_ms() << 16 | ++n;
}

static void add(struct draft *d, int n)
{
    uint8_t *f = d->frames + d->len;
    if (n < 0)
        die("cannot write a frame");
    frame_set_origin(f, d->origin);
    frame_set_epoch(f, d->epoch);
    frame_set_seq(f, ++d->seq);
    frame_set_hlc(f, stamp());
    d->last = d->len;
    d->len += (size_t)n;
    d->count++;
}

static void add_say(struct draft *d, const char *user, const char *text)
{
    struct say s = {.user = text_of(user), .text = text_of(text)};
    add(d, write_say(d->frames + d->len, &s, room_id(text_of(d->room)), 1, d->count, 0));
}

/* begun -- the first entries of a stream, as they should be. */
static struct draft begun(uint64_t origin, const char *room, const char *text)
{
    struct draft d = {.origin = origin, .epoch = epoch, .room = room};
    struct room_change c = {.user = text_of(""), .room = text_of(room)};
    add(&d, write_room_change(d.frames, FRAME_CREATE, &c, room_id(text_of(room)), 0, 0));
    add_say(&d, "mallory", text);
    return d;
}

static void send_sealed(const struct draft *d)
{
    uint8_t f[FRAME_MAX];
    const uint8_t *last = d->frames + d->last;
    uint64_t room = room_id(text_of(d->room));
    struct segment_head s = {.count = d->count, .bytes = (uint32_t)d->len, .first_seq = d->seq - d->count + 1, .after = d->after};
    struct sealed head = {.first_seq = s.first_seq, .last_seq = d->seq};
    seal_hash(s.prev, d->frames, d->len, &s.after, head.hash);
    seal_sign(id, d->epoch, room, &head);
    memcpy(s.hash, head.hash, HASH_LEN);
    memcpy(s.signature, head.signature, SIGNATURE_LEN);
    int n = write_segment(f, &s, d->origin, d->epoch, room, d->seq, frame_hlc(last));
    if (n < 0 || !rough_send(&r, f, (size_t)n) || !rough_send(&r, d->frames, d->len))
        die("cannot send a segment: %s", r.why);
}

/* ---- lies ---- */

static void as_the_other(void)
{
    struct draft d = begun(other, "lies/other", "lie");
    send_sealed(&d);
}

static void as_the_relay_before(void)
{
    struct draft d = begun(r.them, "lies/relay", "lie");
    send_sealed(&d);
}

static void as_nobody(void)
{
    struct draft d = begun(NOBODY, "lies/nobody", "lie");
    send_sealed(&d);
}

static void one_entry_of_the_other(void)
{
    struct draft d = begun(r.us, "lies/entry", "lie");
    frame_set_origin(d.frames + d.last, other);
    send_sealed(&d);
}

static void under_the_others_seal(void)
{
    struct draft d = begun(r.us, "lies/head", "lie");
    d.origin = other; /* in the head alone */
    send_sealed(&d);
}

static void user_at_other(void)
{
    struct draft d = begun(r.us, "lies/user", "lie");
    uint8_t *at = memmem(d.frames + d.last, d.len - d.last, "mallory", 7);
    at[3] = '@'; /* mal@ory */
    send_sealed(&d);
}

static void false_room(void)
{
    struct draft d = begun(r.us, "lies/room", "lie");
    for (size_t at = 0; at < d.len; at += frame_stride(d.frames + at))
        frame_set_room(d.frames + at, room_id(text_of("lobby")));
    d.room = "lobby"; /* whose name the first entry would change */
    send_sealed(&d);
}

static void bare(int n, uint8_t *f, uint64_t origin)
{
    frame_set_origin(f, origin);
    frame_set_epoch(f, epoch);
    if (n < 0 || !rough_send(&r, f, (size_t)n))
        die("cannot send");
}

static void bare_say(void)
{
    uint8_t f[FRAME_MAX];
    struct say s = {.user = text_of("mallory"), .text = text_of("lie")};
    bare(write_say(f, &s, room_id(text_of("lobby")), 1, 1, 0), f, other);
}

static void bare_notice(void)
{
    uint8_t f[FRAME_MAX];
    struct reasoned s = {.text = text_of("lie")};
    bare(write_reasoned(f, FRAME_NOTICE, &s, 0, 0), f, r.them);
}

static void bare_host(void)
{
    uint8_t f[FRAME_MAX];
    bare(write_host(f, other, text_of("lie")), f, other);
}

static void order_to_keeper(void)
{
    uint8_t f[FRAME_MAX];
    struct feed_order o = {.op = FEED_HEADS};
    bare(write_feed_order(f, &o, 1), f, other);
}

static void people(uint64_t host)
{
    uint8_t f[FRAME_MAX];
    struct text room = text_of("lobby");
    struct presence_row p = {.sessions = 1, .user = text_of("lie"), .room = room};
    int n = write_presence(f, &p, host, epoch, room_id(room), 1);
    if (n > 0)
        attest(id, f); /* with the only key that he has */
    bare(n, f, host);
}

static void people_of_nobody(void)
{
    people(NOBODY);
}

static void people_of_the_relay(void)
{
    people(r.them);
}

static void people_of_the_other(void)
{
    people(other);
}

/* people_unsigned -- his own, but others could not know that he said so. */
static void people_unsigned(void)
{
    uint8_t f[FRAME_MAX];
    struct presence_row p = {.sessions = 1, .user = text_of("lie"), .room = text_of("lobby")};
    bare(write_presence(f, &p, r.us, epoch, room_id(p.room), 1), f, r.us);
}

static void life_of_the_other(void)
{
    uint8_t f[FRAME_MAX];
    struct wr w = frame_begin(f, FRAME_BEAT);
    write_beat_row(&w, &(struct beat_row){.host = other, .epoch = epoch, .beat = 1});
    int n = frame_end(f, &w);
    attest(id, f);
    bare(n, f, other);
}

static void second_greeting(void)
{
    (void)rough_greet(&r, other);
}

static const struct lie {
    const char *name;
    void (*tell)(void);
    const char *end; /* NULL: passed over */
} lies[] = {
    {"a segment of another host", as_the_other, "seal or content"},
    {"a segment of an earlier run of the relay", as_the_relay_before, "seal or content"},
    {"a segment of a host that nobody knows", as_nobody, "seal or content"},
    {"one entry of another host among ours", one_entry_of_the_other, "seal or content"},
    {"another host's segment around entries of ours", under_the_others_seal, "seal or content"},
    {"a user with an @ in his name", user_at_other, "seal or content"},
    {"a room under another's number", false_room, "seal or content"},
    {"a message without a segment", bare_say, "no link carries"},
    {"a notice of the relay's", bare_notice, "no link carries"},
    {"a new name for another host", bare_host, "no link carries"},
    {"an order to the keeper", order_to_keeper, "no link carries"},
    {"users of a host that nobody knows", people_of_nobody, NULL},
    {"users of the relay's own", people_of_the_relay, "did not sign"},
    {"users of another host", people_of_the_other, "did not sign"},
    {"users of his own, without his signature", people_unsigned, "did not sign"},
    {"that another host is alive", life_of_the_other, "did not sign"},
    {"a second greeting, of another host", second_greeting, "not how a link begins"},
};

static void tell_truth(void)
{
    struct draft d = begun(r.us, "truth", "true");
    d.after = (struct after){1, {{other, 1, 1}}}; /* which there is not: no reason not to take it */
    send_sealed(&d);
    await_have(room_id(text_of("truth")), d.seq);
}

/* greet_as_the_other -- the key says who it is, whatever it says. */
static void greet_as_the_other(void)
{
    enter(other);
    await_end("greeting as another host", "not how a link begins");
    rough_close(&r);
}

static void load(const char *key)
{
    uint8_t raw[KEY_LEN];
    char why[256];
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!key_from_text(key, raw) || fd < 0 || identity_load(&id, fd, why, sizeof why) < 0)
        die("no identity, or no key of another");
    close(fd);
    other = host_of_key(raw);
    epoch = wall_ms() << 16;
    rough_certificate(dir, 90);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: liar ADDRESS DIR KEY\n");
        return 2;
    }
    address = argv[1];
    dir = argv[2];
    signal(SIGPIPE, SIG_IGN);
    load(argv[3]);
    enter(identity_host(id));
    tell_truth();
    rough_close(&r);
    greet_as_the_other();
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        enter(identity_host(id));
        lies[i].tell();
        if (lies[i].end)
            await_end(lies[i].name, lies[i].end);
        else
            await_pong(lies[i].name);
        rough_close(&r);
        printf("%s: ok\n", lies[i].name);
    }
    return 0;
}
