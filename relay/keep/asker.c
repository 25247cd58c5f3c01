/* asker.c -- from a client's number to a user's name, and from a query to where its answer goes. */
#include "keep/asker.h"

#include "base/log.h"
#include "ipc/fifo.h"
#include "state/scope.h"

#include <errno.h>
#include <unistd.h>

struct asker asker_of(struct state *st, uint64_t client, uint32_t uid)
{
    struct asker who = {.user_len = 0};
    if (state_take(st) < 0)
        return who;
    const struct roster *r = &st->seg->roster;
    const struct session *s = &r->session[roster_client(r, client)];
    if (s->uid == uid) {
        who.user_len = s->user_len;
        memcpy(who.user, s->user, s->user_len);
    }
    state_give(st);
    return who;
}

bool asker_sees(struct state *st, const struct asker *who, uint64_t room)
{
    uint32_t slot = roster_room(&st->seg->roster, room);
    if (!scope_private(st->seg, room))
        return scope_user(st->seg, slot, asker_user(who));
    if (state_take(st) < 0) /* who is in it changes */
        return false;
    bool sees = scope_user(st->seg, slot, asker_user(who));
    state_give(st);
    return sees;
}

int asker_fifo(int rendezvous, const struct query *q)
{
    uid_t owner;
    int fd = fifo_open(rendezvous, q->fifo, &owner);
    if (fd >= 0 && owner != q->uid) {
        log_warn("user %u asked for an answer into a FIFO of user %u", q->uid, (unsigned)owner);
        close(fd);
        return -EPERM;
    }
    return fd;
}
