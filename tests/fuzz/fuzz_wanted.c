/* fuzz_wanted.c -- anything as a search: the first byte says how much of it is the message, the rest is what is looked for.
 *
 * What is understood must be something that the index understands, too, in whatever quotes and signs it stands. */
#include "store/index.h"

#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

static bool within(struct text t, struct text all)
{
    return t.len == 0 || (t.p >= all.p && t.p + t.len <= all.p + all.len);
}

static void check_wanted(const struct wanted *w, struct text all)
{
    check(w->n_terms <= WANTED_TERMS_MAX && w->n_rooms <= WANTED_ROOMS_MAX && (w->n_terms > 0 || w->user.len > 0));
    for (unsigned i = 0; i < w->n_terms; i++)
        check(w->term[i].text.len > 0 && within(w->term[i].text, all));
    for (unsigned i = 0; i < w->n_rooms; i++)
        check(w->room[i].len > 0 && within(w->room[i], all));
    check(w->user.len == 0 || text_user_ok(w->user));
    check(w->host.len == 0 || text_host_ok(w->host));
}

static bool note(void *arg, uint64_t pos, uint64_t room)
{
    unsigned *n = arg;
    check(pos == 8 && room == 7);
    ++*n;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct index *x;
    struct wanted w;
    unsigned n = 0;
    if (size < 1)
        return 0;
    size_t len = min_size(data[0], size - 1);
    struct text message = {(const char *)data + 1, len}, typed = {(const char *)data + 1 + len, size - 1 - len};
    const char *why = wanted_read(typed, &w);
    check(!why || (*why && !strchr(why, '\n')));
    if (why)
        return 0;
    check_wanted(&w, typed);
    if (!text_utf8_ok(message) || message.len == 0)
        message = text_of("x");
    struct index_entry e = {.hlc = 1, .pos = 8, .room = 7, .origin = 9, .user = text_of("ann"), .words = message};
    struct index_range range = {.low = 0};
    struct index_search s = {.wanted = &w, .user = w.user, .deadline_us = now_us() + 10000000};
    check(index_open(&x, NULL) == 0 && index_begin(x) == 0 && index_add(x, &e) == 0 && index_commit(x, &range) == 0);
    check(index_find(x, &s, note, &n) == 0 && n <= 1);
    index_close(x);
    return 0;
}
