/* fuzz_render.c -- any bytes through the renderer; the oracle judges what comes out. */
#include "oracle.h"
#include "render.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const char *out, size_t n, bool utf8, bool lines)
{
    const char *why = oracle_objects(out, n, utf8, lines);
    if (why) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
}

/* The first byte of the input chooses how and, in its upper bits, how small the buffer is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    struct text in = {(const char *)data + 1, size - 1};
    unsigned how = data[0] & 3;
    size_t whole = RENDER_SIZE(in.len), room = whole >> (data[0] >> 5);
    char *out = malloc(whole);
    if (!out || room == 0) {
        free(out);
        return 0;
    }
    size_t n = render_text(in, how, out, whole);
    if (n > in.len * RENDER_GROWTH || n < in.len - (how & RENDER_LINES ? in.len / 2 : 0))
        abort();
    judge(out, n, how & RENDER_UTF8, how & RENDER_LINES);
    if (render_width((struct text){out, n}) > n)
        abort();

    out = realloc(out, room); /* exact, for the sanitizer */
    n = render_text(in, how, out, room);
    if (n >= room || out[n] != '\0')
        abort();
    judge(out, n, how & RENDER_UTF8, how & RENDER_LINES);
    n = render_name(in, out, room);
    judge(out, n, false, false);
    free(out);
    return 0;
}
