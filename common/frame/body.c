/* body.c -- write and read what is inside a frame, type by type. */
#include "frame/body.h"

#include "base/direct.h"

#include <errno.h>

void write_envelope(uint8_t *to, const struct envelope *e)
{
    put_u32(to, ENVELOPE_MAGIC);
    put_u32(to + 4, e->session);
    memcpy(to + 8, e->secret, SECRET_LEN);
}

int read_envelope(const uint8_t *from, size_t len, struct envelope *e)
{
    if (len < ENVELOPE_LEN || get_u32(from) != ENVELOPE_MAGIC)
        return -EBADMSG;
    e->session = get_u32(from + 4);
    memcpy(e->secret, from + 8, SECRET_LEN);
    return 0;
}

static struct rd body_of(const uint8_t *f)
{
    return rd_from(frame_body(f), frame_body_len(f));
}

/* Names and FIFO names are judged while they are read: what is wrong sets the cursor's flag. */
static struct text rd_user(struct rd *r)
{
    struct text t = rd_text(r, USER_NAME_MAX);
    r->bad |= !text_user_ok(t);
    return t;
}

static struct text rd_host(struct rd *r)
{
    struct text t = rd_text(r, HOST_NAME_MAX_LEN);
    r->bad |= !text_host_ok(t);
    return t;
}

static struct text rd_room(struct rd *r)
{
    struct text t = rd_text(r, DIRECT_NAME_MAX);
    r->bad |= !direct_room_ok(t);
    return t;
}

/* rd_public -- a room that everybody may know of. */
static struct text rd_public(struct rd *r)
{
    struct text t = rd_text(r, ROOM_NAME_MAX);
    r->bad |= !text_room_ok(t);
    return t;
}

static struct text rd_sentence(struct rd *r)
{
    struct text t = rd_rest(r);
    r->bad |= t.len > SENTENCE_MAX || !text_utf8_ok(t);
    return t;
}

static void rd_fifo(struct rd *r, char fifo[FIFO_NAME_LEN + 1])
{
    rd_copy(r, fifo, FIFO_NAME_LEN);
    fifo[FIFO_NAME_LEN] = '\0';
    r->bad |= strspn(fifo, "0123456789abcdef") != FIFO_NAME_LEN;
}

/* wr_within -- text behind its length in one byte; an empty or longer one is bad. */
static void wr_within(struct wr *w, struct text t, size_t max)
{
    w->bad |= t.len < 1 || t.len > max;
    wr_text(w, t);
}

static int verdict(const struct rd *r)
{
    return rd_done(r) ? 0 : -EBADMSG;
}

int write_hello(uint8_t *buf, const struct hello *h, uint64_t client)
{
    struct wr w = frame_begin(buf, FRAME_HELLO);
    frame_set_client(buf, client);
    wr_u16(&w, h->version_min);
    wr_u16(&w, h->version_max);
    wr_bytes(&w, h->nonce, NONCE_LEN);
    wr_bytes(&w, h->fifo, FIFO_NAME_LEN);
    return frame_end(buf, &w);
}

int read_hello(const uint8_t *f, struct hello *h)
{
    struct rd r = body_of(f);
    h->version_min = rd_u16(&r);
    h->version_max = rd_u16(&r);
    rd_copy(&r, h->nonce, NONCE_LEN);
    rd_fifo(&r, h->fifo);
    return verdict(&r);
}

int write_welcome(uint8_t *buf, const struct welcome *w, uint64_t client, uint32_t last_seq,
                  uint64_t origin, uint64_t pos)
{
    struct wr to = frame_begin(buf, FRAME_WELCOME);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, last_seq);
    frame_set_origin(buf, origin);
    frame_set_pos(buf, pos);
    wr_bytes(&to, w->nonce, NONCE_LEN);
    wr_u32(&to, w->session);
    wr_bytes(&to, w->secret, SECRET_LEN);
    wr_u32(&to, w->window);
    wr_within(&to, w->user, USER_NAME_MAX);
    wr_within(&to, w->host, HOST_NAME_MAX_LEN);
    return frame_end(buf, &to);
}

