/* many.h -- thousands of clients of one relay in one process, many of which come at the same time.
 *
 * They say hello, join a room and read what is said there; who loses his FIFO says hello again, as chat does.  What
 * must work for a test to make sense ends the program with a sentence when it does not. */
#ifndef MANY_H
#define MANY_H

#include "raw.h"

struct many_one;

struct many {
    struct raw_relay relay;
    struct many_one *one;
    unsigned n, rooms;         /* rooms: client i is in "ROOM-i % rooms" */
    unsigned asking, in, next; /* under way; in their rooms; who is looked at next for a hello */
    const char *room, *text;   /* text: of the message that they listen for */
    unsigned heard, doubled;   /* by how many it was heard, and by how many more than once */
    uint64_t others;           /* JOIN and LEAVE of others that they were told */
    char user[USER_NAME_MAX + 1];
    int epoll;
};

/* many_open -- n clients, none of which has said hello yet. */
void many_open(struct many *m, const char *instance, unsigned n, unsigned rooms, const char *room);

/* many_come -- until all of them are in their rooms, so many at a time. */
void many_come(struct many *m, unsigned at_once, unsigned timeout_ms);

/* many_listen -- from now on for this message.  many_pump -- read what comes within so many ms, and see to it; how
 * many of them had something, at most a few hundred. */
void many_listen(struct many *m, const char *text);
int many_pump(struct many *m, int ms);

/* many_bye -- all of them say goodbye. */
void many_bye(struct many *m);

/* many_close -- without a word. */
void many_close(struct many *m);

#endif
