/* entry.c -- written and read: what is stored: entries of streams. */
#include "frame/entry.h"

#include "base/direct.h"
#include "frame/fields.h"

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
    return body_done(&r);
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
    return body_done(&r);
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

void write_act(struct wr *w, const struct room_act *a)
{
    wr_u8(w, a->act);
    wr_u8(w, a->mode);
    wr_u64(w, a->host);
    wr_within(w, a->user, USER_NAME_MAX);
    w->bad |= a->target.len > USER_NAME_MAX || a->topic.len > TOPIC_MAX;
    wr_text(w, a->target);
    wr_bytes(w, a->topic.p, a->topic.len);
}

void read_act(struct rd *r, struct room_act *a)
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
    write_act(&w, a);
    return frame_end(buf, &w);
}

int read_room_act(const uint8_t *f, struct room_act *a)
{
    struct rd r = body_of(f);
    read_act(&r, a);
    return body_done(&r);
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
    return body_done(&r);
}
