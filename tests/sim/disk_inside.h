/* disk_inside.h -- what the parts of a simulated disk share: disk.c, disk_blob.c, disk_commit.c, disk_read.c, disk_gone.c, disk_forks.c. */
#ifndef SIM_DISK_INSIDE_H
#define SIM_DISK_INSIDE_H

#include "sim.h"

#include "store/history.h"

enum { ACT_FRAME_MAX = 512 };

/* A segment, kept once however many hosts have it; its frames with pos zero. */
struct blob {
    struct blob *next; /* of the same bucket */
    unsigned refs;
    struct history_segment s; /* its pointers lead into `bytes` */
    uint8_t bytes[];
};

struct row {
    uint64_t batch, pos, last_pos; /* last_pos: of its last frame */
    struct blob *blob;
};

struct stream {
    uint64_t origin, epoch, room, last_seq;
    uint8_t head[HASH_LEN];
    struct {
        uint64_t last_seq, pos, stored_us;
        const struct blob *blob;
    } * at;
    uint32_t n;
    size_t max;
};

struct proof {
    uint8_t frame[FRAME_HEAD + 2 * sizeof(struct sealed)];
};

struct kept_room {
    uint64_t id, messages, last_hlc;
    char name[DIRECT_NAME_MAX + 1];
};

struct kept_act {
    uint8_t frame[ACT_FRAME_MAX];
};

struct kept_gap {
    uint8_t frame[FRAME_HEAD + 168];
};

struct kept_client {
    uint64_t client;
    uint32_t uid, last_seq;
};

struct kept_drop {
    uint64_t pos;
    uint32_t messages;
};

struct history {
    struct node *node;
    struct row *row;
    size_t n, max, n_before; /* n_before: where this transaction began */
    struct stream *stream;
    uint32_t n_streams;
    size_t max_streams;
    struct map map;       /* to a number of `stream` */
    struct row *by_stamp; /* the same rows by hlc_max */
    size_t n_by_stamp, max_by_stamp;
    struct proof *fork;
    uint32_t n_forks;
    struct kept_room room[ROOMS_TOP];
    struct kept_client client[CLIENTS_PER_NODE];
    uint32_t n_rooms, n_clients, n_new_rooms, n_new_clients;
    struct kept_room new_room[ROOMS_TOP];
    struct kept_client new_client[CLIENTS_PER_NODE];
    struct kept_act *act;
    size_t n_acts, max_acts, n_acts_before;
    struct kept_gap *gap; /* in the order of their pos */
    size_t n_gaps, max_gaps, n_gaps_before;
    struct kept_drop drop[PRUNE_SEGMENTS]; /* of this transaction */
    unsigned n_drops;
    uint64_t bytes;
    uint64_t durable, ring_size, newest_hlc, new_hlc, batch;
    bool full, tight; /* tight: has been full, what comes beside the commits may find no room */
    enum commit_fate fate;
};

/* ---- disk.c ---- */

void *copy_of(const void *p, size_t n);
struct stream *find_stream(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room);

/* ---- disk_blob.c ---- */

struct blob *blob_get(const struct history_segment *s); /* for one who has it, until he puts it back */
void blob_put(struct blob *b);

static inline struct sealed sealed_of(const struct history_segment *s)
{
    struct sealed head = {.first_seq = s->first_seq, .last_seq = s->last_seq};
    memcpy(head.prev, s->prev, HASH_LEN);
    memcpy(head.hash, s->hash, HASH_LEN);
    memcpy(head.signature, s->signature, SIGNATURE_LEN);
    return head;
}

/* ---- disk_read.c ---- */

size_t first_since(const struct history *h, uint64_t hlc); /* where in the order of stamps this one stands, or would */

/* ---- disk_gone.c ---- */

const uint8_t *gap_of(const struct history *h, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t seq); /* NULL: it is no gap */
void gaps_into_streams(struct history *h, uint64_t pos); /* those of this transaction before there: their streams go on behind them */
void drop_segment(struct history *h, const struct kept_drop *d); /* its stream has a gap there */

#endif
