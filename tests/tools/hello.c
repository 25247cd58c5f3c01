/* hello.c -- as many sessions as one can get, one after the other.
 *
 * usage: hello INSTANCE TIMES      prints: welcome N busy N */
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct raw_relay relay;
    static struct raw c;
    unsigned welcome = 0, busy = 0;
    if (argc != 3)
        die("usage: hello INSTANCE TIMES");
    raw_find(&relay, argv[1]);
    for (unsigned i = 0; i < (unsigned)strtoul(argv[2], NULL, 10); i++) {
        int r = raw_hello(&c, &relay, 0, raw_client(&relay, 0), RAW_MS);
        if (r < 0 && r != -REASON_BUSY)
            die("hello %u: %d", i, r);
        welcome += r == 0;
        busy += r < 0;
        raw_close(&c);
    }
    printf("welcome %u busy %u\n", welcome, busy);
    return 0;
}
