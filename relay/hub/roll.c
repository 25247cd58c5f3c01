/* roll.c -- the members of this network: what this host says of them, and whom all that was said makes its peers. */
#include "hub/hub.h"

#include "base/log.h"
#include "base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* say -- an entry of our stream.  Returns 0, or -EAGAIN when the journal is full for now. */
static int say(struct hub *h, const struct peer *p, enum member_op op)
{
    struct state *st = h->st;
    uint8_t frame[FRAME_MAX];
    uint64_t wall = wall_ms();
    struct member_entry e = {(uint8_t)op, p->host, p->key, text_of(p->name), text_of(p->address)};
    int n = write_member(frame, &e);
    ASSERT(n > 0);
    hub_take_lock(h);
    uint32_t room = roster_room(&st->seg->roster, MEMBERS_ROOM);
    int r = room ? state_room_for(st, FRAME_MAX) : -EAGAIN;
    if (r == 0) {
        roster_room_edit(&st->edit, room);
        uint8_t *put = state_put(st, frame);
        state_stamp(st, put, room, wall);
        members_apply(&st->seg->members, &st->seg->undo, st->seg, put);
    }
    state_publish(st);
    state_give(st);
    state_ring_all(st);
    return r < 0 ? -EAGAIN : 0;
}

static bool said(const struct members *m, uint64_t host, enum member_op op)
{
    int slot = members_find(m, host);
    return slot >= 0 && members_said(m, 0, slot, op);
}

/* say_ourselves -- what we are called and where we are, when it is news. */
static int say_ourselves(struct hub *h, const struct members *m)
{
    struct peer us = {.host = h->core.self};
    const struct member *now = &m->member[0];
    snprintf(us.name, sizeof us.name, "%s", h->st->seg->shape.host);
    snprintf(us.address, sizeof us.address, "%s", h->address);
    memcpy(us.key, tls_own_key(h->tls), KEY_LEN);
    if (now->said.own && strcmp(now->name, us.name) == 0 && strcmp(now->address, us.address) == 0)
        return 0;
    return say(h, &us, MEMBER_FULL);
}

int hub_say_members(struct hub *h, const struct peers *ours, const struct peers *revoked)
{
    const struct members *m = &h->st->seg->members; /* nobody else changes it */
    int r = ours->n > 0 || m->n > 1 ? say_ourselves(h, m) : 0;
    for (size_t i = 0; r == 0 && i < ours->n; i++) {
        const struct peer *p = &ours->peer[i];
        enum member_op op = p->guest ? MEMBER_GUEST : MEMBER_FULL;
        if (p->host != h->core.self && !said(m, p->host, op) && !said(m, p->host, MEMBER_REVOKE))
            r = say(h, p, op);
    }
    for (size_t i = 0; r == 0 && i < revoked->n; i++)
        if (!said(m, revoked->peer[i].host, MEMBER_REVOKE))
            r = say(h, &revoked->peer[i], MEMBER_REVOKE);
    return r;
}

void hub_forget_revoked(const struct hub *h, const struct peers *ours)
{
    const struct members *m = &h->st->seg->members;
    uint8_t standing[MEMBERS_MAX];
    members_stand(m, standing);
    for (size_t i = 0; i < ours->n; i++) {
        int slot = members_find(m, ours->peer[i].host);
        if (slot > 0 && standing[slot] == STANDING_REVOKED && peers_remove(h->state_dir, ours->peer[i].host) < 0)
            log_warn("cannot take %s, which was revoked, out of the file `peers`", ours->peer[i].name);
    }
}

bool hub_members_ok(const uint8_t *frames, size_t len)
{
    struct member_entry e;
    for (size_t at = 0; at < len; at += frame_stride(frames + at))
        if (frame_type(frames + at) == FRAME_MEMBER && (read_member(frames + at, &e) < 0 || host_of_key(e.key) != e.host))
            return false;
    return true;
}

/* peer_of -- a slot of the table as a peer; false: it is none, not even of old. */
static bool peer_of(const struct members *m, const uint8_t standing[MEMBERS_MAX], int slot, struct peer *p)
{
    static const uint8_t none[KEY_LEN];
    const struct member *x = &m->member[slot];
    if (standing[slot] == STANDING_NONE || memcmp(x->key, none, KEY_LEN) == 0)
        return false;
    *p = (struct peer){.host = x->host, .guest = standing[slot] == STANDING_GUEST};
    members_name(m, standing, slot, p->name);
    snprintf(p->address, sizeof p->address, "%s", peer_address_ok(x->address) ? x->address : "-");
    memcpy(p->key, x->key, KEY_LEN);
    p->far = standing[slot] == STANDING_REVOKED || standing[0] == STANDING_REVOKED || !members_near(m, standing, 0, slot);
    return true;
}

void hub_members(struct hub *h, const struct peers *ours, struct peers *all)
{
    const struct members *m = &h->st->seg->members;
    uint8_t standing[MEMBERS_MAX];
    members_stand(m, standing);
    if (standing[0] == STANDING_REVOKED && !h->revoked)
        log_error("this host was revoked: no other will link with it; to come back, run relay rotate --force and be invited anew");
    if (m->n == MEMBERS_MAX)
        log_error("the table of hosts is full: hosts that join now are not known here");
    h->revoked = standing[0] == STANDING_REVOKED;
    all->n = 0;
    for (int i = 1; i < (int)m->n; i++) {
        struct peer *p = &all->peer[all->n];
        if (!peer_of(m, standing, i, p))
            continue;
        const struct peer *own = peers_by_host(ours, p->host);
        if (own) /* where we were told that it is, by whoever runs this host */
            memcpy(p->address, own->address, sizeof p->address);
        p->far &= !own || standing[i] == STANDING_REVOKED || h->revoked;
        all->n++;
    }
}
