/* fields.c -- names, read and judged in one step. */
#include "frame/fields.h"

#include "base/direct.h"

struct text rd_user(struct rd *r)
{
    struct text t = rd_text(r, USER_NAME_MAX);
    r->bad |= !text_user_ok(t);
    return t;
}

struct text rd_host(struct rd *r)
{
    struct text t = rd_text(r, HOST_NAME_MAX_LEN);
    r->bad |= !text_host_ok(t);
    return t;
}

struct text rd_room(struct rd *r)
{
    struct text t = rd_text(r, DIRECT_NAME_MAX);
    r->bad |= !direct_room_ok(t);
    return t;
}

void wr_within(struct wr *w, struct text t, size_t max)
{
    w->bad |= t.len < 1 || t.len > max;
    wr_text(w, t);
}
