/* names.c -- what rooms and hosts are called, here and everywhere. */
#include "port_inside.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

struct room *port_find_room(const struct port *p, uint64_t id)
{
    for (size_t i = 0; i < p->n_rooms; i++)
        if (p->room[i].id == id)
            return &p->room[i];
    return NULL;
}

struct person port_me(const struct port *p)
{
    return (struct person){port_user(p), port_host(p, p->origin)};
}

void port_call(const struct port *p, struct text name, char *called)
{
    struct direct d;
    char other[PERSON_MAX + 2];
    if (direct_read(name, &d) && d.n == 2)
        name = (struct text){other, direct_inbox(direct_other(&d, port_me(p)), other)};
    snprintf(called, CALLED_MAX + 1, "%.*s", (int)name.len, name.p);
}

/* full_name -- of what is called so, "@bob", "@bob@beta" or "lobby", the name it has everywhere. */
static void full_name(const struct port *p, const char *called, char *name)
{
    char with_host[CALLED_MAX + 1];
    struct direct d;
    struct text host = port_host(p, p->origin);
    snprintf(with_host, sizeof with_host, strchr(called + 1, '@') ? "%s" : "%s@%.*s", called, (int)host.len, host.p);
    if (*called == '@' && direct_read(text_of(with_host), &d) && d.n == 1)
        direct_name(port_me(p), d.who[0], name);
    else
        snprintf(name, DIRECT_NAME_MAX + 1, "%s", called);
}

struct room *port_add_room(struct port *p, const char *name)
{
    uint64_t id = room_id(text_of(name));
    struct room *r = port_find_room(p, id);
    if (r)
        return r;
    struct room *all = realloc(p->room, (p->n_rooms + 1) * sizeof *all);
    if (!all)
        return NULL;
    p->room = all;
    r = &all[p->n_rooms++];
    *r = (struct room){.id = id};
    snprintf(r->name, sizeof r->name, "%s", name);
    port_call(p, text_of(name), r->called);
    return r;
}

/* port_know_room -- by what it is called first: an id is a hash, and costs more than all the rest of saying something. */
struct room *port_know_room(struct port *p, const char *called)
{
    char name[DIRECT_NAME_MAX + 1];
    for (size_t i = 0; i < p->n_rooms; i++)
        if (i + 1 != p->inbox && strcmp(p->room[i].called, called) == 0)
            return &p->room[i];
    full_name(p, called, name);
    return port_add_room(p, name);
}

/* learn -- a CREATE: what a room is called of which something is about to come. */
void port_learn(struct port *p, const uint8_t *f)
{
    char name[DIRECT_NAME_MAX + 1];
    struct room_change c;
    if (read_room_change(f, &c) < 0)
        return;
    snprintf(name, sizeof name, "%.*s", (int)c.room.len, c.room.p);
    (void)port_add_room(p, name); /* out of memory: it has no name, but is shown */
}

void port_know_host(struct port *p, uint64_t id, struct text name)
{
    struct host *h = NULL;
    for (size_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].id == id)
            h = &p->host[i];
    if (!h) {
        struct host *all = realloc(p->host, (p->n_hosts + 1) * sizeof *all);
        if (!all)
            return;
        p->host = all;
        h = &all[p->n_hosts++];
    }
    h->id = id;
    snprintf(h->name, sizeof h->name, "%.*s", (int)name.len, name.p);
}

struct text port_host(const struct port *p, uint64_t origin)
{
    for (size_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].id == origin)
            return text_of(p->host[i].name);
    return text_of("");
}

uint64_t port_host_called(const struct port *p, struct text name)
{
    for (size_t i = 0; i < p->n_hosts; i++)
        if (text_eq(text_of(p->host[i].name), name))
            return p->host[i].id;
    return 0;
}

bool port_started(const struct port *p)
{
    return p->finder.started;
}

bool port_has_others(const struct port *p)
{
    return p->n_hosts > 1;
}

struct text port_room_name(const struct port *p, uint64_t room)
{
    const struct room *r = port_find_room(p, room);
    return text_of(r ? r->called : "");
}

void port_name_room(struct port *p, const char *name)
{
    (void)port_know_room(p, name);
}
