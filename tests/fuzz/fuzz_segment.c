/* fuzz_segment.c -- a segment as it comes over a link: its frame, then as many bytes as there
 * are.
 *
 * To get past the first comparisons, the header is made to fit the bytes: the fuzzer is to find
 * what the walk over the frames lets in, not to guess a key's number. */
#include "trust/seal.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[KEY_LEN] = {1, 2, 3};

/* check_again -- what passed as well-formed, looked at by the naive reader that link and keeper
 * are. */
static void check_again(const uint8_t *segment, const uint8_t *frames, size_t len)
{
    struct segment_head s;
    size_t at = 0;
    if (read_segment(segment, &s) < 0)
        abort();
    for (uint64_t i = 0; i < s.count; i++) {
        const uint8_t *f = frames + at;
        if (at >= len || frame_seq(f) != s.first_seq + i || frame_pos(f) != 0 ||
            !frame_row(frame_type(f))->durable)
            abort();
        at += frame_stride(f);
    }
    if (at != len || frame_seq(segment) != s.first_seq + s.count - 1)
        abort();
}

/* fit -- make the header agree with the length and the key. */
static void fit(uint8_t *segment, size_t len)
{
    frame_set_origin(segment, host_of_key(key));
    put_u32(segment + FRAME_HEAD + 4, (uint32_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t segment[FRAME_MAX];
    int n = frame_check(data, size);
    if (n <= 0 || frame_type(data) != FRAME_SEGMENT)
        return 0;
    memcpy(segment, data, (size_t)n);
    for (int fitted = 0; fitted < 2; fitted++) {
        int r = seal_check(segment, data + n, size - (size_t)n, key);
        if (r == 0)
            abort(); /* nobody has that key */
        if (r == -EACCES)
            check_again(segment, data + n, size - (size_t)n);
        fit(segment, size - (size_t)n);
    }
    return 0;
}
