/* hold.c -- take the lock of a relay as one of its processes does, begin a change, and stop or
 * die in it.
 *
 * usage: hold INSTANCE stop|die */
#include "base/hash.h"
#include "raw.h"
#include "state/state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct raw_relay relay;
    struct state st;
    uint8_t f[FRAME_MAX];
    char why[256];
    if (argc != 3)
        die("usage: hold INSTANCE stop|die");
    raw_find(&relay, argv[1]);
    if (state_attach(&st, relay.gen.shm, relay.gen.lock_id, PROCS_MAX, true, why, sizeof why) <
        0)
        die("%s", why);
    struct text name = text_of("half-made");
    struct room_change c = {.room = name};
    int n = write_room_change(f, FRAME_CREATE, &c, room_id(name), 0, 0);
    if (n < 0 || state_take(&st) < 0)
        die("cannot take the lock");
    if (roster_room_open(&st.edit, room_id(name), name) == 0 ||
        state_room_for(&st, (size_t)n) < 0)
        die("no room");
    state_put(&st, f);
    raise(strcmp(argv[2], "stop") == 0 ? SIGSTOP : SIGKILL);
    die("the holder of the lock was let go on");
}
