/* trace.c -- which hosts have a message: shown, or waited for. */
#include "trace.h"

#include "base/sys.h"
#include "verbs.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SINCE_SLACK_MS = 60 * 1000, /* the clock may have been set back while we sent */
    SAID_IDS_MAX = 10000,
};

void trace_take(struct trace_picture *pic, const uint8_t *f)
{
    struct trace_row row;
    size_t i = 0;
    if (frame_type(f) != FRAME_TRACE || read_trace_row(f, &row) < 0)
        return;
    while (i < pic->n && pic->host[i].host != frame_origin(f))
        i++;
    if (i == TRACE_HOSTS_MAX)
        return;
    pic->n += i == pic->n;
    struct trace_host *h = &pic->host[i];
    *h = (struct trace_host){.host = frame_origin(f), .state = row.state, .since_ms = row.since_ms};
    render_name(row.host, h->name, sizeof h->name);
}

static bool on_row(void *arg, const uint8_t *f)
{
    trace_take(arg, f);
    return true;
}

static int look(struct port *p, const struct have_row *id, uint32_t wanted, unsigned timeout_ms, struct trace_picture *pic,
                struct end *end)
{
    struct query q = {.kind = QUERY_TRACE, .limit = wanted, .key = {.origin = id->origin, .epoch = id->epoch, .seq = id->seq}};
    pic->n = 0;
    return port_follow(p, id->room, &q, timeout_ms, on_row, pic, end);
}

size_t trace_have(const struct trace_picture *pic)
{
    size_t n = 0;
    for (size_t i = 0; i < pic->n; i++)
        n += pic->host[i].state == TRACE_HAS;
    return n;
}

/* ---- words ---- */

/* clock_time -- "14:02", with the date when that is another day. */
static void clock_time(uint64_t ms, char *to, size_t size)
{
    time_t then = (time_t)(ms / 1000), now = (time_t)(wall_ms() / 1000);
    struct tm a, b;
    if (!localtime_r(&then, &a) || !localtime_r(&now, &b) ||
        strftime(to, size, a.tm_yday == b.tm_yday && a.tm_year == b.tm_year ? "%H:%M" : "%Y-%m-%d %H:%M", &a) == 0)
        snprintf(to, size, "?");
}

static void in_words(const struct trace_host *k, char *to, size_t size)
{
    char at[32];
    clock_time(k->since_ms, at, sizeof at);
    if (k->state == TRACE_NO_LINK && k->since_ms != 0)
        snprintf(to, size, "no link since %s", at);
    else
        snprintf(to, size, "%s", k->state == TRACE_HAS       ? "on disk"
                                 : k->state == TRACE_NOT_YET ? "not yet"
                                 : k->state == TRACE_GONE    ? "no longer kept"
                                 : k->state == TRACE_UNSURE  ? "on disk, or gone there, too"
                                                             : "no link");
}

static void print_json(const struct trace_host *k)
{
    static const char *const states[] = {[TRACE_HAS] = "durable", [TRACE_NOT_YET] = "pending", [TRACE_NO_LINK] = "unreachable",
                                         [TRACE_GONE] = "gone", [TRACE_UNSURE] = "unsure"};
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "type", "trace", "host", k->name, "state", states[k->state]);
    if (o && k->state == TRACE_NO_LINK && k->since_ms != 0)
        json_object_set_new(o, "since_ms", json_integer((json_int_t)k->since_ms));
    char *line = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    printf("%s\n", line ? line : "");
    free(line);
    json_decref(o);
}

static void print(const struct trace_picture *pic, bool json)
{
    char words[64];
    for (size_t i = 0; i < pic->n; i++) {
        in_words(&pic->host[i], words, sizeof words);
        if (json)
            print_json(&pic->host[i]);
        else
            printf("%-20s  %s%s\n", pic->host[i].name, words, i == 0 ? " (this host)" : "");
    }
}

/* ---- chat trace ID ---- */

