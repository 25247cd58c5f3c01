/* peer.c -- written and read: what relays say to each other. */
#include "frame/peer.h"

#include "frame/fields.h"

int write_greeting(uint8_t *buf, const struct greeting *g, uint64_t origin, uint64_t epoch)
{
    struct wr w = frame_begin(buf, FRAME_GREETING);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    wr_u16(&w, g->version_min);
    wr_u16(&w, g->version_max);
    wr_u64(&w, g->wall_ms);
    wr_u64(&w, g->nonce);
    wr_within(&w, g->name, HOST_NAME_MAX_LEN);
    wr_bytes(&w, g->host, g->n_hosts * 8);
    return frame_end(buf, &w);
}

/* rd_hosts -- all that is left, as numbers of hosts. */
static const uint8_t *rd_hosts(struct rd *r, size_t *n)
{
    struct text rest = rd_rest(r);
    *n = rest.len / 8;
    r->bad |= rest.len % 8 != 0;
    return (const uint8_t *)rest.p;
}

int read_greeting(const uint8_t *f, struct greeting *g)
{
    struct rd r = body_of(f);
    g->version_min = rd_u16(&r);
    g->version_max = rd_u16(&r);
    g->wall_ms = rd_u64(&r);
    g->nonce = rd_u64(&r);
    g->name = rd_host(&r);
    g->host = rd_hosts(&r, &g->n_hosts);
    return body_done(&r);
}

int write_enrol(uint8_t *buf, const struct enrol *e)
{
    struct wr w = frame_begin(buf, FRAME_ENROL);
    wr_bytes(&w, e->secret, SECRET_LEN);
    wr_within(&w, e->name, HOST_NAME_MAX_LEN);
    wr_within(&w, e->address, ENROL_ADDRESS_MAX);
    return frame_end(buf, &w);
}

int read_enrol(const uint8_t *f, struct enrol *e)
{
    struct rd r = body_of(f);
    rd_copy(&r, e->secret, SECRET_LEN);
    e->name = rd_host(&r);
    e->address = rd_text(&r, ENROL_ADDRESS_MAX);
    return body_done(&r);
}

void write_digest_row(struct wr *w, const struct digest_row *d)
{
    wr_u64(w, d->origin);
    for (unsigned i = 0; i < RUNS_APART; i++)
        wr_u64(w, d->from[i]);
    for (unsigned i = 0; i <= RUNS_APART; i++)
        wr_u64(w, d->sum[i]);
}

void read_digest_row(struct rd *r, struct digest_row *d)
{
    d->origin = rd_u64(r);
    for (unsigned i = 0; i < RUNS_APART; i++)
        d->from[i] = rd_u64(r);
    for (unsigned i = 0; i <= RUNS_APART; i++)
        d->sum[i] = rd_u64(r);
}

void write_same_row(struct wr *w, const struct same_row *s)
{
    wr_u64(w, s->origin);
    for (unsigned i = 0; i < RUNS_APART; i++)
        wr_u64(w, s->from[i]);
    wr_u8(w, s->parts);
}

void read_same_row(struct rd *r, struct same_row *s)
{
    s->origin = rd_u64(r);
    for (unsigned i = 0; i < RUNS_APART; i++)
        s->from[i] = rd_u64(r);
    s->parts = rd_u8(r);
}

void write_have_row(struct wr *w, const struct have_row *r)
{
    wr_u64(w, r->origin);
    wr_u64(w, r->epoch);
    wr_u64(w, r->room);
    wr_u64(w, r->seq);
    wr_bytes(w, r->head, HEAD_LEN);
}

void read_have_row(struct rd *r, struct have_row *row)
{
    row->origin = rd_u64(r);
    row->epoch = rd_u64(r);
    row->room = rd_u64(r);
    row->seq = rd_u64(r);
    rd_copy(r, row->head, HEAD_LEN);
}

int write_feed_order(uint8_t *buf, const struct feed_order *o, uint64_t feed)
{
    struct wr w = frame_begin(buf, FRAME_FEED);
    frame_set_client(buf, feed);
    wr_u8(&w, o->op);
    wr_u32(&w, o->credit);
    wr_bytes(&w, o->host, o->n_hosts * 8);
    return frame_end(buf, &w);
}

int read_feed_order(const uint8_t *f, struct feed_order *o)
{
    struct rd r = body_of(f);
    o->op = rd_u8(&r);
    o->credit = rd_u32(&r);
    o->host = rd_hosts(&r, &o->n_hosts);
    return body_done(&r);
}

/* rd_public -- a room that everybody may know of. */
static struct text rd_public(struct rd *r)
{
    struct text t = rd_text(r, ROOM_NAME_MAX);
    r->bad |= !text_room_ok(t);
    return t;
}

