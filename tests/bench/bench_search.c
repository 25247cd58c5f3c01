/* bench_search.c -- what searches and pages of history take in a store of a million messages, once it is indexed, beside the same
 * question for the list of rooms, which looks into no store; and `chat grep` as a whole beside `chat rooms`.
 *
 * usage: bench_search [-n REPETITIONS] [--json]; BENCH_MESSAGES in the environment: another number of them */
#include "lib/bench.h"
#include "lib/program.h"
#include "lib/site.h"
#include "lib/stats.h"

#include "base/hash.h"
#include "base/sys.h"
#include "ipc/fifo.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MESSAGES = 1000000, ASKED = 200, RUN = 50, INDEX_S = 3600, DAYS = 100 };

static const struct column columns[] = {
    {"p50_us", "p50 us", UNIT_US},
    {"p99_us", "p99 us", UNIT_US},
    {"program_p50_us", "as a program p50 us", UNIT_US},
    {"program_p99_us", "p99 us", UNIT_US},
};

/* What is asked. */
static const struct question {
    const char *name, *words; /* words NULL: of a room */
    uint8_t kind;
    const char *room;
    const char *argument[4]; /* the same as a program */
} questions[] = {
    {"list of rooms", NULL, QUERY_ROOMS, "lobby", {"rooms"}},
    {"a rare word", "w49020", QUERY_SEARCH, "lobby", {"grep", "w49020"}},
    {"one message", "no4711", QUERY_SEARCH, "lobby", {"grep", "no4711"}},
    {"the commonest word", "w0", QUERY_SEARCH, "lobby", {"grep", "w0"}},
    {"that, in a small room", "w0 in:room9", QUERY_SEARCH, "lobby", {"grep", "room9", "w0"}},
    {"that, 50 days ago", "w0", QUERY_SEARCH, "lobby", {"grep", "w0 until:-50d"}},
    {"two common words", "w20 w21", QUERY_SEARCH, "lobby", {"grep", "w20 w21"}},
    {"a phrase", "\"w0 w20\"", QUERY_SEARCH, "lobby", {"grep", "\"w0 w20\""}},
    {"by one of 50", "from:user7 w20", QUERY_SEARCH, "lobby", {"grep", "from:user7 w20"}},
    {"words that begin so", "w4900*", QUERY_SEARCH, "lobby", {"grep", "w4900*"}},
    {"the last 100 of a room", NULL, QUERY_NEWEST, "room0", {"log", "-n", "100", "room0"}},
    {"100, 0 to 100 days ago", NULL, QUERY_SINCE, "room0", {"log", "--since", "-1h", "room0"}},
};

static struct raw_relay relay;
static struct raw self;
static bool whole; /* nothing was missing in the answer */

/* read_answer -- up to its END. */
static void read_answer(int fd, uint32_t *count)
{
    static uint8_t buf[1 << 17];
    struct splitter split;
    struct end end;
    splitter_init(&split, buf, sizeof buf);
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        const uint8_t *f;
        size_t room;
        while (splitter_next(&split, &f) == 1)
            if (frame_type(f) == FRAME_END && read_end(f, &end) == 0) {
                if (end.reason != REASON_OK)
                    bench_fail("the answer is: %.*s", (int)end.text.len, end.text.p);
                whole = end.text.len == 0;
                *count = end.count;
                return;
            }
        uint8_t *to = splitter_room(&split, &room);
        ssize_t n = poll(&p, 1, RAW_MS) == 1 ? read(fd, to, room) : -1;
        if (n < 0)
            bench_fail("no answer");
        splitter_fed(&split, (size_t)n);
    }
}

static uint64_t ask(const struct question *q, uint32_t *count)
{
    uint64_t days = (uint64_t)24 * 3600 * 1000, before = os_random_u64() % (DAYS * days);
    struct query query = {.kind = q->kind, .limit = q->kind == QUERY_SEARCH ? 50 : 100, .wanted = text_of(q->words ? q->words : "")};
    uint8_t f[FRAME_MAX];
    if (q->kind == QUERY_SINCE)
        query.since = (wall_ms() - before) << 16;
    if (strstr(q->argument[1] ? q->argument[1] : "", "until:-50d"))
        query.until = (wall_ms() - 50 * days) << 16;
    int fd = fifo_make(relay.rendezvous, query.fifo);
    int n = write_query(f, &query, room_id(text_of(q->room)), self.client, ++self.seq);
    if (fd < 0 || n < 0)
        bench_fail("cannot ask");
    uint64_t start = bench_ns();
    raw_send(&self, f, (size_t)n);
    read_answer(fd, count);
    uint64_t took = bench_ns() - start;
    close(fd);
    return took;
}

static uint64_t ask_by_program(const struct question *q, int null)
{
    const char *argv[8] = {"chat", "-i", "search"};
    for (int i = 0; i < 4; i++)
        argv[3 + i] = q->argument[i];
    uint64_t start = bench_ns();
    if (program_run("bin/chat", argv, -1, null) > 1)
        bench_fail("chat failed");
    return bench_ns() - start;
}

/* wait_indexed -- until nothing is missing in an answer. */
static void wait_indexed(void)
{
    struct question nothing = {"nothing", "n0thing", QUERY_SEARCH, "lobby", {NULL}};
    uint32_t count;
    for (unsigned s = 0; s < INDEX_S; s++, poll(NULL, 0, 1000)) {
        (void)ask(&nothing, &count);
        if (whole)
            return;
    }
    bench_fail("the index is not made");
}

static void measure(const struct question *q, double (*v)[REPETITIONS_MAX], unsigned repetitions, int null)
{
    static uint32_t sample[ASKED];
    uint32_t count;
    for (unsigned r = 0; r < repetitions; r++) {
        for (unsigned i = 0; i < ASKED; i++)
            sample[i] = (uint32_t)ask(q, &count);
        v[0][r] = percentile(sample, ASKED, 0.5) / 1e3;
        v[1][r] = percentile(sample, ASKED, 0.99) / 1e3;
        for (unsigned i = 0; i < RUN; i++)
            sample[i] = (uint32_t)ask_by_program(q, null);
        v[2][r] = percentile(sample, RUN, 0.5) / 1e3;
        v[3][r] = percentile(sample, RUN, 0.99) / 1e3;
    }
}

static int run_all(const struct bench *b)
{
    const char *messages = getenv("BENCH_MESSAGES");
    char number[16], about[128];
    struct site site;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    snprintf(number, sizeof number, "%d", MESSAGES);
    site_fill("search", messages ? messages : number);
    site_start(&site, "search");
    raw_find(&relay, "search");
    if (raw_hello(&self, &relay, 0, raw_client(&relay, 0), RAW_MS) < 0)
        bench_fail("no session");
    wait_indexed();
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct table t = {questions[i].name, columns, ARRAY_LEN(columns), b->json, false};
        static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
        uint32_t count = 0;
        (void)ask(&questions[i], &count);
        if (count == 0)
            bench_fail("%s: nothing is found, are there enough messages?", questions[i].name);
        measure(&questions[i], v, b->repetitions, null);
        snprintf(about, sizeof about, "%s: %u frames, out of %s messages", questions[i].name, count, messages ? messages : number);
        table_head(&t, about);
        table_show(&t, "", v, b->repetitions);
    }
    raw_close(&self);
    site_stop(&site);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run_all);
}