int read_welcome(const uint8_t *f, struct welcome *w)
{
    struct rd r = body_of(f);
    rd_copy(&r, w->nonce, NONCE_LEN);
    w->session = rd_u32(&r);
    rd_copy(&r, w->secret, SECRET_LEN);
    w->window = rd_u32(&r);
    w->user = rd_user(&r);
    w->host = rd_host(&r);
    return verdict(&r);
}

int write_room_change(uint8_t *buf, enum frame_type type, const struct room_change *c,
                      uint64_t room, uint64_t client, uint32_t client_seq)
{
    struct wr w = frame_begin(buf, type);
    frame_set_room(buf, room);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    if (type == FRAME_CREATE)
        wr_u8(&w, 0);
    else
        wr_within(&w, c->user, USER_NAME_MAX);
    wr_within(&w, c->room, DIRECT_NAME_MAX);
    return frame_end(buf, &w);
}

int read_room_change(const uint8_t *f, struct room_change *c)
{
    struct rd r = body_of(f);
    c->user = frame_type(f) == FRAME_CREATE ? rd_text(&r, 0) : rd_user(&r);
    c->room = rd_room(&r);
    return verdict(&r);
}

int write_say(uint8_t *buf, const struct say *s, uint64_t room, uint64_t client,
              uint32_t client_seq, uint8_t flags)
{
    struct wr w = frame_begin(buf, FRAME_SAY);
    frame_set_room(buf, room);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    frame_set_flags(buf, flags);
    wr_within(&w, s->user, USER_NAME_MAX);
    w.bad |= s->text.len < 1 || s->text.len > TEXT_PART_MAX;
    wr_bytes(&w, s->text.p, s->text.len);
    return frame_end(buf, &w);
}

int read_say(const uint8_t *f, struct say *s)
{
    struct rd r = body_of(f);
    s->user = rd_user(&r);
    s->text = rd_rest(&r);
    r.bad |= s->text.len < 1 || s->text.len > TEXT_PART_MAX || !text_utf8_ok(s->text);
    return verdict(&r);
}

bool act_aims(uint8_t act)
{
    return act >= ACT_OP && act < ACTS_END;
}

bool act_of_mode(uint8_t act)
{
    return act == ACT_SET || act == ACT_UNSET;
}

/* act_ok -- is there all that this act needs, and nothing else? */
static bool act_ok(const struct room_act *a)
{
    bool everybody = text_eq(a->target, text_of("*")) && (a->act == ACT_BAN || a->act == ACT_UNBAN);
    if (a->act < ACT_OWN || a->act >= ACTS_END)
        return false;
    if (act_of_mode(a->act) ? a->mode == 0 || a->mode >= MODES_END : a->mode != 0)
        return false;
    if (act_aims(a->act) ? a->host == 0 || !(everybody || text_user_ok(a->target)) : a->host != 0 || a->target.len != 0)
        return false;
    return a->act == ACT_TOPIC ? a->topic.len <= TOPIC_MAX && text_utf8_ok(a->topic) : a->topic.len == 0;
}

static void wr_act(struct wr *w, const struct room_act *a)
{
    wr_u8(w, a->act);
    wr_u8(w, a->mode);
    wr_u64(w, a->host);
    wr_within(w, a->user, USER_NAME_MAX);
    w->bad |= a->target.len > USER_NAME_MAX || a->topic.len > TOPIC_MAX;
    wr_text(w, a->target);
    wr_bytes(w, a->topic.p, a->topic.len);
}

static void rd_act(struct rd *r, struct room_act *a)
{
    a->act = rd_u8(r);
    a->mode = rd_u8(r);
    a->host = rd_u64(r);
    a->user = rd_user(r);
    a->target = rd_text(r, USER_NAME_MAX);
    a->topic = rd_rest(r);
    r->bad |= !act_ok(a);
}

