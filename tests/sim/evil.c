/* evil.c -- a host that lies: what its relay wants to send is dropped, changed, repeated,
 * invented. */
#include "sim.h"

#include "trust/attest.h"
#include "trust/seal.h"

#include <stdlib.h>

enum { REPLAYS = 16, PIECE_MAX = 32 * 1024 };

struct piece {
    size_t len;
    uint8_t bytes[PIECE_MAX];
};

struct evil_end {
    struct wire in;
    uint64_t withheld; /* a number that says whose streams this peer does not get; 0: it gets all */
    uint8_t buf[WIRE_BUFFER];
};

static struct piece replay[REPLAYS];
static unsigned n_replays, n_once;
static uint64_t quiet_until; /* no lies about people */
static struct map
    forked; /* (epoch, room, class) -> the number from which on there is another version */
static struct map second; /* (epoch, room, class + last_seq) -> place in `hashes` */
static uint8_t hashes[1 << 14][HASH_LEN];
static uint32_t n_hashes;

void evil_reset(void)
{
    n_replays = n_once = n_hashes = 0;
    quiet_until = 0;
    map_free(&forked);
    map_free(&second);
}

void evil_end_free(struct tls *t)
{
    free(t->evil);
    t->evil = NULL;
}

static void emit(struct tls *t, const uint8_t *frame, const uint8_t *frames, size_t len)
{
    net_push(t, frame, frame_stride(frame));
    if (len > 0)
        net_push(t, frames, len);
}

/* seal_again -- as the owner of `by` can: a good seal if it is its own stream, else a forgery.
 */
static void seal_again(const struct node *by, uint8_t *frame, const uint8_t *frames, size_t len,
                       const uint8_t *prev)
{
    struct segment_head s;
    int r = read_segment(frame, &s);
    ASSERT(r == 0);
    if (prev)
        memcpy(s.prev, prev, HASH_LEN);
    s.bytes = (uint32_t)len;
    const uint8_t *last = frames;
    for (size_t i = 0; i < len; i += frame_stride(frames + i))
        last = frames + i;
    seal_hash(s.prev, frames, len, &s.after, s.hash);
    struct sealed head = {.first_seq = s.first_seq, .last_seq = frame_seq(last)};
    memcpy(head.prev, s.prev, HASH_LEN);
    memcpy(head.hash, s.hash, HASH_LEN);
    seal_sign(&by->identity, frame_epoch(last), frame_room(last), &head);
    memcpy(s.signature, head.signature, SIGNATURE_LEN);
    r = write_segment(frame, &s, frame_origin(last), frame_epoch(last), frame_room(last),
                      frame_seq(last), frame_hlc(last));
    ASSERT(r > 0);
}

/* forge -- the next segment of somebody else's stream. */
static void forge(struct tls *t, const uint8_t *frame, const uint8_t *frames)
{
    uint8_t head[FRAME_MAX], said[FRAME_MAX];
    struct segment_head s;
    char text[] = "never said";
    if (frame_origin(frame) == t->node->id || read_segment(frame, &s) < 0)
        return; /* our own would be no forgery but a fork */
    struct say say = {text_of("u0"), text_of(text)};
    int n = write_say(said, &say, frame_room(frame), frame_client(frames), 1, 0);
    ASSERT(n > 0);
    frame_set_origin(said, frame_origin(frame));
    frame_set_epoch(said, frame_epoch(frame));
    frame_set_seq(said, frame_seq(frame) + 1);
    frame_set_hlc(said, frame_hlc(frame) + 1);
    struct node *by = node_by_id(frame_origin(frame));
    bool accomplice = w.stats.colluding && by && by->evil; /* his key is ours: not forged, but his second version */
    struct segment_head next = {
        .count = 1, .bytes = (uint32_t)n, .first_seq = frame_seq(frame) + 1};
    memcpy(next.prev, s.hash, HASH_LEN);
    int r = write_segment(head, &next, frame_origin(frame), frame_epoch(frame),
                          frame_room(frame), next.first_seq, frame_hlc(said));
    ASSERT(r > 0);
    if (!accomplice && one_in(3))
        frame_set_origin(head, t->node->id); /* in our own name, with another's words */
    if (!accomplice && w.n_clients <= ALONE_MAX && one_in(3))
        frame_set_room(said, pair_room((uint32_t)chance(w.n_clients))); /* is there such a conversation? */
    seal_again(accomplice ? by : t->node, head, said, (size_t)n, NULL);
    w.stats.forks |= accomplice;
    w.stats.equivocations += accomplice;
    w.stats.forgeries += !accomplice;
    emit(t, head, said, (size_t)n);
}

