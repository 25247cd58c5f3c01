/* scope.c -- names of rooms that say who may come, compared with users and hosts. */
#include "state/scope.h"

#include "base/mutant.h"
#include "frame/body.h"

static struct text room_name(const struct segment *seg, uint32_t slot)
{
    const struct room *r = &seg->roster.room[slot];
    return (struct text){r->name, r->name_len};
}

/* misnamed -- a host that does not go by the name we have for it would not take what is for its users. */
static bool misnamed(const struct segment *seg, uint64_t host)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (atomic_load(&seg->link[i].host) == host && atomic_load(&seg->link[i].misnamed))
            return true;
    return false;
}

/* host_name -- "", which is in no list, when it is not known, is called as this host is, or is misnamed. */
static struct text host_name(const struct segment *seg, uint64_t host)
{
    const struct host *h = &seg->roster.host[roster_host(&seg->roster, host)];
    struct text name = {h->name, h->name_len};
    if (host == seg->shape.origin)
        return name;
    return text_eq(name, text_of(seg->shape.host)) || misnamed(seg, host) ? (struct text){"", 0} : name;
}

static bool host_is_known(const struct segment *seg, struct text name)
{
    const struct roster *r = &seg->roster;
    for (uint32_t i = 1; i <= r->n_hosts; i++)
        if (text_eq(name, (struct text){r->host[i].name, r->host[i].name_len}))
            return true;
    return false;
}

/* ---- private rooms ---- */

/* owner_is_of -- is it a private room whose owner is of that host, as we call it? */
static bool owner_is_of(const struct segment *seg, struct text name, uint64_t host)
{
    struct person owner;
    struct text room;
    return private_read(name, &owner, &room) && text_eq(owner.host, host_name(seg, host));
}

/* owner_is -- that user of this host? */
static bool owner_is(const struct segment *seg, struct text name, struct text user)
{
    struct person owner;
    struct text room;
    return private_read(name, &owner, &room) && text_eq(owner.host, text_of(seg->shape.host)) && text_eq(owner.user, user);
}

/* is_member -- a user of this host.  The owner is one before there is a room. */
static bool is_member(const struct segment *seg, uint32_t slot, struct text user)
{
    return owner_is(seg, room_name(seg, slot), user) ||
           roster_role(&seg->roster, slot, seg->shape.origin, user) & (ROLE_OWNER | ROLE_MEMBER);
}

bool scope_private(const struct segment *seg, uint64_t room)
{
    return private_is(room_name(seg, roster_room(&seg->roster, room)));
}

bool scope_owns(const struct segment *seg, uint64_t room, uint64_t host)
{
    return owner_is_of(seg, room_name(seg, roster_room(&seg->roster, room)), host);
}

bool scope_left(const struct segment *seg, uint64_t room, uint64_t host)
{
    uint32_t slot = roster_room(&seg->roster, room);
    return slot != 0 && roster_left(&seg->roster, slot, host);
}

/* own_word -- does nobody create this private room but the one it is named after? */
static bool own_word(const struct segment *seg, struct text name, const uint8_t *frames, size_t len)
{
    struct person owner;
    struct room_act a;
    struct text room;
    if (!private_read(name, &owner, &room))
        return false;
    for (size_t at = 0; at < len; at += frame_stride(frames + at))
        if (frame_type(frames + at) == FRAME_STATE &&
            (read_room_act(frames + at, &a) < 0 ||
             (a.act == ACT_OWN && !(text_eq(a.user, owner.user) && owner_is_of(seg, name, frame_origin(frames))))))
            return false;
    return true;
}

/* ---- rooms of all kinds ---- */

bool scope_public(const struct segment *seg, uint64_t room)
{
    struct text name = room_name(seg, roster_room(&seg->roster, room));
    return !direct_is(name) && !private_is(name);
}

bool scope_host(const struct segment *seg, uint64_t room, uint64_t host)
{
    uint32_t slot = roster_room(&seg->roster, room);
    struct text name = room_name(seg, slot);
    struct direct d;
    if (slot == 0)
        return false;
    if (private_is(name))
        return roster_hears(&seg->roster, slot, host) || owner_is_of(seg, name, host) || MUTANT(PRIVATE_TO_ALL);
    return !direct_is(name) || (direct_read(name, &d) && direct_has_host(&d, host_name(seg, host)));
}

bool scope_user(const struct segment *seg, uint32_t slot, struct text user)
{
    struct text name = room_name(seg, slot);
    struct direct d;
    if (slot == 0 || seg->roster.room[slot].id == MEMBERS_ROOM)
        return false;
    if (private_is(name))
        return is_member(seg, slot, user);
    return !direct_is(name) || (direct_read(name, &d) && direct_has(&d, (struct person){user, text_of(seg->shape.host)}));
}

unsigned scope_name(const struct segment *seg, uint64_t room, struct text name, struct text user)
{
    struct direct d;
    if (private_is(name))
        return owner_is(seg, name, user) || scope_user(seg, roster_room(&seg->roster, room), user) ? REASON_OK : REASON_NO_ROOM;
    if (!direct_is(name))
        return REASON_OK;
    if (!direct_read(name, &d) || !direct_has(&d, (struct person){user, text_of(seg->shape.host)}))
        return REASON_NO_ROOM;
    for (unsigned i = 0; i < d.n; i++)
        if (!host_is_known(seg, d.who[i].host))
            return REASON_NO_HOST;
    return REASON_OK;
}

/* said_by -- is there nothing but words, each of a user of that host, and one of the two?  Two have no state. */
static bool said_by(struct text host, const struct direct *d, const uint8_t *frames, size_t len)
{
    struct say say;
    for (size_t at = 0; at < len; at += frame_stride(frames + at))
        if (frame_type(frames + at) == FRAME_STATE ||
            (frame_type(frames + at) == FRAME_SAY &&
             (read_say(frames + at, &say) < 0 || !direct_has(d, (struct person){say.user, host}))))
            return false;
    return true;
}

bool scope_takes(const struct segment *seg, uint64_t from, const uint8_t *frames, size_t len)
{
    struct text name = room_name(seg, roster_room(&seg->roster, frame_room(frames)));
    struct room_change create;
    struct direct d;
    if (name.len == 0 && frame_type(frames) == FRAME_CREATE && read_room_change(frames, &create) == 0)
        name = create.room;
    if (MUTANT(SCOPE_UNCHECKED))
        return true;
    if (private_is(name))
        return own_word(seg, name, frames, len) &&
               (owner_is_of(seg, name, frame_origin(frames)) || scope_host(seg, frame_room(frames), from));
    if (!direct_is(name))
        return true;
    struct text origin = host_name(seg, frame_origin(frames));
    return direct_read(name, &d) && direct_has_host(&d, text_of(seg->shape.host)) && direct_has_host(&d, host_name(seg, from)) &&
           said_by(origin, &d, frames, len);
}