int write_room_act(uint8_t *buf, const struct room_act *a, uint64_t room, uint64_t client, uint32_t client_seq)
{
    struct wr w = frame_begin(buf, FRAME_STATE);
    frame_set_room(buf, room);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    wr_act(&w, a);
    return frame_end(buf, &w);
}

int read_room_act(const uint8_t *f, struct room_act *a)
{
    struct rd r = body_of(f);
    rd_act(&r, a);
    return verdict(&r);
}

int write_query(uint8_t *buf, const struct query *q, uint64_t room, uint64_t client,
                uint32_t client_seq)
{
    struct wr w = frame_begin(buf, FRAME_QUERY);
    frame_set_room(buf, room);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    wr_u8(&w, q->kind);
    wr_u32(&w, q->limit);
    wr_u32(&w, q->uid);
    wr_u64(&w, q->after);
    wr_u64(&w, q->before);
    wr_u64(&w, q->since);
    wr_u64(&w, q->until);
    wr_u64(&w, q->key.hlc);
    wr_u64(&w, q->key.origin);
    wr_u64(&w, q->key.epoch);
    wr_u64(&w, q->key.seq);
    wr_bytes(&w, q->fifo, FIFO_NAME_LEN);
    wr_bytes(&w, q->wanted.p, q->wanted.len);
    return frame_end(buf, &w);
}

static bool is_query_kind(uint8_t kind)
{
    return kind == QUERY_SEARCH || (kind >= QUERY_CATCHUP && kind <= QUERY_ROOMS) || kind == QUERY_STATE || (kind >= QUERY_TRACE && kind <= QUERY_PROBE);
}

int read_query(const uint8_t *f, struct query *q)
{
    struct rd r = body_of(f);
    q->kind = rd_u8(&r);
    q->limit = rd_u32(&r);
    q->uid = rd_u32(&r);
    q->after = rd_u64(&r);
    q->before = rd_u64(&r);
    q->since = rd_u64(&r);
    q->until = rd_u64(&r);
    q->key.hlc = rd_u64(&r);
    q->key.origin = rd_u64(&r);
    q->key.epoch = rd_u64(&r);
    q->key.seq = rd_u64(&r);
    rd_fifo(&r, q->fifo);
    q->wanted = rd_rest(&r);
    r.bad |= !is_query_kind(q->kind) || (q->wanted.len > 0) != (q->kind == QUERY_SEARCH) || !text_utf8_ok(q->wanted);
    return verdict(&r);
}

int write_ack(uint8_t *buf, uint64_t client, uint32_t client_seq, uint64_t pos)
{
    struct wr w = frame_begin(buf, FRAME_ACK);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    frame_set_pos(buf, pos);
    return frame_end(buf, &w);
}

int write_reasoned(uint8_t *buf, enum frame_type type, const struct reasoned *r,
                   uint64_t client, uint32_t client_seq)
{
    struct wr w = frame_begin(buf, type);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    wr_u8(&w, r->reason);
    wr_bytes(&w, r->text.p, r->text.len);
    return frame_end(buf, &w);
}

int read_reasoned(const uint8_t *f, struct reasoned *r)
{
    struct rd from = body_of(f);
    r->reason = rd_u8(&from);
    r->text = rd_sentence(&from);
    return verdict(&from);
}

int write_host(uint8_t *buf, uint64_t origin, struct text name)
{
    struct wr w = frame_begin(buf, FRAME_HOST);
    frame_set_origin(buf, origin);
    wr_within(&w, name, HOST_NAME_MAX_LEN);
    return frame_end(buf, &w);
}

int read_host(const uint8_t *f, struct text *name)
{
    struct rd r = body_of(f);
    *name = rd_host(&r);
    return verdict(&r);
}

int write_end(uint8_t *buf, const struct end *e, uint64_t client, uint32_t client_seq)
{
    struct wr w = frame_begin(buf, FRAME_END);
    frame_set_client(buf, client);
    frame_set_client_seq(buf, client_seq);
    wr_u64(&w, e->pos);
    wr_u32(&w, e->count);
    wr_u8(&w, e->more);
    wr_u8(&w, e->reason);
    wr_bytes(&w, e->text.p, e->text.len);
    return frame_end(buf, &w);
}

