/* rooms.c -- what people do to rooms, and I11: every host has the state of its rooms that follows from what it has on disk, has
 * told its rules so, and has the same as all others. */
#include "sim.h"

#include "base/hash.h"
#include "rules/room_state.h"
#include "store/history.h"

#include <stdio.h>
#include <stdlib.h>

enum { GHOSTS = 3, ACT_EVERY = 7 };

bool acts_here(const struct client *c, uint32_t seq)
{
    return seq == 1 || mix(c->id, seq) % ACT_EVERY == 0;
}

/* target -- somebody who writes too, or one of a few who never do. */
static struct text target(uint64_t dice, struct room_act *a, char user[16])
{
    a->host = w.node[dice % w.n_nodes]->id;
    if (dice / 64 % 16 == 0)
        snprintf(user, 16, "u%u", (unsigned)(dice % w.n_nodes * CLIENTS_PER_NODE + dice / 256 % CLIENTS_PER_NODE));
    else
        snprintf(user, 16, "ghost%u", (unsigned)(dice / 256 % GHOSTS));
    return text_of(user);
}

int act_frame(const struct client *c, struct text user, uint64_t room, uint32_t seq, uint8_t *frame)
{
    static const uint8_t often[] = {ACT_TOPIC, ACT_TOPIC, ACT_OP,     ACT_OP,  ACT_DEOP,  ACT_SET,   ACT_UNSET,
                                    ACT_MUTE,  ACT_UNMUTE, ACT_UNMUTE, ACT_BAN, ACT_UNBAN, ACT_UNBAN, ACT_KICK};
    uint64_t dice = mix(seq, c->id);
    char topic[32], name[16];
    struct room_act a = {.act = seq == 1 ? ACT_OWN : often[dice % ARRAY_LEN(often)], .user = user};
    a.target = a.topic = text_of("");
    snprintf(topic, sizeof topic, "topic %u of %llu", seq, (unsigned long long)c->id >> 32);
    if (a.act == ACT_TOPIC)
        a.topic = text_of(topic);
    if (act_of_mode(a.act))
        a.mode = MODE_TOPIC_BY_OPERATORS;
    if (act_aims(a.act))
        a.target = target(dice >> 8, &a, name);
    return write_room_act(frame, &a, room, c->id, seq);
}

/* ---- what should be ---- */

struct acts {
    const struct node *node;
    const uint8_t **frame;
    size_t n, max;
    uint64_t room;
};

static void collect(void *arg, const struct history_segment *s)
{
    struct acts *a = arg;
    uint64_t point = disk_fork(a->node->disk, s->origin, s->epoch, s->room);
    for (size_t i = 0; s->room == a->room && i < s->len; i += frame_stride(s->frames + i)) {
        if (frame_type(s->frames + i) != FRAME_STATE || frame_seq(s->frames + i) >= point)
            continue;
        a->frame = grown(a->frame, a->n, &a->max, sizeof *a->frame);
        a->frame[a->n++] = s->frames + i;
    }
}

static int order(const void *a, const void *b)
{
    return frame_order(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

/* entitled -- does the owner's word lie before what this fact's author did?  Our own count, not that of the rules. */
static bool entitled(const struct acts *all, const struct room_fact *f)
{
    struct room_act own = {0}, a;
    uint64_t owner = 0;
    bool may = !act_aims(f->act) && f->act != ACT_SET;
    for (size_t i = 0; i < all->n; i++) {
        const uint8_t *x = all->frame[i];
        if (read_room_act(x, &a) < 0 || frame_hlc(x) > f->hlc)
            continue;
        if (a.act == ACT_OWN && owner == 0) {
            owner = frame_origin(x);
            own = a;
        }
        struct text author = {f->author.user, f->author.len};
        may |= owner == f->author.host && owner != 0 && text_eq(own.user, author);
        may |= a.act == ACT_OP && frame_origin(x) == owner && text_eq(a.user, own.user) && f->act != ACT_OP &&
               a.host == f->author.host && text_eq(a.target, author);
    }
    return may;
}

static uint64_t sum_of(const struct room_state *s)
{
    uint8_t row[FRAME_MAX];
    uint64_t h = s ? s->n : 0;
    for (uint32_t i = 0; s && i < s->n; i++) {
        int n = room_fact_row(s, i, 1, row);
        for (int k = 0; k < n; k += 8)
            h = mix(h, get_u64(row + k));
    }
    return h;
}

uint64_t rooms_sum(const struct node *n, uint64_t room)
{
    const struct room_state *s = folds_room(n->folds, roster_room(&n->st.seg->roster, room));
    return s && s->n > 0 ? sum_of(s) : 0;
}

static void check_tables(const struct node *n, uint32_t slot, const struct room_state *s)
{
    const struct roster *r = &n->st.seg->roster;
    if (r->room[slot].flags != room_state_flags(s))
        broken("I11: the rules of %s do not know what its keeper does", node_name(n->id));
    for (uint32_t i = 0; i < s->n; i++) {
        const struct room_person *p = &s->fact[i].target;
        struct text user = {p->user, p->len};
        if (roster_role(r, slot, p->host, user) != room_state_role(s, p->host, user))
            broken("I11: the rules of %s let somebody do what its keeper does not", node_name(n->id));
    }
    uint32_t roles = 0;
    for (uint32_t i = r->room[slot].roles; i != 0; i = r->role[i].next_role, roles++)
        if (room_state_role(s, r->role[i].host, (struct text){r->role[i].user, r->role[i].user_len}) == 0)
            broken("I11: the rules of %s remember what is over", node_name(n->id));
}

uint64_t check_rooms(const struct node *n, uint64_t room)
{
    struct acts all = {.node = n, .room = room};
    uint32_t slot = roster_room(&n->st.seg->roster, room);
    const struct room_state *has = folds_room(n->folds, slot);
    struct room_state *should = calloc(1, sizeof *should);
    ASSERT(should);
    disk_each(n->disk, collect, &all);
    if (all.n > 0)
        qsort(all.frame, all.n, sizeof *all.frame, order);
    for (size_t i = 0; i < all.n; i++)
        (void)room_state_step(should, all.frame[i]);
    uint64_t sum = sum_of(should);
    if (has ? sum_of(has) != sum : should->n > 0)
        broken("I11: the state of a room at %s is not what follows from its %zu acts", node_name(n->id), all.n);
    for (uint32_t i = 0; i < should->n; i++)
        if (!entitled(&all, &should->fact[i]))
            broken("I11: at %s counts what somebody did who may not", node_name(n->id));
    if (has)
        check_tables(n, slot, has);
    w.stats.acts += all.n;
    w.stats.facts += should->n;
    free(all.frame);
    free(should);
    return sum;
}
