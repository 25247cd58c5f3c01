/* bench_durable.c -- messages per second that a pipelined sender has acknowledged, and how long
 * a lone sender waits for each acknowledgement, beside a bare append and fdatasync(2) on the
 * same file system. */
#include "lib/bench.h"
#include "lib/crew.h"
#include "lib/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIPELINED = 300000, LONE = 1000, APPEND = 256 };

static const struct column columns[] = {
    {"messages_per_s", "messages/s", UNIT_RATE},
    {"relay_cpu_ns", "relay CPU ns each", UNIT_NS},
    {"ack_p50_us", "lone ack p50 us", UNIT_US},
    {"ack_p99_us", "lone ack p99 us", UNIT_US},
    {"sync_p50_us", "fdatasync p50 us", UNIT_US},
    {"sync_p99_us", "fdatasync p99 us", UNIT_US},
    {"ratio", "ack:fdatasync p50", UNIT_RATIO},
};

/* sync_bare -- the least that any durable acknowledgement costs here. */
static void sync_bare(int fd, uint32_t *sample, unsigned n)
{
    char record[APPEND];
    memset(record, 'x', sizeof record);
    for (unsigned i = 0; i < n; i++) {
        uint64_t start = bench_ns();
        if (write(fd, record, sizeof record) != (ssize_t)sizeof record || fdatasync(fd) < 0)
            bench_fail("cannot append: %s", strerror(errno));
        sample[i] = (uint32_t)min_u64(bench_ns() - start, UINT32_MAX);
    }
}

static void repeat(struct crew *crew, int fd, double v[ARRAY_LEN(columns)][REPETITIONS_MAX],
                   unsigned i)
{
    static uint32_t sample[LONE];
    struct result r = crew_run(crew, ORDER_BURST, PIPELINED);
    v[0][i] = PIPELINED / r.seconds;
    v[1][i] = r.server_ns / PIPELINED;
    (void)crew_run(crew, ORDER_LONE, LONE);
    memcpy(sample, crew->board->sample, sizeof sample);
    v[2][i] = percentile(sample, LONE, 0.5) / 1e3;
    v[3][i] = percentile(sample, LONE, 0.99) / 1e3;
    sync_bare(fd, sample, LONE);
    v[4][i] = percentile(sample, LONE, 0.5) / 1e3;
    v[5][i] = percentile(sample, LONE, 0.99) / 1e3;
    v[6][i] = v[2][i] / v[4][i];
}

static int run(const struct bench *b)
{
    struct table t = {"durable", columns, ARRAY_LEN(columns), b->json, false};
    struct site site;
    struct crew crew;
    static double v[ARRAY_LEN(columns)][REPETITIONS_MAX];
    char path[INSTANCE_PATH_MAX + 16];
    table_head(&t, "200-byte messages, acknowledged when on disk, no readers");
    site_start(&site, "durable");
    crew_start(&crew, &site, 0);
    snprintf(path, sizeof path, "%s/append", site.inst.state);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_fail("cannot make %s: %s", path, strerror(errno));
    for (unsigned i = 0; i < b->repetitions; i++)
        repeat(&crew, fd, v, i);
    table_show(&t, "", v, b->repetitions);
    close(fd);
    crew_end(&crew);
    site_stop(&site);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, run);
}
