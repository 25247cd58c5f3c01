/* many.c -- thousands of clients who come all at once.
 *
 * usage: many INSTANCE CLIENTS ROOMS [AT_ONCE]      into the rooms many-0, many-1, ..., AT_ONCE of them at a time (64)
 *
 * Says "in N RATE/s" when all are in, then obeys standard input, a line at a time:
 *   hear TEXT     until every client has heard a message of this text, then says "heard N, twice N, others N"
 *   back          until all of them are in again, whatever happened
 *   bye           all say goodbye
 * and leaves without a word at its end. */
#include "base/sys.h"
#include "many.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { COME_MS = 120 * 1000, QUIET_MS = 300, AT_ONCE = 64 };

static struct many m;

static void hear(const char *text)
{
    many_listen(&m, text);
    printf("listening\n");
    fflush(stdout);
    for (uint64_t deadline = now_ms() + COME_MS; m.heard < m.n;) {
        many_pump(&m, 100);
        if (now_ms() > deadline)
            die("only %u of %u heard \"%s\"", m.heard, m.n, text);
    }
    for (uint64_t until = now_ms() + QUIET_MS; now_ms() < until;)
        many_pump(&m, 50); /* did it come a second time? */
    printf("heard %u, twice %u, others %llu\n", m.heard, m.doubled, (unsigned long long)m.others);
}

static void obey(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "hear ", 5) == 0)
        hear(line + 5);
    else if (strcmp(line, "back") == 0)
        many_come(&m, AT_ONCE, COME_MS);
    else if (strcmp(line, "bye") == 0)
        many_bye(&m);
    else
        die("unknown: %s", line);
    puts("done");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[256];
    struct rlimit files;
    if (argc < 4 || argc > 5)
        die("usage: many INSTANCE CLIENTS ROOMS [AT_ONCE]");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    unsigned n = (unsigned)strtoul(argv[2], NULL, 10), rooms = (unsigned)strtoul(argv[3], NULL, 10);
    many_open(&m, argv[1], n, rooms ? rooms : 1, "many");
    uint64_t start = now_us();
    many_come(&m, argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : AT_ONCE, COME_MS);
    printf("in %u %.0f/s\n", m.in, n * 1e6 / (double)(now_us() - start));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(line);
    return 0;
}