int read_end(const uint8_t *f, struct end *e)
{
    struct rd r = body_of(f);
    e->pos = rd_u64(&r);
    e->count = rd_u32(&r);
    e->more = rd_u8(&r);
    e->reason = rd_u8(&r);
    e->text = rd_sentence(&r);
    r.bad |= e->more > 1;
    return verdict(&r);
}

int write_room_row(uint8_t *buf, const struct room_row *r, uint64_t room, uint64_t hlc)
{
    struct wr w = frame_begin(buf, FRAME_ROOM);
    frame_set_room(buf, room);
    frame_set_hlc(buf, hlc);
    wr_u32(&w, r->members);
    wr_u64(&w, r->messages);
    wr_within(&w, r->name, DIRECT_NAME_MAX);
    w.bad |= r->topic.len > TOPIC_MAX;
    wr_bytes(&w, r->topic.p, r->topic.len);
    return frame_end(buf, &w);
}

int read_room_row(const uint8_t *f, struct room_row *r)
{
    struct rd from = body_of(f);
    r->members = rd_u32(&from);
    r->messages = rd_u64(&from);
    r->name = rd_room(&from);
    r->topic = rd_rest(&from);
    from.bad |= r->topic.len > TOPIC_MAX || !text_utf8_ok(r->topic);
    return verdict(&from);
}

int write_who_row(uint8_t *buf, const struct who_row *r, uint64_t room, uint64_t origin)
{
    struct wr w = frame_begin(buf, FRAME_WHO);
    frame_set_room(buf, room);
    frame_set_origin(buf, origin);
    wr_u32(&w, r->sessions);
    wr_within(&w, r->user, USER_NAME_MAX);
    wr_within(&w, r->host, HOST_NAME_MAX_LEN);
    return frame_end(buf, &w);
}

int read_who_row(const uint8_t *f, struct who_row *r)
{
    struct rd from = body_of(f);
    r->sessions = rd_u32(&from);
    r->user = rd_user(&from);
    r->host = rd_host(&from);
    return verdict(&from);
}

int write_trace_row(uint8_t *buf, const struct trace_row *t, uint64_t origin)
{
    struct wr w = frame_begin(buf, FRAME_TRACE);
    frame_set_origin(buf, origin);
    wr_u8(&w, t->state);
    wr_u64(&w, t->since_ms);
    wr_within(&w, t->host, HOST_NAME_MAX_LEN);
    return frame_end(buf, &w);
}

int read_trace_row(const uint8_t *f, struct trace_row *t)
{
    struct rd r = body_of(f);
    t->state = rd_u8(&r);
    t->since_ms = rd_u64(&r);
    t->host = rd_host(&r);
    r.bad |= t->state < TRACE_HAS || t->state > TRACE_UNSURE;
    return verdict(&r);
}

int write_hops(uint8_t *buf, const struct hops *h)
{
    struct wr w = frame_begin(buf, FRAME_HOPS);
    for (size_t i = 0; i < HOPS; i++)
        wr_u64(&w, h->at_us[i]);
    return frame_end(buf, &w);
}

int read_hops(const uint8_t *f, struct hops *h)
{
    struct rd r = body_of(f);
    for (size_t i = 0; i < HOPS; i++)
        h->at_us[i] = rd_u64(&r);
    return verdict(&r);
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
    return verdict(&r);
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
    return verdict(&r);
}

int write_fact_row(uint8_t *buf, const struct fact_row *r, uint64_t room)
{
    struct wr w = frame_begin(buf, FRAME_FACT);
    frame_set_room(buf, room);
    w.bad |= r->why.len > FACT_WHY_MAX;
    wr_text(&w, r->why);
    wr_act(&w, &r->act);
    return frame_end(buf, &w);
}

int read_fact_row(const uint8_t *f, struct fact_row *r)
{
    struct rd from = body_of(f);
    r->why = rd_text(&from, FACT_WHY_MAX);
    from.bad |= !text_utf8_ok(r->why);
    rd_act(&from, &r->act);
    return verdict(&from);
}

