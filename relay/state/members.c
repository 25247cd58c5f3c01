/* members.c -- who says of whom that he belongs to us, as sets that only grow. */
#include "state/members.h"

enum { MESH_MAX = 16 /* hosts that are all linked with each other */ };

void members_init(struct members *m, uint64_t self)
{
    memset(m, 0, sizeof *m);
    m->member[0].host = self;
    m->n = 1;
}

int members_find(const struct members *m, uint64_t host)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->member[i].host == host)
            return (int)i;
    return -1;
}

/* ---- what is said ---- */

static bool has(const uint64_t *set, int bit)
{
    return set[bit / 64] >> (bit % 64) & 1;
}

static void put(uint64_t *set, int bit)
{
    set[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static size_t set_of(enum member_op op)
{
    return op == MEMBER_FULL ? MEMBERS_FULL : op == MEMBER_GUEST ? MEMBERS_GUEST : MEMBERS_REVOKED;
}

bool members_said(const struct members *m, int by, int of, enum member_op op)
{
    return has(m->member[of].by[set_of(op)], by);
}

/* open_slot -- of a host, its before-image kept; -1: the table is full. */
static int open_slot(struct members *m, struct undo *undo, const void *base, uint64_t host)
{
    int slot = members_find(m, host);
    if (slot < 0 && m->n == MEMBERS_MAX)
        return -1;
    if (slot < 0) {
        slot = (int)m->n;
        undo_save(undo, base, &m->n, sizeof m->n);
        m->n++;
    }
    undo_save(undo, base, &m->member[slot], sizeof m->member[slot]);
    m->member[slot].host = host;
    return slot;
}

/* newer -- does what `f` says of name and address count for more than what is there? */
static bool newer(const struct member *p, const uint8_t *f, bool own)
{
    const uint64_t a[] = {own, frame_hlc(f), frame_origin(f), frame_epoch(f), frame_seq(f)};
    const uint64_t b[] = {p->said.own, p->said.hlc, p->said.origin, p->said.epoch, p->said.seq};
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        if (a[i] != b[i])
            return a[i] > b[i];
    return false;
}

static void keep_text(char *to, struct text t)
{
    memcpy(to, t.p, t.len);
    to[t.len] = '\0';
}

void members_apply(struct members *m, struct undo *undo, const void *base, const uint8_t *f)
{
    struct member_entry e;
    if (read_member(f, &e) < 0)
        return;
    int by = open_slot(m, undo, base, frame_origin(f));
    int of = by < 0 ? -1 : open_slot(m, undo, base, e.host);
    if (of < 0)
        return;
    struct member *p = &m->member[of];
    bool own = by == of;
    memcpy(p->key, e.key, KEY_LEN);
    if (!own || e.op == MEMBER_REVOKE)
        put(p->by[set_of((enum member_op)e.op)], by);
    if (e.op != MEMBER_REVOKE && (newer(p, f, own))) {
        keep_text(p->name, e.name);
        keep_text(p->address, e.address);
        p->said.own = own;
        p->said.hlc = frame_hlc(f);
        p->said.origin = frame_origin(f);
        p->said.epoch = frame_epoch(f);
        p->said.seq = frame_seq(f);
    } else if (p->name[0] == '\0') { /* revoked before anybody spoke of it */
        keep_text(p->name, e.name);
        keep_text(p->address, e.address);
    }
    undo_save(undo, base, &m->version, sizeof m->version);
    m->version++;
}

/* ---- what it adds up to ---- */

static bool meet(const uint64_t a[MEMBER_WORDS], const uint64_t b[MEMBER_WORDS])
{
    for (size_t i = 0; i < MEMBER_WORDS; i++)
        if (a[i] & b[i])
            return true;
    return false;
}

void members_stand(const struct members *m, uint8_t standing[MEMBERS_MAX])
{
    uint64_t full[MEMBER_WORDS] = {1};
    int n = (int)m->n;
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < n; i++) {
            if (has(full, i) || !meet(m->member[i].by[MEMBERS_FULL], full))
                continue;
            put(full, i);
            more = true;
        }
    }
    for (int i = 0; i < n; i++) {
        const struct member *p = &m->member[i];
        bool guest = meet(p->by[MEMBERS_GUEST], full);
        standing[i] = has(full, i) ? STANDING_FULL : guest ? STANDING_GUEST : STANDING_NONE;
        bool revoked = meet(p->by[MEMBERS_REVOKED], full) || (has(p->by[MEMBERS_REVOKED], i) && standing[i] != STANDING_NONE);
        if (revoked)
            standing[i] = STANDING_REVOKED;
    }
}

bool members_guest(const struct members *m)
{
    static const uint64_t nobody[MEMBER_WORDS];
    const struct member *us = &m->member[0];
    return memcmp(us->by[MEMBERS_FULL], nobody, sizeof nobody) == 0 && memcmp(us->by[MEMBERS_GUEST], nobody, sizeof nobody) != 0;
}

static bool belongs(uint8_t standing)
{
    return standing == STANDING_FULL || standing == STANDING_GUEST;
}

void members_name(const struct members *m, const uint8_t standing[MEMBERS_MAX], int slot, char name[HOST_NAME_MAX_LEN + 1])
{
    static const char digit[] = "0123456789abcdef";
    const struct member *p = &m->member[slot];
    size_t len = strlen(p->name);
    memcpy(name, p->name, len + 1);
    for (uint32_t i = 0; i < m->n && belongs(standing[slot]); i++) {
        const struct member *q = &m->member[i];
        if (q->host >= p->host || !belongs(standing[i]) || strcmp(q->name, p->name) != 0)
            continue;
        len = min_size(len, HOST_NAME_MAX_LEN - 5);
        name[len++] = '-';
        for (unsigned k = 0; k < 4; k++)
            name[len++] = digit[p->host >> (4 * k) & 15];
        name[len] = '\0';
        return;
    }
}

bool members_near(const struct members *m, const uint8_t standing[MEMBERS_MAX], int a, int b)
{
    uint64_t x = m->member[a].host, y = m->member[b].host, low = min_u64(x, y), high = max_u64(x, y);
    uint32_t all = 0, between = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        uint64_t host = m->member[i].host;
        all += belongs(standing[i]);
        between += belongs(standing[i]) && host > low && host < high;
    }
    uint32_t one_way = between + 1, other_way = all - one_way;
    return all <= MESH_MAX || (one_way & (one_way - 1)) == 0 || (other_way & (other_way - 1)) == 0;
}