/* slander -- somebody else is said to have contradicted himself: with a head that only we can have signed. */
static void slander(struct tls *t, const uint8_t *frame)
{
    struct sealed s[2];
    uint8_t chain[FRAME_MAX];
    if (frame_origin(frame) == t->node->id || read_sealed(frame, &s[0]) < 0)
        return;
    s[1] = s[0];
    s[1].hash[0] ^= 1;
    seal_sign(&t->node->identity, frame_epoch(frame), frame_room(frame), &s[1]);
    int n = write_chain(chain, s, 2, frame_origin(frame), frame_epoch(frame), frame_room(frame), s[0].first_seq);
    ASSERT(n > 0);
    w.stats.forgeries++;
    emit(t, chain, NULL, 0);
}

static void tamper(struct tls *t, const uint8_t *frame, const uint8_t *frames, size_t len)
{
    uint8_t head[FRAME_MAX], *body = malloc(len);
    ASSERT(body);
    memcpy(head, frame, frame_stride(frame));
    memcpy(body, frames, len);
    if (one_in(3))
        head[FRAME_HEAD + chance(frame_body_len(frame))] ^= 1;
    else
        body[chance(len)] ^= 1;
    w.stats.forgeries++;
    emit(t, head, body, len);
    free(body);
}

static void record(const uint8_t *frame, const uint8_t *frames, size_t len)
{
    size_t head = frame_stride(frame);
    if (head + len > PIECE_MAX)
        return;
    struct piece *p = &replay[n_replays++ % REPLAYS];
    p->len = head + len;
    memcpy(p->bytes, frame, head);
    memcpy(p->bytes + head, frames, len);
}

/* both_to_all -- nobody gets the second version alone: then no two peers have different ones, and each must find out by himself. */
static bool both_to_all(void)
{
    return mix(w.seed, NODES_MAX) % 6 == 0 && !w.one_sided;
}

bool evil_second(unsigned peer)
{
    return mix(w.seed, peer) & 1 && !both_to_all();
}

/* answer -- what nobody ever said, and what it need not: our second version names something else than our first. */
static void answer(uint8_t *frame)
{
    uint64_t lot = mix(w.seed ^ frame_epoch(frame), frame_room(frame) ^ frame_seq(frame));
    struct segment_head s;
    int r = read_segment(frame, &s);
    ASSERT(r == 0);
    s.after.n = (uint32_t)(lot % 3);
    for (uint32_t i = 0; i < s.after.n; i++)
        s.after.row[i] = (struct after_row){w.node[mix(lot, i) % w.n_nodes]->id, lot & 4 ? frame_epoch(frame) : mix(lot, i + 9),
                                            1 + mix(lot, i + 5) % 1000};
    r = write_segment(frame, &s, frame_origin(frame), frame_epoch(frame), frame_room(frame), frame_seq(frame), frame_hlc(frame));
    ASSERT(r > 0);
}

/* fork -- another version of our own words for every second peer, with a good seal.  Some are hasty: the other peers get
 * both, one behind the other, so that the second comes before the first is on disk.  Half of all begin when all is calm. */