int write_segment(uint8_t *buf, const struct segment_head *s, uint64_t origin, uint64_t epoch,
                  uint64_t room, uint64_t last_seq, uint64_t last_hlc)
{
    struct wr w = frame_begin(buf, FRAME_SEGMENT);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, last_seq);
    frame_set_hlc(buf, last_hlc);
    wr_u32(&w, s->count);
    wr_u32(&w, s->bytes);
    wr_u64(&w, s->first_seq);
    wr_bytes(&w, s->prev, HASH_LEN);
    wr_bytes(&w, s->hash, HASH_LEN);
    wr_bytes(&w, s->signature, SIGNATURE_LEN);
    return frame_end(buf, &w);
}

int read_segment(const uint8_t *f, struct segment_head *s)
{
    struct rd r = body_of(f);
    s->count = rd_u32(&r);
    s->bytes = rd_u32(&r);
    s->first_seq = rd_u64(&r);
    rd_copy(&r, s->prev, HASH_LEN);
    rd_copy(&r, s->hash, HASH_LEN);
    rd_copy(&r, s->signature, SIGNATURE_LEN);
    return verdict(&r);
}

int write_due(uint8_t *buf, uint32_t bytes, uint64_t room)
{
    struct wr w = frame_begin(buf, FRAME_DUE);
    frame_set_room(buf, room);
    wr_u32(&w, bytes);
    return frame_end(buf, &w);
}

int read_due(const uint8_t *f, uint32_t *bytes)
{
    struct rd r = body_of(f);
    *bytes = rd_u32(&r);
    return verdict(&r);
}

int read_sealed(const uint8_t *segment, struct sealed *s)
{
    struct segment_head h;
    int r = read_segment(segment, &h);
    s->first_seq = h.first_seq;
    s->last_seq = frame_seq(segment);
    memcpy(s->prev, h.prev, HASH_LEN);
    memcpy(s->hash, h.hash, HASH_LEN);
    memcpy(s->signature, h.signature, SIGNATURE_LEN);
    return r;
}

static void wr_sealed(struct wr *w, const struct sealed *s)
{
    wr_u64(w, s->first_seq);
    wr_u64(w, s->last_seq);
    wr_bytes(w, s->prev, HASH_LEN);
    wr_bytes(w, s->hash, HASH_LEN);
    wr_bytes(w, s->signature, SIGNATURE_LEN);
}

static void rd_sealed(struct rd *r, struct sealed *s)
{
    s->first_seq = rd_u64(r);
    s->last_seq = rd_u64(r);
    rd_copy(r, s->prev, HASH_LEN);
    rd_copy(r, s->hash, HASH_LEN);
    rd_copy(r, s->signature, SIGNATURE_LEN);
    r->bad |= s->first_seq == 0 || s->last_seq < s->first_seq || s->last_seq == UINT64_MAX;
}

int write_chain(uint8_t *buf, const struct sealed *s, size_t n, uint64_t origin, uint64_t epoch, uint64_t room,
                uint64_t point)
{
    struct wr w = frame_begin(buf, FRAME_CHAIN);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, point);
    for (size_t i = 0; i < n; i++)
        wr_sealed(&w, &s[i]);
    return frame_end(buf, &w);
}

int read_chain(const uint8_t *f, struct sealed s[CHAIN_HEADS_MAX])
{
    struct rd r = body_of(f);
    int n = 0;
    for (; !r.bad && rd_left(&r) > 0; n++)
        rd_sealed(&r, &s[n]);
    return rd_done(&r) ? n : -EBADMSG;
}

int write_gap(uint8_t *buf, const struct gap *g, uint64_t origin, uint64_t epoch, uint64_t room, uint64_t hlc_max)
{
    struct wr w = frame_begin(buf, FRAME_GAP);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, g->last.last_seq);
    frame_set_hlc(buf, hlc_max);
    wr_u8(&w, g->why);
    wr_u64(&w, g->first_seq);
    wr_u64(&w, g->hlc_min);
    wr_u32(&w, g->messages);
    wr_sealed(&w, &g->last);
    return frame_end(buf, &w);
}

