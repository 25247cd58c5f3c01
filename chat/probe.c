/* probe.c -- one question through every mechanism there is, and how long each took: as traceroute does for networks. */
#include "trace.h"
#include "verbs.h"

#include "base/sys.h"
#include "render.h"

#include <errno.h>
#include <stdio.h>

enum { PROBE_MS = 5000 };

/* One line: from which point of the way, on what, to where. */
static const struct step {
    uint8_t from, to; /* enum hop; HOPS: when it was here again */
    const char *mechanism, *way;
    bool link; /* only on the way to another host */
} steps[] = {
    {HOP_SENT, HOP_WORKER, "message queue", "chat to worker", false},
    {HOP_WORKER, HOP_KEEPER, "semaphore, shared memory", "worker to keeper", false},
    {HOP_KEEPER, HOP_LINK, "socket", "keeper to link process", true},
    {HOP_LINK, HOP_ECHO, "TLS over TCP", "link process there and back", true},
    {HOP_ECHO, HOP_BACK, "socket", "link process to keeper", true},
    {HOP_BACK, HOPS, "FIFO", "keeper to chat", false},
};

struct way {
    uint64_t at_us[HOPS + 1];
    bool whole;
};

static bool on_hops(void *arg, const uint8_t *f)
{
    struct way *way = arg;
    struct hops h;
    if (frame_type(f) != FRAME_HOPS || read_hops(f, &h) < 0)
        return true;
    memcpy(way->at_us, h.at_us, sizeof h.at_us);
    way->at_us[HOPS] = now_us();
    way->whole = true;
    return true;
}

static void print_step(const struct step *s, uint64_t us, bool json)
{
    if (json)
        printf("{\"v\":1,\"type\":\"hop\",\"mechanism\":\"%s\",\"way\":\"%s\",\"us\":%llu}\n", s->mechanism, s->way,
               (unsigned long long)us);
    else
        printf("%-25s %-28s %8llu us\n", s->mechanism, s->way, (unsigned long long)us);
}

static int print(const struct way *way, const char *host, bool json)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const struct step *s = &steps[i];
        if (s->link && !*host)
            continue;
        if (s->link && way->at_us[HOP_ECHO] == 0) {
            fprintf(stderr, "chat: there is no link to %s now; see: relay status\n", host);
            return EXIT_NO;
        }
        print_step(s, way->at_us[s->to] - way->at_us[s->from], json);
    }
    uint64_t all_us = way->at_us[HOPS] - way->at_us[HOP_SENT];
    if (json)
        printf("{\"v\":1,\"type\":\"probe\",\"us\":%llu}\n", (unsigned long long)all_us);
    else
        printf("%-54s %8llu us\n", "all of it", (unsigned long long)all_us);
    return EXIT_OK;
}

/* ask -- the last step back is measured when the answer is read. */
static int ask(struct port *p, uint64_t host, struct way *way)
{
    struct query q = {.kind = QUERY_PROBE, .key = {.origin = host}};
    struct end end = {0};
    int r = port_follow(p, 0, &q, PROBE_MS, on_hops, way, &end);
    if (r == 0 && end.reason != REASON_OK) {
        fprintf(stderr, "chat: %.*s\n", (int)end.text.len, end.text.p);
        return EXIT_TOO_BIG;
    }
    return r == -ETIMEDOUT ? EXIT_TIMEOUT : r < 0 ? exit_code_of(r) : EXIT_OK;
}

int verb_probe(const struct verb_options *o, int argc, char **argv)
{
    struct port *p;
    struct way way = {.whole = false};
    const char *host = argc > 0 ? argv[0] : "";
    if (argc > 1) {
        fprintf(stderr, "chat: --probe takes one host, or none for the way through this one\n");
        return EXIT_USAGE;
    }
    int r = open_port(&p, o, true);
    if (r != 0)
        return r;
    uint64_t to = *host ? port_host_called(p, text_of(host)) : port_origin(p);
    bool known = to != 0;
    if (to == port_origin(p)) {
        host = "";
        to = 0;
    }
    if (!known)
        fprintf(stderr, "chat: no host of that name is known here; see: relay status\n");
    r = known ? ask(p, to, &way) : EXIT_NO;
    port_close(p);
    if (r == EXIT_TIMEOUT)
        fprintf(stderr, "chat: %s does not answer within %d s\n", *host ? host : "the relay", PROBE_MS / 1000);
    return r != EXIT_OK ? r : way.whole ? print(&way, host, o->json) : EXIT_NO_RELAY;
}