static bool fork_it(struct tls *t, const uint8_t *frame, const uint8_t *frames, size_t len)
{
    uint64_t class = evil_second(end_peer(t)->n), epoch = frame_epoch(frame),
             room = frame_room(frame);
    bool hasty = both_to_all() || (mix(w.seed, t->node->n) % 4 == 0 && !w.one_sided);
    struct segment_head s;
    if (frame_origin(frame) != t->node->id || (class == 0 && !hasty) || read_segment(frame, &s) < 0 ||
        s.first_seq == 1)
        return false;
    uint32_t *from = map_find(&forked, epoch, room, class);
    bool late = !w.one_sided && mix(w.seed, t->node->id) & 1;
    if (!from && (late ? !w.calm : !one_in(20)))
        return false;
    if (!from)
        from = map_add(&forked, epoch, room, class, (uint32_t)s.first_seq);
    if (s.first_seq < *from || n_hashes == ARRAY_LEN(hashes))
        return false;
    uint32_t *before = map_find(&second, epoch, room, s.first_seq - 1);
    uint8_t head[FRAME_MAX], *body = malloc(len);
    ASSERT(body);
    memcpy(head, frame, frame_stride(frame));
    memcpy(body, frames, len);
    for (size_t i = 0; i < len; i += frame_stride(body + i))
        body[i + frame_len(body + i) - 1] ^= 1; /* the last letter */
    answer(head);
    seal_again(t->node, head, body, len, before ? hashes[*before] : NULL);
    int r = read_segment(head, &s);
    ASSERT(r == 0);
    if (!map_find(&second, epoch, room, frame_seq(frame))) {
        memcpy(hashes[n_hashes], s.hash, HASH_LEN);
        map_add(&second, epoch, room, frame_seq(frame), n_hashes++);
    }
    w.stats.equivocations++;
    w.stats.forks = 1;
    if (class == 0)
        emit(t, frame, frames, len);
    emit(t, head, body, len);
    free(body);
    return true;
}

/* last_words -- of some streams the two versions of a fork are all that anybody gets: equally much, and not the same. */
static bool last_words(const struct tls *t, const uint8_t *frame)
{
    struct segment_head s;
    uint64_t epoch = frame_epoch(frame), room = frame_room(frame);
    const uint32_t *from = map_find(&forked, epoch, room, 1);
    bool over = w.one_sided ? !evil_second(end_peer(t)->n) : mix(epoch, room) % 3 == 0;
    return from && frame_origin(frame) == t->node->id && over && read_segment(frame, &s) == 0 &&
           s.first_seq > *from;
}

static void garbage(struct tls *t)
{
    uint8_t junk[256];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (uint8_t)chance(256);
    w.stats.lies++;
    net_push(t, junk, 1 + chance(sizeof junk));
}

static void segment(struct tls *t, const uint8_t *frame, const uint8_t *frames, size_t len)
{
    uint64_t modes = t->node->evil_modes;
    const struct node *origin = node_by_id(frame_origin(frame));
    if (modes & EVIL_WITHHOLD && origin && t->evil->withheld && mix(t->evil->withheld, origin->n) & 1) {
        w.stats.withheld++;
        return;
    }
    if (modes & EVIL_QUESTIONS && !w.calm && origin && origin != t->node && mix(t->evil->withheld, origin->n) & 1) {
        w.stats.withheld++;
        return;
    }
    if (modes & EVIL_GAP && one_in(50)) {
        w.stats.withheld++;
        return;
    }
    if (modes & EVIL_FORK && last_words(t, frame)) {
        w.stats.withheld++;
        return;
    }
    record(frame, frames, len);
    if (modes & EVIL_TAMPER && one_in(40)) {
        tamper(t, frame, frames, len);
        return;
    }
    if (!(modes & EVIL_FORK && fork_it(t, frame, frames, len)))
        emit(t, frame, frames, len);
    if (modes & EVIL_FORGE && one_in(30))
        forge(t, frame, frames);
    if (modes & EVIL_FORGE && one_in(60))
        slander(t, frame);
    if (modes & EVIL_REPLAY && one_in(10) && n_replays > 0) {
        const struct piece *p = &replay[chance(min_u64(n_replays, REPLAYS))];
        w.stats.replays++;
        net_push(t, p->bytes, p->len);
    }
}

/* lie -- about what we have. */
static void lie(struct tls *t, const uint8_t *frame)
{
    uint8_t f[FRAME_MAX];
    memcpy(f, frame, frame_stride(frame));
    size_t rows = frame_body_len(f) / sizeof(struct have_row);
    for (size_t i = 0; i < rows; i++)
        if (one_in(4))
            put_u64(f + FRAME_HEAD + i * sizeof(struct have_row) + 24,
                    one_in(2) ? chance(1000) : UINT64_MAX);
    w.stats.lies++;
    emit(t, f, NULL, 0);
}

/* ---- who is where ---- */