int read_gap(const uint8_t *f, struct gap *g)
{
    struct rd r = body_of(f);
    g->why = rd_u8(&r);
    g->first_seq = rd_u64(&r);
    g->hlc_min = rd_u64(&r);
    g->messages = rd_u32(&r);
    rd_sealed(&r, &g->last);
    r.bad |= g->why < GAP_OLD || g->why > GAP_AWAY || g->first_seq == 0 || g->first_seq > g->last.first_seq ||
             g->last.last_seq != frame_seq(f) || frame_seq(f) > INT64_MAX || g->messages > frame_seq(f) - g->first_seq + 1 ||
             g->hlc_min > frame_hlc(f);
    return verdict(&r);
}

int write_gone(uint8_t *buf, const struct gone *g, uint64_t origin, uint64_t room, uint64_t hlc_max)
{
    struct wr w = frame_begin(buf, FRAME_GONE);
    frame_set_origin(buf, origin);
    frame_set_room(buf, room);
    frame_set_hlc(buf, hlc_max);
    wr_u8(&w, g->why);
    wr_u64(&w, g->messages);
    wr_u64(&w, g->hlc_min);
    return frame_end(buf, &w);
}

int read_gone(const uint8_t *f, struct gone *g)
{
    struct rd r = body_of(f);
    g->why = rd_u8(&r);
    g->messages = rd_u64(&r);
    g->hlc_min = rd_u64(&r);
    r.bad |= g->why < GAP_OLD || g->why > GAP_AWAY || g->hlc_min > frame_hlc(f);
    return verdict(&r);
}

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
    return verdict(&r);
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
    return verdict(&r);
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
    return verdict(&r);
}

int write_presence(uint8_t *buf, const struct presence_row *p, uint64_t origin, uint64_t epoch, uint64_t room,
                   uint64_t version)
{
    struct wr w = frame_begin(buf, FRAME_PRESENCE);
    frame_set_origin(buf, origin);
    frame_set_epoch(buf, epoch);
    frame_set_room(buf, room);
    frame_set_seq(buf, version);
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
    p->sessions = rd_u32(&r);
    quiet = rd_u8(&r);
    p->quiet = quiet == 1;
    p->user = rd_user(&r);
    p->room = rd_public(&r);
    r.bad |= quiet > 1;
    return verdict(&r);
}

int write_member(uint8_t *buf, const struct member_entry *e)
{
    struct wr w = frame_begin(buf, FRAME_MEMBER);
    frame_set_room(buf, MEMBERS_ROOM);
    wr_u8(&w, e->op);
    wr_u64(&w, e->host);
    wr_bytes(&w, e->key, KEY_LEN);
    wr_within(&w, e->name, HOST_NAME_MAX_LEN);
    wr_within(&w, e->address, MEMBER_ADDRESS_MAX);
    return frame_end(buf, &w);
}

static bool printable(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] <= ' ' || t.p[i] > '~')
            return false;
    return t.len > 0;
}

int read_member(const uint8_t *f, struct member_entry *e)
{
    struct rd r = body_of(f);
    e->op = rd_u8(&r);
    e->host = rd_u64(&r);
    e->key = rd_bytes(&r, KEY_LEN);
    e->name = rd_host(&r);
    e->address = rd_text(&r, MEMBER_ADDRESS_MAX);
    r.bad |= e->op < MEMBER_FULL || e->op > MEMBER_REVOKE || e->host == 0 || !printable(e->address) ||
             frame_room(f) != MEMBERS_ROOM;
    return verdict(&r);
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
}

void read_beat_row(struct rd *r, struct beat_row *b)
{
    b->host = rd_u64(r);
    b->epoch = rd_u64(r);
    b->beat = rd_u64(r);
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
    return verdict(&r);
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
    return verdict(&r);
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
    return verdict(&r);
}
