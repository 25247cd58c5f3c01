/* fuzz_link.c -- arbitrary bytes as a peer sends them, through the splitter into the protocol
 * core; what the core then orders of the keeper, and the same bytes as if they were orders,
 * through the keeper's readers.
 *
 * Whatever comes: no crash, no order that the keeper cannot read, no stream that goes back or
 * beyond what was judged, nothing told that is not durable, nobody in a room whose host did not sign that.  The first byte chooses how much of
 * the beginning is given for free. */
#include "link/core.h"
#include "link/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { US = 1, THEM = 2, OTHERS = 3, EPOCH = 10, STREAMS = 64 };

struct play {
    struct link_core core;
    struct wire wire;
    uint8_t buf[WIRE_BUFFER];
    uint8_t memory[STREAMS * (sizeof(struct have_entry) + 8)];
    unsigned peer;
    uint64_t now, end; /* end: of the journal */
};

static void check(bool good)
{
    if (!good)
        abort();
}

/* obey -- as the keeper reads what it is ordered: every frame is whole and one of two kinds. */
static void obey(const uint8_t *p, size_t len)
{
    for (size_t at = 0; at < len;) {
        int n = frame_check(p + at, len - at);
        struct feed_order o;
        struct have_row row;
        check(n > 0);
        if (frame_type(p + at) == FRAME_HAVE) {
            struct rd r = rd_from(frame_body(p + at), frame_body_len(p + at));
            while (rd_left(&r) > 0)
                read_have_row(&r, &row);
            check(!r.bad);
        } else if (frame_type(p + at) != FRAME_SAME && frame_type(p + at) != FRAME_CHAIN) {
            check(frame_type(p + at) == FRAME_FEED && read_feed_order(p + at, &o) == 0);
        }
        check(frame_client(p + at) != 0);
        at += (size_t)n;
    }
}

static void check_table(const struct play *p)
{
    for (uint32_t i = 0; i < p->core.ours.n; i++) {
        const struct have_entry *e = &p->core.ours.entry[i];
        check(e->durable <= e->row.seq && (e->row.seq > 0 || e->point < UINT64_MAX));
        check(e->row.seq < e->point);
        check(e->row.origin == OTHERS || e->row.origin == THEM ||
              (e->row.origin == US && (e->row.epoch != EPOCH || e->row.seq == 0)));
        check(have_find(&p->core.ours, e->row.origin, e->row.epoch, e->row.room) == e);
    }
}

/* A signature that begins with an odd byte is good. */
static bool row_signed(void *arg, const uint8_t *f)
{
    (void)arg;
    return frame_body(f)[0] & 1;
}

static bool beat_signed(void *arg, const struct beat_row *b)
{
    (void)arg;
    return b->signature[0] & 1;
}

static void check_people(const struct presence *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        check(p->entry[i].is_signed && p->entry[i].signature[0] & 1 && p->entry[i].host != US);
    for (uint32_t i = 1; i < p->n_hosts; i++)
        check(p->host[i].beat == 0 || p->host[i].signature[0] & 1);
}

static bool on_segment(struct play *p, const uint8_t *f, struct link_update *up)
{
    const struct have_entry *e =
        have_find(&p->core.ours, frame_origin(f), frame_epoch(f), frame_room(f));
    uint64_t before = e ? e->row.seq : 0;
    switch (link_judge(&p->core, p->peer, f, p->now, up)) {
    case LINK_NEW:
        check(frame_seq(f) > before);
        if (link_full(&p->core))
            return false;
        link_took(&p->core, f, ++p->end);
        if (link_early(&p->core, p->peer, f, p->now)) {
            p->now += LINK_EARLY_MS;
            (void)link_kept_back(&p->core, p->now);
            check(link_kept_back(&p->core, p->now) == NULL);
        }
        return true;
    case LINK_LATER:
        (void)link_durable(&p->core, p->end);
        return true;
    case LINK_FORKED:
        check(e != NULL && up->feed_len == 0);
        link_freeze(&p->core, f);
        check(link_judge(&p->core, p->peer, f, p->now, up) == LINK_OLD);
        return true;
    case LINK_BAD:
        check(up->reason != REASON_OK && up->feed_len == 0);
        return false;
    case LINK_OLD:
    default:
        return true;
    }
}