/* gossip_beat -- a lie about who is alive: another host, a later run, a later beat. */
static void gossip_beat(uint8_t *row)
{
    unsigned what = (unsigned)chance(3);
    if (what == 0)
        put_u64(row, w.node[chance(w.n_nodes)]->id);
    else if (what == 1)
        put_u64(row + 8, get_u64(row + 8) + 1 + chance(UINT64_C(1) << 40));
    else
        put_u64(row + 16, one_in(2) ? 0 : get_u64(row + 16) + 1 + chance(100));
}

/* gossip_row -- newer than it is, of another run, another number, another host, another user. */
static void gossip_row(uint8_t *f)
{
    switch (chance(5)) {
    case 0:
        f[frame_len(f) - 1] ^= 1; /* the last letter of the room */
        break;
    case 1:
        frame_set_seq(f, frame_seq(f) + 1 + chance(100));
        break;
    case 2:
        frame_set_epoch(f, frame_epoch(f) + 1 + chance(UINT64_C(1) << 40));
        break;
    case 3:
        put_u32(f + FRAME_HEAD + SIGNATURE_LEN, (uint32_t)chance(3));
        break;
    default:
        frame_set_origin(f, w.node[chance(w.n_nodes)]->id);
        break;
    }
}

/* gossip -- a lie, signed with our own key or not at all. */
static void gossip(struct tls *t, const uint8_t *frame)
{
    uint8_t f[FRAME_MAX];
    memcpy(f, frame, frame_stride(frame));
    if (frame_type(f) == FRAME_BEAT)
        gossip_beat(f + FRAME_HEAD + sizeof(struct beat_row) * chance(frame_body_len(f) / sizeof(struct beat_row)));
    else
        gossip_row(f);
    if (one_in(2))
        attest(&t->node->identity, f);
    w.stats.people_lies++;
    emit(t, f, NULL, 0);
}

/* people -- told, withheld, or with a lie beside it; and what was so once is told again. */
static void people(struct tls *t, const uint8_t *frame)
{
    static uint8_t once[REPLAYS][FRAME_MAX];
    uint64_t n = min_u64(n_once, REPLAYS);
    memcpy(once[n_once++ % REPLAYS], frame, frame_stride(frame));
    if (n > 0 && one_in(4)) {
        w.stats.replays++;
        emit(t, once[chance(n)], NULL, 0);
    }
    if (w.now >= quiet_until && one_in(20)) {
        gossip(t, frame);
        quiet_until = w.now + 5 * S; /* or none of his links would last, for any other lie */
    }
    if (one_in(8))
        w.stats.withheld++;
    else
        emit(t, frame, NULL, 0);
}

size_t evil_send(struct tls *t, const uint8_t *p, size_t len)
{
    const uint8_t *frame, *frames;
    size_t room, n;
    if (!t->evil) {
        t->evil = malloc(sizeof *t->evil);
        ASSERT(t->evil);
        wire_init(&t->evil->in, t->evil->buf);
        t->evil->withheld = one_in(2) || t->node->evil_modes & EVIL_QUESTIONS ? chance(UINT64_MAX) : 0;
    }
    for (size_t done = 0; done < len;) {
        uint8_t *to = wire_room(&t->evil->in, &room);
        size_t some = min_size(room, len - done);
        memcpy(to, p + done, some);
        wire_fed(&t->evil->in, some);
        done += some;
        while (wire_next(&t->evil->in, &frame, &frames, &n) == 1) {
            if (frame_type(frame) == FRAME_SEGMENT)
                segment(t, frame, frames, n);
            else if (frame_type(frame) == FRAME_HAVE && t->node->evil_modes & EVIL_LIE &&
                     one_in(10))
                lie(t, frame);
            else if ((frame_type(frame) == FRAME_PRESENCE || frame_type(frame) == FRAME_BEAT) &&
                     t->node->evil_modes & EVIL_PEOPLE)
                people(t, frame);
            else if (frame_type(frame) == FRAME_CHAIN && t->node->evil_modes & EVIL_WITHHOLD)
                w.stats.withheld++;
            else
                emit(t, frame, NULL, 0);
            if (t->node->evil_modes & EVIL_GARBAGE && one_in(400))
                garbage(t);
        }
    }
    return len;
}
