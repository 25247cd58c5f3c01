/* roster_play.c -- sessions, rooms and who is in them, for tests of the tables. */
#include "roster_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

const struct roster_edit *edit(void)
{
    return &small.a.edit;
}

uint32_t attach(uint64_t client, uint32_t uid)
{
    char user[16];
    snprintf(user, sizeof user, "u%u", uid);
    return roster_attach(edit(), client, uid, text_of(user), 0, false);
}

uint32_t open_room(uint64_t id)
{
    return roster_room_open(edit(), id, text_of("room"));
}

uint32_t sit(uint32_t session, uint32_t n)
{
    uint32_t room = 1;
    while (room <= n && roster_join(edit(), session, room) >= 0)
        room++;
    return room - 1;
}

void stand_up(uint32_t session)
{
    for (uint32_t room; (room = roster_next_room(small.r, &small.r->session[session], 1)) != 0;)
        roster_leave(edit(), session, room);
}

void people(void)
{
    small_begin();
    open_room(5);
    open_room(6);
    roster_host_open(edit(), 50, text_of("alpha"));
    for (uint64_t c = 1; c <= 4; c++)
        attach(c, c == 1 ? BOB : ALICE);
    assert_true(roster_join(edit(), 1, 1) >= 0);
    assert_int_equal(roster_role_add(edit(), 2, 50, text_of("erna"), ROLE_MUTED), 0);
    roster_detach(edit(), 3, 0);
    roster_detach(edit(), 4, 0);
    small_end();
}