/* on_chain -- as if every signature were good, and any two heads contradicted each other. */
static void on_chain(struct play *p, const uint8_t *f, struct link_update *up)
{
    struct sealed s[CHAIN_HEADS_MAX];
    uint8_t proof[FRAME_MAX];
    if (link_judge_chain(&p->core, p->peer, f, p->now, up) != LINK_NEW)
        return;
    int n = read_chain(f, s);
    check(n > 0 && n <= CHAIN_HEADS_MAX);
    if (n < 2 || link_full(&p->core))
        return;
    uint64_t point = min_u64(s[0].first_seq, s[1].first_seq);
    check(write_chain(proof, s, 2, frame_origin(f), frame_epoch(f), frame_room(f), point) > 0);
    (void)link_fork(&p->core, proof);
}

/* speak -- all there is to say is well-formed, and there is an end to it. */
static void speak(struct play *p)
{
    uint8_t f[FRAME_MAX];
    unsigned n = 0;
    for (int len; (len = link_next(&p->core, p->peer, 1, p->now, f)) > 0; n++)
        check(frame_check(f, (size_t)len) == len &&
              frame_row(frame_type(f))->who == FRAME_BY_PEER);
    check(n < 10);
}

static void hear_all(struct play *p)
{
    const uint8_t *f, *frames;
    size_t len;
    struct link_update up;
    while (wire_next(&p->wire, &f, &frames, &len) == 1) {
        bool good = true;
        p->now += 10;
        if (frame_type(f) == FRAME_SEGMENT)
            good = on_segment(p, f, &up);
        else if (frame_type(f) == FRAME_CHAIN)
            on_chain(p, f, &up);
        else
            link_heard(&p->core, p->peer, f, p->now, &up);
        obey(up.feed, up.feed_len);
        if (!good || up.reason != REASON_OK)
            return;
        if (p->now % 40 == 0)
            (void)link_durable(&p->core, p->end);
        speak(p);
        check_table(p);
        check_people(&p->core.presence);
    }
}

static void begin(struct play *p, unsigned how)
{
    static const uint8_t hosts[8] = {US};
    struct have ours;
    struct link_update up;
    uint8_t f[FRAME_MAX];
    have_init(&ours, p->memory, STREAMS);
    link_init(&p->core, US, EPOCH, text_of("us"), ours);
    p->core.presence.row_signed = row_signed;
    p->core.presence.beat_signed = beat_signed;
    check(link_know(&p->core, THEM) == 0 && link_know(&p->core, OTHERS) == 0);
    wire_init(&p->wire, p->buf);
    p->peer = (unsigned)link_up(&p->core, THEM, 111, p->now);
    if (how % 4 == 0)
        return;
    struct greeting g = {.version_min = LINK_VERSION,
                         .version_max = LINK_VERSION,
                         .name = text_of("them"),
                         .host = hosts,
                         .n_hosts = 1};
    check(write_greeting(f, &g, THEM, 20) > 0);
    link_heard(&p->core, p->peer, f, p->now, &up);
    if (how % 4 == 1)
        return;
    struct wr w = frame_begin(f, FRAME_HAVE);
    check(frame_end(f, &w) > 0);
    link_heard(&p->core, p->peer, f, p->now, &up);
}

/* as_orders -- the bytes as the keeper would read them off its socket. */
static void as_orders(const uint8_t *data, size_t size)
{
    struct feed_order o;
    for (size_t at = 0; at < size;) {
        int n = frame_check(data + at, size - at);
        if (n <= 0)
            return;
        if (frame_type(data + at) == FRAME_FEED && read_feed_order(data + at, &o) == 0) {
            check(o.n_hosts <= HOSTS_IN_ORDER_MAX);
            check(o.n_hosts == 0 || o.host + 8 * o.n_hosts <= data + at + frame_len(data + at));
        }
        at += (size_t)n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    struct play *p = &play;
    if (size == 0)
        return 0;
    *p = (struct play){.now = 1000};
    begin(p, data[0]);
    data++;
    size--;
    as_orders(data, size);
    size_t piece = 1 + size / 3; /* in pieces, as a network does */
    for (size_t at = 0; at < size; at += piece) {
        size_t room, n = min_size(piece, size - at);
        uint8_t *to = wire_room(&p->wire, &room);
        n = min_size(n, room);
        memcpy(to, data + at, n);
        wire_fed(&p->wire, n);
        hear_all(p);
    }
    struct link_update up;
    link_down(&p->core, p->peer, &up);
    obey(up.feed, up.feed_len);
    return 0;
}
