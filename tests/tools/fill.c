/* fill.c -- a store with a long history, for a relay that is not running.
 *
 * usage: fill STATE-DIRECTORY MESSAGES ROOMS
 * Sealed and signed as the keeper does it, ten messages a segment, as if one had been said every 10 s until now.  Every message has 12 words of
 * w0 .. w49999, the small numbers often (nearly every message has w0 in it, one in 90,000 has w49020), and its own number:
 * "no123".  Rooms are "room0" (half of all messages), "room1" (a quarter) ...
 */
#include "base/hash.h"
#include "base/prng.h"
#include "base/sys.h"
#include "raw.h"
#include "store/history.h"
#include "trust/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN_SEGMENT = 10, IN_COMMIT = 100, ROOMS = 20, WORDS = 12, VOCABULARY = 50000, APART_MS = 10000, RING = 16 << 20 };

static struct history *store;
static struct identity *id;
static struct prng prng = {1};
static uint64_t epoch, pos, hlc;
static struct room {
    char name[16];
    uint64_t id, seq;
    uint8_t head[HASH_LEN];
} room[ROOMS];

/* A segment that grows. */
static struct growing {
    struct room *room;
    uint8_t frames[(IN_SEGMENT + 1) * FRAME_MAX];
    uint64_t first_seq, hlc_min;
    size_t len;
} growing;

static void add(uint8_t *f, int n)
{
    if (n < 0)
        die("a frame that cannot be");
    frame_set_origin(f, identity_host(id));
    frame_set_epoch(f, epoch);
    frame_set_seq(f, ++growing.room->seq);
    frame_set_hlc(f, hlc);
    memcpy(growing.frames + growing.len, f, (size_t)n);
    growing.len += (size_t)n;
}

static void say(uint64_t number)
{
    char text[256], user[8];
    uint8_t f[FRAME_MAX];
    int n = sprintf(text, "no%llu", (unsigned long long)number);
    for (int i = 0; i < WORDS; i++) {
        double chance = (double)(prng_below(&prng, 1 << 20) + 1) / (1 << 20);
        double rank = 1 / (chance * chance); /* few are frequent */
        n += sprintf(text + n, " w%u", (unsigned)(rank < 18 ? 0 : (uint64_t)rank % VOCABULARY));
    }
    snprintf(user, sizeof user, "user%u", (unsigned)prng_below(&prng, 50));
    struct say s = {text_of(user), {text, (size_t)n}};
    add(f, write_say(f, &s, growing.room->id, 77, (uint32_t)number, 0));
}

static void seal(void)
{
    struct sealed head = {.first_seq = growing.first_seq, .last_seq = growing.room->seq};
    memcpy(head.prev, growing.room->head, HASH_LEN);
    seal_hash(head.prev, growing.frames, growing.len, &(struct after){0}, head.hash);
    seal_sign(id, epoch, growing.room->id, &head);
    memcpy(growing.room->head, head.hash, HASH_LEN);
    struct history_segment s = {
        .origin = identity_host(id), .epoch = epoch, .room = growing.room->id, .first_seq = head.first_seq, .last_seq = head.last_seq,
        .hlc_min = growing.hlc_min, .hlc_max = hlc, .pos = pos, .prev = head.prev, .hash = head.hash, .signature = head.signature,
        .frames = growing.frames, .len = growing.len};
    for (size_t at = 0; at < growing.len; at += frame_stride(growing.frames + at)) {
        frame_set_pos(growing.frames + at, pos);
        pos += frame_stride(growing.frames + at);
    }
    if (history_add(store, &s) < 0 ||
        history_room(store, growing.room->id, text_of(growing.room->name), IN_SEGMENT, hlc) < 0)
        die("cannot store a segment");
}

static struct room *pick(unsigned rooms)
{
    unsigned i = 0;
    while (i + 1 < rooms && prng_below(&prng, 2))
        i++;
    return &room[i];
}

static void segment(unsigned rooms, uint64_t first)
{
    uint8_t f[FRAME_MAX];
    growing.room = pick(rooms);
    growing.len = 0;
    growing.first_seq = growing.room->seq + 1;
    growing.hlc_min = hlc += (uint64_t)APART_MS << 16;
    if (growing.room->seq == 0) {
        struct room_change c = {.room = text_of(growing.room->name)};
        add(f, write_room_change(f, FRAME_CREATE, &c, growing.room->id, 0, 0));
    }
    for (uint64_t i = 0; i < IN_SEGMENT; i++, hlc += (uint64_t)APART_MS << 16)
        say(first + i);
    seal();
}

static void open_all(const char *dir)
{
    char path[4096], why[256] = "cannot open the directory";
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/history.db", dir);
    if (fd < 0 || identity_load(&id, fd, why, sizeof why) < 0 || history_open(&store, path, why, sizeof why) < 0)
        die("%s", why);
    uint64_t ring;
    history_durable(store, &pos, &ring);
    pos += 2 * RING;
}

int main(int argc, char **argv)
{
    if (argc != 4 || atoi(argv[3]) < 1 || atoi(argv[3]) > ROOMS)
        die("usage: fill STATE-DIRECTORY MESSAGES ROOMS(1..%d)", ROOMS);
    uint64_t n = strtoull(argv[2], NULL, 10), segments = (n + IN_SEGMENT - 1) / IN_SEGMENT;
    uint64_t spent = segments * (IN_SEGMENT + 1) * APART_MS;
    open_all(argv[1]);
    epoch = wall_ms() << 16;
    hlc = (wall_ms() - min_u64(spent, wall_ms() / 2)) << 16;
    for (unsigned i = 0; i < ROOMS; i++) {
        snprintf(room[i].name, sizeof room[i].name, "room%u", i);
        room[i].id = room_id(text_of(room[i].name));
    }
    for (uint64_t done = 0; done < n;) {
        if (history_begin(store, pos) < 0)
            die("cannot begin");
        for (unsigned i = 0; i < IN_COMMIT && done < n; i++, done += IN_SEGMENT)
            segment((unsigned)atoi(argv[3]), done);
        if (history_commit(store, pos, RING) < 0)
            die("cannot commit");
    }
    history_close(store);
    return 0;
}