int write_presence(uint8_t *buf, const struct presence_row *p, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t version)
{
    static const uint8_t none[SIGNATURE_LEN];
    struct wr w = frame_begin(buf, FRAME_PRESENCE);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, version);
    wr_bytes(&w, p->signature ? p->signature : none, SIGNATURE_LEN);
    wr_u32(&w, p->sessions);
    wr_u8(&w, p->quiet);
    wr_within(&w, p->user, USER_NAME_MAX);
    wr_within(&w, p->room, ROOM_NAME_MAX);
    return frame_end(buf, &w);
}

int read_presence(const uint8_t *f, struct presence_row *p)
{
    struct rd r = body_of(f);
    uint8_t quiet;
    p->signature = rd_bytes(&r, SIGNATURE_LEN);
    p->sessions = rd_u32(&r);
    quiet = rd_u8(&r);
    p->quiet = quiet == 1;
    p->user = rd_user(&r);
    p->room = rd_public(&r);
    r.bad |= quiet > 1;
    return body_done(&r);
}

int write_caught(uint8_t *buf, uint64_t feed)
{
    struct wr w = frame_begin(buf, FRAME_CAUGHT);
    frame_set_client(buf, feed);
    return frame_end(buf, &w);
}

void write_beat_row(struct wr *w, const struct beat_row *b)
{
    wr_u64(w, b->host);
    wr_u64(w, b->epoch);
    wr_u64(w, b->beat);
    wr_bytes(w, b->signature, SIGNATURE_LEN);
}

void read_beat_row(struct rd *r, struct beat_row *b)
{
    b->host = rd_u64(r);
    b->epoch = rd_u64(r);
    b->beat = rd_u64(r);
    rd_copy(r, b->signature, SIGNATURE_LEN);
}

int write_links(uint8_t *buf, uint64_t origin, uint64_t epoch, uint64_t version, const uint64_t *link, size_t n)
{
    struct wr w = frame_begin(buf, FRAME_LINKS);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_seq(buf, version);
    for (size_t i = 0; i < n; i++)
        wr_u64(&w, link[i]);
    return frame_end(buf, &w);
}

int read_links(const uint8_t *f, struct links_row *row)
{
    struct rd r = body_of(f);
    row->link = rd_hosts(&r, &row->n);
    return body_done(&r);
}

int write_tunnel(uint8_t *buf, const struct tunnel_part *p, uint64_t origin)
{
    struct wr w = frame_begin(buf, FRAME_TUNNEL);
    frame_set_origin(buf, origin);
    wr_u64(&w, p->to);
    wr_u64(&w, p->id);
    wr_u8(&w, p->op);
    wr_u8(&w, p->hops);
    wr_bytes(&w, p->bytes, p->len);
    return frame_end(buf, &w);
}

int read_tunnel(const uint8_t *f, struct tunnel_part *p)
{
    struct rd r = body_of(f);
    p->to = rd_u64(&r);
    p->id = rd_u64(&r);
    p->op = rd_u8(&r);
    p->hops = rd_u8(&r);
    p->len = r.bad ? 0 : rd_left(&r);
    p->bytes = rd_bytes(&r, p->len);
    r.bad |= p->op < TUNNEL_OPEN || p->op > TUNNEL_CLOSE || (p->op == TUNNEL_CREDIT && p->len != 4) ||
             (p->op != TUNNEL_CREDIT && p->op != TUNNEL_BYTES && p->len != 0);
    return body_done(&r);
}

int write_ping(uint8_t *buf, enum frame_type type, uint64_t sent_ms)
{
    struct wr w = frame_begin(buf, type);
    wr_u64(&w, sent_ms);
    return frame_end(buf, &w);
}

int read_ping(const uint8_t *f, uint64_t *sent_ms)
{
    struct rd r = body_of(f);
    *sent_ms = rd_u64(&r);
    return body_done(&r);
}

int write_knock(uint8_t *buf, uint64_t number, uint64_t host)
{
    struct wr w = frame_begin(buf, FRAME_KNOCK);
    frame_set_origin(buf, host);
    wr_u64(&w, number);
    return frame_end(buf, &w);
}

int read_knock(const uint8_t *f, uint64_t *number)
{
    struct rd r = body_of(f);
    *number = rd_u64(&r);
    return body_done(&r);
}

int write_echo(uint8_t *buf, const struct echo *e)
{
    struct wr w = frame_begin(buf, FRAME_ECHO);
    wr_u64(&w, e->number);
    wr_u64(&w, e->sent_us);
    wr_u64(&w, e->back_us);
    return frame_end(buf, &w);
}

int read_echo(const uint8_t *f, struct echo *e)
{
    struct rd r = body_of(f);
    e->number = rd_u64(&r);
    e->sent_us = rd_u64(&r);
    e->back_us = rd_u64(&r);
    return body_done(&r);
}
