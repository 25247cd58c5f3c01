/* grep.c -- chat grep, and what it has in common with /grep. */
#include "grep.h"

#include "base/sys.h"
#include "verbs.h"
#include "when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GREP_MAX = 1000 };

static int set_time(struct text typed, uint64_t *hlc, char *why, size_t size)
{
    char text[40];
    uint64_t ms;
    if (typed.len == 0)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)min_size(typed.len, sizeof text - 1), typed.p);
    if (when_from_text(text, wall_ms(), &ms) < 0) {
        snprintf(why, size, "not a time: %s (try -1h, 14:05, 2025-01-31, 2025-01-31T14:05)", text);
        return -EINVAL;
    }
    *hlc = ms << 16;
    return 0;
}

int grep_query(const char *typed, uint32_t n, struct query *q, char *why, size_t size)
{
    struct wanted w;
    const char *wrong = wanted_read(text_of(typed), &w);
    *q = (struct query){.kind = QUERY_SEARCH, .limit = n, .wanted = text_of(typed)};
    if (wrong) {
        snprintf(why, size, "%s", wrong);
        return -EINVAL;
    }
    int r = set_time(w.since, &q->since, why, size);
    return r < 0 ? r : set_time(w.until, &q->until, why, size);
}

/* with_rooms -- the words, and each room as a condition behind them; NULL: said on standard error. */
static char *with_rooms(int n, char **rooms, const char *words)
{
    char room[CALLED_MAX + 1];
    char *all = malloc(strlen(words) + 1 + (size_t)n * (CALLED_MAX + 5)), *at = all;
    if (all)
        at = stpcpy(all, words);
    for (int i = 0; all && i < n; i++) {
        if (room_argument(rooms[i], room) != 0) {
            free(all);
            return NULL;
        }
        at += sprintf(at, " in:%s", room);
    }
    return all;
}

/* set_options -- --since and --until count as if they stood among the words. */
static int set_options(const struct verb_options *o, struct query *q, char *why, size_t size)
{
    int r = o->since ? set_time(text_of(o->since), &q->since, why, size) : 0;
    return r == 0 && o->until ? set_time(text_of(o->until), &q->until, why, size) : r;
}

int verb_grep(const struct verb_options *o, int argc, char **argv)
{
    char why[256] = "which words? (chat grep [ROOM]... WORDS)";
    struct query q;
    struct end end = {0};
    if (argc > 0 && o->n > GREP_MAX)
        snprintf(why, sizeof why, "-n goes up to %d here; name a time (--since, --until) for what is older", GREP_MAX);
    char *typed = argc > 0 && o->n <= GREP_MAX ? with_rooms(argc - 1, argv, argv[argc - 1]) : NULL;
    if (argc > 0 && o->n <= GREP_MAX && !typed)
        return EXIT_USAGE;
    int r = typed ? grep_query(typed, o->n, &q, why, sizeof why) : -EINVAL;
    r = r < 0 ? r : set_options(o, &q, why, sizeof why);
    if (r < 0)
        fprintf(stderr, "chat: %s\n", why);
    int code = r < 0 ? EXIT_USAGE : list(o, NULL, &q, &end);
    if (end.reason == REASON_NO_ROOM && argc > 1)
        fprintf(stderr, "chat: all words go into one argument, behind the rooms: chat grep \"disk full\", chat grep build \"disk full\"\n");
    free(typed);
    return code;
}
