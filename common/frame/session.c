/* session.c -- written and read: what passes between a client and its relay. */
#include "frame/session.h"

#include "base/direct.h"
#include "frame/fields.h"

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
    return body_done(&r);
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
    return body_done(&r);
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
    return body_done(&r);
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
    return body_done(&from);
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
    return body_done(&r);
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
    return body_done(&r);
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
    return body_done(&from);
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
    return body_done(&from);
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
    return body_done(&r);
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
    return body_done(&r);
}

int write_fact_row(uint8_t *buf, const struct fact_row *r, uint64_t room)
{
    struct wr w = frame_begin(buf, FRAME_FACT);
    frame_set_room(buf, room);
    w.bad |= r->why.len > FACT_WHY_MAX;
    wr_text(&w, r->why);
    write_act(&w, &r->act);
    return frame_end(buf, &w);
}

int read_fact_row(const uint8_t *f, struct fact_row *r)
{
    struct rd from = body_of(f);
    r->why = rd_text(&from, FACT_WHY_MAX);
    from.bad |= !text_utf8_ok(r->why);
    read_act(&from, &r->act);
    return body_done(&from);
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
    return body_done(&r);
}