int verb_trace(const struct verb_options *o, int argc, char **argv)
{
    struct port *p;
    struct trace_picture pic;
    struct have_row id;
    struct end end = {0};
    if (o->probe)
        return verb_probe(o, argc, argv);
    if (argc != 1 || id_from_text(argv[0], &id) < 0) {
        fprintf(stderr, "chat: trace takes the id of one message: chat log --ids ROOM shows them\n");
        return EXIT_USAGE;
    }
    int r = open_port(&p, o, true);
    if (r != 0)
        return r;
    r = look(p, &id, 0, o->timeout_s * 1000, &pic, &end);
    port_close(p);
    if (r < 0)
        return exit_code_of(r);
    if (end.reason != REASON_OK) {
        fprintf(stderr, "chat: %.*s\n", (int)end.text.len, end.text.p);
        return EXIT_STORE;
    }
    print(&pic, o->json);
    if (trace_have(&pic) > 0)
        return EXIT_OK;
    fprintf(stderr, "chat: no host that can be asked has this message\n");
    return EXIT_NO;
}

/* ---- chat send --wait, --id ---- */

static void missing(const struct trace_picture *pic, char *to, size_t size)
{
    size_t len = 0;
    char words[64];
    to[0] = '\0';
    for (size_t i = 1; i < pic->n && len < size; i++) {
        if (pic->host[i].state == TRACE_HAS)
            continue;
        in_words(&pic->host[i], words, sizeof words);
        len += (size_t)snprintf(to + len, size - len, "%s%s (%s)", len ? ", " : "", pic->host[i].name, words);
    }
}

int trace_wait(struct port *p, const struct have_row *id, enum trace_wait wait, unsigned timeout_ms)
{
    struct trace_picture pic;
    struct end end = {0};
    char who[2048];
    int r = look(p, id, wait == TRACE_WAIT_HOST ? 1 : UINT32_MAX, timeout_ms, &pic, &end);
    if (r < 0 && r != -ETIMEDOUT)
        return exit_code_of(r);
    if (r == 0 && end.reason != REASON_OK) {
        fprintf(stderr, "chat: sent, and on the disk of this host; but which others have it is not known: %.*s\n",
                (int)end.text.len, end.text.p);
        return EXIT_TOO_BIG;
    }
    if (r == 0 && pic.n == 1) {
        fprintf(stderr, "chat: sent, and on the disk of this host; it is linked with no other\n");
        return EXIT_NO;
    }
    if (r == 0)
        return EXIT_OK;
    missing(&pic, who, sizeof who);
    fprintf(stderr, "chat: sent, and on the disk of this host, but not in time on %s%s; it arrives there later\n",
            wait == TRACE_WAIT_HOST ? "any other: " : "", *who ? who : "another");
    return EXIT_TIMEOUT;
}

struct said {
    struct have_row last;
    uint32_t first_seq; /* client_seq of the first that was found, 0: none */
    bool print;
};

static bool on_said(void *arg, const uint8_t *f)
{
    struct said *s = arg;
    char id[ID_TEXT_MAX + 1];
    if (frame_type(f) != FRAME_SAY)
        return true;
    s->last = (struct have_row){frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f), {0}};
    s->first_seq = s->first_seq ? s->first_seq : frame_client_seq(f);
    id_to_text(f, id);
    return !s->print || frame_flags(f) & FRAME_MORE || printf("%s\n", id) > 0;
}

int trace_said(struct port *p, const char *room, uint32_t last_seq, uint64_t since_wall_ms, bool print_ids, struct have_row *id)
{
    struct query q = {.kind = QUERY_SAID, .after = 1, .before = (uint64_t)last_seq + 1, .limit = print_ids ? SAID_IDS_MAX : 1,
                      .since = (since_wall_ms - min_u64(since_wall_ms, SINCE_SLACK_MS)) << 16};
    struct said s = {.print = print_ids};
    struct end end = {0};
    int r = port_query(p, room, &q, on_said, &s, &end);
    if (r < 0 && r != -ECANCELED)
        return exit_code_of(r);
    if (s.first_seq == 0) {
        fprintf(stderr, "chat: sent, and on the disk of this host, but the relay cannot say as what; see: chat log --ids %s\n", room);
        return EXIT_STORE;
    }
    if (print_ids && s.first_seq > 1)
        fprintf(stderr, "chat: these are the ids of the last %d messages or parts only\n", SAID_IDS_MAX);
    *id = s.last;
    return EXIT_OK;
}
